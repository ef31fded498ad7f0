//! Who fetches what, and who waits for it: pingora's cache lock, with a door that opens before the fetch has ended.
//!
//! In pingora's own table, those who wait are woken when the first one has *finished*. Here they are woken as soon as
//! there is something to share - or nothing to wait for ([`Locks::open`]). The lock is open then, and stays in the table
//! until its holder returns it, so that who asks in between is sent to look again instead of fetching, too.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Extensions;
use parking_lot::Mutex;
use pingora_cache::CacheKey;
use pingora_cache::key::CacheHashKey;
use pingora_cache::lock::{LockStatus, LockStub, Locked, WritePermit};

use super::key::ResourceKey;

/// When a fetch has held a lock for this long, the next request may try its luck beside it.
const AGE: Duration = Duration::from_secs(60);

const SHARDS: usize = 16;

/// The locks of all fetches under way.
#[derive(Debug)]
pub struct Locks {
    shards: [Mutex<HashMap<ResourceKey, LockStub>>; SHARDS],
    serials: AtomicU64,
    /// Nobody holds it, and it says: do not wait, do not store.
    alone: LockStub,
}

/// What a request does that finds another one's lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Until the lock is opened; not at all, if it is open.
    Wait,
    /// It goes to the app by itself, and stores nothing.
    Alone,
    /// It fetches, and others may wait for it.
    Fetch,
}

/// Tells the lock of one holder from the next one's under the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Serial(u64);

impl Default for Locks {
    fn default() -> Self {
        let (mut permit, alone) = WritePermit::new(AGE, false, Extensions::new());
        permit.unlock(LockStatus::GiveUp);
        Self { shards: Default::default(), serials: AtomicU64::new(0), alone }
    }
}

impl Locks {
    /// `standing` is asked where another one holds the lock: how many wait for it, and whether it is open.
    pub fn lock(&self, key: &CacheKey, stale_writer: bool, standing: impl FnOnce(usize, bool) -> Standing) -> Locked {
        let key = ResourceKey(key.primary_bin());
        let mut shard = self.shard(&key).lock();
        if let Some(stub) = shard.get(&key).filter(|stub| !is_lost(stub)) {
            let open = stub.0.lock_status() == LockStatus::Done;
            match standing(waiting(stub), open) {
                Standing::Wait => return Locked::Read(stub.read_lock()),
                Standing::Alone => return Locked::Read(self.alone.read_lock()),
                Standing::Fetch => {}
            }
        }
        let mut serial = Extensions::new();
        serial.insert(Serial(self.serials.fetch_add(1, Ordering::Relaxed)));
        let (permit, stub) = WritePermit::new(AGE, stale_writer, serial);
        shard.insert(key, stub);
        Locked::Write(permit)
    }

    /// Wakes those who wait for a key: `Done` to look again, `TransientError` to fetch one after the other, `GiveUp` to
    /// go to the app each by itself. Said twice, the first time counts.
    pub fn open(&self, key: &ResourceKey, status: LockStatus) {
        let shard = self.shard(key).lock();
        if let Some(stub) = shard.get(key).filter(|stub| stub.0.lock_status() == LockStatus::Waiting) {
            stub.0.unlock(status);
        }
    }

    /// The holder is done. If its lock was opened before, those who are still waking up go by what they were told then.
    pub fn release(&self, key: &CacheKey, mut permit: WritePermit, reason: LockStatus) {
        let key = ResourceKey(key.primary_bin());
        let mut shard = self.shard(&key).lock();
        let own = permit.extensions().get::<Serial>().copied();
        if shard.get(&key).is_some_and(|stub| stub.extensions().get::<Serial>().copied() == own) {
            shard.remove(&key);
        }
        let status = match permit.lock_status() {
            LockStatus::Waiting => reason,
            opened => opened,
        };
        permit.unlock(status);
    }

    fn shard(&self, key: &ResourceKey) -> &Mutex<HashMap<ResourceKey, LockStub>> {
        &self.shards[usize::from(key.0[0]) % SHARDS]
    }
}

/// Nobody will open it any more, or nobody need wait for that.
fn is_lost(stub: &LockStub) -> bool {
    match stub.0.lock_status() {
        LockStatus::Waiting => stub.0.lock_start.elapsed() >= stub.0.age_timeout,
        LockStatus::Done => false,
        _ => true,
    }
}

