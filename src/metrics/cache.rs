//! What the cache did, counted as it happens; and what it holds, asked of it at each scrape.

use std::sync::Arc;

use prometheus::IntCounter;

use super::children::Children;
use super::family::{
    CACHE_ALLOWED_BYTES, CACHE_CAPACITY_BYTES, CACHE_ENTRIES, CACHE_EVICTIONS, CACHE_FILLS_IN_FLIGHT_BYTES,
    CACHE_NOT_STORED, CACHE_OVERVARIED, CACHE_REQUESTS, CACHE_SHAREABLE_FETCHES, CACHE_SHARED_FETCHES,
    CACHE_SIZE_BYTES, CACHE_TRIMMED_BYTES, CACHE_TRIMS, PURGED_OBJECTS, PURGES,
};
use super::label::{EvictionCause, PurgeResult, PurgeScope, Sharing};
use super::registry::Registry;
use super::scraped::Scraped;
use crate::policy::{CacheOutcome, NotStored, OverVarying};

pub struct CacheMeters {
    requests: Children<CacheOutcome, IntCounter>,
    not_stored: Children<NotStored, IntCounter>,
    overvaried: Children<OverVarying, IntCounter>,
    shared: Children<Sharing, IntCounter>,
    evictions: Children<EvictionCause, IntCounter>,
    purges: Children<PurgeResult, IntCounter>,
    purged: Children<PurgeScope, IntCounter>,
    trims: IntCounter,
    trimmed: IntCounter,
}

impl CacheMeters {
    pub(super) fn register(registry: &Registry) -> Self {
        Self {
            requests: Children::of_family(&registry.counters(&CACHE_REQUESTS)),
            not_stored: Children::of_family(&registry.counters(&CACHE_NOT_STORED)),
            overvaried: Children::of_family(&registry.counters(&CACHE_OVERVARIED)),
            shared: Children::of_family(&registry.counters(&CACHE_SHARED_FETCHES)),
            evictions: Children::of_family(&registry.counters(&CACHE_EVICTIONS)),
            purges: Children::of_family(&registry.counters(&PURGES)),
            purged: Children::of_family(&registry.counters(&PURGED_OBJECTS)),
            trims: registry.counter(&CACHE_TRIMS),
            trimmed: registry.counter(&CACHE_TRIMMED_BYTES),
        }
    }

    pub(super) fn requested(&self, outcome: CacheOutcome) {
        self.requests.of(outcome).inc();
    }

    pub(super) fn not_stored(&self, reason: NotStored) {
        self.not_stored.of(reason).inc();
    }

    /// A response that is stored for one client only, in all likelihood.
    pub fn overvaried(&self, field: OverVarying) {
        self.overvaried.of(field).inc();
    }

    pub(super) fn shared(&self, how: Sharing) {
        self.shared.of(how).inc();
    }

    pub fn evicted(&self, cause: EvictionCause) {
        self.evictions.of(cause).inc();
    }

    /// For want of memory in the container, so many bytes went.
    pub fn trimmed(&self, bytes: u64) {
        self.trims.inc();
        self.trimmed.inc_by(bytes);
    }

    pub fn purge(&self, result: PurgeResult) {
        self.purges.of(result).inc();
    }

    pub fn purged(&self, scope: PurgeScope, objects: u64) {
        self.purged.of(scope).inc_by(objects);
    }
}

/// What the cache holds at this moment. Asked at each scrape, so the figures are never older than the answer.
pub trait CacheGauges: Send + Sync {
    fn entries(&self) -> u64;
    /// What the weigher adds up to.
    fn bytes(&self) -> u64;
    fn capacity(&self) -> u64;
    /// What of it may be held now.
    fn allowed(&self) -> u64;
    /// Bytes received for responses that are not stored yet.
    fn fills_in_flight(&self) -> u64;
    /// Fetches under way that others may share.
    fn shareable(&self) -> u64;
}

pub(super) fn collector(source: Arc<dyn CacheGauges>) -> Scraped<dyn CacheGauges> {
    Scraped::new(
        source,
        &[
            (&CACHE_ENTRIES, |cache| cache.entries()),
            (&CACHE_SIZE_BYTES, |cache| cache.bytes()),
            (&CACHE_CAPACITY_BYTES, |cache| cache.capacity()),
            (&CACHE_ALLOWED_BYTES, |cache| cache.allowed()),
            (&CACHE_FILLS_IN_FLIGHT_BYTES, |cache| cache.fills_in_flight()),
            (&CACHE_SHAREABLE_FETCHES, |cache| cache.shareable()),
        ],
    )
}
