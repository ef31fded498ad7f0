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
//! The worker of a stream that is alone has nobody to wait for, and what is handed over for each of its turns comes to 6 %
//! of the CPU of a style sheet in brotli. So a turn of about a millisecond stays where it is, unless another stream took
//! one there and the worker has not run out of tasks since. Of its own turns each is behind a pause, and between a pause
//! and what comes then the runtime looks at its sockets: nobody waits for more than one turn in place.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::runtime::{self, Handle, RuntimeFlavor};
use tokio::task::{self, coop};

use crate::encode::Spell;

/// Those that are handed over at a time.
#[derive(Debug)]
pub struct Turns {
    aside: AtomicUsize,
    limit: usize,
    streams: AtomicU64,
}

/// The turns of one body.
#[derive(Debug)]
pub(super) struct Stream {
    turns: Arc<Turns>,
    number: u64,
}

thread_local! {
    /// The last turn that was taken in place here: whose, and when. A worker is a thread until it is handed over, and the
    /// next thread has held nobody up.
    static LAST: Cell<Option<(u64, Option<Parks>)>> = const { Cell::new(None) };
}

/// How often a worker ran out of tasks and looked at its sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parks {
    worker: usize,
    count: u64,
}

impl Parks {
    fn of_this_worker() -> Option<Self> {
        let worker = runtime::worker_index()?;
        let metrics = Handle::try_current().ok()?.metrics();
        Some(Self { worker, count: metrics.worker_park_count(worker) })
    }
}

impl Stream {
    pub(super) fn of(turns: Arc<Turns>) -> Self {
        let number = turns.streams.fetch_add(1, Ordering::Relaxed);
        Self { turns, number }
    }

    /// Does `work` here, with the worker's other tasks out of its way if they would wait for long. Otherwise this task
    /// pauses after it.
    pub(super) fn take<T>(&self, spell: Spell, work: impl FnOnce() -> T) -> T {
        let goes = match spell {
            Spell::Short => false,
            Spell::Middling => !self.may_stay(),
            Spell::Long => true,
        };
        if goes
            && may_block()
            && let Some(_place) = self.turns.enter()
        {
            return task::block_in_place(work);
        }
        let done = work();
        if spell > Spell::Short {
            LAST.set(Some((self.number, Parks::of_this_worker())));
        }
        spend();
        done
    }

    /// No other stream has held this worker since it last ran out of tasks.
    fn may_stay(&self) -> bool {
        LAST.get().is_none_or(|(whose, when)| whose == self.number || when != Parks::of_this_worker())
    }
}

impl Turns {
    /// Each takes a thread while it lasts: no more speed, but it is the system then that shares the cores.
    pub fn new(limit: usize) -> Self {
        Self { aside: AtomicUsize::new(0), limit, streams: AtomicU64::new(0) }
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

    fn stream(limit: usize) -> Stream {
        Stream::of(Arc::new(Turns::new(limit)))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn while_a_long_turn_is_taken_others_are_served() {
        let turn = async {
            let (sender, receiver) = std::sync::mpsc::channel();
            // Behind this task on the only worker.
            tokio::spawn(async move { sender.send(()) });
            let stream = stream(1);
            stream.take(Spell::Long, || receiver.recv_timeout(Duration::from_secs(20)).expect("served"));
            assert_eq!(stream.turns.aside.load(Ordering::Relaxed), 0);
        };
        tokio::spawn(turn).await.expect("no panic");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_middling_turn_stays_unless_another_stream_just_held_the_thread() {
        let turns = async {
            let turns = Arc::new(Turns::new(1));
            let (first, second) = (Stream::of(turns.clone()), Stream::of(turns));
            let went = |stream: &Stream, spell| stream.take(spell, || stream.turns.aside.load(Ordering::Relaxed) == 1);
            assert!(!went(&first, Spell::Middling), "nobody was before");
            assert!(!went(&first, Spell::Middling), "it paused in between");
            assert!(!went(&second, Spell::Short));
            assert!(went(&second, Spell::Middling), "another was there a moment ago");
        };
        tokio::spawn(turns).await.expect("no panic");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn who_held_a_worker_before_it_last_ran_out_of_tasks_is_forgotten() {
        let turns = async {
            let turns = Arc::new(Turns::new(1));
            let (first, second) = (Stream::of(turns.clone()), Stream::of(turns));
            first.take(Spell::Middling, || ());
            let before = Parks::of_this_worker();
            // A timer is nothing that is ready: the worker goes to sleep.
            while Parks::of_this_worker() == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(second.take(Spell::Middling, || second.turns.aside.load(Ordering::Relaxed) == 0));
        };
        tokio::spawn(turns).await.expect("no panic");
    }

    #[test]
    fn no_more_than_the_limit_and_without_a_runtime_in_place() {
        let stream = stream(1);
        let first = stream.turns.enter();
        assert!(first.is_some() && stream.turns.enter().is_none());
        drop(first);
        assert!(stream.turns.enter().is_some());
        assert_eq!(stream.take(Spell::Long, || 7), 7);
    }

    #[tokio::test]
    async fn those_that_are_always_ready_take_turns() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let streams = ['a', 'b', 'c'].map(|name| {
            let order = order.clone();
            tokio::spawn(async move {
                let stream = stream(1);
                for _ in 0..4 {
                    stream.take(Spell::Short, || order.lock().push(name));
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
        assert_eq!(stream(1).take(Spell::Long, || 7), 7);
    }
}
