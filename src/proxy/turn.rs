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
//! Handing over comes to 6 % of the CPU of a style sheet in brotli, also where nobody waits. A turn of a millisecond was left
//! where it is for a stream that had paused, or once for each look at the sockets, and that was taken back: a worker that
//! takes turns itself is no longer the thread that ran least, and the system lets it wait for those that are aside. Beside
//! four clients as above, two workers, a small answer takes 1.5 ms if all turns are aside, and 7 to 48 with these.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{self, coop};

/// Those that are handed over at a time.
#[derive(Debug)]
pub struct Turns {
    aside: AtomicUsize,
    limit: usize,
}

impl Turns {
    /// Each takes a thread while it lasts: no more speed, but it is the system then that shares the cores.
    pub fn new(limit: usize) -> Self {
        Self { aside: AtomicUsize::new(0), limit }
    }

    /// Does `work` here, with the worker's other tasks out of its way if it `is_long`. Otherwise this task pauses after it.
    pub(super) fn take<T>(&self, is_long: bool, work: impl FnOnce() -> T) -> T {
        if is_long
            && may_block()
            && let Some(_place) = self.enter()
        {
            return task::block_in_place(work);
        }
        let done = work();
        spend();
        done
    }

    fn enter(&self) -> Option<Place<'_>> {
        let more = |aside: usize| (aside < self.limit).then_some(aside + 1);
        self.aside.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Place(self))
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
    use std::sync::Arc;
    use std::time::Duration;

    use parking_lot::Mutex;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn while_a_long_turn_is_taken_others_are_served() {
        let turn = async {
            let (sender, receiver) = std::sync::mpsc::channel();
            // Behind this task on the only worker.
            tokio::spawn(async move { sender.send(()) });
            let turns = Turns::new(1);
            turns.take(true, || receiver.recv_timeout(Duration::from_secs(20)).expect("served"));
            assert_eq!(turns.aside.load(Ordering::Relaxed), 0);
        };
        tokio::spawn(turn).await.expect("no panic");
    }

    #[test]
    fn no_more_than_the_limit_and_without_a_runtime_in_place() {
        let turns = Turns::new(1);
        let first = turns.enter();
        assert!(first.is_some() && turns.enter().is_none());
        drop(first);
        assert!(turns.enter().is_some());
        assert_eq!(turns.take(true, || 7), 7);
    }

    #[tokio::test]
    async fn those_that_are_always_ready_take_turns() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let streams = ['a', 'b', 'c'].map(|name| {
            let order = order.clone();
            tokio::spawn(async move {
                let turns = Turns::new(1);
                for _ in 0..4 {
                    turns.take(false, || order.lock().push(name));
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
        assert_eq!(Turns::new(1).take(true, || 7), 7);
    }
}
