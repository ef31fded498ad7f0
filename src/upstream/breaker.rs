//! Whether an address that keeps failing is asked again now: pure.
//!
//! After so many failures in a row it is left alone: a request that would fail is answered at once, from the store or by
//! another address where there is one, and an app that is starting is not met by everything that waited for it. After a
//! pause one request is let through as a trial, and one more each pause until an answer comes. The pause is fixed and short,
//! so that an app that is back is noticed within it.

use std::time::{Duration, Instant};

/// When an address is left alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Failures in a row.
    pub failures: u32,
    pub pause: Duration,
}

/// What an address that has failed lately is known for. One that answers has none of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    failures: u32,
    /// No request before this; None as long as there were too few failures.
    until: Option<Instant>,
}

impl Breaker {
    /// Another request failed. True if that is the one after which the address is left alone.
    pub fn failed(&mut self, now: Instant, rules: &Rules) -> bool {
        let was_open = self.is_open();
        self.failures = self.failures.saturating_add(1);
        if self.failures >= rules.failures {
            self.until = Some(now + rules.pause);
        }
        self.is_open() && !was_open
    }

    /// May this request go? It is the trial, if it may although the address is left alone.
    pub fn admits(&mut self, now: Instant, rules: &Rules) -> bool {
        let admitted = !self.refuses(now);
        if admitted && self.is_open() {
            self.until = Some(now + rules.pause);
        }
        admitted
    }

    /// As `admits`, for one that will not go.
    pub fn refuses(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// It is left alone, but for trials.
    pub fn is_open(&self) -> bool {
        self.until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_millis(500);
    const RULES: Rules = Rules { failures: 3, pause: PAUSE };

    fn broken(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        let opened: Vec<bool> = (0..4).map(|_| breaker.failed(now, &RULES)).collect();
        assert_eq!(opened, [false, false, true, false]);
        breaker
    }

    #[test]
    fn too_few_failures_are_none() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _failure in 0..2 {
            breaker.failed(now, &RULES);
            assert!(breaker.admits(now, &RULES) && breaker.admits(now, &RULES) && !breaker.is_open());
        }
    }

    #[test]
    fn one_trial_each_pause() {
        let start = Instant::now();
        let mut breaker = broken(start);
        assert!(!breaker.admits(start, &RULES) && breaker.refuses(start));
        let later = start + PAUSE;
        assert!(!breaker.refuses(later));
        assert!(breaker.admits(later, &RULES), "the trial");
        assert!(!breaker.admits(later, &RULES), "and no other");
        // Nothing was heard of it: its client has left, or the app is slow.
        assert!(breaker.admits(later + PAUSE, &RULES));
    }

    #[test]
    fn a_trial_that_fails_begins_another_pause() {
        let start = Instant::now();
        let mut breaker = broken(start);
        assert!(breaker.admits(start + PAUSE, &RULES));
        let failed = start + PAUSE + PAUSE / 2;
        assert!(!breaker.failed(failed, &RULES), "it was left alone before");
        assert!(breaker.refuses(start + 2 * PAUSE));
        assert!(breaker.admits(failed + PAUSE, &RULES));
    }
}
