//! A body that grows while others read it: one writer, any number of readers, each at its own pace.
//!
//! Everything is decided under one lock that is held for a chunk and a few pointers, never for a copy of the body or an
//! await.
//! Readers sleep on a version that changes with every write; the writer of a relay sleeps until the slowest reader has
//! moved. Both look *after* they have said what would wake them, so that no news is lost between a look and a sleep.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::cache::buffer::{Buffer, FillBudget, OverBudget};

/// How far the slowest reader of a relay may be behind: enough that nobody waits for a packet, little enough that many
/// relays fit in memory.
pub const WINDOW: usize = 1024 * 1024;

/// The body of one fill.
#[derive(Debug)]
pub struct Body {
    state: Mutex<State>,
    /// Changes whenever a reader that waits should look again.
    news: watch::Sender<()>,
    /// Tells the writer of a relay that the slowest reader has moved, or left.
    moved: Notify,
    budget: Arc<FillBudget>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    buffer: Buffer,
    /// How much of the body each reader is done with.
    readers: HashMap<u64, usize>,
    /// The name of the next one.
    next: u64,
}

#[derive(Debug)]
enum Phase {
    /// It may yet be stored: all of it is kept.
    Growing,
    /// It will not be stored: kept is what some reader still needs, and the writer waits while that is more than this.
    Relaying {
        window: usize,
    },
    /// A relay that has come to its end.
    Relayed,
    Complete(Bytes),
    /// Its end never came, or was not waited for.
    Aborted,
}

/// What there is for a reader.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Bytes(Bytes),
    /// Nothing yet.
    Wait,
    End,
    /// The rest will never come.
    Cut,
}

/// What became of a chunk that was to be relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relay {
    Taken,
    /// Nobody reads any more.
    Unwanted,
}

impl Body {
    pub fn new(budget: Arc<FillBudget>) -> Self {
        let buffer = Buffer::new(budget.clone());
        let state = State { phase: Phase::Growing, buffer, readers: HashMap::new(), next: 0 };
        Self { state: Mutex::new(state), news: watch::Sender::new(()), moved: Notify::new(), budget }
    }

    pub fn prepare(&self, length: u64) -> Result<(), OverBudget> {
        self.state.lock().buffer.prepare(length)
    }

    pub fn written(&self) -> usize {
        self.state.lock().buffer.len()
    }

    /// Still on its way into the cache, as far as anybody knows.
    pub fn is_growing(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Growing)
    }

    pub fn is_relay(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Relaying { .. })
    }

    /// Takes the chunk; what there was no room for is left in it.
    pub fn write(&self, chunk: &mut Bytes) -> Result<(), OverBudget> {
        let written = self.state.lock().buffer.write(chunk);
        self.news.send_replace(());
        written
    }

    /// It will not be stored. Whether it is relayed from here on: somebody reads it. If not, it is over.
    pub fn outgrow(&self) -> bool {
        {
            let mut state = self.state.lock();
            let read = !state.readers.is_empty();
            state.phase = match read {
                true => Phase::Relaying { window: state.buffer.len().min(WINDOW) },
                false => Phase::Aborted,
            };
            if !read {
                state.buffer = Buffer::new(self.budget.clone());
            }
        }
        self.news.send_replace(());
        self.is_relay()
    }

    /// Hands a chunk to the readers of a relay, once the slowest of them has room for it.
    pub async fn relay(&self, mut chunk: Bytes) -> Relay {
        loop {
            let moved = self.moved.notified();
            if let Some(relay) = self.state.lock().relay(&mut chunk) {
                self.news.send_replace(());
                return relay;
            }
            moved.await;
        }
    }

    /// The whole body, as it is stored. Readers wait for [`Self::complete`] meanwhile: a copy takes a millisecond, and
    /// is not made under the lock.
    pub fn finish(&self) -> Bytes {
        let empty = Buffer::new(self.budget.clone());
        let whole = std::mem::replace(&mut self.state.lock().buffer, empty);
        whole.finish()
    }

    /// Readers go on in the bytes that are stored: the pieces they were written in are free.
    pub fn complete(&self, whole: Bytes) {
        self.end(Phase::Complete(whole));
    }

    /// The last chunk of a relay was handed over.
    pub fn relayed(&self) {
        self.state.lock().phase = Phase::Relayed;
        self.news.send_replace(());
    }

    /// The end will not come. Nothing, if it has.
    pub fn abort(&self) {
        let over = matches!(self.state.lock().phase, Phase::Complete(_) | Phase::Relayed | Phase::Aborted);
        if !over {
            self.end(Phase::Aborted);
        }
    }

    /// Waits until it is clear whether it will be stored: it has ended, well or badly, or has outgrown the cache.
    pub async fn decided(&self) {
        let mut news = self.news.subscribe();
        while self.is_growing() {
            // The sender is here: waiting for it cannot fail.
            let _ = news.changed().await;
        }
    }

    /// A reader from the start on; `None` when it is too late for one.
    pub fn join(self: &Arc<Self>) -> Option<Place> {
        let mut state = self.state.lock();
        if !matches!(state.phase, Phase::Growing) {
            return None;
        }
        let name = state.next;
        state.next += 1;
        state.readers.insert(name, 0);
        Some(Place { body: self.clone(), name, news: self.news.subscribe() })
    }

    fn end(&self, phase: Phase) {
        {
            let mut state = self.state.lock();
            state.phase = phase;
            state.buffer = Buffer::new(self.budget.clone());
        }
        self.news.send_replace(());
    }
}

