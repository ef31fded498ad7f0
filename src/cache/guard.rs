//! How much of its share the cache may hold while the container is short of memory.
//!
//! The budget keeps its own books, but the limit is the kernel's: connections, the allocator's slack and whatever else runs
//! in the container count against it too. Of all that, only the cache can be made smaller at once. So what the container
//! uses is compared with its limit, and the cache shrinks by as much as there is too much, before the kernel kills.
//!
//! Above [`HIGH`] it shrinks, to where the container would stand at [`LOW`]; below that it grows again, in steps, and never
//! by more than half of the room. Between the two nothing changes, so that it does not swing. Pure: the clock and the
//! figures are arguments.

use std::time::{Duration, Instant};

/// Parts of the limit, in percent.
const HIGH: u64 = 90;
const LOW: u64 = 80;
/// From here on there is no time to see what the last step brought.
const DIRE: u64 = 96;
/// Above [`LOW`], waiting for memory for this part of the time is as bad as being above [`HIGH`].
const STALLED: f64 = 0.1;
/// What is let go takes a moment to get back to the kernel.
const SETTLE: Duration = Duration::from_millis(300);
/// Between two steps upwards, of one part in so many.
const GROW_EVERY: Duration = Duration::from_secs(1);
const STEPS: u64 = 16;

/// How things stand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// What the container uses of `limit`, in bytes.
    pub used: u64,
    pub limit: Option<u64>,
    /// What the cache may hold at the most, and what it holds.
    pub capacity: u64,
    pub held: u64,
    /// The part of the time in which somebody waited for memory, where the kernel tells.
    pub stalled: Option<f64>,
}

/// What is to become of what the cache may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Enough is free, or it is too early to tell.
    Keep,
    /// It may hold no more than this from now on, and the freed memory is to go back to the kernel.
    Shrink(u64),
    /// It may hold this much again.
    Grow(u64),
}

/// Remembers what it allowed.
#[derive(Debug, Default)]
pub struct Guard {
    /// None: all of the capacity.
    allowed: Option<u64>,
    shrunk: Option<Instant>,
    calm_since: Option<Instant>,
}

impl Guard {
    /// Less than all is allowed.
    pub fn is_pressed(&self) -> bool {
        self.allowed.is_some()
    }

    pub fn observe(&mut self, now: Instant, reading: &Reading) -> Verdict {
        // A limit that was taken away is as good as a high one.
        let limit = reading.limit.unwrap_or(u64::MAX);
        let low = share(limit, LOW);
        let stalls = reading.stalled.is_some_and(|stalled| stalled > STALLED) && reading.used > low;
        if reading.used > share(limit, HIGH) || stalls {
            self.calm_since = None;
            return self.shrink(now, reading, limit);
        }
        match self.allowed {
            Some(allowed) if reading.used < low => self.grow(now, allowed, reading.capacity, low - reading.used),
            _ => {
                self.calm_since = None;
                Verdict::Keep
            }
        }
    }

    fn shrink(&mut self, now: Instant, reading: &Reading, limit: u64) -> Verdict {
        let settled = self.shrunk.is_none_or(|shrunk| now.saturating_duration_since(shrunk) >= SETTLE);
        if !settled && reading.used <= share(limit, DIRE) {
            return Verdict::Keep;
        }
        let excess = reading.used.saturating_sub(share(limit, LOW)).max(reading.capacity / (2 * STEPS));
        let allowed = self.allowed.unwrap_or(reading.capacity).min(reading.held).saturating_sub(excess);
        self.allowed = Some(allowed);
        self.shrunk = Some(now);
        Verdict::Shrink(allowed)
    }

    fn grow(&mut self, now: Instant, allowed: u64, capacity: u64, room: u64) -> Verdict {
        let since = *self.calm_since.get_or_insert(now);
        if now.saturating_duration_since(since) < GROW_EVERY {
            return Verdict::Keep;
        }
        self.calm_since = Some(now);
        let allowed = allowed.saturating_add((capacity / STEPS).max(1).min(room / 2));
        self.allowed = (allowed < capacity).then_some(allowed);
        Verdict::Grow(allowed.min(capacity))
    }
}

