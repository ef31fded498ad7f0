//! Notices that the configuration file, or one of a directory, is another one.
//!
//! The *directory* is watched, never the file: a ConfigMap is updated by swapping the symbolic link `..data` beside it,
//! after which a watch on the file's inode is deaf, and editors replace files as well. Events come in bursts, so they are
//! waited out; then the content decides, not the event. A slow poll stands behind it all, for file systems without events
//! and for links into other directories.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::reload::Reloader;

/// Silence that ends a burst of events.
const SETTLED: Duration = Duration::from_millis(200);
/// A directory in which something changes all the time is looked at this often.
const BURST: Duration = Duration::from_secs(2);
/// Without any event.
const POLL: Duration = Duration::from_secs(30);

/// A watch, until it is dropped.
pub struct Watch {
    /// None where the system has no watch to give.
    _watcher: Option<RecommendedWatcher>,
    /// Its end is the thread's.
    _alive: Sender<()>,
}

impl Watch {
    /// Follows the reloader's file; None without one, or where the system refuses the thread.
    pub fn start(reloader: Arc<Reloader>) -> Option<Self> {
        let directory = directory(reloader.file()?);
        let (alive, changed) = channel();
        let watcher = watcher(directory, alive.clone())
            .inspect_err(
                |error| tracing::warn!(%error, "no watch on {}: looked at every {POLL:?}", directory.display()),
            )
            .ok();
        let follow = move || follow(&changed, &reloader);
        let thread = thread::Builder::new().name("config".to_owned()).spawn(follow);
        thread.inspect_err(|error| tracing::warn!(%error, "the configuration file is not watched")).ok()?;
        Some(Self { _watcher: watcher, _alive: alive })
    }
}

/// Where the entries are that name the files.
fn directory(file: &Path) -> &Path {
    if file.is_dir() {
        return file;
    }
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn watcher(directory: &Path, changed: Sender<()>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // That somebody reads the file, as we do ourselves, is no news.
        if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
            let _ = changed.send(());
        }
    })?;
    watcher.watch(directory, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

fn follow(changed: &Receiver<()>, reloader: &Reloader) {
    // What changed after it was read and before it was watched.
    reloader.reload_if_changed();
    loop {
        match changed.recv_timeout(POLL) {
            Ok(()) => wait_out(changed),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        reloader.reload_if_changed();
    }
}

fn wait_out(changed: &Receiver<()>) {
    let began = Instant::now();
    while began.elapsed() < BURST && changed.recv_timeout(SETTLED).is_ok() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_watched_where_its_name_is() {
        for (file, at) in [("a.toml", "."), ("/etc/a.toml", "/etc"), ("x/a.toml", "x"), ("/a.toml", "/")] {
            assert_eq!(directory(Path::new(file)), Path::new(at), "{file}");
        }
        assert_eq!(directory(Path::new("/tmp")), Path::new("/tmp"));
    }
}
