//! From checked values to the typed configuration. Nothing can be wrong here any more; see `settings.rs`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::limits;
use super::route;
use super::settings::Settings;
use super::tree::{Node, Table, Value};
use super::typed::{Admin, BudgetSource, Cache, Config, Listen, Log, Memory, Runtime};
use crate::admin::Token;
use crate::cache::improve;
use crate::encode::Best;
use crate::metrics;
use crate::metrics::access_log::{self, Exclude, Sample};
use crate::metrics::config::{Buckets, ConstantLabels};
use crate::metrics::log::{Format, Level};
use crate::proxy::{Announcers, ConnectionLimits, RequestLimits, TraceRules, Traceparent, TrustedProxies};
use crate::{tls, upstream};

/// The budget where no limit says how much there is: a share of the whole machine would be somebody else's memory.
pub const UNLIMITED_BUDGET: u64 = 64 << 20;

/// `root` is the root of the file system, where the container's limits are found.
pub(super) fn config(table: &Table, token: Option<Token>, root: &Path) -> Config {
    let settings = Settings(table);
    Config {
        upstream: upstream(settings.section("upstream")),
        listen: listen(settings.section("listen")),
        improve: improve(settings.section("compression")),
        memory: memory(settings.section("memory"), limits::memory_limit(root)),
        cache: cache(settings.section("cache")),
        routes: route::routes(table),
        server_timing: settings.section("headers").flag("server_timing"),
        forwarded: settings.section("headers").flag("forwarded"),
        trace: TraceRules {
            request_id: settings.section("headers").flag("request_id"),
            traceparent: Traceparent::of(settings.section("headers").text("traceparent")),
        },
        admin: Admin { address: settings.section("admin").parsed("address"), token },
        metrics: metrics(settings.section("metrics")),
        log: log(settings.section("log")),
        runtime: runtime(settings.section("runtime"), root),
    }
}

fn upstream(upstream: Settings<'_>) -> upstream::Config {
    let breaker = upstream.section("breaker");
    upstream::Config {
        address: upstream.parsed("address"),
        also: upstream.list("also"),
        protocol: upstream::Protocol::of(upstream.text("protocol")),
        max_streams: upstream.section("h2").integer("max_streams"),
        ping_interval: upstream.section("h2").time("ping_interval"),
        tls: upstream_tls(&upstream.parsed("address"), upstream.section("tls")),
        resolve_every: upstream.time("resolve_every"),
        ready_path: upstream.optional("ready_path").and_then(Node::text).map(str::to_owned),
        ready_interval: upstream.time("ready_interval"),
        breaker: upstream::BreakerRules { failures: breaker.integer("failures"), pause: breaker.time("pause") },
        connect_timeout: upstream.time("connect_timeout"),
        first_byte_timeout: upstream.time("first_byte_timeout"),
        read_timeout: upstream.time("read_timeout"),
        total_timeout: upstream.time_or_word("total_timeout"),
        write_timeout: upstream.time("write_timeout"),
        idle_timeout: upstream.time("idle_timeout"),
        max_header_size: upstream.size("max_header_size"),
        max_retries: upstream.integer("max_retries"),
        keepalive: upstream.integer_or_word("keepalive").unwrap_or(upstream.integer("max_requests")) as usize,
        admission: upstream::Limits {
            requests: upstream.integer("max_requests"),
            queued: upstream.integer("max_queued"),
            wait: upstream.time("queue_timeout"),
        },
    }
}

/// Unless it is given another name, the app has that of its address.
fn upstream_tls(address: &upstream::Address, tls: Settings<'_>) -> Option<upstream::TlsConfig> {
    let upstream::Address::Tcp { host, tls: true, .. } = address else {
        return None;
    };
    let text = |name: &str| tls.optional(name).and_then(Node::text);
    let trust = match (tls.flag("dangerously_accept_any_certificate"), tls.flag("dangerously_accept_any_name")) {
        (true, _) => upstream::Trust::AnyCertificate,
        (false, true) => upstream::Trust::AnyName,
        (false, false) => upstream::Trust::Verified,
    };
    Some(upstream::TlsConfig {
        name: text("server_name").unwrap_or(host).trim_end_matches('.').to_owned(),
        ca: text("ca").map(PathBuf::from),
        client_certificate: text("client_certificate").map(PathBuf::from),
        trust,
    })
}

