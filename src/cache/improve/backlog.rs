//! What waits to be improved: the most valuable first, and never more than a fixed number of bodies.
//!
//! Shared by the requests, which offer, and the one thread that takes. A body is offered when its hits reach the
//! threshold and at each doubling from there: often enough to keep its worth right, and to come back after it was
//! crowded out; rarely enough that the lock means nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::super::events::{Events, Unimproved};
use super::super::key::ResourceKey;
use super::plan::Config;
use crate::header::Coding;

/// At a second for each, more than this would be outdated before its turn. 64 KiB in all.
const MOST: usize = 1024;

/// One body: this coding of one answer of the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    pub key: ResourceKey,
    pub generation: u64,
    pub coding: Coding,
    /// Attempts that failed.
    pub failures: u8,
}

impl Item {
    fn is_same_body(&self, other: &Self) -> bool {
        (self.key, self.generation, self.coding) == (other.key, other.generation, other.coding)
    }
}

/// What waits, and the bell for the thread that waits for it.
pub struct Backlog {
    config: Config,
    events: Arc<dyn Events>,
    state: Mutex<State>,
    bell: Condvar,
    held: AtomicU64,
}

#[derive(Default)]
struct State {
    waiting: Waiting,
    stopped: bool,
}

impl Backlog {
    pub fn new(config: Config, events: Arc<dyn Events>) -> Self {
        Self { config, events, state: Mutex::default(), bell: Condvar::new(), held: AtomicU64::new(0) }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// At the threshold, and each time the hits have doubled since.
    pub fn is_due(&self, hits: u64) -> bool {
        let threshold = self.config.after_hits.max(1);
        hits.is_multiple_of(threshold) && (hits / threshold).is_power_of_two()
    }

    pub fn offer(&self, item: Item, worth: u64) {
        let mut state = self.state.lock();
        if state.stopped {
            return;
        }
        let crowded = state.waiting.offer(item, worth);
        self.events.improve_queued(state.waiting.len());
        drop(state);
        if crowded {
            self.events.unimproved(Unimproved::Crowded);
        }
        self.bell.notify_one();
    }

    /// Once more, before everything else: what failed for want of luck should not wait for it.
    pub fn retry(&self, item: Item) {
        self.offer(Item { failures: item.failures + 1, ..item }, u64::MAX);
    }

    /// Waits for something to do; `None` when it is time to stop.
    pub fn take(&self) -> Option<Item> {
        let mut state = self.state.lock();
        while !state.stopped {
            if let Some(item) = state.waiting.take() {
                self.events.improve_queued(state.waiting.len());
                return Some(item);
            }
            self.bell.wait(&mut state);
        }
        None
    }

    /// Does nothing for so long, or until it is time to stop. Whether it is.
    pub fn rest(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        let mut state = self.state.lock();
        // The bell also rings for what was offered.
        while !state.stopped && !self.bell.wait_until(&mut state, end).timed_out() {}
        state.stopped
    }

    pub fn is_stopped(&self) -> bool {
        self.state.lock().stopped
    }

    pub fn stop(&self) {
        self.state.lock().stopped = true;
        self.bell.notify_all();
    }

    /// Heap of the job under way.
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Counts so much heap as held, until the guard is dropped.
    pub fn hold(&self, bytes: u64) -> Held<'_> {
        self.held.store(bytes, Ordering::Relaxed);
        Held(self)
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.state.lock().waiting.len()
    }
}

/// The heap of a job, counted until it is over.
pub struct Held<'a>(&'a Backlog);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.store(0, Ordering::Relaxed);
    }
}

/// The bodies that wait, each once.
#[derive(Default)]
struct Waiting(Vec<(Item, u64)>);

