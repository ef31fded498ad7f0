//! What is remembered of resources that are not worth a lock.
//!
//! Requests for one resource wait for each other's fetch only if what comes can be stored. The platform's predictor
//! remembers resources whose last answer could not; a resource that *is* stored is asked of the cache whatever it
//! remembers: one answer with a cookie must not send everybody past a fresh entry.

use pingora::cache::NoCacheReason;
use pingora::cache::key::{CacheHashKey, CacheKey};
use pingora::cache::predictor::{CacheablePredictor, Predictor};

use crate::cache::{self, Memory, ResourceKey};
use crate::policy::NotStored;

/// Shards of the platform's predictor.
const SHARDS: usize = 32;

/// The platform's predictor, and the store's own word before it.
pub struct Memorable {
    remembered: Predictor<SHARDS>,
    memory: &'static Memory,
}

impl Memorable {
    /// Remembers about `SHARDS * shard_capacity` resources.
    pub fn new(shard_capacity: usize, memory: &'static Memory) -> Self {
        Self { remembered: Predictor::new(shard_capacity, None), memory }
    }
}

/// Why an answer is not stored, in the platform's words. A reason that lies in this request alone says nothing of the
/// next one for the same resource, and is not remembered.
pub fn reason_of(refusal: NotStored) -> NoCacheReason {
    match refusal.is_about_request() {
        true => NoCacheReason::Deferred,
        false => NoCacheReason::Custom(refusal.label()),
    }
}

impl Memorable {
    /// Why the last answer of this resource was not stored, if that is remembered.
    pub fn last_refusal(&self, key: &ResourceKey) -> Option<NotStored> {
        match self.predicted_uncacheable_reason(&cache::bare_key(key))? {
            NoCacheReason::Custom(label) => NotStored::ALL.into_iter().find(|reason| reason.label() == label),
            _ => None,
        }
    }

    /// Whether a request for it is passed by the cache because of that.
    pub fn passes_by(&self, key: &ResourceKey) -> bool {
        !self.cacheable_prediction(&cache::bare_key(key))
    }
}

impl CacheablePredictor for Memorable {
    fn cacheable_prediction(&self, key: &CacheKey) -> bool {
        self.remembered.cacheable_prediction(key) || self.memory.peek(&ResourceKey(key.primary_bin())).is_some()
    }

    fn predicted_uncacheable_reason(&self, key: &CacheKey) -> Option<NoCacheReason> {
        self.remembered.predicted_uncacheable_reason(key)
    }

    fn mark_cacheable(&self, key: &CacheKey) -> bool {
        self.remembered.mark_cacheable(key)
    }

    fn mark_uncacheable(&self, key: &CacheKey, reason: NoCacheReason) -> Option<bool> {
        self.remembered.mark_uncacheable(key, reason)
    }
}
