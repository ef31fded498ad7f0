//! How far a request goes along with a fetch that is under way for another one, and what came of that.

use std::sync::OnceLock;
use std::time::Instant;

use tokio::time::timeout_at;

/// Part of what a lookup knows of its request. The default shares nothing.
#[derive(Clone, Debug, Default)]
pub struct Sharing {
    /// Until when it may wait for others. `None`: what is fetched for others is no answer to it.
    pub until: Option<Instant>,
    /// It asks for a part of the body.
    pub range: bool,
    /// It is a refresh in the background: it has come with the lock.
    pub(super) refresh: bool,
    alone: OnceLock<Alone>,
    waited: OnceLock<()>,
}

/// Why a request that found another one's fetch under way was sent to the app by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alone {
    /// As many as may wait do so already.
    Crowded,
    /// It has waited as long as it may.
    Late,
    /// What is fetched is too large to be kept.
    Oversize,
}

impl Sharing {
    pub fn new(until: Option<Instant>, range: bool) -> Self {
        Self { until, range, ..Self::default() }
    }

    /// That of a refresh in the background, which is there to ask the app.
    pub fn of_refresh() -> Self {
        Self { refresh: true, ..Self::default() }
    }

    /// Why it was sent away, if it was.
    pub fn alone(&self) -> Option<Alone> {
        self.alone.get().copied()
    }

    /// It has waited for the end of a fetch that it could not read along with.
    pub fn waited(&self) -> bool {
        self.waited.get().is_some()
    }

    /// The first reason counts: what comes after is its consequence.
    pub(super) fn goes_alone(&self, why: Alone) {
        let _ = self.alone.set(why);
    }

    pub(super) async fn wait_for(&self, end: impl Future<Output = ()>) {
        let Some(until) = self.until else {
            return;
        };
        let _ = self.waited.set(());
        // In time or not: what there is by then is looked up.
        let _ = timeout_at(until.into(), end).await;
    }
}
