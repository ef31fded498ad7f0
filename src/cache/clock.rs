//! Age that no clock step can shorten.
//!
//! The wall clock says what `Date` and `Expires` mean but may be set; the steady one cannot be set but stops while the
//! machine sleeps. A response is as old as the older of the two says: an operator who sets the clock back, or a host
//! that wakes up, never makes a stale answer fresh again.

use std::time::{Duration, Instant, SystemTime};

/// One moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub wall: SystemTime,
    pub steady: Instant,
}

impl Moment {
    pub fn now() -> Self {
        Self { wall: SystemTime::now(), steady: Instant::now() }
    }

    /// `wall` as the caller measured it, on the steady clock now.
    pub fn at(wall: SystemTime) -> Self {
        Self { wall, steady: Instant::now() }
    }

    /// Time from here to `now`, by the clock that says more.
    pub fn until(self, now: Self) -> Duration {
        let steady = now.steady.saturating_duration_since(self.steady);
        let wall = now.wall.duration_since(self.wall).unwrap_or_default();
        steady.max(wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_clock_that_says_more_wins() {
        let stored = Moment::now();
        let later = |wall: SystemTime, steady: Duration| Moment { wall, steady: stored.steady + steady };
        assert_eq!(stored.until(later(stored.wall + MINUTE, MINUTE)), MINUTE);
        assert_eq!(stored.until(later(stored.wall - HOUR, MINUTE)), MINUTE, "clock set back");
        assert_eq!(stored.until(later(stored.wall + HOUR, MINUTE)), HOUR, "slept, or clock set forward");
        assert_eq!(stored.until(later(stored.wall - HOUR, Duration::ZERO)), Duration::ZERO);
    }
}
