//! One answer of the app: what it said, how long that holds, and the representations of its content.
//!
//! A variant is never changed in place. A 304, a derivation or a dropped representation makes a new value that shares
//! bodies and what must survive (the hit counter, the lock of derivations) with the one it replaces; both have the same
//! *generation*. A new answer of the app is a new generation. Whoever worked on a variant for a while names the
//! generation it worked on when it writes: if that is gone, so is its reason to write.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, StatusCode};
use pingora::Result;
use tokio::sync::Mutex;

use super::clock::Moment;
use super::head::compact;
use super::key::{Partition, ResourceKey};
use super::representation::{Common, Representation};
use super::resource::Resource;
use super::scope::Subject;
use super::storage::RequestView;
use super::weight;
use crate::header::coding::Applied;
use crate::header::{Coding, EntityTag, Revision};
use crate::negotiate::{Selection, select};
use crate::policy::{Freshness, Selector, StoredFreshness};

/// RFC 9111, section 4.3: a stale response with a validator is still worth a conditional request. How long it is kept
/// for that: an app that answers 304 once an hour keeps its entry.
const KEEP_FOR_REVALIDATION: Duration = Duration::from_secs(3600);
/// Nothing is kept longer than this, whatever the app says: `max-age` of 68 years is not a promise anyone made.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// A stored answer of the app to one kind of request.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Unique over all answers ever stored, growing.
    pub generation: u64,
    pub status: StatusCode,
    /// The app's head as identity: no `Content-Encoding`, `Content-Length`, `Transfer-Encoding` or `ETag`.
    pub head: HeaderMap,
    /// The app's own validator, for conditional requests to it.
    pub app_etag: Option<EntityTag>,
    /// What representations' tags are made from: the app's, or a digest of the content.
    pub tag: EntityTag,
    pub selector: Selector,
    pub partition: Partition,
    pub freshness: Freshness,
    /// When the head arrived, or was last confirmed by a 304.
    pub stored: Moment,
    /// vacpack may code this body.
    pub codable: bool,
    /// The app had coded it: its own tag is of the coded bytes.
    pub app_coded: bool,
    pub identity_length: Option<u64>,
    /// By which it is purged: the app's and the operator's.
    pub tags: Arc<[String]>,
    /// As [`super::url`] writes it; of several that share a key, the first.
    pub url: Arc<str>,
    /// What the app itself did to the body: `Identity` unless it is not ours to code.
    applied: Coding,
    representations: Vec<Arc<Representation>>,
    codings: Vec<Coding>,
    /// Soft purge: stale since then.
    expired: OnceLock<Moment>,
    shared: Arc<Shared>,
}

/// What outlives the single value: one for each generation.
#[derive(Debug, Default)]
struct Shared {
    /// A count for each coding that was sent.
    hits: [AtomicU64; 4],
    /// The same hits by the coding that the client likes best: what is worth improving, and what is worth its room, is
    /// known by the hit itself.
    wanted: [AtomicU64; 4],
    /// Codings that are as small as they get, a bit each.
    settled: AtomicU8,
    /// Codings that turned out too large to keep, a bit each.
    oversize: AtomicU8,
    derivations: OnceLock<Arc<Derivations>>,
    /// Bytes that had come into the cache when it did.
    born: AtomicU64,
}

impl Shared {
    /// For a newer answer with the same content. A derivation under way is of the older one's head.
    fn inherited(&self) -> Self {
        let same = |number: &AtomicU64| AtomicU64::new(number.load(Ordering::Relaxed));
        let bits = |bits: &AtomicU8| AtomicU8::new(bits.load(Ordering::Relaxed));
        Self {
            hits: self.hits.each_ref().map(same),
            wanted: self.wanted.each_ref().map(same),
            settled: bits(&self.settled),
            oversize: bits(&self.oversize),
            derivations: OnceLock::new(),
            born: same(&self.born),
        }
    }
}

/// One derivation at a time for a variant, and what it made while somebody still holds it: the next in line takes that
/// even if it could not be kept.
pub type Derivations = Mutex<Made>;
pub type Made = [Weak<Representation>; 4];

/// A variant without its representations, as a fill knows it.
#[derive(Debug)]
pub struct Draft {
    pub generation: u64,
    pub status: StatusCode,
    pub head: HeaderMap,
    pub app_etag: Option<EntityTag>,
    pub tag: EntityTag,
    pub selector: Selector,
    pub partition: Partition,
    pub freshness: Freshness,
    pub stored: Moment,
    pub codable: bool,
    pub app_coded: bool,
    pub identity_length: Option<u64>,
    pub tags: Arc<[String]>,
    pub url: Arc<str>,
}

