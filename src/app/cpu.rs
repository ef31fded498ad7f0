//! How short the CPU is: read twice a second, so that live compression can take less of it.
//!
//! Three signals, as containers differ in what they show: the time for which the quota of this control group, or of one
//! above it, held it back (`cpu.stat`); the time for which somebody in it waited for a core (PSI, `cpu.pressure`; kernels
//! may be built without); and how late the workers are for a timer, which is there always, and true.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cgroup::{self, field};
use crate::config::limits;
use crate::encode::{CpuLadder, Pressure, Signals, Step};
use crate::metrics::Metrics;

/// Between two readings.
const EVERY: Duration = Duration::from_millis(500);
/// Timers of one reading. The middle one counts: a single late one is somebody else's long turn.
const TIMERS: u32 = 5;

/// Follows the load for the life of the process. On the runtime whose workers are the ones to be late.
pub async fn watch(meter: Meter, pressure: Arc<Pressure>, metrics: Arc<Metrics>) {
    let mut began = Instant::now();
    let mut ladder = CpuLadder::new(began);
    let mut before = meter.read();
    let mut step = Step::CALM;
    loop {
        let late = lateness().await;
        let (now, counts) = (Instant::now(), meter.read());
        metrics.cpu_throttled(counts.throttled.saturating_sub(before.throttled));
        let next = ladder.observe(began, now, &counts.since(&before, now - began, late));
        if next != step {
            tracing::info!(from = step.number(), to = next.number(), "compression follows the CPU");
            metrics.compression.pressure_step(next.number());
            pressure.set(next);
        }
        (began, before, step) = (now, counts, next);
    }
}

/// How late the middle one of a few timers is.
async fn lateness() -> Duration {
    let mut late = Vec::with_capacity(TIMERS as usize);
    for _ in 0..TIMERS {
        let due = Instant::now() + EVERY / TIMERS;
        tokio::time::sleep_until(due.into()).await;
        late.push(due.elapsed());
    }
    late.sort_unstable();
    late[late.len() / 2]
}

/// The files to read, found once: a process does not change its control group.
pub struct Meter {
    throttled: Vec<PathBuf>,
    stalled: Option<PathBuf>,
}

/// What the kernel has counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    throttled: Duration,
    stalled: Option<Duration>,
}

impl Meter {
    /// `root` is the root of the file system, `/` but in tests.
    pub fn new(root: &Path) -> Self {
        Self { throttled: stats(root), stalled: cgroup::pressure(root, "cpu") }
    }

    /// A quota may stand at any level: the group that is held back longest counts.
    fn read(&self) -> Counts {
        let read = |file: &PathBuf| fs::read_to_string(file).ok();
        Counts {
            throttled: self
                .throttled
                .iter()
                .filter_map(read)
                .filter_map(|text| throttled(&text))
                .max()
                .unwrap_or_default(),
            stalled: self.stalled.as_deref().and_then(cgroup::stalled),
        }
    }
}

impl Counts {
    fn since(&self, before: &Self, time: Duration, late: Duration) -> Signals {
        let share = |now: Duration, before: Duration| {
            now.saturating_sub(before).as_secs_f64() / time.as_secs_f64().max(f64::EPSILON)
        };
        Signals {
            throttled: share(self.throttled, before.throttled),
            stalled: self.stalled.zip(before.stalled).map(|(now, before)| share(now, before)),
            late,
        }
    }
}

/// Every `cpu.stat` there is: of this group and those above it.
pub fn stats(root: &Path) -> Vec<PathBuf> {
    let groups = limits::groups(root, "").into_iter().chain(limits::groups(root, "cpu"));
    groups.map(|group| group.join("cpu.stat")).filter(|file| file.exists()).collect()
}

/// `cpu.stat`: microseconds in v2, nanoseconds in v1.
fn throttled(text: &str) -> Option<Duration> {
    let v2 = field(text, "throttled_usec").map(Duration::from_micros);
    v2.or_else(|| field(text, "throttled_time").map(Duration::from_nanos))
}

#[cfg(test)]
mod tests;
