//! The cache in memory: what may be written when, under which limits.
//!
//! Every write to the map goes through here, and through the purge log: a new answer, a 304, a derived coding, a dropped
//! body. Each says on what it is based - the epoch its fetch began in, or the generation it changes - and is written
//! only if that still stands.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use moka::sync::Cache;
use pingora_cache::lock::LockStatus;
use tokio::sync::Semaphore;

use super::buffer::{FillBudget, Share};
use super::clock::Moment;
use super::events::{Events, EvictionCause, Refusal};
use super::fill::FillPlan;
use super::improve::{self, Backlog};
use super::key::ResourceKey;
use super::live::LiveFills;
use super::locks::Locks;
use super::map::{Change, Map};
use super::purge::{PurgeLog, Since};
use super::refreshes::Refreshes;
use super::representation::Representation;
use super::resource::Resource;
use super::storage::{RefreshPlan, RequestView};
use super::surplus::Surplus;
use super::variant::Variant;
use super::weight;
use crate::encode::Budget;
use crate::header::Coding;

/// A resource that was too large is not tried again for this long.
const REMEMBER_OVERSIZE: Duration = Duration::from_secs(60);
/// How many of those are remembered.
const OVERSIZE_KEYS: u64 = 4096;

/// How long something is of which parts were asked for; a hint, so that it may be old.
const REMEMBER_LENGTH: Duration = Duration::from_secs(600);
/// How many of those are remembered.
const LENGTHS: u64 = 16_384;

/// What the operator allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in all: bodies, heads, keys and what the containers take.
    pub capacity: u64,
    /// Bytes beside that of all bodies that are still coming in.
    pub fills: u64,
    /// Bytes of one stored body, in the coding it is stored in.
    pub max_object: u64,
    /// Answers of one resource, by the app's `Vary` and the route's key rules.
    pub max_variants: usize,
}

impl Limits {
    /// Whether a body of so many bytes may be stored.
    pub fn takes(&self, bytes: u64) -> bool {
        bytes <= self.max_object
    }
}

/// What a purge removed, or would remove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Stored answers: variants, each with all its representations.
    pub objects: u64,
    pub bytes: u64,
}

/// The cache in memory. Made once, lives as long as the process: pingora wants its storage `'static`.
pub struct Memory {
    map: Map,
    limits: ArcSwap<Limits>,
    fills: Arc<FillBudget>,
    purges: PurgeLog,
    oversize: Cache<ResourceKey, ()>,
    lengths: Cache<ResourceKey, u64>,
    refreshes: Refreshes,
    generations: AtomicU64,
    events: Arc<dyn Events>,
    derivations: Arc<Semaphore>,
    surplus: Surplus,
    encoders: Arc<Budget>,
    /// `None` where nothing is improved.
    backlog: Option<Arc<Backlog>>,
    live: LiveFills,
    locks: Locks,
    most_waiters: AtomicUsize,
}

