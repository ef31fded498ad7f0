//! What waits to be improved: the most valuable first, and never more than a fixed number of bodies.
//!
//! Shared by the requests, which offer, and the one thread that takes. A body is offered when its hits reach the
//! threshold and at each doubling from there: often enough to keep its worth right, and to come back after it was
//! crowded out; rarely enough that the lock means nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use parking_lot::{Condvar, Mutex};

use super::super::events::{Events, Unimproved};
use super::super::key::ResourceKey;
use super::plan::Config;
use crate::encode::Budget;
use crate::header::Coding;

/// At a second for each, more than this would be outdated before its turn. 96 KiB in all.
const MOST: usize = 1024;

/// Attempts that may fail before a body is left as it is.
const ATTEMPTS: u8 = 3;

/// After the first attempt; twice as long after each one that follows, five minutes at most.
const AGAIN: Duration = Duration::from_secs(10);
const DOUBLINGS: u8 = 5;

/// One body: this coding of one answer of the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    pub key: ResourceKey,
    pub generation: u64,
    pub coding: Coding,
    /// Hits x bytes to save, when it was offered last.
    pub worth: u64,
    /// Attempts that failed.
    pub failures: u8,
    /// Attempts that had to make way.
    pub delays: u8,
    not_before: Instant,
}

impl Item {
    pub fn new(key: ResourceKey, generation: u64, coding: Coding, worth: u64) -> Self {
        Self { key, generation, coding, worth, failures: 0, delays: 0, not_before: Instant::now() }
    }

    /// `None` when there were failures enough.
    fn after_failure(self, now: Instant) -> Option<Self> {
        let failures = self.failures + 1;
        (failures < ATTEMPTS).then(|| Self { failures, not_before: now + pause(failures), ..self })
    }

    fn after_delay(self, now: Instant) -> Self {
        let delays = self.delays.saturating_add(1);
        Self { delays, not_before: now + pause(delays), ..self }
    }

    fn is_same_body(&self, other: &Self) -> bool {
        (self.key, self.generation, self.coding) == (other.key, other.generation, other.coding)
    }
}

/// Before the next attempt, after so many.
fn pause(attempts: u8) -> Duration {
    AGAIN * (1 << (attempts - 1).min(DOUBLINGS))
}

/// What waits, and the bell for the thread that waits for it.
pub struct Backlog {
    /// None: nothing is due.
    config: ArcSwapOption<Config>,
    encoders: Arc<Budget>,
    events: Arc<dyn Events>,
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Waiting,
    stopped: bool,
}

impl Backlog {
    /// Encoders are made within what the others leave of `encoders`.
    pub fn new(config: Option<Config>, encoders: Arc<Budget>, events: Arc<dyn Events>) -> Self {
        Self {
            config: ArcSwapOption::new(config.map(Arc::new)),
            encoders,
            events,
            state: Mutex::default(),
            bell: Condvar::new(),
        }
    }

    pub fn config(&self) -> Option<Config> {
        self.config.load().as_deref().copied()
    }

    /// What waits is looked at again when its turn comes.
    pub fn follow(&self, config: Option<Config>) {
        self.config.store(config.map(Arc::new));
    }

    pub fn encoders(&self) -> &Arc<Budget> {
        &self.encoders
    }

    /// At the threshold, and each time the hits have doubled since.
    pub fn is_due(&self, hits: u64) -> bool {
        let Some(threshold) = self.config.load().as_ref().map(|config| config.after_hits.max(1)) else {
            return false;
        };
        hits.is_multiple_of(threshold) && (hits / threshold).is_power_of_two()
    }

    pub fn offer(&self, item: Item) {
        let mut state = self.state.lock();
        if state.stopped {
            return;
        }
        let crowded = state.waiting.offer(item);
        self.events.improve_queued(state.waiting.len());
        drop(state);
        if crowded {
            self.events.unimproved(Unimproved::Crowded);
        }
        self.bell.notify_one();
    }

    /// Later once more, unless it has failed often enough. Whether it is.
    pub fn retry(&self, item: Item) -> bool {
        let again = item.after_failure(Instant::now());
        again.into_iter().for_each(|item| self.offer(item));
        again.is_some()
    }

    /// Later once more: it had to make way.
    pub fn postpone(&self, item: Item) {
        self.offer(item.after_delay(Instant::now()));
    }

    /// Waits for something to do. Whether there is: not when it is time to stop.
    pub fn wait(&self) -> bool {
        let mut state = self.state.lock();
        while !state.stopped {
            match state.waiting.next_due() {
                Some(due) if due <= Instant::now() => return true,
                Some(due) => drop(self.bell.wait_until(&mut state, due)),
                None => self.bell.wait(&mut state),
            }
        }
        false
    }

    /// The most valuable of what may be done now.
    pub fn take(&self) -> Option<Item> {
        let mut state = self.state.lock();
        let item = state.waiting.take(Instant::now());
        self.events.improve_queued(state.waiting.len());
        item
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

    #[cfg(test)]
    pub fn waiting(&self) -> Vec<Item> {
        self.state.lock().waiting.0.clone()
    }
}

/// The bodies that wait, each once.
#[derive(Default)]
struct Waiting(Vec<Item>);

impl Waiting {
    fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a body, or tells what it is worth by now. Whether one was dropped for it, or it for others.
    fn offer(&mut self, item: Item) -> bool {
        if let Some(known) = self.0.iter_mut().find(|other| other.is_same_body(&item)) {
            *known = Item {
                worth: item.worth.max(known.worth),
                failures: item.failures.max(known.failures),
                delays: item.delays.max(known.delays),
                not_before: item.not_before.max(known.not_before),
                ..item
            };
            return false;
        }
        if self.0.len() < MOST {
            self.0.push(item);
            return false;
        }
        if let Some(least) = self.0.iter_mut().min_by_key(|one| one.worth).filter(|least| least.worth < item.worth) {
            *least = item;
        }
        true
    }