fn share(limit: u64, percent: u64) -> u64 {
    limit / 100 * percent
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: u64 = 1000;
    const CALM: Reading = Reading { used: 500, limit: Some(LIMIT), capacity: 320, held: 320, stalled: None };

    /// A guard whose clock goes on by so much before each reading.
    struct Clock(Guard, Instant);

    impl Clock {
        fn start() -> Self {
            Self(Guard::default(), Instant::now())
        }

        fn after(&mut self, milliseconds: u64, reading: Reading) -> Verdict {
            self.1 += Duration::from_millis(milliseconds);
            self.0.observe(self.1, &reading)
        }
    }

    #[test]
    fn above_high_the_cache_gives_what_is_too_much() {
        let mut clock = Clock::start();
        assert_eq!(clock.after(0, Reading { used: 900, ..CALM }), Verdict::Keep, "not above it");
        assert_eq!(clock.after(0, Reading { used: 901, ..CALM }), Verdict::Shrink(219));
        assert!(clock.0.is_pressed());
    }

    #[test]
    fn what_the_cache_does_not_hold_it_cannot_give() {
        let mut clock = Clock::start();
        assert_eq!(clock.after(0, Reading { used: 950, held: 200, ..CALM }), Verdict::Shrink(50));
        assert_eq!(clock.after(400, Reading { used: 950, held: 40, ..CALM }), Verdict::Shrink(0));
    }

    #[test]
    fn a_step_is_given_time_to_show_unless_things_are_dire() {
        let mut clock = Clock::start();
        let high = Reading { used: 910, ..CALM };
        assert_eq!(clock.after(0, high), Verdict::Shrink(210));
        assert_eq!(clock.after(100, Reading { held: 210, ..high }), Verdict::Keep);
        assert_eq!(clock.after(100, Reading { used: 970, held: 210, ..high }), Verdict::Shrink(40));
        assert_eq!(clock.after(300, Reading { held: 40, ..high }), Verdict::Shrink(0));
    }

    #[test]
    fn between_low_and_high_it_stays_where_it_is() {
        let mut clock = Clock::start();
        clock.after(0, Reading { used: 950, ..CALM });
        for used in [900, 850, 800] {
            assert_eq!(clock.after(10_000, Reading { used, ..CALM }), Verdict::Keep, "{used}");
        }
    }

    #[test]
    fn stalls_count_only_where_memory_is_scarce() {
        let stalled = Reading { stalled: Some(0.2), ..CALM };
        let mut clock = Clock::start();
        assert_eq!(clock.after(0, Reading { used: 700, ..stalled }), Verdict::Keep);
        assert_eq!(clock.after(0, Reading { used: 820, stalled: Some(0.05), ..CALM }), Verdict::Keep);
        assert_eq!(clock.after(0, Reading { used: 820, ..stalled }), Verdict::Shrink(300));
        assert_eq!(clock.after(400, Reading { used: 801, held: 300, ..stalled }), Verdict::Shrink(290));
    }

    #[test]
    fn it_grows_back_step_by_step() {
        let mut clock = Clock::start();
        clock.after(0, Reading { used: 1000, ..CALM });
        let mut seen = Vec::new();
        for _ in 0..400 {
            match clock.after(50, CALM) {
                Verdict::Grow(allowed) => seen.push(allowed),
                verdict => assert_eq!(verdict, Verdict::Keep),
            }
        }
        assert_eq!(seen, [140, 160, 180, 200, 220, 240, 260, 280, 300, 320]);
        assert!(!clock.0.is_pressed());
    }

    #[test]
    fn it_grows_into_half_of_the_room_at_most() {
        let mut clock = Clock::start();
        clock.after(0, Reading { used: 1000, ..CALM });
        clock.after(0, Reading { used: 790, ..CALM });
        assert_eq!(clock.after(1000, Reading { used: 790, ..CALM }), Verdict::Grow(125));
    }

    #[test]
    fn without_a_limit_nothing_is_too_much() {
        let mut clock = Clock::start();
        assert_eq!(clock.after(0, Reading { used: u64::MAX / 2, limit: None, ..CALM }), Verdict::Keep);
    }

    proptest! {
        #[test]
        fn what_is_allowed_stays_within_the_capacity_and_does_as_the_verdict_says(
            capacity in 0_u64..1 << 40,
            readings in proptest::collection::vec(
                (0_u64..1 << 40, proptest::option::of(1_u64..1 << 40), 0_u64..1 << 40, 0.0_f64..1.0, 0_u64..2000), 1..50),
        ) {
            let (mut guard, mut now) = (Guard::default(), Instant::now());
            for (used, limit, held, stalled, later) in readings {
                now += Duration::from_millis(later);
                let allowed = |guard: &Guard| guard.allowed.unwrap_or(capacity);
                let before = allowed(&guard);
                match guard.observe(now, &Reading { used, limit, capacity, held, stalled: Some(stalled) }) {
                    Verdict::Keep => prop_assert_eq!(allowed(&guard), before),
                    Verdict::Shrink(to) => prop_assert!(to <= before && to <= held && to == allowed(&guard)),
                    Verdict::Grow(to) => prop_assert!(to >= before && to <= capacity && to == allowed(&guard)),
                }
            }
        }

        /// A new configuration may make the cache larger or smaller at any time.
        #[test]
        fn another_capacity_is_met_in_time(before in 0_u64..1 << 40, after in 0_u64..1 << 40) {
            let (mut guard, mut now) = (Guard::default(), Instant::now());
            guard.observe(now, &Reading { used: 1000, capacity: before, held: before, ..CALM });
            for _ in 0..40 {
                now += GROW_EVERY;
                guard.observe(now, &Reading { used: 1 << 41, limit: Some(1 << 43), capacity: after, held: 0, stalled: None });
            }
            prop_assert!(!guard.is_pressed());
        }
    }
}
