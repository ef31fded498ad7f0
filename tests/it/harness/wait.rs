//! Waiting for a state: by asking for it until a deadline, never by sleeping and hoping.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here may take on a busy machine of two cores.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Between two looks at a condition.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Asks until the answer is something; panics with `what` at the deadline.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "waited {DEADLINE:?} for {what}");
        thread::sleep(LOOK_AGAIN);
    }
}

/// Asks until the answer has been the same for `calm`, and returns it: for things that must *stop* happening.
pub fn until_calm<T: PartialEq>(what: &str, calm: Duration, mut ask: impl FnMut() -> T) -> T {
    let mut last = ask();
    let mut since = Instant::now();
    until(what, || {
        let now = ask();
        if now != last {
            last = now;
            since = Instant::now();
        }
        (since.elapsed() >= calm).then(&mut ask)
    })
}

/// Lets the clock run until `since` is that long ago: for freshness, whose subject is time itself.
pub fn until_past(since: Instant, age: Duration) {
    while let Some(left) = age.checked_sub(since.elapsed()).filter(|left| !left.is_zero()) {
        thread::sleep(left);
    }
}

/// Runs `task` for 0..count on as many threads at once, joins all of them and re-raises the first panic.
pub fn together<T: Send>(count: usize, task: impl Fn(usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let task = &task;
        let all: Vec<_> = (0..count).map(|index| scope.spawn(move || task(index))).collect();
        let ended: Vec<_> = all.into_iter().map(thread::ScopedJoinHandle::join).collect();
        ended.into_iter().map(|end| end.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// A door in the origin's script: a test opens it, or it opens by itself once enough have come.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Door>);

#[derive(Debug)]
struct Door {
    state: Mutex<DoorState>,
    changed: Condvar,
}

#[derive(Debug)]
struct DoorState {
    open: bool,
    waiting: usize,
    opens_at: usize,
}

impl Gate {
    pub fn closed() -> Self {
        Self::opening_at(usize::MAX)
    }

    /// Opens as soon as `count` wait before it at the same time.
    pub fn opening_at(count: usize) -> Self {
        let state = Mutex::new(DoorState { open: false, waiting: 0, opens_at: count });
        Self(Arc::new(Door { state, changed: Condvar::new() }))
    }

    pub fn open(&self) {
        self.0.state.lock().expect("no holder panics").open = true;
        self.0.changed.notify_all();
    }

    pub fn is_open(&self) -> bool {
        self.0.state.lock().expect("no holder panics").open
    }

    /// How many stand before it now.
    pub fn waiting(&self) -> usize {
        self.0.state.lock().expect("no holder panics").waiting
    }

    /// Returns once somebody waits here.
    pub fn until_reached(&self) {
        until("somebody at the gate", || (self.waiting() > 0).then_some(()));
    }

    /// Passes when the gate is open, or when `stopping` says that nobody needs an answer any more.
    pub fn pass(&self, stopping: &AtomicBool) {
        let mut state = self.0.state.lock().expect("no holder panics");
        state.waiting += 1;
        if state.waiting >= state.opens_at {
            state.open = true;
            self.0.changed.notify_all();
        }
        while !state.open && !stopping.load(Ordering::Relaxed) {
            state = self.0.changed.wait_timeout(state, 4 * LOOK_AGAIN).expect("no holder panics").0;
        }
        state.waiting -= 1;
    }
}