fn listen(listen: Settings<'_>) -> Listen {
    Listen {
        address: listen.parsed("address"),
        tls: tls(listen.section("tls")),
        connection: ConnectionLimits {
            h2c: listen.flag("h2c"),
            announcers: Announcers(listen.list("proxy_protocol")),
            max_connections: listen.integer("max_connections"),
            max_per_client: listen.integer_or_word("max_connections_per_client"),
            max_requests: listen.integer_or_word("max_requests"),
            max_streams: listen.integer("max_streams"),
            max_header_size: listen.size("max_header_size"),
            max_header_count: listen.integer("max_header_count"),
            header_timeout: listen.time("header_timeout"),
            idle_timeout: listen.time("idle_timeout"),
        },
        request: RequestLimits {
            max_url: listen.size("max_url"),
            max_header_size: listen.size("max_header_size"),
            max_header_count: listen.integer("max_header_count"),
            max_body: listen.size_or_word("max_body").unwrap_or(u64::MAX),
            body_timeout: listen.time("body_timeout"),
            min_body_rate: listen.size("min_body_rate"),
            write_timeout: listen.time("write_timeout"),
        },
        trusted_proxies: TrustedProxies(listen.list("trusted_proxies")),
    }
}

fn tls(tls: Settings<'_>) -> Option<tls::Config> {
    let certificates: Vec<PathBuf> = tls.list("certificates");
    (!certificates.is_empty()).then(|| tls::Config {
        certificates,
        oldest: tls::Version::of(tls.text("min_version")),
        client_ca: tls.optional("client_ca").and_then(Node::text).map(PathBuf::from),
        h2: tls.flag("h2"),
    })
}

pub(super) fn memory(memory: Settings<'_>, limit: Option<u64>) -> Memory {
    let (budget, source) = match (&memory.node("budget").value, limit) {
        (Value::Percent(share), Some(limit)) => (share.of(limit), BudgetSource::Share),
        (Value::Percent(_), None) => (UNLIMITED_BUDGET, BudgetSource::NoLimit),
        _ => (memory.size("budget"), BudgetSource::Fixed),
    };
    Memory { budget, source, limit }
}

fn cache(cache: Settings<'_>) -> Cache {
    Cache {
        max_object: cache.size("max_object"),
        coalesce: cache.time("coalesce"),
        max_waiters: cache.integer("max_waiters"),
        max_variants: cache.integer("max_variants"),
        generation: cache.text("generation").to_owned(),
        status_header: cache.flag("status_header"),
        purge_from: cache.list("purge_from"),
    }
}

fn improve(compression: Settings<'_>) -> Option<improve::Config> {
    let improve = compression.section("improve");
    improve.flag("enabled").then(|| improve::Config {
        after_hits: improve.integer("after_hits"),
        best: Best { brotli: improve.integer("br"), zstd: improve.integer("zstd") },
        min_size: compression.size("min_size"),
    })
}

/// Each label and the row of buckets were checked as what they become here.
fn metrics(metrics: Settings<'_>) -> metrics::Config {
    let labels = metrics.entries("labels").into_iter();
    let labels = labels.filter_map(|(name, node)| Some((name.to_owned(), node.text()?.to_owned())));
    metrics::Config {
        latency_buckets: Buckets::new(&metrics.times("latency_buckets")).unwrap_or_default(),
        labels: ConstantLabels::new(labels.collect()).unwrap_or_default(),
    }
}

fn log(log: Settings<'_>) -> Log {
    let access = log.section("access");
    let (level, format) = (log.text("level"), log.text("format"));
    Log {
        level: Level::ALL.into_iter().find(|each| each.word() == level).unwrap_or_default(),
        format: Format::ALL.into_iter().find(|each| each.word() == format),
        access: access_log::Rules {
            enabled: access.flag("enabled"),
            sample: Sample::new(access.ratio("sample")).unwrap_or(Sample::ALL),
            slow: access.time("slow"),
            exclude: Exclude::new(access.texts("exclude")).unwrap_or_default(),
        },
    }
}

fn runtime(runtime: Settings<'_>, root: &Path) -> Runtime {
    let fixed = runtime.integer_or_word("workers").and_then(|count| NonZeroUsize::new(count as usize));
    let available = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let limit = limits::cpu_limit(root);
    Runtime {
        workers: fixed.unwrap_or_else(|| limits::workers(available, limit)).get(),
        cpu_limit: limit.map(|cores| (cores * 1000.0) as u64),
        drain_delay: runtime.time("drain_delay"),
        drain_limit: runtime.time("drain_limit"),
        grace: runtime.time("grace"),
    }
}
