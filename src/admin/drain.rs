//! `POST /drain`: the end begins as it does on SIGTERM.
//!
//! For a preStop hook, which has no other way to say so in an image without a shell, and for the last container of a Job.
//! The SIGTERM that follows a preStop hook is no second word: the drain goes on.

use http::StatusCode;
use serde_json::json;

use super::access::Peer;
use super::lifecycle::Lifecycle;
use super::reply::{self, Reply};

pub(super) fn run(lifecycle: &Lifecycle, peer: Peer) -> Reply {
    let first = lifecycle.drain();
    if first {
        tracing::info!(%peer, "a drain was asked for");
    }
    reply::json(StatusCode::ACCEPTED, &json!({ "draining": true, "since": if first { "now" } else { "before" } }))
}