impl Memory {
    /// What clients wait for is decoded and encoded within `encoders`.
    pub fn new(limits: Limits, encoders: Arc<Budget>, events: Arc<dyn Events>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            map: Map::new(limits.capacity, events.clone()),
            fills: Arc::new(FillBudget::new(limits.fills)),
            purges: PurgeLog::default(),
            oversize: Cache::builder().max_capacity(OVERSIZE_KEYS).time_to_live(REMEMBER_OVERSIZE).build(),
            lengths: Cache::builder().max_capacity(LENGTHS).time_to_live(REMEMBER_LENGTH).build(),
            refreshes: Refreshes::new(),
            generations: AtomicU64::new(0),
            derivations: Arc::new(Semaphore::new(cores)),
            surplus: Surplus::default(),
            encoders,
            backlog: None,
            live: LiveFills::default(),
            locks: Locks::default(),
            most_waiters: AtomicUsize::new(usize::MAX),
            limits: ArcSwap::from_pointee(limits),
            events,
        }
    }

    /// With note taken of what is hit often enough to be improved; an [`improve::Improver`] works it off, within what the
    /// others leave of the encoders' budget.
    pub fn improving(self, config: impl Into<Option<improve::Config>>) -> Self {
        let backlog = Arc::new(Backlog::new(config.into(), self.encoders.clone(), self.events.clone()));
        Self { backlog: Some(backlog), ..self }
    }

    /// From now on other things are improved, or nothing.
    pub fn improve(&self, config: Option<improve::Config>) {
        self.backlog.iter().for_each(|backlog| backlog.follow(config));
    }

    /// No more than this many requests wait for one fetch; those beyond go to the app at once.
    pub fn allow_waiters(&self, most: usize) {
        self.most_waiters.store(most, Ordering::Relaxed);
    }

    /// Other limits from now on. Returns when what is stored fits them: see [`super::moving`].
    pub fn resize(&self, limits: Limits) {
        let before = self.limits.swap(Arc::new(limits));
        if limits.max_object > before.max_object {
            self.oversize.invalidate_all();
        }
        self.fills.resize(limits.fills);
        self.map.resize(limits.capacity);
    }

    pub fn peek(&self, key: &ResourceKey) -> Option<Arc<Resource>> {
        self.map.get(key)
    }

    /// RFC 9111, section 4.4: an unsafe request succeeded, what is stored of its target may be wrong.
    pub fn invalidate(&self, key: &ResourceKey) -> Purged {
        self.purge(key)
    }

    /// The epoch to note when a request to the app begins.
    pub fn purge_epoch(&self) -> u64 {
        self.purges.current_epoch()
    }

    /// Resources held.
    pub fn entries(&self) -> u64 {
        self.map.resources()
    }

    /// Stored answers held: variants of all resources.
    pub fn objects(&self) -> u64 {
        self.map.objects()
    }

    /// Bytes held by what is stored.
    pub fn bytes(&self) -> u64 {
        self.map.bytes()
    }

    pub fn capacity(&self) -> u64 {
        self.map.capacity()
    }

    /// What of the capacity may be held now: all of it, unless the container is short of memory.
    pub fn allowed(&self) -> u64 {
        self.map.allowed()
    }

    pub fn limits(&self) -> Limits {
        **self.limits.load()
    }

    /// Bytes held by bodies that are still coming in.
    pub fn fills_in_flight(&self) -> u64 {
        self.fills.held()
    }

    /// Room in the budget of the fills for bytes of one that wait to be sent; None where there is none left.
    pub fn share(&self, bytes: u64) -> Option<Share> {
        Share::of(&self.fills, bytes)
    }

    /// Fills under way that others may share.
    pub fn live_fills(&self) -> usize {
        self.live.count()
    }

    /// This resource lately turned out larger than `max_object`: do not collapse requests on it, do not buffer it.
    pub fn known_oversize(&self, key: &ResourceKey) -> bool {
        self.oversize.contains_key(key)
    }

    /// The app has said how long the identity of this is.
    pub fn note_length(&self, key: ResourceKey, length: u64) {
        self.lengths.insert(key, length);
    }

    /// What the app last said of the length of what is not stored.
    pub fn noted_length(&self, key: &ResourceKey) -> Option<u64> {
        self.lengths.get(key)
    }

    /// The refreshes that failed lately.
    pub fn refreshes(&self) -> &Refreshes {
        &self.refreshes
    }

    /// The answer to this request would not be stored: see [`Resource::is_crowded`].
    pub fn is_crowded(&self, view: &RequestView) -> bool {
        self.peek(&view.key).is_some_and(|resource| self.crowds(&resource, view))
    }

    /// The same of a resource in hand.
    pub fn crowds(&self, resource: &Resource, view: &RequestView) -> bool {
        let limit = self.limits().max_variants;
        resource.variants().len() >= limit && resource.is_crowded(view, limit, Moment::now())
    }

    /// Lets go of what has expired or was cleared. Traffic does it too; call it on a timer, or before reading a gauge.
    pub fn settle(&self) {
        self.map.settle();
    }

    pub(super) fn map(&self) -> &Map {
        &self.map
    }

    pub(super) fn purges(&self) -> &PurgeLog {
        &self.purges
    }

    pub(super) fn events(&self) -> &dyn Events {
        &*self.events
    }

    pub(super) fn backlog(&self) -> Option<&Arc<Backlog>> {
        self.backlog.as_ref()
    }

    pub(super) fn encoders(&self) -> &Arc<Budget> {
        &self.encoders
    }

    pub(super) fn surplus(&self) -> &Surplus {
        &self.surplus
    }

    pub(super) fn fills(&self) -> &Arc<FillBudget> {
        &self.fills
    }

    pub(super) fn derivations(&self) -> &Arc<Semaphore> {
        &self.derivations
    }

    /// Nobody need wait for what will not be stored.
    pub(super) fn remember_oversize(&self, key: ResourceKey) {
        self.oversize.insert(key, ());
        self.locks.open(&key, LockStatus::GiveUp);
    }

    pub(super) fn live(&self) -> &LiveFills {
        &self.live
    }

    pub(super) fn locks(&self) -> &Locks {
        &self.locks
    }

    pub(super) fn most_waiters(&self) -> usize {
        self.most_waiters.load(Ordering::Relaxed)
    }

    /// What is being fetched was purged since the fetch began: it is not for requests that came after.
    pub(super) fn was_purged(&self, plan: &FillPlan) -> bool {
        self.purges.purged_since(plan.purge_epoch, &plan.subject())
    }

    pub(super) fn next_generation(&self) -> u64 {
        self.generations.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Stores a new answer, unless its key was purged since `began`, or has variants that are worth more.
    pub(super) fn store(&self, key: ResourceKey, answer: Variant, began: u64) -> Result<(), Refusal> {
        let weight = weight::RESOURCE + answer.weight();
        self.make_room(weight);
        if self.is_pressed() && self.bytes() + weight > self.allowed() {
            return Err(Refusal::OverBudget);
        }
        answer.bear(self.surplus.written());
        let now = Moment::now();
        let limit = self.limits().max_variants;
        self.purges.write(began, |since| {
            if since.purged(&answer.subject(&key)) {
                return Err(Refusal::Purged);
            }
            let stored = self.map.change(key, |before| {
                let answer = Arc::new(answer.inheriting(before));
                let Some((resource, dropped)) = Resource::storing(before, answer.clone(), limit, now) else {
                    return Change::Leave;
                };
                if answer.codings().len() > 1 {
                    self.note_surplus(key, &answer);
                }
                (0..dropped).for_each(|_| self.events.evicted(EvictionCause::Variants, 0));
                Change::Put(resource)
            });
            stored.then_some(()).ok_or(Refusal::TooManyVariants)
        })
    }

    /// Swaps in a refreshed head and lifetime, if the variant that was validated is still the one stored.
    pub fn refresh(&self, plan: &RefreshPlan) -> bool {
        let at = Moment::at(plan.now);
        let refreshed = self.amend(plan.purge_epoch, plan.key, plan.generation, |resource, variant, since| {
            let mut next = variant.refreshed(&plan.head, plan.app_etag.clone(), plan.freshness, at).ok()?;
            next.tags = plan.tags.clone();
            next.selector = plan.selector.clone();
            // Purged by what it was or by what it would become.
            let purged = since.purged(&next.subject(&plan.key));
            (!purged).then(|| Change::Put(resource.replacing(Arc::new(next))))
        });
        if refreshed {
            self.events.refreshed();
        }
        refreshed
    }

    /// Keeps a representation derived from `from`, if that answer is still stored - under the head it has by now.
    pub(super) fn keep(&self, key: ResourceKey, from: &Variant, one: &Arc<Representation>) -> bool {
        self.amend(self.purge_epoch(), key, from.generation, |resource, variant, _| {
            let one = match variant.stored == from.stored {
                true => one.clone(),
                false => Arc::new(one.with_common(variant.common()).ok()?),
            };
            self.placing(key, resource, variant, one)
        })
    }

    /// Keeps no other representations of an answer than those in `codings`.
    pub(super) fn reduce(&self, key: ResourceKey, generation: u64, codings: &[Coding]) -> bool {
        self.amend(self.purge_epoch(), key, generation, |resource, variant, _| {
            let next = variant.only(codings)?;
            Some(Change::Put(resource.replacing(Arc::new(next))))
        })
    }

    /// Swaps in other bytes for those of `from`, if that answer is still stored, with those bytes, and was not purged
    /// since `began` - under the head it has by now.
    pub(super) fn swap(
        &self,
        key: ResourceKey,
        generation: u64,
        from: &Representation,
        to: &Representation,
        began: u64,
    ) -> bool {
        self.amend(began, key, generation, |resource, variant, _| {
            let stored = variant.representation(from.coding)?;
            if stored.body.as_ptr() != from.body.as_ptr() {
                return None;
            }
            let one = Arc::new(to.with_common(variant.common()).ok()?);
            self.placing(key, resource, variant, one)
        })
    }

    /// One more representation, or another in its coding, and without those that have to go for it. `None` if that is
    /// itself.
    fn placing(
        &self,
        key: ResourceKey,
        resource: &Resource,
        variant: &Variant,
        one: Arc<Representation>,
    ) -> Option<Change> {
        let stay = self.staying(variant, &one);
        let next = stay.contains(&one.coding).then(|| variant.with(one).only(&stay))??;
        if stay.len() > 1 {
            self.note_surplus(key, &next);
        }
        Some(Change::Put(resource.replacing(Arc::new(next))))
    }

    /// Drops one variant whose bytes turned out to be of no use.
    pub(super) fn discard(&self, key: ResourceKey, generation: u64) -> bool {
        self.amend(self.purge_epoch(), key, generation, |resource, variant, _| {
            let left = resource.without(|one| one.generation == variant.generation);
            Some(left.map_or(Change::Remove, Change::Put))
        })
    }

    /// A change to a variant that is stored now, unless it was purged since `began`.
    fn amend(
        &self,
        began: u64,
        key: ResourceKey,
        generation: u64,
        change: impl FnOnce(&Resource, &Arc<Variant>, &Since<'_>) -> Option<Change>,
    ) -> bool {
        self.purges.write(began, |since| {
            self.map.change(key, |before| {
                let stored = before.and_then(|resource| Some((resource, resource.generation(generation)?)));
                let stands = stored.filter(|(_, variant)| !since.purged(&variant.subject(&key)));
                stands.and_then(|(resource, variant)| change(resource, variant, since)).unwrap_or(Change::Leave)
            })
        })
    }
}
