//! Where the process stands between start and end: what the probes answer from.
//!
//! The three probes ask different things. Start-up: is the configuration read and are the listeners bound? It must not
//! depend on the app: as a native sidecar vacpack has to be started before Kubernetes starts the app at all. Liveness:
//! does the event loop turn? Readiness: should this pod get traffic?

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Shared by the parts that know and the probes that tell.
#[derive(Debug)]
pub struct Lifecycle {
    started: AtomicBool,
    /// True from the first word of the end on.
    leaving: watch::Sender<bool>,
    app_answers: AtomicBool,
    born: Instant,
    /// When a worker last showed that it turns, in milliseconds of life.
    beat: AtomicU64,
}

/// Workers that did not turn for so long will not: the kubelet's business.
const STUCK: Duration = Duration::from_secs(10);

/// The state, named for what an operator should know first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Starting,
    Ready,
    /// The app does not answer its own readiness path, and the operator asked us to follow it.
    AppDown,
    /// No new traffic should come; what comes is still answered.
    Draining,
}

impl State {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::AppDown => "app down",
            Self::Draining => "draining",
        }
    }
}

impl Default for Lifecycle {
    fn default() -> Self {
        let (leaving, _) = watch::channel(false);
        Self {
            started: AtomicBool::new(false),
            leaving,
            app_answers: AtomicBool::new(true),
            born: Instant::now(),
            beat: AtomicU64::new(0),
        }
    }
}

impl Lifecycle {
    /// Configuration read, listeners bound.
    pub fn start(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// There is no way back: a process that drains ends. Whether this was the first word of it.
    pub fn drain(&self) -> bool {
        !self.leaving.send_replace(true)
    }

    /// Becomes true when a drain begins.
    pub fn leaving(&self) -> watch::Receiver<bool> {
        self.leaving.subscribe()
    }

    /// Only where readiness follows the app; otherwise nobody calls this and the app counts as answering.
    pub fn app_answers(&self, answers: bool) {
        self.app_answers.store(answers, Ordering::Release);
    }

    /// A worker turns.
    pub fn beat(&self) {
        self.beat.store(self.age(), Ordering::Relaxed);
    }

    pub fn is_alive(&self) -> bool {
        u128::from(self.age().saturating_sub(self.beat.load(Ordering::Relaxed))) < STUCK.as_millis()
    }

    fn age(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub fn has_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    pub fn is_draining(&self) -> bool {
        *self.leaving.borrow()
    }

    pub fn state(&self) -> State {
        if self.is_draining() {
            State::Draining
        } else if !self.has_started() {
            State::Starting
        } else if !self.app_answers.load(Ordering::Acquire) {
            State::AppDown
        } else {
            State::Ready
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_what_matters_most() {
        let lifecycle = Lifecycle::default();
        assert_eq!(lifecycle.state(), State::Starting);
        lifecycle.start();
        assert_eq!(lifecycle.state(), State::Ready);
        lifecycle.app_answers(false);
        assert_eq!(lifecycle.state(), State::AppDown);
        lifecycle.app_answers(true);
        let mut leaving = lifecycle.leaving();
        assert!(lifecycle.drain() && !lifecycle.drain(), "once");
        assert!(*leaving.borrow_and_update() && *lifecycle.leaving().borrow());
        assert_eq!(lifecycle.state(), State::Draining);
        assert!(lifecycle.has_started());
    }
}
