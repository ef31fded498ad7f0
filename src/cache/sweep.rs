//! Purging: the scope is remembered first, then what is stored is looked through.
//!
//! Once the purge log knows the scope, nothing older than the purge can be written any more (see [`super::purge`]).
//! What is stored by then is found by key, by the index of tags, or by a walk over everything, and removed one resource
//! at a time: no lock is held for longer than one change of the map, so a purge of a hundred thousand entries holds up
//! neither hits nor fills. A purge of many entries takes a while: call it where nothing else waits.

use std::ops::AddAssign;
use std::thread;
use std::time::Instant;

use super::clock::Moment;
use super::key::ResourceKey;
use super::map::Change;
use super::memory::{Memory, Purged};
use super::resource::Resource;
use super::scope::Scope;
use super::variant::Variant;

/// Resources between two rests: less than moka does before it lets hits do it.
const TURN: usize = 48;

/// What happens to what a purge covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is gone.
    Remove,
    /// It is stale: the next request validates it, or is served from it while that happens.
    Expire,
    /// Nothing: only counted.
    Count,
}

impl Memory {
    /// Removes a resource, every variant and representation of it, and what is under way for it.
    pub fn purge(&self, key: &ResourceKey) -> Purged {
        self.sweep(&Scope::Resource(*key), Effect::Remove)
    }

    /// Removes, expires or counts what `scope` covers. When it returns, none of it is served any more as it was.
    pub fn sweep(&self, scope: &Scope, effect: Effect) -> Purged {
        if effect != Effect::Count {
            self.purges().record(scope.clone());
        }
        match scope {
            Scope::Resource(key) => self.sweep_resource(key, scope, effect),
            Scope::Tag(tag) => self.sweep_all(self.map().carriers(tag), scope, effect),
            Scope::Everything if effect == Effect::Remove => self.remove_everything(),
            Scope::Prefix(_) | Scope::Host(_) | Scope::Everything => {
                let covered = self.map().keys_of(|key, resource| covers_some(scope, key, resource));
                self.sweep_all(covered, scope, effect)
            }
        }
    }

    /// In short turns with as long a rest after each: a core that has nobody else is then free for hits half of the time.
    /// What moka puts off is done within the turn: a hit that comes upon a long list of removals would work it off.
    fn sweep_all(&self, keys: Vec<ResourceKey>, scope: &Scope, effect: Effect) -> Purged {
        let mut swept = Purged::default();
        for turn in keys.chunks(TURN) {
            let started = Instant::now();
            for key in turn {
                swept += self.sweep_resource(key, scope, effect);
            }
            self.settle();
            if turn.len() == TURN {
                thread::sleep(started.elapsed());
            }
        }
        swept
    }

    /// In one change of the map, so that nobody swaps in a value that was made of an older one.
    fn sweep_resource(&self, key: &ResourceKey, scope: &Scope, effect: Effect) -> Purged {
        let mut swept = Purged::default();
        self.map().change(*key, |before| {
            let Some(resource) = before else {
                return Change::Leave;
            };
            let covered = |variant: &Variant| scope.covers(&variant.subject(key));
            swept = Purged::among(resource, covered);
            match effect {
                Effect::Count => Change::Leave,
                Effect::Expire => {
                    let now = Moment::now();
                    let variants = resource.variants().iter().filter(|variant| covered(variant));
                    variants.for_each(|variant| variant.expire(now));
                    Change::Leave
                }
                Effect::Remove if swept.objects == 0 => Change::Leave,
                Effect::Remove => resource.without(covered).map_or(Change::Remove, Change::Put),
            }
        });
        swept
    }

    fn remove_everything(&self) -> Purged {
        let before = Purged { objects: self.objects(), bytes: self.bytes() };
        self.map().clear();
        self.settle();
        before
    }
}

fn covers_some(scope: &Scope, key: &ResourceKey, resource: &Resource) -> bool {
    resource.variants().iter().any(|variant| scope.covers(&variant.subject(key)))
}

impl Purged {
    /// All of a resource counts with its own weight; of a part of it, only what goes.
    fn among(resource: &Resource, covered: impl Fn(&Variant) -> bool) -> Self {
        let variants = resource.variants().iter().filter(|variant| covered(variant));
        let (objects, bytes) = variants.fold((0, 0), |(n, bytes), variant| (n + 1, bytes + variant.weight()));
        let whole = objects == resource.variants().len() as u64;
        Self { objects, bytes: if whole { resource.weight() } else { bytes } }
    }
}

impl AddAssign for Purged {
    fn add_assign(&mut self, more: Self) {
        self.objects += more.objects;
        self.bytes += more.bytes;
    }
}
