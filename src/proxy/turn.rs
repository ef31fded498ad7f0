//! Turns of an encoder that would hold up everybody else on the worker's thread.
//!
//! The platform calls the filter of a body synchronously, on a worker, and reads up to 64 KiB from the app at a time: a
//! millisecond of brotli 4, and at level 9 three to ten. Meanwhile no other connection of that worker is served. Such a turn
//! first hands the worker's other tasks to another thread, which costs 20 us. Beside four encoders a timer is late by
//! (milliseconds, median, one worker):
//!
//! | turns of | held | handed over |
//! |---|---|---|
//! | 1 ms | 3.0 | 1.2 |
//! | 5 ms | 15.0 | 1.8 |
//! | 20 ms | 75.1 | 1.8 |
//!
//! Smaller turns are not worth it, and cutting a chunk would not make them shorter: nothing runs between the cuts.
//!
//! A worker that always has a task to run looks at its sockets only after each 61 of them. With a turn in each that is a
//! tenth of a second, twice for a request: once to read it, once for the app's answer. So there is room for many turns aside
//! at a time, since one that finds none is taken in place, in that sequence; and one in place ends what its task may do for
//! now ([`spend`]), or it would go on for 128 steps. Small answers beside four clients that take endless bodies as fast as
//! they come (`benches/e2e/prompt`; milliseconds, median, an unoptimized build):
//!
//! | workers, coding | one aside for each worker | sixteen |
//! |---|---|---|
//! | 1, br | 677 | 36 |
//! | 1, gzip | 187 | 4 |
//! | 2, br | 484 | 3 |
//!
//! Where nobody waits that is for nothing, and comes to 6 % of the CPU of a style sheet in brotli. So a turn of a millisecond
//! stays where it is while its request is the only one, for the first ten milliseconds of its body: a worker that takes turns
//! itself is no longer the thread that ran least, and the system would let it wait for those that are aside. Small answers
//! beside clients that take a style sheet of 280 KB again and again (milliseconds, median, one worker):
//!
//! | such clients | all aside | none while there is no other body | as it is | nginx |
//! |---|---|---|---|---|
//! | 1 | 0.3 to 0.4 | 1.4 | 0.6 | 1.0 to 1.2 |
//! | 2 | 0.8 to 0.9 | 2.6 | 0.9 | 4.2 |
//! | 4 | 3.0 to 3.4 | 5.1 | 2.9 | 10.9 |

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{self, coop};

use crate::metrics::Metrics;

/// A turn from here on is worth being handed over.
const LONG: Duration = Duration::from_micros(500);
/// Any above this is.
const MOST: Duration = Duration::from_micros(1200);
/// How long one body's turns stay where they are.
const YOUTH: Duration = Duration::from_millis(10);

/// The turns of all bodies.
pub struct Turns {
    /// Those that are handed over.
    aside: AtomicUsize,
    limit: usize,
    metrics: Arc<Metrics>,
}

impl Turns {
    /// So many are handed over at a time. Each takes a thread while it lasts: no more speed, but it is the system then that
    /// shares the cores.
    pub fn new(limit: usize, metrics: Arc<Metrics>) -> Self {
        Self { aside: AtomicUsize::new(0), limit, metrics }
    }

    fn enter(&self) -> Option<Place<'_>> {
        let more = |aside: usize| (aside < self.limit).then_some(aside + 1);
        self.aside.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Place(self))
    }
}

/// The turns of one body.
pub(super) struct Course {
    turns: Arc<Turns>,
    stayed: Duration,
}

impl Course {
    pub(super) fn new(turns: Arc<Turns>) -> Self {
        Self { turns, stayed: Duration::ZERO }
    }

    /// Whether a turn that is expected to take so long would stay where it is.
    pub(super) fn stays(&self, expected: Duration) -> bool {
        let is_alone = || self.turns.metrics.requests_in_flight() <= 1;
        expected < LONG || (expected <= MOST && self.stayed < YOUTH && is_alone())
    }