impl Draft {
    /// The variant with its first representation.
    pub fn with(
        self,
        coding: Coding,
        body: bytes::Bytes,
        revision: Option<Revision>,
        level: Option<i32>,
    ) -> Result<Variant> {
        let variant = Variant {
            applied: applied(&self.head, self.codable),
            generation: self.generation,
            status: self.status,
            head: self.head,
            app_etag: self.app_etag,
            tag: self.tag,
            selector: self.selector,
            partition: self.partition,
            freshness: self.freshness,
            stored: self.stored,
            codable: self.codable,
            app_coded: self.app_coded,
            identity_length: self.identity_length,
            tags: self.tags,
            url: self.url,
            representations: Vec::new(),
            codings: Vec::new(),
            expired: OnceLock::new(),
            shared: Arc::default(),
        };
        let first = Representation::new(variant.common(), coding, body, revision)?.at_level(level);
        Ok(variant.holding(vec![Arc::new(first)]))
    }
}

impl Variant {
    pub fn representations(&self) -> &[Arc<Representation>] {
        &self.representations
    }

    pub fn representation(&self, coding: Coding) -> Option<&Arc<Representation>> {
        self.representations.iter().find(|one| one.coding == coding)
    }

    /// The stored codings, in the order they came.
    pub fn codings(&self) -> &[Coding] {
        &self.codings
    }

    pub fn hits(&self) -> u64 {
        self.shared.hits.iter().map(|hits| hits.load(Ordering::Relaxed)).sum()
    }

    pub fn hits_of(&self, coding: Coding) -> u64 {
        self.shared.hits[coding as usize].load(Ordering::Relaxed)
    }

    pub fn last_modified(&self) -> Option<&http::HeaderValue> {
        self.head.get(http::header::LAST_MODIFIED)
    }

    /// RFC 9111, section 4.1.
    pub fn answers(&self, view: &RequestView) -> bool {
        view.is_answered_by(self.partition, self.applied, &self.selector)
    }

    /// Which coding answers this request: a stored one, or one to be made from those.
    pub fn selection(&self, view: &RequestView) -> Option<Selection> {
        match self.codable {
            true => Some(select(&view.accept, &self.codings, true, &view.codings)),
            // Coded by the app, or not to be touched: what there is, is what everybody gets.
            false => self.codings.first().copied().map(Selection::Serve),
        }
    }

    /// What this client would get if all codings were stored.
    pub fn wanted(&self, view: &RequestView) -> Coding {
        let all = if self.codable { &Coding::ALL[..] } else { &self.codings };
        match select(&view.accept, all, self.codable, &view.codings) {
            Selection::Serve(coding) | Selection::Derive(coding) => coding,
        }
    }

    /// Replaced by a newer answer with the same selecting values.
    pub fn is_of_the_kind_of(&self, other: &Self) -> bool {
        self.partition == other.partition && self.applied == other.applied && self.selector == other.selector
    }

    /// Its freshness as the wall clock of `now` tells it, safe from steps of that clock.
    pub fn stored_freshness(&self, now: Moment) -> StoredFreshness {
        let received = back(now.wall, self.stored.until(now));
        let mut stored = self.freshness.stored(received);
        if let Some(expired) = self.expired.get() {
            stored.fresh_until = stored.fresh_until.min(back(now.wall, expired.until(now)));
        }
        stored
    }

    /// It answers nobody without the app, or has answered nobody so far: where room is needed, it may go.
    pub fn can_be_spared(&self, now: Moment) -> bool {
        self.hits() == 0 || !self.stored_freshness(now).is_fresh(now.wall)
    }

    /// Until when it can be of use at all: fresh, served stale, or confirmed by a 304.
    pub fn retained_until(&self) -> Instant {
        let freshness = &self.freshness;
        let revalidation = match self.app_etag.is_some() || self.last_modified().is_some() {
            true => KEEP_FOR_REVALIDATION,
            false => Duration::ZERO,
        };
        let windows = freshness.stale_while_revalidate.max(freshness.stale_if_error);
        let total = freshness.remaining().saturating_add(windows.max(revalidation));
        self.stored.steady + total.min(LONGEST)
    }

    pub fn weight(&self) -> u64 {
        let tags: u64 = self.tags.iter().map(|tag| weight::TAG + tag.len() as u64).sum();
        let representations: u64 = self.representations.iter().map(|one| one.weight()).sum();
        weight::VARIANT
            + weight::fields(&self.head)
            + tags
            + (self.selector.weight() + self.url.len()) as u64
            + representations
    }

    /// What a purge is asked about.
    pub fn subject<'a>(&'a self, key: &'a ResourceKey) -> Subject<'a> {
        Subject { key, url: &self.url, tags: &self.tags }
    }

    /// With one more representation, or another in place of the one in its coding.
    pub fn with(&self, representation: Arc<Representation>) -> Self {
        let mut representations = self.representations.clone();
        representations.retain(|one| one.coding != representation.coding);
        representations.push(representation);
        self.clone().holding(representations)
    }

