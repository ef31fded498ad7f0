//! Where the process stands between start and end: what the probes answer from.
//!
//! The three probes ask different things. Start-up: is the configuration read and are the listeners bound? It must not
//! depend on the app: as a native sidecar vacpack has to be started before Kubernetes starts the app at all. Liveness:
//! does the event loop turn? Readiness: should this pod get traffic?

use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by the parts that know and the probes that tell.
#[derive(Debug)]
pub struct Lifecycle {
    started: AtomicBool,
    draining: AtomicBool,
    app_answers: AtomicBool,
}

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
        Self { started: AtomicBool::new(false), draining: AtomicBool::new(false), app_answers: AtomicBool::new(true) }
    }
}

impl Lifecycle {
    /// Configuration read, listeners bound.
    pub fn start(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// There is no way back: a process that drains ends.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Only where readiness follows the app; otherwise nobody calls this and the app counts as answering.
    pub fn app_answers(&self, answers: bool) {
        self.app_answers.store(answers, Ordering::Release);
    }

    pub fn has_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
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
        lifecycle.drain();
        assert_eq!(lifecycle.state(), State::Draining);
        assert!(lifecycle.has_started());
    }
}