    /// Does `work` here, with the worker's other tasks out of its way unless it [`Self::stays`]. Then this task pauses after it.
    pub(super) fn take<T>(&mut self, expected: Duration, work: impl FnOnce() -> T) -> T {
        if !self.stays(expected)
            && may_block()
            && let Some(_place) = self.turns.enter()
        {
            return task::block_in_place(work);
        }
        let start = Instant::now();
        let done = work();
        self.stayed += start.elapsed();
        spend();
        done
    }
}

/// Given back when this is dropped, also by a panic.
struct Place<'a>(&'a Turns);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.aside.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Spends what the runtime lets this task do before others are next: its next read or write lets them. The platform calls
/// filters synchronously, so that there is nothing here that could wait.
fn spend() {
    // Twice what there is, since outside of a task there is no end to it.
    for _ in 0..=u8::MAX {
        match coop::poll_proceed(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(step) => step.made_progress(),
            Poll::Pending => return,
        }
    }
}

/// A runtime of one thread has nobody to hand its tasks to.
fn may_block() -> bool {
    Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread)
}
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use parking_lot::Mutex;

    use super::*;
    use crate::metrics::{Build, Config};

    const SHORT: Duration = Duration::from_micros(100);
    const MIDDLING: Duration = Duration::from_millis(1);
    const SLOW: Duration = Duration::from_millis(5);

    fn turns() -> Arc<Turns> {
        let build = Build { version: "0", revision: "0" };
        Arc::new(Turns::new(1, Arc::new(Metrics::new(&Config::default(), build))))
    }

    /// Whether the turn is handed over.
    fn goes(body: &mut Course, expected: Duration) -> bool {
        let turns = body.turns.clone();
        body.take(expected, || turns.aside.load(Ordering::Relaxed) == 1)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn while_a_long_turn_is_taken_others_are_served() {
        let turn = async {
            let (sender, receiver) = std::sync::mpsc::channel();
            // Behind this task on the only worker.
            tokio::spawn(async move { sender.send(()) });
            let turns = turns();
            Course::new(turns.clone()).take(SLOW, || receiver.recv_timeout(Duration::from_secs(20)).expect("served"));
            assert_eq!(turns.aside.load(Ordering::Relaxed), 0);
        };
        tokio::spawn(turn).await.expect("no panic");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_body_that_is_alone_and_young_keeps_its_turns() {
        let bodies = async {
            let turns = turns();
            let mut body = Course::new(turns.clone());
            let _own = turns.metrics.request_in_flight();
            assert!(!goes(&mut body, MIDDLING) && !goes(&mut body, MIDDLING), "it is alone");
            assert!(goes(&mut body, SLOW), "it would hold up whoever comes");
            let other = turns.metrics.request_in_flight();
            assert!(goes(&mut body, MIDDLING), "somebody waits");
            assert!(!goes(&mut body, SHORT), "it is not worth it");
            drop(other);
            assert!(!goes(&mut body, MIDDLING));
            body.stayed = YOUTH;
            assert!(goes(&mut body, MIDDLING), "it may be endless");
            assert!(!goes(&mut Course::new(turns), MIDDLING));
        };
        tokio::spawn(bodies).await.expect("no panic");
    }

    #[test]
    fn no_more_than_the_limit_and_without_a_runtime_in_place() {
        let turns = turns();
        let first = turns.enter();
        assert!(first.is_some() && turns.enter().is_none());
        drop(first);
        assert!(turns.enter().is_some());
        assert_eq!(Course::new(turns).take(SLOW, || 7), 7);
    }

    #[tokio::test]
    async fn those_that_are_always_ready_take_turns() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let streams = ['a', 'b', 'c'].map(|name| {
            let order = order.clone();
            tokio::spawn(async move {
                let mut body = Course::new(turns());
                for _ in 0..4 {
                    body.take(SHORT, || order.lock().push(name));
                    // As any read or write does.
                    coop::consume_budget().await;
                }
            })
        });
        for stream in streams {
            stream.await.expect("no panic");
        }
        for round in order.lock().chunks_mut(3) {
            round.sort_unstable();
            assert_eq!(round, ['a', 'b', 'c']);
        }
    }

    #[tokio::test]
    async fn a_runtime_of_one_thread_takes_it_as_it_is() {
        assert_eq!(Course::new(turns()).take(SLOW, || 7), 7);
    }
}