impl Waiting {
    fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a body, or tells what it is worth by now. Whether one was dropped for it, or it for others.
    fn offer(&mut self, item: Item, worth: u64) -> bool {
        if let Some((_, known)) = self.0.iter_mut().find(|(other, _)| other.is_same_body(&item)) {
            *known = worth.max(*known);
            return false;
        }
        if self.0.len() < MOST {
            self.0.push((item, worth));
            return false;
        }
        if let Some(least) = self.0.iter_mut().min_by_key(|(_, worth)| *worth).filter(|(_, least)| *least < worth) {
            *least = (item, worth);
        }
        true
    }

    fn take(&mut self) -> Option<Item> {
        let (at, _) = self.0.iter().enumerate().max_by_key(|(_, (_, worth))| *worth)?;
        Some(self.0.swap_remove(at).0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::events::Silent;
    use super::*;
    use crate::encode::Best;

    fn item(number: u64) -> Item {
        Item { key: ResourceKey([0; 16]), generation: number, coding: Coding::Brotli, failures: 0 }
    }

    fn backlog(after_hits: u64) -> Backlog {
        let config = Config { after_hits, best: Best::default(), min_size: 0, memory: 0 };
        Backlog::new(config, Arc::new(Silent))
    }

    #[test]
    fn the_most_valuable_comes_first_and_each_once() {
        let mut waiting = Waiting::default();
        for (number, worth) in [(1, 10), (2, 30), (3, 20), (1, 25), (2, 5)] {
            assert!(!waiting.offer(item(number), worth));
        }
        assert!(!waiting.offer(Item { coding: Coding::Zstd, ..item(1) }, 1), "another body");
        let order: Vec<_> = std::iter::from_fn(|| waiting.take()).map(|one| (one.generation, one.coding)).collect();
        let wanted = [(2, Coding::Brotli), (1, Coding::Brotli), (3, Coding::Brotli), (1, Coding::Zstd)];
        assert_eq!(order, wanted);
    }

    #[test]
    fn a_full_backlog_drops_what_is_worth_least() {
        let mut waiting = Waiting::default();
        let full = MOST as u64;
        assert!((0..full).all(|number| !waiting.offer(item(number), 100 + number)));
        assert!(waiting.offer(item(full), 50), "it itself");
        assert!(waiting.offer(item(full), 5_000), "number 0");
        assert_eq!(waiting.len(), MOST);
        assert!(!waiting.offer(item(1), 9_000), "known");
        let order: Vec<_> = std::iter::from_fn(|| waiting.take()).map(|one| one.generation).collect();
        assert_eq!((order.len(), order[0], order[1]), (MOST, 1, full));
        assert!(!order.contains(&0));
    }

    #[test]
    fn due_at_the_threshold_and_at_each_doubling() {
        let due = |after_hits| {
            let backlog = backlog(after_hits);
            (0..=50).filter(|hits| backlog.is_due(*hits)).collect::<Vec<u64>>()
        };
        assert_eq!(due(3), [3, 6, 12, 24, 48]);
        assert_eq!(due(1), [1, 2, 4, 8, 16, 32]);
        assert_eq!(due(20), [20, 40]);
    }

    #[test]
    fn whoever_waits_is_woken() {
        let backlog = backlog(1);
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| (backlog.take(), backlog.take(), backlog.rest(Duration::from_secs(60))));
            backlog.offer(item(7), 1);
            while backlog.len() > 0 {
                std::thread::yield_now();
            }
            backlog.stop();
            let (first, second, stopped) = taken.join().unwrap();
            assert_eq!((first, second, stopped), (Some(item(7)), None, true));
        });
        backlog.offer(item(8), 1);
        assert_eq!(backlog.len(), 0, "nobody is there to take it");
    }

    #[test]
    fn a_rest_is_not_cut_short_by_an_offer() {
        let backlog = backlog(1);
        let (start, rest) = (Instant::now(), Duration::from_millis(30));
        std::thread::scope(|scope| {
            let resting = scope.spawn(|| backlog.rest(rest));
            backlog.offer(item(1), 1);
            assert!(!resting.join().unwrap());
        });
        assert!(start.elapsed() >= rest);
    }
}
