//! What became of a request at the cache, in one word: the `cache` label of metrics and the field
//! of the access log.

/// Every request gets exactly one. The words are those nginx users know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheOutcome {
    /// Answered from the store, fresh; the app was not asked.
    Hit,
    /// Answered from the store, stale, because the app failed or the client said `max-stale`.
    Stale,
    /// Answered from the store, stale, while it is refreshed in the background.
    Updating,
    /// Answered from the store after the app said 304.
    Revalidated,
    /// Something was stored; the app was asked and sent it anew.
    Expired,
    /// Nothing was stored for it; the app answered.
    Miss,
    /// The cache was not asked: the method, the route, the request or what is remembered of the
    /// resource says so.
    Bypass,
}

impl CacheOutcome {
    pub const ALL: [Self; 7] =
        [Self::Hit, Self::Stale, Self::Updating, Self::Revalidated, Self::Expired, Self::Miss, Self::Bypass];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Updating => "updating",
            Self::Revalidated => "revalidated",
            Self::Expired => "expired",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
        }
    }

    /// Did the stored bytes answer, whatever it took? What the hit rate counts.
    pub const fn from_store(self) -> bool {
        matches!(self, Self::Hit | Self::Stale | Self::Updating | Self::Revalidated)
    }
}
