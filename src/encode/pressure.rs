//! What is given up when the CPU is short: a pure ladder of levels with hysteresis.
//!
//! Compression is the one part of the work whose cost is a choice. Level 4 of brotli takes about five times the CPU of
//! zstd 1, so a process that is held back by its quota, or whose workers are late, answers sooner by compressing less. Levels
//! that the operator fixed are the operator's.
//!
//! The way down is fast: the first step after a second of pressure, another each second while it lasts. The way up is slow,
//! one step for five seconds of calm, since a step up too early brings the pressure back: twenty seconds from the last to none.
//! Between the two limits of each signal nothing changes.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use super::level::{Levels, Live};
use crate::header::Coding;

/// How far down. 0 is not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step(u8);

impl Step {
    pub const CALM: Self = Self(0);
    pub const LAST: Self = Self(4);

    pub const fn number(self) -> u8 {
        self.0
    }

    /// What is live compression's choice at this step.
    pub fn live(self) -> Live {
        match self.0 {
            0 => Live::Auto,
            1 => Live::Fixed(Levels { brotli: 3, zstd: 5, gzip: 5 }),
            2 => Live::Fixed(Levels { brotli: 2, zstd: 3, gzip: 4 }),
            3.. => Live::Fixed(Levels { brotli: 1, zstd: 1, gzip: 1 }),
        }
    }

    /// The coding at this step, in place of the one that was planned: at the last, brotli's cheapest level is three times
    /// as dear as that of the others. `allowed` are those that the client accepts and the route offers.
    pub fn coding(self, planned: Coding, allowed: &[Coding]) -> Coding {
        if self < Self::LAST || planned != Coding::Brotli {
            return planned;
        }
        let cheap = [Coding::Zstd, Coding::Gzip].into_iter().find(|coding| allowed.contains(coding));
        cheap.unwrap_or(planned)
    }

    fn down(self) -> Self {
        Self(self.0 + 1).min(Self::LAST)
    }

    fn up(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

/// Where the step of this moment stands, for whoever plans an encoder.
#[derive(Debug, Default)]
pub struct Pressure(AtomicU8);

impl Pressure {
    pub fn step(&self) -> Step {
        Step(self.0.load(Ordering::Relaxed))
    }

    pub fn set(&self, step: Step) {
        self.0.store(step.0, Ordering::Relaxed);
    }
}

/// What the system said of the time since it was asked before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Signals {
    /// Share of the time for which the CPU quota held the process back; more than 1 where it did so on several cores.
    pub throttled: f64,
    /// Share of the time for which somebody in the container waited for a CPU (PSI), if the kernel keeps count.
    pub stalled: Option<f64>,
    /// How late a worker was for an appointment.
    pub late: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    High,
    /// Neither: whatever is, stays.
    Middle,
    Low,
}

/// A limit for high load, and one for low.
const THROTTLED: (f64, f64) = (0.05, 0.01);
/// Two threads on one core wait for each other half of the time and answer well all the same.
const STALLED: (f64, f64) = (0.7, 0.5);
/// A worker that is busy with one body after another is late by the sum of its turns, each about a millisecond.
const LATE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(8));

impl Signals {
    fn load(&self) -> Load {
        let stalled = self.stalled.unwrap_or(0.0);
        if self.throttled > THROTTLED.0 || stalled > STALLED.0 || self.late > LATE.0 {
            Load::High
        } else if self.throttled < THROTTLED.1 && stalled < STALLED.1 && self.late < LATE.1 {
            Load::Low
        } else {
            Load::Middle
        }
    }
}

/// For so long the load has to be high for one step down.
const PATIENCE: Duration = Duration::from_secs(1);
/// And low for one step up.
const CAUTION: Duration = Duration::from_secs(5);

/// The state between two readings.
#[derive(Clone, Debug)]
pub struct Ladder {
    step: Step,
    load: Load,
    /// Since when the load is what it is, or a step was taken for it.
    since: Instant,
}

impl Ladder {
    pub fn new(now: Instant) -> Self {
        Self { step: Step::CALM, load: Load::Low, since: now }
    }

