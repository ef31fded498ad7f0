//! How long a background refresh that failed keeps the next one away.
//!
//! RFC 5861, section 3, lets every stale answer begin a refresh, and asks nothing of one that failed. An app that is down
//! would be asked again with each request; so the time between two attempts doubles from [`FIRST`] to [`GREATEST`], and
//! what is stored goes on answering as long as its window lasts. The first refresh that succeeds ends it.

use std::time::{Duration, Instant};

/// Longer than most apps take to restart a worker, and shorter than anybody waits for a correction.
const FIRST: Duration = Duration::from_secs(1);
/// An app that is back is noticed within this.
pub const GREATEST: Duration = Duration::from_secs(60);

/// The failures of refreshing one stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
    until: Instant,
}

impl Backoff {
    /// Another refresh has failed.
    pub fn after(before: Option<Self>, now: Instant) -> Self {
        let failures = before.map_or(0, |before| before.failures).saturating_add(1);
        Self { failures, until: now + delay(failures) }
    }

    /// Is it too soon to try again?
    pub fn holds(&self, now: Instant) -> bool {
        now < self.until
    }
}

fn delay(failures: u32) -> Duration {
    let doublings = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    FIRST.saturating_mul(doublings).min(GREATEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_time_to_the_next_attempt() {
        let start = Instant::now();
        let mut backoff = None;
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let failed = Backoff::after(backoff, start);
            let due = start + Duration::from_secs(seconds);
            assert!(failed.holds(due - Duration::from_millis(1)), "{seconds} s");
            assert!(!failed.holds(due), "{seconds} s");
            backoff = Some(failed);
        }
    }

    #[test]
    fn no_number_of_failures_is_too_large() {
        for failures in [0, 32, 33, 64, u32::MAX] {
            assert!(delay(failures) <= GREATEST, "{failures}");
        }
        let many = Backoff { failures: u32::MAX, until: Instant::now() };
        assert_eq!(Backoff::after(Some(many), many.until).failures, u32::MAX);
    }
}
