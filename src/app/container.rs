//! The container for those who watch it: what `/metrics` shows of its control group.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cgroup::{self, MemoryGroup, field};
use super::cpu;
use crate::metrics::{ContainerFigures, ContainerSource, Label as _, MemoryEvent, Resource};

/// The files to read.
pub struct Container {
    memory: Option<MemoryGroup>,
    stalls: Vec<(Resource, PathBuf)>,
    cpu: Vec<PathBuf>,
    /// What had passed when this process began: its counters are its own.
    before: (u64, u64),
}

impl Container {
    /// `root` is the root of the file system, `/` but in tests.
    pub fn new(root: &Path) -> Self {
        let stalls = Resource::ALL.iter().filter_map(|resource| {
            let file = cgroup::pressure(root, resource.label())?;
            Some((*resource, file))
        });
        let mut container =
            Self { memory: MemoryGroup::of(root), stalls: stalls.collect(), cpu: cpu::stats(root), before: (0, 0) };
        container.before = container.periods().unwrap_or_default();
        container
    }

    /// Of the group that was held back most often: a quota may stand at any level.
    fn periods(&self) -> Option<(u64, u64)> {
        let read = |file: &PathBuf| {
            let text = fs::read_to_string(file).ok()?;
            let all = field(&text, "nr_periods").filter(|periods| *periods > 0)?;
            Some((all, field(&text, "nr_throttled")?))
        };
        self.cpu.iter().filter_map(read).max_by_key(|(all, throttled)| (*throttled, *all))
    }

    fn stalled(&self) -> Vec<(Resource, Duration)> {
        let read = |(resource, file): &(Resource, PathBuf)| Some((*resource, cgroup::stalled(file)?));
        self.stalls.iter().filter_map(read).collect()
    }
}

impl ContainerSource for Container {
    fn figures(&self) -> ContainerFigures {
        let usage = self.memory.as_ref().and_then(MemoryGroup::usage);
        let events = self.memory.as_ref().map(MemoryGroup::events).unwrap_or_default();
        ContainerFigures {
            memory: usage.map(|usage| usage.used),
            memory_limit: usage.and_then(|usage| usage.limit),
            memory_events: MemoryEvent::ALL.iter().zip(events).filter_map(|(event, n)| Some((*event, n?))).collect(),
            stalled: self.stalled(),
            cpu_periods: self
                .periods()
                .map(|(all, throttled)| (all.saturating_sub(self.before.0), throttled.saturating_sub(self.before.1))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::cgroup::tests::Root;
    use super::*;

    const PSI: &str = "some avg10=0.00 avg60=0.12 avg300=0.20 total=1500000\nfull avg10=0.00 total=7\n";

    #[test]
    fn all_that_version_2_tells() {
        let root = Root::new(
            "container",
            &[
                ("proc/self/cgroup", "0::/\n"),
                ("sys/fs/cgroup/memory.current", "5000\n"),
                ("sys/fs/cgroup/memory.max", "8000\n"),
                ("sys/fs/cgroup/memory.stat", "inactive_file 1000\n"),
                ("sys/fs/cgroup/memory.events", "low 0\nhigh 0\nmax 3\noom 0\noom_kill 0\n"),
                ("sys/fs/cgroup/memory.pressure", PSI),
                ("sys/fs/cgroup/io.pressure", PSI),
                ("sys/fs/cgroup/cpu.stat", "usage_usec 9\nnr_periods 100\nnr_throttled 10\nthrottled_usec 1\n"),
            ],
        );
        let container = Container::new(&root.0);
        root.write("sys/fs/cgroup/cpu.stat", "usage_usec 9\nnr_periods 150\nnr_throttled 30\nthrottled_usec 1\n");
        let stalled = Duration::from_millis(1500);
        assert_eq!(
            container.figures(),
            ContainerFigures {
                memory: Some(4000),
                memory_limit: Some(8000),
                memory_events: vec![(MemoryEvent::High, 0), (MemoryEvent::Max, 3), (MemoryEvent::OomKill, 0)],
                stalled: vec![(Resource::Memory, stalled), (Resource::Io, stalled)],
                cpu_periods: Some((50, 20)),
            }
        );
    }

    #[test]
    fn nothing_is_made_up() {
        let root = Root::new("nothing", &[("sys/fs/cgroup/cpu.stat", "usage_usec 9\nnr_periods 0\nnr_throttled 0\n")]);
        assert_eq!(Container::new(&root.0).figures(), ContainerFigures::default());
    }
}