impl State {
    fn next(&mut self, from: usize, most: usize) -> Next {
        let wait = match &self.phase {
            Phase::Aborted => return Next::Cut,
            Phase::Complete(whole) => return stored(whole, from, most),
            Phase::Growing | Phase::Relaying { .. } => Next::Wait,
            Phase::Relayed => Next::End,
        };
        match self.buffer.slice(from, most) {
            Some(bytes) => Next::Bytes(bytes),
            // It went back to what the others are past.
            None if from < self.buffer.start() => Next::Cut,
            None => wait,
        }
    }

    /// `None`: not yet.
    fn relay(&mut self, chunk: &mut Bytes) -> Option<Relay> {
        let Phase::Relaying { window } = self.phase else {
            return Some(Relay::Unwanted);
        };
        let Some(slowest) = self.slowest() else {
            self.phase = Phase::Aborted;
            return Some(Relay::Unwanted);
        };
        self.buffer.release_to(slowest);
        // A reader of a range may be ahead of what has come.
        if self.buffer.len().saturating_sub(slowest) > window {
            return None;
        }
        self.buffer.force(chunk);
        Some(Relay::Taken)
    }

    fn slowest(&self) -> Option<usize> {
        self.readers.values().copied().min()
    }

    /// In a relay, what everyone has is let go. Whether the writer should know.
    fn settle(&mut self, was: usize) -> bool {
        if !matches!(self.phase, Phase::Relaying { .. } | Phase::Relayed) {
            return false;
        }
        let slowest = self.slowest();
        let moved = slowest.is_none_or(|now| now > was);
        if moved {
            let len = self.buffer.len();
            self.buffer.release_to(slowest.unwrap_or(len));
        }
        moved
    }
}

fn stored(whole: &Bytes, from: usize, most: usize) -> Next {
    let rest = from.min(whole.len())..whole.len().min(from.saturating_add(most));
    if rest.is_empty() { Next::End } else { Next::Bytes(whole.slice(rest)) }
}

/// A reader's place in a body; given up when it is dropped.
#[derive(Debug)]
pub struct Place {
    body: Arc<Body>,
    name: u64,
    news: watch::Receiver<()>,
}

impl Place {
    /// The bytes from a place in the body on. Asking for them says that all before have been sent.
    pub async fn next(&mut self, from: usize, most: usize) -> Next {
        self.done_with(from);
        loop {
            // Before the look, so that what is written after it wakes us.
            self.news.borrow_and_update();
            match self.body.state.lock().next(from, most) {
                Next::Wait => {}
                next => return next,
            }
            // The sender is in the body that we hold: waiting for it cannot fail.
            let _ = self.news.changed().await;
        }
    }

    pub(super) fn done_with(&self, place: usize) {
        let moved = {
            let mut state = self.body.state.lock();
            let was = state.readers.insert(self.name, place).unwrap_or_default();
            state.settle(was)
        };
        if moved {
            self.body.moved.notify_one();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let moved = {
            let mut state = self.body.state.lock();
            let was = state.readers.remove(&self.name).unwrap_or_default();
            state.settle(was)
        };
        if moved {
            self.body.moved.notify_one();
        }
    }
}
