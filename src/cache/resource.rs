//! What one URL has in the cache: the variants of it, newest first. A value; the map swaps it as a whole.

use std::sync::Arc;
use std::time::Instant;

use super::clock::Moment;
use super::storage::RequestView;
use super::variant::Variant;
use super::weight;

/// The variants of one resource. Never empty in the map.
#[derive(Clone, Debug)]
pub struct Resource {
    variants: Vec<Arc<Variant>>,
    weight: u64,
    retained_until: Instant,
}

impl Resource {
    pub fn variants(&self) -> &[Arc<Variant>] {
        &self.variants
    }

    pub fn weight(&self) -> u64 {
        self.weight
    }

    pub fn retained_until(&self) -> Instant {
        self.retained_until
    }

    /// RFC 9111, section 4.1: of several that match, the most recent.
    pub fn select(&self, view: &RequestView) -> Option<&Arc<Variant>> {
        self.variants.iter().find(|variant| variant.answers(view))
    }

    /// Some variant is selected by fields of the request.
    pub fn is_selective(&self) -> bool {
        self.variants.iter().any(|variant| !variant.selector.is_empty())
    }

    pub fn generation(&self, generation: u64) -> Option<&Arc<Variant>> {
        self.variants.iter().find(|variant| variant.generation == generation)
    }

    /// A resource with one more answer, which replaces the one of its kind, and how many others made room for it: beyond
    /// `limit` the oldest of those that can be spared. `None` if none can be.
    pub(super) fn storing(
        before: Option<&Self>,
        answer: Arc<Variant>,
        limit: usize,
        now: Moment,
    ) -> Option<(Self, usize)> {
        let kept = before.map_or(&[][..], |resource| resource.variants());
        let others =
            kept.iter().filter(|one| !one.is_of_the_kind_of(&answer) && one.retained_until() > now.steady).cloned();
        let mut others: Vec<_> = others.collect();
        let mut dropped = 0;
        while others.len() >= limit.max(1) {
            let spared = others.iter().rposition(|one| one.can_be_spared(now))?;
            others.remove(spared);
            dropped += 1;
        }
        Some((Self::of(std::iter::once(answer).chain(others).collect()), dropped))
    }

    /// Nothing here answers this request, and what would is not going to be stored: there are as many variants as are
    /// kept, and each is worth more than one that nobody has asked for yet.
    pub fn is_crowded(&self, view: &RequestView, limit: usize, now: Moment) -> bool {
        let in_use = |one: &&Arc<Variant>| one.retained_until() > now.steady && !one.can_be_spared(now);
        self.variants.len() >= limit.max(1)
            && self.select(view).is_none()
            && self.variants.iter().filter(in_use).count() >= limit.max(1)
    }

    /// With a variant in the place of the one of its generation.
    pub(super) fn replacing(&self, next: Arc<Variant>) -> Self {
        let swap = |one: &Arc<Variant>| match one.generation == next.generation {
            true => next.clone(),
            false => one.clone(),
        };
        Self::of(self.variants.iter().map(swap).collect())
    }

    /// Without those of which `gone` is true; `None` if nothing is left.
    pub(super) fn without(&self, gone: impl Fn(&Variant) -> bool) -> Option<Self> {
        let left: Vec<_> = self.variants.iter().filter(|one| !gone(one)).cloned().collect();
        (!left.is_empty()).then(|| Self::of(left))
    }

    fn of(variants: Vec<Arc<Variant>>) -> Self {
        let weight = weight::RESOURCE + variants.iter().map(|variant| variant.weight()).sum::<u64>();
        let retained_until = variants.iter().map(|variant| variant.retained_until()).max();
        Self { weight, retained_until: retained_until.unwrap_or_else(Instant::now), variants }
    }
}
