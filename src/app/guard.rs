//! Watches what the container uses of its memory, and has the cache give way before the kernel kills.
//!
//! Often while memory is scarce, for it can go fast; seldom otherwise. The decision is [`Guard`]'s.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::allocator;
use super::cgroup::{self, MemoryGroup, Usage};
use crate::cache::guard::{Guard, Reading, Verdict};
use crate::cache::{Memory, Purged};
use crate::metrics::Metrics;
use crate::units::ByteSize;

/// Between two readings.
const SELDOM: Duration = Duration::from_millis(250);
const OFTEN: Duration = Duration::from_millis(50);
/// Above this part of the limit, in percent, things can turn within [`SELDOM`].
const SCARCE: u64 = 70;

/// What is read, found once.
pub struct Gauge {
    group: MemoryGroup,
    pressure: Option<PathBuf>,
}

impl Gauge {
    /// `root` is the root of the file system, `/` but in tests. None where there are no control groups.
    pub fn new(root: &Path) -> Option<Self> {
        Some(Self { group: MemoryGroup::of(root)?, pressure: cgroup::pressure(root, "memory") })
    }
}

/// Follows the container's memory for the life of the process. On a runtime whose workers do not serve.
pub async fn watch(gauge: Gauge, memory: &'static Memory, metrics: Arc<Metrics>) {
    let mut guard = Guard::default();
    let stalled = || gauge.pressure.as_deref().and_then(cgroup::stalled);
    let mut before = (Instant::now(), stalled());
    let mut pause = SELDOM;
    loop {
        tokio::time::sleep(pause).await;
        let Some(usage) = gauge.group.usage() else {
            continue;
        };
        let now = (Instant::now(), stalled());
        let waited = now.1.zip(before.1).map(|(now, before)| now.saturating_sub(before));
        let share = waited.map(|waited| waited.as_secs_f64() / (now.0 - before.0).as_secs_f64().max(f64::EPSILON));
        before = now;
        let Usage { used, limit } = usage;
        let reading = Reading { used, limit, capacity: memory.capacity(), held: memory.bytes(), stalled: share };
        let verdict = guard.observe(now.0, &reading);
        let shrunk = follow(verdict, memory, &reading);
        if shrunk || memory.is_cramped() {
            let trimmed = tokio::task::spawn_blocking(move || trim(memory, shrunk)).await.unwrap_or_default();
            metrics.cache.trimmed(trimmed.bytes);
        }
        let scarce = limit.is_some_and(|limit| used > limit / 100 * SCARCE);
        pause = if scarce || guard.is_pressed() { OFTEN } else { SELDOM };
    }
}

/// Whether the cache is to be smaller than before.
fn follow(verdict: Verdict, memory: &Memory, reading: &Reading) -> bool {
    let (used, limit) = (ByteSize(reading.used), reading.limit.map(|limit| ByteSize(limit).to_string()));
    match verdict {
        Verdict::Keep => false,
        Verdict::Shrink(to) => {
            let from = memory.allowed();
            memory.allow(to);
            if to < from {
                let (from, to) = (ByteSize(from), ByteSize(to));
                tracing::warn!(%used, limit, %from, %to, "memory is short: the cache gets smaller");
            }
            true
        }
        Verdict::Grow(to) => {
            // All of it is all of it, whatever that will be.
            memory.allow(if to < reading.capacity { to } else { u64::MAX });
            if !memory.is_pressed() {
                tracing::info!(%used, limit, "memory is free again: the cache has all of its share");
            }
            false
        }
    }
}

/// Room that is only made for other answers stays with the allocator.
fn trim(memory: &Memory, shrunk: bool) -> Purged {
    let trimmed = memory.trim();
    if shrunk {
        allocator::release();
    }
    trimmed
}

#[cfg(test)]
mod tests {
    use super::super::cgroup::tests::Root;
    use super::*;
    use crate::cache::{Limits, Silent};
    use crate::encode::Budget;
    use crate::metrics::{Build, Config};

    /// From the files to what is allowed, in real time, there and back.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_the_cache_may_hold_follows_the_files() {
        let root = Root::new(
            "guard",
            &[("sys/fs/cgroup/memory.current", "5000000\n"), ("sys/fs/cgroup/memory.max", "10000000\n")],
        );
        let limits = Limits { capacity: 1 << 20, fills: 1 << 20, max_object: 1 << 20, max_variants: 1 };
        let memory = Memory::new(limits, Arc::new(Budget::new(0)), Arc::new(Silent));
        let memory: &'static Memory = Box::leak(Box::new(memory));
        let metrics = Arc::new(Metrics::new(&Config::default(), Build { version: "0", revision: "0" }));
        let watching = tokio::spawn(watch(Gauge::new(&root.0).expect("a group"), memory, metrics.clone()));
        let until = async |what: &str, holds: &dyn Fn() -> bool| {
            let began = Instant::now();
            while !holds() {
                assert!(began.elapsed() < Duration::from_secs(20), "{what}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(!memory.is_pressed());
        root.write("sys/fs/cgroup/memory.current", "9500000\n");
        until("it shrinks", &|| memory.is_pressed()).await;
        assert_eq!(memory.allowed(), 0, "all that is held, which is nothing, is less than what is missing");
        let trims = || !metrics.exposition().expect("an exposition").contains("\nvacpack_cache_trims_total 0\n");
        until("it is counted", &trims).await;
        root.write("sys/fs/cgroup/memory.current", "5000000\n");
        until("it grows", &|| memory.allowed() > 0).await;
        watching.abort();
    }

    #[test]
    fn without_a_control_group_there_is_nothing_to_watch() {
        assert!(Gauge::new(&Root::new("unguarded", &[("proc/self/cgroup", "0::/\n")]).0).is_none());
    }
}
