//! `POST /improve/pause` and `POST /improve/resume`: an operator's hand on background recompression.
//!
//! It yields to requests by itself; this is for the hour in which nobody wants to wonder whether it does. What waits
//! goes on waiting, and what was resumed goes on where it was. A restart resumes.

use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;
use serde_json::json;

use super::access::Peer;
use super::reply::{self, Reply};
use crate::metrics::Metrics;

/// Whether an operator holds the improver still.
#[derive(Debug, Default)]
pub struct Pause(AtomicBool);

impl Pause {
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }
}

/// Pauses or resumes, counts and logs in one go. `None` where nothing is improved.
pub(super) fn run(pause: Option<&Pause>, on: bool, peer: Peer, metrics: &Metrics) -> Reply {
    let Some(pause) = pause else {
        return reply::refusal(StatusCode::CONFLICT, "compression.improve is false: there is nothing to pause");
    };
    pause.set(on);
    metrics.improvement.paused(on);
    tracing::info!(%peer, paused = on, "improvement");
    reply::json(StatusCode::OK, &json!({ "paused": on }))
}
