//! Which resources carry a tag: so that a purge by tag costs what it removes, and not what there is.
//!
//! Every value that enters the map is added, and every one that leaves it is taken off again, replaced ones too. For a
//! moment old and new value of a key both count, hence a count for each: the index can say too much for that moment,
//! never too little. Hits do not touch it.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use parking_lot::Mutex;

use super::key::ResourceKey;
use super::resource::Resource;

/// Fills of different tags rarely meet; a purge of a large tag holds up one in this many.
const SHARDS: usize = 64;

type Carriers = HashMap<ResourceKey, u32>;

/// Resources by tag.
#[derive(Debug)]
pub struct Tagged {
    shards: Vec<Mutex<HashMap<Box<str>, Carriers>>>,
    hasher: RandomState,
}

impl Default for Tagged {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }
}

impl Tagged {
    pub fn add(&self, key: &ResourceKey, resource: &Resource) {
        for tag in tags(resource) {
            let mut shard = self.shard(tag).lock();
            match shard.get_mut(tag) {
                Some(carriers) => *carriers.entry(*key).or_default() += 1,
                None => drop(shard.insert(tag.into(), Carriers::from([(*key, 1)]))),
            }
        }
    }

    pub fn subtract(&self, key: &ResourceKey, resource: &Resource) {
        for tag in tags(resource) {
            let mut shard = self.shard(tag).lock();
            let Some(carriers) = shard.get_mut(tag) else {
                continue;
            };
            if let Some(count) = carriers.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    carriers.remove(key);
                }
            }
            if carriers.is_empty() {
                shard.remove(tag);
            }
        }
    }

    /// What carries this tag now.
    pub fn carriers(&self, tag: &str) -> Vec<ResourceKey> {
        self.shard(tag).lock().get(tag).map_or_else(Vec::new, |carriers| carriers.keys().copied().collect())
    }

    fn shard(&self, tag: &str) -> &Mutex<HashMap<Box<str>, Carriers>> {
        &self.shards[self.hasher.hash_one(tag) as usize % SHARDS]
    }
}

/// Once for each variant that has it, which adds up as it is taken off.
fn tags(resource: &Resource) -> impl Iterator<Item = &str> {
    resource.variants().iter().flat_map(|variant| variant.tags.iter().map(String::as_str))
}
