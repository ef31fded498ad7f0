//! Where the time of one request went, and the family that sums it up.

use std::time::Duration;

use prometheus::Histogram;

use super::children::Children;
use super::family::PHASE_DURATION;
use super::label::{Label, Phase};
use super::registry::{Registry, seconds};

/// From the microseconds of a lookup in memory (which is held to 0.1 ms) to an app that hardly answers.
const BUCKETS: [f64; 16] =
    [0.000_01, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The phases that a request went through. A phase that is entered twice (a retry) adds up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phases([Option<Duration>; Phase::ALL.len()]);

impl Phases {
    pub fn add(&mut self, phase: Phase, spent: Duration) {
        let total = &mut self.0[phase.index()];
        *total = Some(total.unwrap_or_default() + spent);
    }

    /// None where the request did not go through the phase.
    pub fn of(&self, phase: Phase) -> Option<Duration> {
        self.0[phase.index()]
    }
}

pub(super) struct PhaseMeters(Children<Phase, Histogram>);

impl PhaseMeters {
    pub fn register(registry: &Registry) -> Self {
        let family = registry.histograms(&PHASE_DURATION, BUCKETS.to_vec());
        Self(Children::resolve(|phase| family.with_label_values(&[phase])))
    }

    pub fn record(&self, phases: &Phases) {
        for phase in Phase::ALL {
            if let Some(spent) = phases.of(*phase) {
                self.0.of(*phase).observe(seconds(spent));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_entered_twice_adds_up() {
        let mut phases = Phases::default();
        phases.add(Phase::UpstreamConnect, Duration::from_millis(2));
        phases.add(Phase::UpstreamConnect, Duration::from_millis(3));
        assert_eq!(phases.of(Phase::UpstreamConnect), Some(Duration::from_millis(5)));
        assert_eq!(phases.of(Phase::LockWait), None);
    }
}