    /// What to do now that this was read. `began` is where the time that it speaks of begins.
    pub fn observe(&mut self, began: Instant, now: Instant, signals: &Signals) -> Step {
        let load = signals.load();
        if load != self.load {
            (self.load, self.since) = (load, began);
        }
        let lasted = now.saturating_duration_since(self.since);
        let next = match load {
            Load::High if lasted >= PATIENCE => self.step.down(),
            Load::Low if lasted >= CAUTION => self.step.up(),
            _ => return self.step,
        };
        (self.step, self.since) = (next, now);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_millis(500);

    const CALM: Signals = Signals { throttled: 0.0, stalled: None, late: Duration::ZERO };
    const THROTTLED: Signals = Signals { throttled: 0.3, ..CALM };

    /// The steps that a row of readings leads to, each twice a second.
    struct Clock {
        now: Instant,
        ladder: Ladder,
    }

    impl Clock {
        fn start() -> Self {
            let now = Instant::now();
            Self { now, ladder: Ladder::new(now) }
        }

        fn read(&mut self, signals: Signals) -> u8 {
            let began = self.now;
            self.now += EVERY;
            self.ladder.observe(began, self.now, &signals).number()
        }

        fn steps(&mut self, signals: Signals, seconds: u32) -> Vec<u8> {
            (0..seconds * 2).map(|_| self.read(signals)).collect()
        }
    }

    #[test]
    fn each_signal_has_a_high_and_a_low_limit() {
        let ms = Duration::from_millis;
        let cases = [
            (CALM, Load::Low),
            (Signals { throttled: 0.06, ..CALM }, Load::High),
            (Signals { throttled: 0.03, ..CALM }, Load::Middle),
            (Signals { throttled: 1.7, ..CALM }, Load::High),
            (Signals { stalled: Some(0.8), ..CALM }, Load::High),
            (Signals { stalled: Some(0.6), ..CALM }, Load::Middle),
            (Signals { stalled: Some(0.4), ..CALM }, Load::Low),
            (Signals { late: ms(21), ..CALM }, Load::High),
            (Signals { late: ms(10), ..CALM }, Load::Middle),
            (Signals { late: ms(2), ..CALM }, Load::Low),
            // One high signal is enough, and one that is not low too much for calm.
            (Signals { throttled: 0.5, late: ms(10), stalled: Some(0.0) }, Load::High),
            (Signals { late: ms(10), stalled: Some(0.0), ..CALM }, Load::Middle),
        ];
        for (signals, load) in cases {
            assert_eq!(signals.load(), load, "{signals:?}");
        }
    }

    #[test]
    fn under_pressure_a_step_a_second_and_never_below_the_last() {
        assert_eq!(Clock::start().steps(THROTTLED, 6), [0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4, 4]);
    }

    #[test]
    fn after_relief_a_step_for_five_seconds_of_calm() {
        let mut clock = Clock::start();
        clock.steps(THROTTLED, 4);
        let steps = clock.steps(CALM, 25);
        let reached = |step: u8| (steps.iter().position(|at| *at == step).expect("reached") + 1) as f64 / 2.0;
        assert_eq!([3, 2, 1, 0].map(reached), [5.0, 10.0, 15.0, 20.0]);
    }

    #[test]
    fn a_moment_changes_nothing() {
        let mut clock = Clock::start();
        for _ in 0..20 {
            assert_eq!(clock.read(THROTTLED), 0);
            assert_eq!(clock.read(CALM), 0);
        }
    }

    #[test]
    fn between_the_limits_it_stays_where_it_is() {
        let mut clock = Clock::start();
        clock.steps(THROTTLED, 2);
        let middle = Signals { late: Duration::from_millis(15), ..CALM };
        assert_eq!(clock.steps(middle, 60), [2; 120]);
        // Calm has to last from its own beginning.
        assert_eq!(clock.steps(CALM, 5), [2, 2, 2, 2, 2, 2, 2, 2, 2, 1]);
    }

    #[test]
    fn readings_that_come_late_still_take_one_step_at_a_time() {
        let (start, mut clock) = (Instant::now(), Clock::start());
        let later = start + Duration::from_secs(60);
        assert_eq!(clock.ladder.observe(start, later, &THROTTLED).number(), 1);
        assert_eq!(clock.ladder.observe(later, later + Duration::from_secs(60), &CALM).number(), 0);
    }

    #[test]
    fn each_step_compresses_less() {
        let levels = |step| match Step(step).live() {
            Live::Auto => Levels::AUTO,
            Live::Fixed(levels) => levels,
        };
        for step in 1..=4 {
            let (above, here) = (levels(step - 1), levels(step));
            assert!(here.brotli <= above.brotli && here.zstd <= above.zstd && here.gzip <= above.gzip);
        }
        assert_eq!(Step::CALM.live(), Live::Auto);
    }

    #[test]
    fn at_the_last_step_brotli_makes_way_for_what_the_client_accepts() {
        use Coding::{Brotli, Gzip, Zstd};
        let cases: [(u8, Coding, &[Coding], Coding); 6] = [
            (4, Brotli, &[Brotli, Zstd, Gzip], Zstd),
            (4, Brotli, &[Gzip, Brotli], Gzip),
            (4, Brotli, &[Brotli], Brotli),
            (4, Gzip, &[Brotli, Zstd, Gzip], Gzip),
            (3, Brotli, &[Brotli, Zstd, Gzip], Brotli),
            (0, Brotli, &[Brotli, Zstd, Gzip], Brotli),
        ];
        for (step, planned, allowed, coding) in cases {
            assert_eq!(Step(step).coding(planned, allowed), coding, "{step} {planned:?} {allowed:?}");
        }
    }
}
