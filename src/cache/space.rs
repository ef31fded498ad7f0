//! One moka cache: resources by key, bounded by weight, each with its own time to live.
//!
//! moka decides what stays (TinyLFU) and when it expires; what is *held* is counted here, byte by byte, from the moment
//! a value enters to the moment the cache lets go of it, so that the gauge and the limit mean memory and not intent.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::notification::RemovalCause;
use moka::sync::Cache;
use parking_lot::Mutex;

use super::events::{Events, EvictionCause};
use super::key::ResourceKey;
use super::resource::Resource;
use super::tagged::Tagged;

/// A cache of one capacity, and what it holds.
#[derive(Clone)]
pub struct Space {
    pub cache: Cache<ResourceKey, Arc<Resource>, Seeded>,
    pub held: Arc<Held>,
    pub capacity: u64,
    /// What is taken out of it moves elsewhere, or is told of by who takes it.
    retired: Arc<AtomicBool>,
    /// What is being removed for want of memory: to moka, a removal like any other.
    pub trimmed: Arc<Mutex<Option<ResourceKey>>>,
}

impl Space {
    pub fn new(capacity: u64, events: Arc<dyn Events>) -> Self {
        let (held, retired) = (Arc::new(Held::default()), Arc::new(AtomicBool::new(false)));
        let trimmed = Arc::<Mutex<Option<ResourceKey>>>::default();
        let (counted, leaving, trimming) = (held.clone(), retired.clone(), trimmed.clone());
        let cache = Cache::builder()
            .max_capacity(capacity)
            .weigher(|_, resource: &Arc<Resource>| u32::try_from(resource.weight()).unwrap_or(u32::MAX))
            .expire_after(Retention)
            .eviction_listener(move |key, resource, cause| {
                counted.subtract(&key, &resource);
                let explicit = cause == RemovalCause::Explicit;
                let trimmed = explicit && trimming.lock().take_if(|trimmed| *trimmed == *key).is_some();
                let cause = match trimmed {
                    true => Some(EvictionCause::Pressure),
                    false => eviction(cause, leaving.load(Ordering::Relaxed)),
                };
                if let Some(cause) = cause {
                    events.evicted(cause, resource.weight());
                }
            })
            .build_with_hasher(Seeded::default());
        Self { cache, held, capacity, retired, trimmed }
    }

    /// Nothing enters it from here on.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }
}

/// What is in a cache, counted from the values themselves.
#[derive(Debug, Default)]
pub struct Held {
    pub resources: AtomicU64,
    pub objects: AtomicU64,
    pub bytes: AtomicU64,
    pub tagged: Tagged,
}

impl Held {
    pub fn add(&self, key: &ResourceKey, resource: &Resource) {
        self.tagged.add(key, resource);
        self.resources.fetch_add(1, Ordering::Relaxed);
        self.objects.fetch_add(resource.variants().len() as u64, Ordering::Relaxed);
        self.bytes.fetch_add(resource.weight(), Ordering::Relaxed);
    }

    fn subtract(&self, key: &ResourceKey, resource: &Resource) {
        self.tagged.subtract(key, resource);
        self.resources.fetch_sub(1, Ordering::Relaxed);
        self.objects.fetch_sub(resource.variants().len() as u64, Ordering::Relaxed);
        self.bytes.fetch_sub(resource.weight(), Ordering::Relaxed);
    }
}

fn eviction(cause: RemovalCause, retired: bool) -> Option<EvictionCause> {
    match cause {
        RemovalCause::Explicit if retired => None,
        RemovalCause::Expired => Some(EvictionCause::Expired),
        RemovalCause::Explicit => Some(EvictionCause::Purged),
        RemovalCause::Size => Some(EvictionCause::Size),
        RemovalCause::Replaced => None,
    }
}

/// A resource leaves when none of its variants can be of use any more.
struct Retention;

impl moka::Expiry<ResourceKey, Arc<Resource>> for Retention {
    fn expire_after_create(&self, _: &ResourceKey, resource: &Arc<Resource>, now: Instant) -> Option<Duration> {
        Some(resource.retained_until().saturating_duration_since(now))
    }

    fn expire_after_update(
        &self,
        _: &ResourceKey,
        resource: &Arc<Resource>,
        now: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(resource.retained_until().saturating_duration_since(now))
    }
}

/// Keys are hashes already: 16 bytes folded with two secret words, so that nobody can aim at one bucket.
#[derive(Clone, Copy)]
pub struct Seeded(u64, u64);

impl Default for Seeded {
    fn default() -> Self {
        let random = RandomState::new();
        Self(random.hash_one(0_u8), random.hash_one(1_u8))
    }
}

impl BuildHasher for Seeded {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded { seeds: *self, state: 0 }
    }
}

pub struct Folded {
    seeds: Seeded,
    state: u64,
}

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        for pair in bytes.chunks(16) {
            let mut words = [0; 16];
            words[..pair.len()].copy_from_slice(pair);
            let words = u128::from_le_bytes(words);
            let (low, high) = (words as u64 ^ self.seeds.0, (words >> 64) as u64 ^ self.seeds.1);
            let product = u128::from(low) * u128::from(high);
            self.state = self.state.rotate_left(23) ^ product as u64 ^ (product >> 64) as u64;
        }
    }

    fn finish(&self) -> u64 {
        self.state
    }
}
