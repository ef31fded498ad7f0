//! What compressing stored bodies again did: how many, how much smaller, at what cost, and how many in vain.

use std::time::Duration;

use prometheus::{Counter, IntCounter, IntCounterVec, IntGauge};

use super::children::Children;
use super::family::{
    IMPROVE_CPU_SECONDS, IMPROVE_GIVEN_UP, IMPROVE_IMPROVED, IMPROVE_PAUSED, IMPROVE_QUEUED, IMPROVE_SAVED_BYTES,
};
use super::label::GivenUp;
use super::registry::{Registry, seconds};
use crate::header::Coding;

pub struct ImprovementMeters {
    queued: IntGauge,
    paused: IntGauge,
    improved: [IntCounter; 3],
    saved: [IntCounter; 3],
    cpu: Counter,
    given_up: Children<GivenUp, IntCounter>,
}

/// The codings that bodies are improved in, in the order of their meters.
const CODINGS: [Coding; 3] = [Coding::Brotli, Coding::Zstd, Coding::Gzip];

impl ImprovementMeters {
    pub(super) fn register(registry: &Registry) -> Self {
        let each = |family: &IntCounterVec| CODINGS.map(|coding| family.with_label_values(&[coding.token()]));
        Self {
            queued: registry.gauge(&IMPROVE_QUEUED),
            paused: registry.gauge(&IMPROVE_PAUSED),
            improved: each(&registry.counters(&IMPROVE_IMPROVED)),
            saved: each(&registry.counters(&IMPROVE_SAVED_BYTES)),
            cpu: registry.second_counters(&IMPROVE_CPU_SECONDS).with_label_values(&[] as &[&str]),
            given_up: Children::of_family(&registry.counters(&IMPROVE_GIVEN_UP)),
        }
    }

    /// So many bodies wait.
    pub fn queued(&self, waiting: usize) {
        self.queued.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// An operator holds it still.
    pub fn paused(&self, paused: bool) {
        self.paused.set(paused.into());
    }

    /// One body, smaller by so many bytes.
    pub fn improved(&self, coding: Coding, saved: u64) {
        if let Some(at) = CODINGS.iter().position(|each| *each == coding) {
            self.improved[at].inc();
            self.saved[at].inc_by(saved);
        }
    }

    pub fn given_up(&self, reason: GivenUp) {
        self.given_up.of(reason).inc();
    }

    pub fn worked(&self, cpu: Duration) {
        self.cpu.inc_by(seconds(cpu));
    }
}
