//! Another capacity while requests are served.
//!
//! moka's own is for ever, so there is a new [`Space`] of the new capacity, and the resources move into it, one at a time:
//! what is moved is a pointer. Meanwhile a hit looks into both; a change first [brings](Spaces::bring) what it is about and
//! then knows one place only. Nothing enters the former space, so that one walk over it is enough.
//!
//! Where the new capacity is too small for all, those that were hit most for their bytes move, and they move last, so that
//! moka takes them for the most recent. How often each was asked for moka forgets; it is told again, as far as it counts.

use std::cmp::Reverse;
use std::sync::Arc;
use std::thread;

use moka::ops::compute::Op;

use super::events::EvictionCause;
use super::key::ResourceKey;
use super::map::{Map, Spaces};
use super::resource::Resource;
use super::space::Space;

/// Resources between two looks at what moka has put off, and two chances for others to have the core.
const TURN: usize = 48;

/// Hits that are told again: enough for a head start on what is asked for once.
const RETOLD: u64 = 4;

impl Map {
    /// Has so much room from now on. Returns when all that fits has moved and the rest has gone: call it where nothing
    /// else waits.
    pub fn resize(&self, capacity: u64) {
        let _moving = self.moving.lock();
        if capacity == self.capacity() {
            return;
        }
        let former = self.spaces.load().current.clone();
        former.retire();
        let current = Space::new(capacity, self.events.clone());
        let both = self.enter(Spaces { current: current.clone(), former: Some(former.clone()) });
        let (staying, leaving) = divide(&former, capacity);
        for turn in leaving.chunks(TURN) {
            turn.iter().for_each(|key| self.let_go(key, &former));
            self.rest();
        }
        for turn in staying.chunks(TURN) {
            turn.iter().for_each(|(key, hits)| self.move_over(*key, *hits, &both));
            self.rest();
        }
        // What nobody has found any more, expired or cleared, goes with the former space.
        self.enter(Spaces { current, former: None });
    }

    fn enter(&self, spaces: Spaces) -> Arc<Spaces> {
        let spaces = Arc::new(spaces);
        let _alone = self.settled.write();
        self.spaces.store(spaces.clone());
        spaces
    }

    fn rest(&self) {
        self.settle();
        thread::yield_now();
    }

    fn move_over(&self, key: ResourceKey, hits: u64, both: &Spaces) {
        let _settled = self.settled.read();
        both.bring(key);
        for _ in 0..hits.min(RETOLD) {
            both.current.cache.get(&key);
        }
    }

    /// There is no room for it.
    fn let_go(&self, key: &ResourceKey, former: &Space) {
        let _settled = self.settled.read();
        if let Some(resource) = former.cache.remove(key) {
            self.events.evicted(EvictionCause::Size, resource.weight());
        }
    }
}

impl Spaces {
    /// What the former space has under a key is in the current one from here on, and nowhere else. It can be found at
    /// any time: it goes only when it has come. Called by who knows that the spaces stay as they are.
    pub fn bring(&self, key: ResourceKey) {
        let Some(former) = &self.former else {
            return;
        };
        self.current.cache.entry(key).and_compute_with(|entry| match (entry, former.cache.get(&key)) {
            (None, Some(resource)) => {
                self.current.held.add(&key, &resource);
                Op::Put(resource)
            }
            _ => Op::Nop,
        });
        former.cache.invalidate(&key);
    }
}

/// What moves, with its hits, and what there is no room for.
fn divide(former: &Space, capacity: u64) -> (Vec<(ResourceKey, u64)>, Vec<ResourceKey>) {
    let mut all: Vec<_> = former.cache.iter().map(|(key, resource)| Worth::of(*key, &resource)).collect();
    all.sort_unstable_by_key(|one| Reverse((one.value, one.newest)));
    let mut room = capacity;
    let (mut staying, mut leaving) = (Vec::new(), Vec::new());
    for one in all {
        match room.checked_sub(one.weight) {
            Some(rest) => {
                room = rest;
                staying.push((one.key, one.hits));
            }
            None => leaving.push(one.key),
        }
    }
    staying.reverse();
    (staying, leaving)
}

/// What a resource is good for.
struct Worth {
    key: ResourceKey,
    weight: u64,
    hits: u64,
    /// Hits for a mebibyte.
    value: u64,
    newest: u64,
}

impl Worth {
    fn of(key: ResourceKey, resource: &Resource) -> Self {
        let variants = resource.variants();
        let hits = variants.iter().map(|variant| variant.hits()).sum();
        let newest = variants.iter().map(|variant| variant.generation).max().unwrap_or(0);
        let weight = resource.weight().max(1);
        Self { key, weight, hits, value: (hits << 20) / weight, newest }
    }
}