    /// The most valuable of those that are due.
    fn take(&mut self, now: Instant) -> Option<Item> {
        let due = self.0.iter().enumerate().filter(|(_, one)| one.not_before <= now);
        let (at, _) = due.max_by_key(|(_, one)| one.worth)?;
        Some(self.0.swap_remove(at))
    }

    /// When there is something to do: now, if it is past.
    fn next_due(&self) -> Option<Instant> {
        self.0.iter().map(|one| one.not_before).min()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::events::Silent;
    use super::*;
    use crate::encode::Best;

    fn item(number: u64, worth: u64) -> Item {
        Item::new(ResourceKey([0; 16]), number, Coding::Brotli, worth)
    }

    fn backlog(after_hits: u64) -> Backlog {
        let config = Config { after_hits, best: Best::default(), min_size: 0 };
        Backlog::new(Some(config), Arc::new(Budget::new(0)), Arc::new(Silent))
    }

    fn all(waiting: &mut Waiting, now: Instant) -> Vec<(u64, Coding)> {
        std::iter::from_fn(|| waiting.take(now)).map(|one| (one.generation, one.coding)).collect()
    }

    #[test]
    fn the_most_valuable_comes_first_and_each_once() {
        let mut waiting = Waiting::default();
        for (number, worth) in [(1, 10), (2, 30), (3, 20), (1, 25), (2, 5)] {
            assert!(!waiting.offer(item(number, worth)));
        }
        assert!(!waiting.offer(Item { coding: Coding::Zstd, ..item(1, 1) }), "another body");
        let wanted = [(2, Coding::Brotli), (1, Coding::Brotli), (3, Coding::Brotli), (1, Coding::Zstd)];
        assert_eq!(all(&mut waiting, Instant::now()), wanted);
    }

    #[test]
    fn a_full_backlog_drops_what_is_worth_least() {
        let mut waiting = Waiting::default();
        let full = MOST as u64;
        assert!((0..full).all(|number| !waiting.offer(item(number, 100 + number))));
        assert!(waiting.offer(item(full, 50)), "it itself");
        assert!(waiting.offer(item(full, 5_000)), "number 0");
        assert_eq!(waiting.len(), MOST);
        assert!(!waiting.offer(item(1, 9_000)), "known");
        let order: Vec<_> = all(&mut waiting, Instant::now()).into_iter().map(|(number, _)| number).collect();
        assert_eq!((order.len(), order[0], order[1]), (MOST, 1, full));
        assert!(!order.contains(&0));
    }

    #[test]
    fn what_failed_waits_longer_each_time_and_then_no_more() {
        let now = Instant::now();
        let seconds = |item: Item| (item.not_before - now).as_secs();
        let second = item(1, 7).after_failure(now).unwrap();
        let third = second.after_failure(now).unwrap();
        assert_eq!((seconds(second), seconds(third)), (10, 20));
        assert_eq!((third.failures, third.worth), (2, 7));
        assert_eq!(third.after_failure(now), None);
        // Making way is no failure: there is no end to it, and a limit to the wait.
        let mut delayed = item(1, 7);
        let waits: Vec<_> = (0..8)
            .map(|_| {
                delayed = delayed.after_delay(now);
                seconds(delayed)
            })
            .collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 320, 320]);
        assert_eq!(Item { delays: u8::MAX, ..delayed }.after_delay(now).delays, u8::MAX);
    }

    #[test]
    fn what_waits_for_its_time_keeps_nobody_waiting() {
        let now = Instant::now();
        let mut waiting = Waiting::default();
        assert_eq!(waiting.next_due(), None);
        let at = |item| Item { not_before: now, ..item };
        waiting.offer(item(1, 100).after_delay(now));
        waiting.offer(at(item(2, 1)));
        // Hit again meanwhile: worth more, and not earlier.
        waiting.offer(at(item(1, 200)));
        assert_eq!(all(&mut waiting, now), [(2, Coding::Brotli)]);
        assert_eq!(waiting.next_due(), Some(now + AGAIN));
        let taken = waiting.take(now + AGAIN).unwrap();
        assert_eq!((taken.generation, taken.worth, taken.delays), (1, 200, 1));
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
            let taken = scope.spawn(|| {
                assert!(backlog.wait());
                (backlog.take(), backlog.wait(), backlog.rest(Duration::from_secs(60)))
            });
            let item = item(7, 1);
            backlog.offer(item);
            while !backlog.waiting().is_empty() {
                std::thread::yield_now();
            }
            backlog.stop();
            assert_eq!(taken.join().unwrap(), (Some(item), false, true));
        });
        backlog.offer(item(8, 1));
        assert_eq!(backlog.waiting(), [], "nobody is there to take it");
    }

    #[test]
    fn a_rest_is_not_cut_short_by_an_offer() {
        let backlog = backlog(1);
        let (start, rest) = (Instant::now(), Duration::from_millis(30));
        std::thread::scope(|scope| {
            let resting = scope.spawn(|| backlog.rest(rest));
            backlog.offer(item(1, 1));
            assert!(!resting.join().unwrap());
        });
        assert!(start.elapsed() >= rest);
    }
}