/// Everyone who waits holds the lock's core, and so do the table and the holder.
fn waiting(stub: &LockStub) -> usize {
    std::sync::Arc::strong_count(&stub.0).saturating_sub(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use tokio::task::{JoinSet, yield_now};
    use tokio::time::timeout;

    fn key() -> CacheKey {
        let mut key = CacheKey::new("a", "");
        key.set_primary_bin_override([1; 16]);
        key
    }

    fn own() -> ResourceKey {
        ResourceKey([1; 16])
    }

    fn write(locks: &Locks) -> WritePermit {
        match locks.lock(&key(), false, |_, _| Standing::Fetch) {
            Locked::Write(permit) => permit,
            Locked::Read(_) => panic!("nobody fetches"),
        }
    }

    fn read(locks: &Locks, standing: Standing) -> pingora_cache::lock::ReadLock {
        match locks.lock(&key(), false, |_, _| standing) {
            Locked::Read(lock) => lock,
            Locked::Write(_) => panic!("somebody fetches"),
        }
    }

    #[test]
    fn an_open_lock_sends_back_until_it_is_returned() {
        let locks = Locks::default();
        let permit = write(&locks);
        let waiting = read(&locks, Standing::Wait);
        assert!(waiting.locked());
        locks.open(&own(), LockStatus::Done);
        assert!(!waiting.locked() && waiting.lock_status() == LockStatus::Done);
        let late = read(&locks, Standing::Wait);
        assert!(!late.locked() && late.lock_status() == LockStatus::Done);
        locks.release(&key(), permit, LockStatus::TransientError);
        assert_eq!(waiting.lock_status(), LockStatus::Done, "as they were told");
        let next = write(&locks);
        locks.release(&key(), next, LockStatus::Done);
    }

    #[test]
    fn a_holder_returns_its_own_lock_and_no_other() {
        let locks = Locks::default();
        let first = write(&locks);
        locks.open(&own(), LockStatus::Done);
        // It may not share what the first one fetches, and is the one to wait for from here on.
        let second = write(&locks);
        locks.release(&key(), first, LockStatus::Done);
        let waiting = read(&locks, Standing::Wait);
        assert!(waiting.locked());
        locks.release(&key(), second, LockStatus::TransientError);
        assert_eq!(waiting.lock_status(), LockStatus::TransientError);
    }

    #[test]
    fn who_is_sent_away_waits_for_nobody() {
        let locks = Locks::default();
        let permit = write(&locks);
        let away = read(&locks, Standing::Alone);
        assert!(!away.locked() && away.lock_status() == LockStatus::GiveUp);
        assert!(read(&locks, Standing::Wait).locked(), "the others do");
        locks.release(&key(), permit, LockStatus::Done);
    }

    #[test]
    fn those_who_wait_are_counted() {
        let locks = Locks::default();
        let permit = write(&locks);
        let mut readers = Vec::new();
        for expected in 0..5 {
            let lock = locks.lock(&key(), false, |waiting, open| {
                assert_eq!((waiting, open), (expected, false));
                Standing::Wait
            });
            readers.push(lock);
        }
        readers.truncate(2);
        drop(locks.lock(&key(), false, |waiting, _| {
            assert_eq!(waiting, 2);
            Standing::Alone
        }));
        locks.release(&key(), permit, LockStatus::Done);
    }

    /// Whoever holds the lock opens it, or not, and returns it, in any order with those who come: everybody gets through,
    /// and no lock is dropped unreturned (the platform panics where one is).
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nobody_is_left_waiting() {
        let locks = Arc::new(Locks::default());
        let fetches = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for task in 0..400_usize {
            let (locks, fetches) = (locks.clone(), fetches.clone());
            tasks.spawn(async move {
                for round in 0..20 {
                    loop {
                        let standing =
                            |_, open| if open && (task + round) % 3 == 0 { Standing::Fetch } else { Standing::Wait };
                        match locks.lock(&key(), false, standing) {
                            Locked::Write(permit) => {
                                fetches.fetch_add(1, Ordering::Relaxed);
                                yield_now().await;
                                if task % 2 == 0 {
                                    locks.open(&own(), LockStatus::Done);
                                    yield_now().await;
                                }
                                locks.release(&key(), permit, LockStatus::Done);
                                break;
                            }
                            Locked::Read(lock) => {
                                lock.wait().await;
                                // An open lock is not waited for; in between, the platform looks for the answer.
                                yield_now().await;
                                assert_ne!(lock.lock_status(), LockStatus::Waiting);
                                if task % 5 == 0 {
                                    break;
                                }
                            }
                        }
                    }
                }
            });
        }
        let all = async { while tasks.join_next().await.transpose().expect("no panic").is_some() {} };
        timeout(Duration::from_secs(60), all).await.expect("everybody gets through");
        assert!(fetches.load(Ordering::Relaxed) > 20);
        assert!(locks.shards.iter().all(|shard| shard.lock().is_empty()));
    }
}
