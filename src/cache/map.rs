//! The map: resources by key, bounded by weight, each with its own time to live.
//!
//! moka decides what stays (TinyLFU) and when it expires; what is *held* is counted here, byte by byte, from the moment
//! a value enters to the moment the map lets go of it, so that the gauge and the limit mean memory and not intent.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::notification::RemovalCause;
use moka::ops::compute::{CompResult, Op};
use moka::sync::Cache;

use super::events::{Events, EvictionCause};
use super::key::ResourceKey;
use super::resource::Resource;
use super::tagged::Tagged;

/// Resources by key.
pub struct Map {
    cache: Cache<ResourceKey, Arc<Resource>, Seeded>,
    held: Arc<Held>,
    capacity: u64,
}

/// What becomes of a resource.
pub enum Change {
    Put(Resource),
    Remove,
    Leave,
}

impl Map {
    pub fn new(capacity: u64, events: Arc<dyn Events>) -> Self {
        let held = Arc::new(Held::default());
        let counted = held.clone();
        let cache = Cache::builder()
            .max_capacity(capacity)
            .weigher(|_, resource: &Arc<Resource>| u32::try_from(resource.weight()).unwrap_or(u32::MAX))
            .expire_after(Retention)
            .eviction_listener(move |key, resource, cause| {
                counted.subtract(&key, &resource);
                if let Some(cause) = eviction(cause) {
                    events.evicted(cause, resource.weight());
                }
            })
            .build_with_hasher(Seeded::default());
        Self { cache, held, capacity }
    }

    pub fn get(&self, key: &ResourceKey) -> Option<Arc<Resource>> {
        self.cache.get(key)
    }

    /// Resources that carry a tag.
    pub fn carriers(&self, tag: &str) -> Vec<ResourceKey> {
        self.held.tagged.carriers(tag)
    }

    /// Resources of which `covered` is true: a walk over all of them, beside everything else that goes on.
    pub fn keys_of(&self, covered: impl Fn(&ResourceKey, &Resource) -> bool) -> Vec<ResourceKey> {
        self.cache.iter().filter(|(key, resource)| covered(key, resource)).map(|(key, _)| *key).collect()
    }

    /// Nothing that is in the map now is found from here on; the memory follows with [`Self::settle`].
    pub fn clear(&self) {
        self.cache.invalidate_all();
    }

    /// One change at a time for a key. Whether there was one. Counted before it can be seen, so that what is held is
    /// never under-counted.
    pub fn change(&self, key: ResourceKey, change: impl FnOnce(Option<&Resource>) -> Change) -> bool {
        let result = self.cache.entry(key).and_compute_with(|entry| {
            match change(entry.as_ref().map(|entry| &**entry.value())) {
                Change::Put(resource) => {
                    self.held.add(&key, &resource);
                    Op::Put(Arc::new(resource))
                }
                Change::Remove => Op::Remove,
                Change::Leave => Op::Nop,
            }
        });
        self.bound();
        !matches!(result, CompResult::Unchanged(_) | CompResult::StillNone(_))
    }

    /// Does what moka has put off: expiry above all. Without traffic nothing else would.
    pub fn settle(&self) {
        self.cache.run_pending_tasks();
    }

    pub fn resources(&self) -> u64 {
        self.held.resources.load(Ordering::Relaxed)
    }

    pub fn objects(&self) -> u64 {
        self.held.objects.load(Ordering::Relaxed)
    }

    pub fn bytes(&self) -> u64 {
        self.held.bytes.load(Ordering::Relaxed)
    }

    /// moka evicts when it gets to it, up to 64 writes later: with large objects that is far above the limit.
    fn bound(&self) {
        if self.bytes() > self.capacity {
            self.settle();
        }
    }
}

/// What the map holds, counted from the values themselves.
#[derive(Debug, Default)]
struct Held {
    resources: AtomicU64,
    objects: AtomicU64,
    bytes: AtomicU64,
    tagged: Tagged,
}

impl Held {
    fn add(&self, key: &ResourceKey, resource: &Resource) {
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

fn eviction(cause: RemovalCause) -> Option<EvictionCause> {
    match cause {
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
struct Seeded(u64, u64);

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

struct Folded {
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
