//! The files of a control group, of either version: which there are, and what their lines mean.
//!
//! Files are found once, since a process does not change its group; they are read whenever somebody asks, the limit too,
//! which a pod may be given anew while it runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::limits;

/// The group by whose limit memory is short: of this process's own and those above it, the one with the lowest. Without
/// any limit its own.
#[derive(Debug)]
pub struct MemoryGroup {
    directory: PathBuf,
    files: &'static Files,
}

/// What the two versions call the same things.
#[derive(Debug)]
struct Files {
    /// In the path below `/sys/fs/cgroup`; "" is version 2.
    controller: &'static str,
    used: &'static str,
    limit: &'static str,
    /// In `memory.stat`: file pages that were not used lately, which the kernel takes back before anything else.
    inactive: &'static str,
    /// The file and the name of a line in it; no name is the whole file.
    refused: (&'static str, &'static str),
    killed: (&'static str, &'static str),
    throttled: Option<(&'static str, &'static str)>,
}

const V2: Files = Files {
    controller: "",
    used: "memory.current",
    limit: "memory.max",
    inactive: "inactive_file",
    refused: ("memory.events", "max"),
    killed: ("memory.events", "oom_kill"),
    throttled: Some(("memory.events", "high")),
};

const V1: Files = Files {
    controller: "memory",
    used: "memory.usage_in_bytes",
    limit: "memory.limit_in_bytes",
    // With that of the groups below, as the usage is.
    inactive: "total_inactive_file",
    refused: ("memory.failcnt", ""),
    killed: ("memory.oom_control", "oom_kill"),
    throttled: None,
};

/// How a group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes that the kernel cannot simply take back. The kubelet calls it the working set.
    pub used: u64,
    pub limit: Option<u64>,
}

impl MemoryGroup {
    /// `root` is the root of the file system, `/` but in tests.
    pub fn of(root: &Path) -> Option<Self> {
        let groups = |files: &'static Files| {
            let groups = limits::groups(root, files.controller).into_iter();
            groups.map(move |directory| Self { directory, files }).filter(|group| group.usage().is_some())
        };
        let all = groups(&V2).chain(groups(&V1));
        // The first of several without a limit is the process's own.
        all.min_by_key(|group| group.limit().unwrap_or(u64::MAX))
    }

    pub fn usage(&self) -> Option<Usage> {
        let used: u64 = self.read(self.files.used)?.trim().parse().ok()?;
        let inactive = self.read("memory.stat").and_then(|text| field(&text, self.files.inactive)).unwrap_or(0);
        Some(Usage { used: used.saturating_sub(inactive), limit: self.limit() })
    }

    /// How often the limit was met: by `memory.high`, by `memory.max`, and to somebody's end.
    pub fn events(&self) -> [Option<u64>; 3] {
        [self.files.throttled, Some(self.files.refused), Some(self.files.killed)].map(|place| {
            let (file, name) = place?;
            let text = self.read(file)?;
            if name.is_empty() { text.trim().parse().ok() } else { field(&text, name) }
        })
    }

    fn limit(&self) -> Option<u64> {
        limits::bytes(&self.directory.join(self.files.limit))
    }

    fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.directory.join(file)).ok()
    }
}

/// PSI of the innermost group that shows it. Only version 2 does; kernels may be built without.
pub fn pressure(root: &Path, resource: &str) -> Option<PathBuf> {
    let file = format!("{resource}.pressure");
    limits::groups(root, "").into_iter().map(|group| group.join(&file)).find(|file| file.exists())
}

/// Time for which somebody waited: `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, in microseconds.
pub fn stalled(file: &Path) -> Option<Duration> {
    some(&fs::read_to_string(file).ok()?)
}

fn some(text: &str) -> Option<Duration> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let total = some.split(' ').find_map(|field| field.strip_prefix("total="))?;
    total.parse().ok().map(Duration::from_micros)
}

/// The number on the line of this name.
pub fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A tree of files that looks like a container's, and goes away with its test.
    pub struct Root(pub PathBuf);

    impl Root {
        pub fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let root = Self(std::env::temp_dir().join(format!("vacpack-root-{}-{name}", std::process::id())));
            files.iter().for_each(|(file, text)| root.write(file, text));
            root
        }

        pub fn write(&self, file: &str, text: &str) {
            let file = self.0.join(file);
            fs::create_dir_all(file.parent().expect("a directory")).expect("writable");
            fs::write(file, text).expect("writable");
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _left_behind = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_group_with_the_lowest_limit_is_read() {
        let root = Root::new(
            "lowest",
            &[
                ("proc/self/cgroup", "0::/pod/app\n"),
                ("sys/fs/cgroup/pod/app/memory.current", "900\n"),
                ("sys/fs/cgroup/pod/app/memory.max", "max\n"),
                ("sys/fs/cgroup/pod/memory.current", "5000\n"),
                ("sys/fs/cgroup/pod/memory.max", "8000\n"),
                ("sys/fs/cgroup/pod/memory.stat", "anon 1\ninactive_file 1500\nactive_file 7\n"),
                ("sys/fs/cgroup/pod/memory.events", "low 0\nhigh 4\nmax 3\noom 2\noom_kill 1\n"),
            ],
        );
        let group = MemoryGroup::of(&root.0).expect("a group");
        assert_eq!(group.usage(), Some(Usage { used: 3500, limit: Some(8000) }));
        assert_eq!(group.events(), [Some(4), Some(3), Some(1)]);
        root.write("sys/fs/cgroup/pod/memory.max", "9000\n");
        assert_eq!(group.usage().and_then(|usage| usage.limit), Some(9000), "a pod that was resized");
    }

    #[test]
    fn version_1_has_other_names() {
        let root = Root::new(
            "v1",
            &[
                ("proc/self/cgroup", "4:memory:/docker/x\n0::/\n"),
                // The mount is the container's own group: the path leads nowhere.
                ("sys/fs/cgroup/memory/memory.usage_in_bytes", "5000\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "8000\n"),
                ("sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 1000\n"),
                ("sys/fs/cgroup/memory/memory.failcnt", "12\n"),
                ("sys/fs/cgroup/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
            ],
        );
        let group = MemoryGroup::of(&root.0).expect("a group");
        assert_eq!(group.usage(), Some(Usage { used: 4000, limit: Some(8000) }));
        assert_eq!(group.events(), [None, Some(12), Some(2)]);
        root.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(group.usage(), Some(Usage { used: 4000, limit: None }));
    }

    #[test]
    fn without_control_groups_there_is_none() {
        let root = Root::new("bare", &[("proc/self/cgroup", "0::/\n")]);
        assert!(MemoryGroup::of(&root.0).is_none());
        assert_eq!(pressure(&root.0, "memory"), None);
    }

    #[test]
    fn a_name_is_a_whole_name() {
        let text = "total_inactive_file 7\ninactive_file_x 8\ninactive_file 9\nodd\n";
        assert_eq!(field(text, "inactive_file"), Some(9));
        assert_eq!(field(text, "odd"), None);
    }

    #[test]
    fn stalls_are_those_of_some() {
        assert_eq!(some("some avg10=0.00 total=1500000\nfull total=7\n"), Some(Duration::from_millis(1500)));
        assert_eq!(some("full total=3"), None);
        assert_eq!(some("some avg10=0.00"), None);
    }
}
