//! What the container may use: memory and CPU limits of cgroup v1 and v2.
//!
//! `root` is the root of the file system, `/` but in tests. Within a container the group is mounted as
//! `/sys/fs/cgroup` itself; elsewhere `/proc/self/cgroup` names the way down to it, and every level above it binds too.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// v1 writes "no limit" as the largest multiple of the page size; nobody has an exbibyte.
const NO_LIMIT: u64 = 1 << 60;

/// The memory limit in bytes, if there is one.
pub fn memory_limit(root: &Path) -> Option<u64> {
    let v2 = groups(root, "").into_iter().map(|group| group.join("memory.max"));
    let v1 = groups(root, "memory").into_iter().map(|group| group.join("memory.limit_in_bytes"));
    v2.chain(v1).filter_map(|file| bytes(&file)).min()
}

/// The limit that a file states, if it does.
pub(crate) fn bytes(file: &Path) -> Option<u64> {
    read(file)?.parse().ok().filter(|limit| *limit < NO_LIMIT)
}

/// The CPU limit in cores, if there is one.
pub fn cpu_limit(root: &Path) -> Option<f64> {
    let v2 = groups(root, "").into_iter().filter_map(|group| {
        let text = read(&group.join("cpu.max"))?;
        let (quota, period) = text.split_once(' ')?;
        cores(quota, period)
    });
    let v1 = groups(root, "cpu")
        .into_iter()
        .filter_map(|group| cores(&read(&group.join("cpu.cfs_quota_us"))?, &read(&group.join("cpu.cfs_period_us"))?));
    v2.chain(v1).min_by(f64::total_cmp)
}

/// How many threads serve: the limit rounded up, since the scheduler lets 1.5 cores keep two threads busy.
/// `available` is what the standard library found, which rounds the same limit down and knows the affinity mask.
pub fn workers(available: NonZeroUsize, limit: Option<f64>) -> NonZeroUsize {
    match limit {
        Some(limit) if limit.floor().max(1.0) as usize == available.get() => {
            NonZeroUsize::new(limit.ceil() as usize).unwrap_or(available)
        }
        _ => available,
    }
}

/// The group of this process and those above it, as directories of one controller ("" is v2).
pub(crate) fn groups(root: &Path, controller: &str) -> Vec<PathBuf> {
    let mount = root.join("sys/fs/cgroup").join(controller);
    let listed = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let own = listed.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        controllers.split(',').any(|name| name == controller).then_some(path)
    });
    let own = mount.join(own.unwrap_or_default().trim_start_matches('/'));
    own.ancestors().take_while(|group| group.starts_with(&mount)).map(Path::to_path_buf).collect()
}

/// A negative quota, or `max`, is none.
fn cores(quota: &str, period: &str) -> Option<f64> {
    let quota: f64 = quota.parse().ok().filter(|quota| *quota > 0.0)?;
    let period: f64 = period.parse().ok().filter(|period| *period > 0.0)?;
    Some(quota / period)
}

fn read(file: &Path) -> Option<String> {
    fs::read_to_string(file).ok().map(|text| text.trim().to_owned())
}
