//! The map: resources by key, in one [`Space`], or for a while in two.
//!
//! A capacity is for the life of a moka cache. Another one is another space, into which the resources move while both are
//! in use: [`super::moving`].

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use moka::ops::compute::{CompResult, Op};
use parking_lot::{Mutex, RwLock};

use super::events::Events;
use super::key::ResourceKey;
use super::resource::Resource;
use super::space::{Held, Space};

/// Resources by key.
pub struct Map {
    pub(super) spaces: ArcSwap<Spaces>,
    /// Shared by every change; taken alone for the moment in which other spaces take over, or all are cleared. Whoever
    /// changes something knows where it is.
    pub(super) settled: RwLock<()>,
    /// Held by who moves everything.
    pub(super) moving: Mutex<()>,
    pub(super) events: Arc<dyn Events>,
    allowed: AtomicU64,
}

/// Where resources are.
pub struct Spaces {
    pub current: Space,
    /// What has not moved yet. Nothing enters it any more.
    pub former: Option<Space>,
}

impl Spaces {
    /// In the order in which a resource is in them.
    pub fn all(&self) -> impl Iterator<Item = &Space> {
        self.former.iter().chain([&self.current])
    }
}

/// What becomes of a resource.
pub enum Change {
    Put(Resource),
    Remove,
    /// Removed, for want of room. One at a time.
    Trim,
    Leave,
}

impl Map {
    pub fn new(capacity: u64, events: Arc<dyn Events>) -> Self {
        let spaces = Spaces { current: Space::new(capacity, events.clone()), former: None };
        Self {
            spaces: ArcSwap::from_pointee(spaces),
            settled: RwLock::default(),
            moving: Mutex::default(),
            events,
            allowed: AtomicU64::new(u64::MAX),
        }
    }

    pub fn capacity(&self) -> u64 {
        self.spaces.load().current.capacity
    }

    pub fn get(&self, key: &ResourceKey) -> Option<Arc<Resource>> {
        let spaces = self.spaces.load();
        spaces.current.cache.get(key).or_else(|| {
            // It may move between the two looks.
            let former = spaces.former.as_ref()?.cache.get(key);
            former.or_else(|| spaces.current.cache.get(key))
        })
    }

    /// Resources that carry a tag.
    pub fn carriers(&self, tag: &str) -> Vec<ResourceKey> {
        self.found(|space| space.held.tagged.carriers(tag))
    }

    /// Resources of which `covered` is true: a walk over all of them, beside everything else that goes on.
    pub fn keys_of(&self, covered: impl Fn(&ResourceKey, &Resource) -> bool) -> Vec<ResourceKey> {
        self.found(|space| {
            let all = space.cache.iter();
            all.filter(|(key, resource)| covered(key, resource)).map(|(key, _)| *key).collect()
        })
    }

    /// What is found in all spaces. What moves meanwhile is met where it was or where it is, or in both; where another
    /// space was made meanwhile, that is looked at too.
    fn found(&self, look: impl Fn(&Space) -> Vec<ResourceKey>) -> Vec<ResourceKey> {
        loop {
            let spaces = self.spaces.load_full();
            let mut keys = look(spaces.former.as_ref().unwrap_or(&spaces.current));
            if spaces.former.is_some() {
                let seen: HashSet<_> = keys.iter().copied().collect();
                keys.extend(look(&spaces.current).into_iter().filter(|key| !seen.contains(key)));
            }
            if Arc::ptr_eq(&spaces, &self.spaces.load()) {
                return keys;
            }
        }
    }

    /// Looks at every resource; one that moves meanwhile may be met twice.
    pub fn each(&self, mut look: impl FnMut(&Resource)) {
        self.spaces.load().all().for_each(|space| space.cache.iter().for_each(|(_, resource)| look(&resource)));
    }

    /// Nothing that is in the map now is found from here on; the memory follows with [`Self::settle`].
    pub fn clear(&self) {
        let _alone = self.settled.write();
        self.spaces.load().all().for_each(|space| space.cache.invalidate_all());
    }

    /// One change at a time for a key. Whether there was one. Counted before it can be seen, so that what is held is
    /// never under-counted.
    pub fn change(&self, key: ResourceKey, change: impl FnOnce(Option<&Resource>) -> Change) -> bool {
        let settled = self.settled.read();
        let spaces = self.spaces.load();
        spaces.bring(key);
        let Space { cache, held, trimmed, .. } = &spaces.current;
        let result =
            cache.entry(key).and_compute_with(|entry| match change(entry.as_ref().map(|entry| &**entry.value())) {
                Change::Put(resource) => {
                    held.add(&key, &resource);
                    Op::Put(Arc::new(resource))
                }
                Change::Remove => Op::Remove,
                Change::Trim => {
                    *trimmed.lock() = Some(key);
                    Op::Remove
                }
                Change::Leave => Op::Nop,
            });
        drop(settled);
        self.bound();
        !matches!(result, CompResult::Unchanged(_) | CompResult::StillNone(_))
    }

    /// Does what moka has put off: expiry above all. Without traffic nothing else would.
    pub fn settle(&self) {
        self.spaces.load().all().for_each(|space| space.cache.run_pending_tasks());
    }

    pub fn resources(&self) -> u64 {
        self.sum(|held| &held.resources)
    }

    pub fn objects(&self) -> u64 {
        self.sum(|held| &held.objects)
    }

    pub fn bytes(&self) -> u64 {
        self.sum(|held| &held.bytes)
    }

    fn sum(&self, of: impl Fn(&Held) -> &AtomicU64) -> u64 {
        self.spaces.load().all().map(|space| of(&space.held).load(Ordering::Relaxed)).sum()
    }

    /// What may be held now: the capacity, or less.
    pub fn allowed(&self) -> u64 {
        self.allowed.load(Ordering::Relaxed).min(self.capacity())
    }

    pub fn allow(&self, bytes: u64) {
        self.allowed.store(bytes, Ordering::Relaxed);
    }

    /// moka evicts when it gets to it, up to 64 writes later: with large objects that is far above the limit.
    fn bound(&self) {
        if self.bytes() > self.capacity() {
            self.settle();
        }
    }
}
