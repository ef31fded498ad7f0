//! A cache that may hold less than it was made for: what goes, and what is not let in meanwhile.
//!
//! moka's capacity is fixed, so below it the bound is ours. What is least worth its room goes, in one walk: hits for each
//! byte, since it came in. The walk looks at everything but remembers little: a sample gives the worth below which enough
//! goes. While there is no room nothing new is let in, rather than that each new answer costs a walk; whoever watches the
//! memory calls [`Memory::trim`] soon, and it makes room for more than one.

use super::map::Change;
use super::memory::{Memory, Purged};
use super::resource::Resource;

/// Resources whose worth is compared.
const SAMPLE: u64 = 4096;
/// Of what is allowed, one part in so many is free after a trim.
const SPARE: u64 = 16;
/// Removals between two times that moka does what it has put off.
const CHUNK: usize = 48;

impl Memory {
    /// From now on no more than this is held, and never more than the capacity. What is there goes by [`Self::trim`].
    pub fn allow(&self, bytes: u64) {
        self.map().allow(bytes);
    }

    /// Less than the capacity is allowed, and all of it is taken.
    pub fn is_cramped(&self) -> bool {
        self.is_pressed() && self.bytes() + self.allowed() / SPARE > self.allowed()
    }

    /// Less than the capacity is allowed.
    pub fn is_pressed(&self) -> bool {
        self.allowed() < self.capacity()
    }

    /// Removes what there is no room for, and a little more. Takes as long as a walk over everything: call it where
    /// nothing else waits.
    pub fn trim(&self) -> Purged {
        let mut trimmed = Purged::default();
        let goal = self.bytes().saturating_sub(self.allowed() - self.allowed() / SPARE);
        if goal == 0 {
            return trimmed;
        }
        let written = self.surplus().written();
        let held = self.bytes();
        let worth = |resource: &Resource| worth(resource, written, held);
        let threshold = self.threshold(goal, worth);
        let victims = self.map().keys_of(|_, resource| worth(resource) <= threshold);
        for (at, key) in victims.into_iter().enumerate() {
            if trimmed.bytes >= goal {
                break;
            }
            self.map().change(key, |resource| match resource {
                Some(resource) => {
                    trimmed += Purged { objects: resource.variants().len() as u64, bytes: resource.weight() };
                    Change::Trim
                }
                None => Change::Leave,
            });
            if at % CHUNK == CHUNK - 1 {
                self.settle();
            }
        }
        self.settle();
        trimmed
    }

    /// The worth at and below which so many bytes are stored.
    fn threshold(&self, goal: u64, worth: impl Fn(&Resource) -> f64) -> f64 {
        let every = self.entries() / SAMPLE + 1;
        let mut seen = 0_u64;
        let mut sample = Vec::new();
        self.map().each(|resource| {
            if seen.is_multiple_of(every) {
                sample.push((worth(resource), resource.weight()));
            }
            seen += 1;
        });
        sample.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        let mut bytes = 0;
        let enough = sample.iter().find(|(_, weight)| {
            bytes += weight * every;
            bytes >= goal
        });
        enough.map_or(f64::INFINITY, |(worth, _)| *worth)
    }
}

/// Hits for each byte that it holds and each that came in since. To begin with, each answer is taken to get one hit while
/// as many bytes come in as are held: a new one is neither worth nothing nor everything.
fn worth(resource: &Resource, written: u64, held: u64) -> f64 {
    let hits: u64 = resource.variants().iter().map(|variant| variant.hits()).sum();
    let born = resource.variants().iter().map(|variant| variant.born()).max().unwrap_or(0);
    let turnover = written.saturating_sub(born) + held;
    (hits + 1) as f64 / turnover.max(1) as f64 / resource.weight() as f64
}
