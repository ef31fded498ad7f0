//! The way to the app: connections taken, attempts that failed, attempts made again.

use std::fmt;

use prometheus::IntCounter;

use super::children::Children;
use super::family::{UPSTREAM_CONNECTIONS, UPSTREAM_ERRORS, UPSTREAM_RETRIES};
use super::label::{Label, Reused, UpstreamError};
use super::registry::Registry;

pub struct UpstreamMeters {
    connections: Children<Reused, IntCounter>,
    errors: Children<UpstreamError, IntCounter>,
    retries: IntCounter,
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
        }
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
