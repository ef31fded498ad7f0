//! The way to the app: connections taken, attempts that failed, attempts made again.

use std::fmt;
use std::sync::Arc;

use prometheus::{IntCounter, IntGauge};

use super::children::Children;
use super::family::{
    REQUESTS_SHED, UPSTREAM_ADDRESSES, UPSTREAM_CONNECTIONS, UPSTREAM_EJECTED, UPSTREAM_EJECTIONS, UPSTREAM_ERRORS,
    UPSTREAM_IN_FLIGHT, UPSTREAM_QUEUED, UPSTREAM_RETRIES,
};
use super::label::{Label, Priority, Reused, Shed, UpstreamError};
use super::registry::Registry;

pub struct UpstreamMeters {
    connections: Children<Reused, IntCounter>,
    errors: Children<UpstreamError, IntCounter>,
    retries: IntCounter,
    addresses: IntGauge,
    ejected: IntGauge,
    ejections: IntCounter,
    pub admission: AdmissionMeters,
}

/// The places that the app has for requests.
#[derive(Clone)]
pub struct AdmissionMeters {
    in_flight: IntGauge,
    queued: IntGauge,
    shed: Arc<[Children<Shed, IntCounter>]>,
}

impl AdmissionMeters {
    fn register(registry: &Registry) -> Self {
        let shed = registry.counters(&REQUESTS_SHED);
        let of = |priority: &Priority| Children::resolve(|why| shed.with_label_values(&[priority.label(), why]));
        Self {
            in_flight: registry.gauge(&UPSTREAM_IN_FLIGHT),
            queued: registry.gauge(&UPSTREAM_QUEUED),
            shed: Priority::ALL.iter().map(of).collect(),
        }
    }

    #[cfg(test)]
    pub fn unregistered() -> Self {
        Self::register(&Registry::new(&super::config::ConstantLabels::default()))
    }

    pub fn show(&self, in_flight: usize, queued: usize) {
        self.in_flight.set(i64::try_from(in_flight).unwrap_or(i64::MAX));
        self.queued.set(i64::try_from(queued).unwrap_or(i64::MAX));
    }

    pub fn shed(&self, priority: Priority, why: Shed) {
        self.shed[priority.index()].of(why).inc();
    }
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    Retry,
    GiveUp,
}

impl UpstreamMeters {
    pub(super) fn register(registry: &Registry) -> Self {
        Self {
            connections: Children::of_family(&registry.counters(&UPSTREAM_CONNECTIONS)),
            errors: Children::of_family(&registry.counters(&UPSTREAM_ERRORS)),
            retries: registry.counter(&UPSTREAM_RETRIES),
            addresses: registry.gauge(&UPSTREAM_ADDRESSES),
            ejected: registry.gauge(&UPSTREAM_EJECTED),
            ejections: registry.counter(&UPSTREAM_EJECTIONS),
            admission: AdmissionMeters::register(registry),
        }
    }

    /// So many addresses there are, of which so many are left alone.
    pub fn addresses(&self, (all, ejected): (usize, usize)) {
        self.addresses.set(i64::try_from(all).unwrap_or(i64::MAX));
        self.ejected.set(i64::try_from(ejected).unwrap_or(i64::MAX));
    }

    /// An address failed so often that it is left alone; the last time for this `cause`.
    pub fn ejected(&self, address: &dyn fmt::Display, cause: &dyn fmt::Display) {
        self.ejections.inc();
        tracing::warn!(%address, %cause, "the app keeps failing: it is left alone, but for a trial now and then");
    }

    /// It answers again.
    pub fn recovered(&self, address: &dyn fmt::Display) {
        tracing::info!(%address, "the app answers again");
    }

    pub fn connected(&self, reused: Reused) {
        self.connections.of(reused).inc();
    }

    /// One attempt failed. `cause` is for the log alone: pass an error's kind, not one that quotes a peer's bytes.
    /// At debug level, because a dead app would write a line a request; the access log has the request's own line.
    pub fn failed(&self, reason: UpstreamError, then: AfterFailure, cause: &dyn fmt::Display) {
        self.errors.of(reason).inc();
        if then == AfterFailure::Retry {
            self.retries.inc();
        }
        tracing::debug!(reason = reason.label(), ?then, %cause, "the app did not answer");
    }
}
