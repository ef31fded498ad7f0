//! What the tests of this module share: a process with one route, and everything that can be counted counted once.

mod cardinality;
mod documentation;
mod exposition;
mod recording;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::access_log::Rules;
use super::exchange::sample;
use super::label::Label;
use super::log::Format;
use super::*;
use crate::header::coding::Source;
use crate::negotiate::SkipReason;
use crate::policy::{CacheOutcome, NotStored};

fn metrics() -> Metrics {
    with_config(&Config::default())
}

fn with_config(config: &Config) -> Metrics {
    Metrics::new(config, Build { version: "0.1.0", revision: "f84fbcb" })
}

/// Standard output, for a test to read.
struct Pipe(Sender<Vec<u8>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn access_log(metrics: &Metrics) -> (AccessLog, Receiver<Vec<u8>>) {
    let (sender, written) = channel();
    let log = AccessLog::start(Pipe(sender), Format::Json, metrics.access_log_dropped()).expect("a thread");
    (log, written)
}

struct FixedCache;

impl CacheGauges for FixedCache {
    fn entries(&self) -> u64 {
        3
    }
    fn bytes(&self) -> u64 {
        4096
    }
    fn capacity(&self) -> u64 {
        1 << 20
    }
    fn allowed(&self) -> u64 {
        1 << 19
    }
    fn fills_in_flight(&self) -> u64 {
        u64::MAX
    }

    fn shareable(&self) -> u64 {
        2
    }
}

struct FixedTls;

impl TlsGauges for FixedTls {
    fn is_current(&self) -> bool {
        true
    }
    fn expires(&self) -> u64 {
        1_800_000_000
    }
}

struct FixedMemory;

impl MemoryGauges for FixedMemory {
    fn budget(&self) -> u64 {
        1 << 26
    }
    fn encoders_held(&self) -> u64 {
        1 << 20
    }
    fn encoders_reserved(&self) -> u64 {
        1 << 21
    }
    fn encoders_capacity(&self) -> u64 {
        1 << 24
    }
}

struct FixedContainer;

impl ContainerSource for FixedContainer {
    fn figures(&self) -> ContainerFigures {
        ContainerFigures {
            memory: Some(100 << 20),
            memory_limit: Some(128 << 20),
            memory_events: MemoryEvent::ALL.iter().map(|event| (*event, 7)).collect(),
            stalled: Resource::ALL.iter().map(|resource| (*resource, Duration::from_millis(1500))).collect(),
            cpu_periods: Some((40, 2)),
        }
    }
}

/// Every family with every value of every closed label, and one route.
fn exercise(metrics: &Metrics) {
    metrics.watch_cache(Arc::new(FixedCache));
    metrics.watch_memory(Arc::new(FixedMemory));
    metrics.watch_tls(Arc::new(FixedTls));
    metrics.watch_container(Arc::new(FixedContainer));
    Handshake::ALL.iter().for_each(|each| metrics.handshake(*each));
    let (log, _written) = access_log(metrics);
    let route = metrics.route("static");
    for cache in CacheOutcome::ALL {
        let mut phases = Phases::default();
        for phase in Phase::ALL {
            phases.add(*phase, Duration::from_micros(70));
        }
        Exchange { cache, phases, ..sample::exchange(&route) }.record(metrics, &log, &Rules::default());
    }
    for reason in SkipReason::ALL {
        let body = BodyCoding::Skipped(reason);
        Exchange { body, ..sample::exchange(&route) }.record(metrics, &log, &Rules::default());
    }
    for source in <Source as Label>::ALL {
        for ended in Transcoding::ALL {
            let transcoded = Some((*source, *ended));
            Exchange { transcoded, ..sample::exchange(&route) }.record(metrics, &log, &Rules::default());
        }
    }
    for reason in NotStored::ALL {
        let storing = Storing::Refused(reason);
        Exchange { storing, ..sample::exchange(&route) }.record(metrics, &log, &Rules::default());
    }
    for cause in EvictionCause::ALL {
        metrics.cache.evicted(*cause);
    }
    metrics.cache.trimmed(1);
    for result in PurgeResult::ALL {
        metrics.cache.purge(*result);
    }
    for scope in PurgeScope::ALL {
        metrics.cache.purged(*scope, 1);
    }
    for reason in UpstreamError::ALL {
        metrics.upstream.failed(*reason, AfterFailure::Retry, &"for a test");
    }
}

/// `name{labels}` to value.
fn series(metrics: &Metrics) -> BTreeMap<String, f64> {
    let exposition = metrics.exposition().expect("an exposition");
    let lines = exposition.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            (series.to_owned(), value.parse().expect("a number"))
        })
        .collect()
}

fn value(metrics: &Metrics, series_name: &str) -> f64 {
    *series(metrics).get(series_name).unwrap_or_else(|| panic!("no series {series_name}"))
}

/// Runs promtool on this input. It may be missing on a developer's machine, but not where changes are judged.
fn promtool(arguments: &[&str], input: &str) {
    let run = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = match run {
        Ok(child) => child,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "promtool (Debian package prometheus) is needed: {error}");
            eprintln!("skipped, no promtool: {error}");
            return;
        }
    };
    let mut stdin = promtool.stdin.take().expect("stdin is piped");
    stdin.write_all(input.as_bytes()).expect("promtool reads");
    drop(stdin);
    let output = promtool.wait_with_output().expect("promtool ends");
    let told = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&told));
}
