//! The purge log: nothing that was under way when a purge came may be written after it.
//!
//! A fill starts with the app's answer of one moment and is stored seconds later; a 304 and a derivation do the same on
//! a smaller scale. If a purge falls in between, the bytes are the very ones the operator wanted gone. So each of them
//! notes the epoch it began in, and is written only if nothing that covers its key was purged since.
//!
//! One lock orders the two: writers share it, a purge has it alone. Once a purge has answered, no older write can
//! follow, and no write is half done while it runs. The lock is held for a map operation, never across a body or an
//! await; a hit does not touch it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::key::ResourceKey;

/// Purges remembered. A write that began before the oldest one still remembered is refused: it costs one fetch.
const REMEMBERED: usize = 4096;

/// What a purge covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Resource(ResourceKey),
    Everything,
}

impl Scope {
    fn covers(self, key: &ResourceKey) -> bool {
        match self {
            Self::Resource(purged) => purged == *key,
            Self::Everything => true,
        }
    }
}

/// The last purges, in order, and the lock that orders them with writes.
#[derive(Debug, Default)]
pub struct PurgeLog {
    epoch: AtomicU64,
    records: RwLock<VecDeque<(u64, Scope)>>,
}

impl PurgeLog {
    /// The moment a fetch begins. Taken before the request is sent to the app, not when its answer arrives.
    pub fn current_epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Runs `write` unless `key` was purged after `began`; no purge runs while it does.
    pub fn write<R>(&self, began: u64, key: &ResourceKey, write: impl FnOnce() -> R) -> Option<R> {
        let records = self.records.read();
        let purged = self.purged_since(&records, began, key);
        (!purged).then(write)
    }

    /// Remembers a purge and runs `remove`; no write runs while it does.
    pub fn purge<R>(&self, scope: Scope, remove: impl FnOnce() -> R) -> R {
        let mut records = self.records.write();
        let epoch = self.epoch.load(Ordering::Relaxed) + 1;
        if records.len() == REMEMBERED {
            records.pop_front();
        }
        records.push_back((epoch, scope));
        self.epoch.store(epoch, Ordering::Release);
        remove()
    }

    /// Newest first, so that a write that began in the current epoch looks at nothing.
    fn purged_since(&self, records: &VecDeque<(u64, Scope)>, began: u64, key: &ResourceKey) -> bool {
        let newest = self.epoch.load(Ordering::Relaxed);
        let forgotten = newest.saturating_sub(records.len() as u64);
        if began < forgotten {
            return true;
        }
        records.iter().rev().take_while(|(epoch, _)| *epoch > began).any(|(_, scope)| scope.covers(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ResourceKey = ResourceKey([1; 16]);
    const B: ResourceKey = ResourceKey([2; 16]);

    #[test]
    fn a_write_that_began_before_the_purge_is_refused() {
        let log = PurgeLog::default();
        let before = log.current_epoch();
        log.purge(Scope::Resource(A), || ());
        assert!(log.write(before, &A, || ()).is_none());
        assert!(log.write(before, &B, || ()).is_some());
        assert!(log.write(log.current_epoch(), &A, || ()).is_some());
    }

    #[test]
    fn everything_covers_every_key() {
        let log = PurgeLog::default();
        let before = log.current_epoch();
        log.purge(Scope::Everything, || ());
        assert!(log.write(before, &A, || ()).is_none());
        assert!(log.write(before, &B, || ()).is_none());
    }

    #[test]
    fn what_is_forgotten_counts_as_purged() {
        let log = PurgeLog::default();
        let before = log.current_epoch();
        for _ in 0..REMEMBERED {
            log.purge(Scope::Resource(A), || ());
        }
        assert!(log.write(before, &B, || ()).is_some(), "all of them are still known");
        log.purge(Scope::Resource(A), || ());
        assert!(log.write(before, &B, || ()).is_none());
        assert!(log.write(before + 1, &B, || ()).is_some());
    }

    /// Many writers and one purger: after a purge has returned, the value it removed is never seen again.
    #[test]
    fn no_write_overtakes_a_purge() {
        use std::sync::atomic::AtomicU64;
        let log = PurgeLog::default();
        let stored = AtomicU64::new(0); // the epoch a value was begun in, plus one; 0 = nothing
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let began = log.current_epoch();
                        std::thread::yield_now();
                        log.write(began, &A, || stored.store(began + 1, Ordering::SeqCst));
                    }
                });
            }
            for _ in 0..500 {
                log.purge(Scope::Resource(A), || stored.store(0, Ordering::SeqCst));
                let now = log.current_epoch();
                let seen = stored.load(Ordering::SeqCst);
                assert!(seen == 0 || seen > now, "a value of epoch {seen} outlived purge {now}");
            }
        });
    }
}
