//! Which configuration is in force: what the last reload came to, and whether the file says what only a start can do.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{IntCounter, IntGauge};

use super::children::Children;
use super::family::{
    CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP, CONFIG_LAST_RELOAD_SUCCESSFUL, CONFIG_RELOADS, CONFIG_RESTART_NEEDED,
};
use super::label::ReloadResult;
use super::registry::Registry;

pub struct ReloadMeters {
    reloads: Children<ReloadResult, IntCounter>,
    successful: IntGauge,
    succeeded: IntGauge,
    restart_needed: IntGauge,
}

impl ReloadMeters {
    pub(super) fn register(registry: &Registry) -> Self {
        let meters = Self {
            reloads: Children::of_family(&registry.counters(&CONFIG_RELOADS)),
            successful: registry.gauge(&CONFIG_LAST_RELOAD_SUCCESSFUL),
            succeeded: registry.gauge(&CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP),
            restart_needed: registry.gauge(&CONFIG_RESTART_NEEDED),
        };
        // What the process was started with was loaded, too.
        meters.succeeded_at(SystemTime::now());
        meters
    }

    /// What was read is in force. `restart_needed`: but for keys that only a start reads.
    pub fn applied(&self, now: SystemTime, restart_needed: bool) {
        self.reloads.of(ReloadResult::Applied).inc();
        self.succeeded_at(now);
        self.restart_needed.set(restart_needed.into());
    }

    /// What was read is wrong, and what was in force still is.
    pub fn refused(&self) {
        self.reloads.of(ReloadResult::Refused).inc();
        self.successful.set(0);
    }

    fn succeeded_at(&self, now: SystemTime) {
        self.successful.set(1);
        let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.succeeded.set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }
}