    /// The same content came again: what was made of it, and is known of it, is still good. A stored body that was
    /// compressed again stays; of other bytes in one coding, the newer ones do.
    pub(super) fn inheriting(self, before: Option<&Resource>) -> Self {
        let older = before.and_then(|resource| resource.variants().iter().find(|older| older.has_content_of(&self)));
        let Some(older) = older else {
            return self;
        };
        let mut next = self.clone();
        for one in older.representations() {
            if one.improved || self.representation(one.coding).is_none() {
                let Ok(same) = one.with_common(self.common()) else {
                    return self;
                };
                next = next.with(Arc::new(same));
            }
        }
        next.shared = Arc::new(older.shared.inherited());
        next
    }

    /// Tags made of digests are the same for the same content alone. An app that has tags of its own says so by a 304.
    fn has_content_of(&self, newer: &Self) -> bool {
        self.is_of_the_kind_of(newer)
            && (self.codable && newer.codable && self.app_coded == newer.app_coded)
            && (self.app_etag.is_none() && newer.app_etag.is_none())
            && self.tag.strong_eq(&newer.tag)
            && self.identity_length == newer.identity_length
    }

    /// With no other representations than those; `None` if none would be left.
    pub(super) fn only(&self, codings: &[Coding]) -> Option<Self> {
        let mut representations = self.representations.clone();
        representations.retain(|one| codings.contains(&one.coding));
        (!representations.is_empty()).then(|| self.clone().holding(representations))
    }

    /// Confirmed by a 304: another head and lifetime, the same bodies.
    pub fn refreshed(
        &self,
        head: &HeaderMap,
        app_etag: Option<EntityTag>,
        freshness: Freshness,
        at: Moment,
    ) -> Result<Self> {
        let mut next = self.clone();
        if let Some(tag) = &app_etag {
            next.tag = tag.clone();
        }
        next.head = compact(head);
        next.app_etag = app_etag.or(next.app_etag);
        next.freshness = freshness;
        next.stored = at;
        next.expired = OnceLock::new();
        let representations: Result<Vec<_>> =
            self.representations.iter().map(|one| one.with_common(next.common()).map(Arc::new)).collect();
        Ok(next.holding(representations?))
    }

    /// Stale from now on, and still there to be confirmed. Said twice, the first time counts.
    pub fn expire(&self, now: Moment) {
        let _ = self.expired.set(now);
    }

    /// How many wanted this coding so far, with this one.
    pub(super) fn count_hit(&self, sent: Coding, wanted: Coding) -> u64 {
        self.shared.hits[sent as usize].fetch_add(1, Ordering::Relaxed);
        self.shared.wanted[wanted as usize].fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Hits of clients who like this coding best, whatever they got.
    pub(super) fn wanted_in(&self, coding: Coding) -> u64 {
        self.shared.wanted[coding as usize].load(Ordering::Relaxed)
    }

    /// Nothing is to be gained by compressing this coding again.
    pub(super) fn is_settled(&self, coding: Coding) -> bool {
        self.shared.settled.load(Ordering::Relaxed) & (1 << coding as u8) != 0
    }

    pub(super) fn settle(&self, coding: Coding) {
        self.shared.settled.fetch_or(1 << coding as u8, Ordering::Relaxed);
    }

    /// The content in this coding is larger than what may be kept.
    pub(super) fn is_oversize(&self, coding: Coding) -> bool {
        self.shared.oversize.load(Ordering::Relaxed) & (1 << coding as u8) != 0
    }

    pub(super) fn remember_oversize(&self, coding: Coding) {
        self.shared.oversize.fetch_or(1 << coding as u8, Ordering::Relaxed);
    }

    pub(super) fn born(&self) -> u64 {
        self.shared.born.load(Ordering::Relaxed)
    }

    pub(super) fn bear(&self, written: u64) {
        self.shared.born.store(written, Ordering::Relaxed);
    }

    pub(super) fn derivations(&self) -> Arc<Derivations> {
        self.shared.derivations.get_or_init(Arc::default).clone()
    }

    pub(super) fn common(&self) -> Common<'_> {
        Common {
            status: self.status,
            head: &self.head,
            tag: &self.tag,
            codable: self.codable,
            app_coded: self.app_coded,
        }
    }

    fn holding(mut self, representations: Vec<Arc<Representation>>) -> Self {
        self.codings = representations.iter().map(|one| one.coding).collect();
        self.representations = representations;
        self
    }
}

/// What the app itself did to a body that is not ours to code.
pub fn applied(head: &HeaderMap, codable: bool) -> Coding {
    match Applied::parse(head) {
        Applied::Known(applied) if !codable => applied,
        _ => Coding::Identity,
    }
}

fn back(from: SystemTime, by: Duration) -> SystemTime {
    from.checked_sub(by).unwrap_or(SystemTime::UNIX_EPOCH)
}
