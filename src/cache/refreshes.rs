//! Refreshes in the background that failed, so that the next one waits.
//!
//! Kept by the generation of what is stored: a new answer has a new one, and begins without failures. Bounded in number
//! and in time; what is forgotten costs the app one request too many.

use std::time::{Duration, Instant};

use moka::sync::Cache;

use crate::policy::Backoff;
use crate::policy::backoff::GREATEST;

/// A tenth of a MiB for those of an app that is down.
const MOST: u64 = 4096;
/// Once nobody has asked for this long after the last attempt was due, failures are history.
const FORGOTTEN: Duration = Duration::from_secs(2 * GREATEST.as_secs());

#[derive(Debug)]
pub struct Refreshes {
    failed: Cache<u64, Backoff>,
}

impl Refreshes {
    pub(super) fn new() -> Self {
        Self { failed: Cache::builder().max_capacity(MOST).time_to_live(FORGOTTEN).build() }
    }

    /// Is it too soon to refresh this?
    pub fn held_off(&self, generation: u64) -> bool {
        self.failed.get(&generation).is_some_and(|backoff| backoff.holds(Instant::now()))
    }

    pub fn failed(&self, generation: u64) {
        let backoff = Backoff::after(self.failed.get(&generation), Instant::now());
        self.failed.insert(generation, backoff);
    }

    pub fn succeeded(&self, generation: u64) {
        self.failed.invalidate(&generation);
    }
}
