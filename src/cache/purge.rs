//! The purge log: nothing that was under way when a purge came may be written after it.
//!
//! A fill starts with the app's answer of one moment and is stored seconds later; a 304 and a derivation do the same on
//! a smaller scale. If a purge falls in between, the bytes are the very ones the operator wanted gone. So each of them
//! notes the epoch it began in, and is written only if nothing that covers it was purged since.
//!
//! One lock orders the two: writers share it for one change of the map, a purge has it alone for the moment in which it
//! is remembered, and only then looks at what is stored. A write that was let through before is seen by that look; one
//! that comes after is refused. The lock is never held across a body or an await; a hit does not touch it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::scope::{Scope, Subject};

/// Purges remembered. A write that began before the oldest one still remembered is refused: it costs one fetch.
const REMEMBERED: usize = 4096;

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

    /// Runs `write`, which asks whether what it is about to write was purged after `began`; no purge is remembered
    /// while it does.
    pub fn write<R>(&self, began: u64, write: impl FnOnce(&Since<'_>) -> R) -> R {
        let records = self.records.read();
        let newest = self.epoch.load(Ordering::Relaxed);
        write(&Since { records: &records, newest, began })
    }

    /// Was this purged after `began`?
    pub fn purged_since(&self, began: u64, subject: &Subject<'_>) -> bool {
        self.write(began, |since| since.purged(subject))
    }

    /// From now on nothing older that `scope` covers is written.
    pub fn record(&self, scope: Scope) {
        let mut records = self.records.write();
        let epoch = self.epoch.load(Ordering::Relaxed) + 1;
        if records.len() == REMEMBERED {
            records.pop_front();
        }
        records.push_back((epoch, scope));
        self.epoch.store(epoch, Ordering::Release);
    }
}

/// The purges that came after a moment.
pub struct Since<'a> {
    records: &'a VecDeque<(u64, Scope)>,
    newest: u64,
    began: u64,
}

impl Since<'_> {
    /// Newest first, so that what began in the current epoch looks at nothing.
    pub fn purged(&self, subject: &Subject<'_>) -> bool {
        let forgotten = self.newest.saturating_sub(self.records.len() as u64);
        if self.began < forgotten {
            return true;
        }
        let later = self.records.iter().rev().take_while(|(epoch, _)| *epoch > self.began);
        later.into_iter().any(|(_, scope)| scope.covers(subject))
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::ResourceKey;
    use super::*;

    const A: ResourceKey = ResourceKey([1; 16]);
    const B: ResourceKey = ResourceKey([2; 16]);

    fn purged(log: &PurgeLog, began: u64, key: &ResourceKey) -> bool {
        log.purged_since(began, &Subject { key, url: "http://h/a", tags: &["t".to_owned()] })
    }

    #[test]
    fn what_began_before_the_purge_is_refused() {
        let log = PurgeLog::default();
        let before = log.current_epoch();
        log.record(Scope::Resource(A));
        assert!(purged(&log, before, &A));
        assert!(!purged(&log, before, &B));
        assert!(!purged(&log, log.current_epoch(), &A));
    }

    #[test]
    fn a_scope_covers_what_it_names() {
        let scopes = [
            (Scope::Everything, true),
            (Scope::Tag("t".into()), true),
            (Scope::Tag("u".into()), false),
            (Scope::Prefix("http://h/".into()), true),
            (Scope::Prefix("http://h/b".into()), false),
            (Scope::Host("h".into()), true),
            (Scope::Host("i".into()), false),
        ];
        for (scope, covered) in scopes {
            let log = PurgeLog::default();
            log.record(scope.clone());
            assert_eq!(purged(&log, 0, &B), covered, "{scope}");
        }
    }

    #[test]
    fn what_is_forgotten_counts_as_purged() {
        let log = PurgeLog::default();
        let before = log.current_epoch();
        for _ in 0..REMEMBERED {
            log.record(Scope::Resource(A));
        }
        assert!(!purged(&log, before, &B), "all of them are still known");
        log.record(Scope::Resource(A));
        assert!(purged(&log, before, &B));
        assert!(!purged(&log, before + 1, &B));
    }

    /// Many writers and one purger: after a purge has looked at what is stored, what it removed is never seen again.
    #[test]
    fn no_write_overtakes_a_purge() {
        use std::sync::atomic::AtomicU64;
        let subject = Subject { key: &A, url: "", tags: &["t".to_owned()] };
        for scope in [Scope::Resource(A), Scope::Tag("t".into())] {
            let log = PurgeLog::default();
            let stored = AtomicU64::new(0); // the epoch a value was begun in, plus one; 0 = nothing
            std::thread::scope(|threads| {
                for _ in 0..4 {
                    threads.spawn(|| {
                        for _ in 0..2000 {
                            let began = log.current_epoch();
                            std::thread::yield_now();
                            log.write(began, |since| {
                                if !since.purged(&subject) {
                                    stored.store(began + 1, Ordering::SeqCst);
                                }
                            });
                        }
                    });
                }
                for _ in 0..500 {
                    log.record(scope.clone());
                    let now = log.current_epoch();
                    // The look at what is stored: older values go, newer ones may stay.
                    let _ = stored.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |seen| (seen <= now).then_some(0));
                    let seen = stored.load(Ordering::SeqCst);
                    assert!(seen == 0 || seen > now, "a value of epoch {seen} outlived purge {now}");
                }
            });
        }
    }
}
