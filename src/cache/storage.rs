//! pingora's `Storage` over [`Memory`], and the typed side channels between it and the proxy.
//!
//! pingora-cache runs the state machine (lookup, collapsing, stale, revalidation) and knows nothing of variants or
//! codings: it sees one entry a resource, and gets the representation this client accepts. No streaming partial
//! writes as pingora means them, where the first client reads what it writes, too: memory would have no bound. Others
//! share a fill all the same ([`super::live`]): a lookup finds it as it finds what is stored.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::HeaderMap;
use pingora::http::ResponseHeader;
use pingora::{Error, ErrorType, Result};
use pingora_cache::key::{CacheHashKey, CompactCacheKey};
use pingora_cache::storage::{HitHandler, MissHandler, PurgeOutcome, PurgeTarget, Storage};
use pingora_cache::trace::SpanHandle;
use pingora_cache::{CacheKey, CacheMeta};

use super::clock::Moment;
use super::derive::Derived;
use super::events::Refusal;
use super::fill::FillPlan;
use super::hit::Hit;
use super::key::{Partition, ResourceKey};
use super::memory::Memory;
use super::representation::Representation;
use super::scope::Scope;
use super::sharing::Sharing;
use super::streamed::Streamed;
use super::sweep::Effect;
use super::variant::Variant;
use crate::header::{AcceptEncoding, Coding, EntityTag};
use crate::negotiate::Selection;
use crate::policy::{Freshness, Selector, StoredFreshness};

/// What a lookup has to know of the request. Travels in the cache key's extensions, see [`cache_key`].
#[derive(Clone, Debug)]
pub struct RequestView {
    pub key: ResourceKey,
    pub accept: AcceptEncoding,
    /// The codings this route offers, in its order of preference.
    pub codings: Arc<[Coding]>,
    pub partition: Partition,
    /// Read only for variants that the app's `Vary` selects; None where nothing stored needs them, and then nothing that
    /// would need them answers.
    pub headers: Option<Arc<HeaderMap>>,
    pub sharing: Sharing,
}

impl RequestView {
    /// RFC 9111, section 4.1. What the app coded itself is not for a client that refuses that coding: for those the
    /// app is asked, and its answer lives beside this one.
    pub(super) fn is_answered_by(&self, partition: Partition, applied: Coding, selector: &Selector) -> bool {
        self.partition == partition
            && (applied == Coding::Identity || self.accept.accepts(applied))
            && (selector.is_empty() || self.headers.as_ref().is_some_and(|headers| selector.matches(headers)))
    }
}

/// pingora's key for a request: our 128 bits as its hash too, so that nothing is hashed twice and a purge that pingora
/// asks for finds the entry.
pub fn cache_key(view: Arc<RequestView>) -> CacheKey {
    let mut key = bare_key(&view.key);
    key.extensions.insert(view);
    key
}

/// pingora's key for a resource that nobody requests.
pub fn bare_key(resource: &ResourceKey) -> CacheKey {
    let mut key = CacheKey::new(resource.0, "");
    key.set_primary_bin_override(resource.0);
    key
}

fn resource_key(key: &CompactCacheKey) -> ResourceKey {
    ResourceKey(key.primary_bin())
}

/// What answers a request, for the filters of a hit. Travels in the meta's extensions.
#[derive(Clone, Debug)]
pub struct Found {
    pub variant: Arc<Variant>,
    pub coding: Coding,
    /// Of the bytes that are sent.
    pub etag: EntityTag,
    /// This request had it made from another coding.
    pub derived: bool,
    /// What `policy::lookup` counts from, on the wall clock and safe from its steps.
    pub freshness: StoredFreshness,
}

/// A 304 that confirms a stored variant. Travels in the meta's extensions to `update_meta`.
#[derive(Clone, Debug)]
pub struct RefreshPlan {
    pub key: ResourceKey,
    /// Of the variant that was being validated.
    pub generation: u64,
    /// The merged head (RFC 9111, section 4.3.4), as identity.
    pub head: HeaderMap,
    pub app_etag: Option<EntityTag>,
    pub freshness: Freshness,
    /// Whom it answers, by the merged head.
    pub selector: Selector,
    /// By the merged head.
    pub tags: Arc<[String]>,
    pub now: SystemTime,
    /// When the request to the app began.
    pub purge_epoch: u64,
}

impl Memory {
    /// The representation for this request, made from another one if need be.
    async fn answer(&'static self, view: &RequestView) -> Option<(CacheMeta, HitHandler)> {
        if let Some(joined) = self.join(view).await {
            return Some(joined);
        }
        let resource = self.peek(&view.key)?;
        let variant = resource.select(view)?;
        let stored = |coding| variant.representation(coding).map(|one| (one.clone(), false));
        let (representation, derived) = match variant.selection(view)? {
            Selection::Serve(coding) => stored(coding)?,
            Selection::Derive(coding) => match self.derive(view.key, variant, coding).await {
                Derived::Whole(representation) => (representation, true),
                Derived::Streamed(streamed) => {
                    variant.count_hit(coding, variant.wanted(view));
                    return Some(answer_streamed(variant, *streamed));
                }
                Derived::Instead(other) => (other, false),
                Derived::Failed => return None,
            },
        };
        self.hit(view.key, variant, &representation, variant.wanted(view));
        Some(answer_whole(variant, representation, derived))
    }
}

fn answer_whole(variant: &Arc<Variant>, representation: Arc<Representation>, derived: bool) -> (CacheMeta, HitHandler) {
    let etag = representation.etag.clone();
    let meta = meta(variant, representation.head.clone(), representation.coding, etag, derived);
    (meta, Box::new(Hit::new(representation)))
}

fn answer_streamed(variant: &Arc<Variant>, streamed: Streamed) -> (CacheMeta, HitHandler) {
    let meta = meta(variant, streamed.head(), streamed.coding(), streamed.etag(), true);
    (meta, Box::new(streamed))
}

fn meta(variant: &Arc<Variant>, head: ResponseHeader, coding: Coding, etag: EntityTag, derived: bool) -> CacheMeta {
    let freshness = variant.stored_freshness(Moment::now());
    let mut meta = meta_of(&freshness, head);
    meta.extensions_mut().insert(Found { variant: variant.clone(), coding, etag, derived, freshness });
    meta
}

pub(super) fn meta_of(freshness: &StoredFreshness, head: ResponseHeader) -> CacheMeta {
    // pingora's `Age` counts from here: RFC 9111, section 4.2.3, `current_age`.
    let generated = freshness.received.checked_sub(freshness.age);
    CacheMeta::new(
        freshness.fresh_until,
        generated.unwrap_or(SystemTime::UNIX_EPOCH),
        seconds(freshness.stale_while_revalidate),
        seconds(freshness.stale_if_error),
        head,
    )
}

/// pingora keeps windows in 32 bits: 136 years.
fn seconds(window: Duration) -> u32 {
    u32::try_from(window.as_secs()).unwrap_or(u32::MAX)
}

#[async_trait]
impl Storage for Memory {
    async fn lookup(&'static self, key: &CacheKey, _: &SpanHandle) -> Result<Option<(CacheMeta, HitHandler)>> {
        match key.extensions.get::<Arc<RequestView>>() {
            Some(view) => Ok(self.answer(view).await),
            None => Ok(None),
        }
    }

    async fn get_miss_handler(&'static self, _: &CacheKey, meta: &CacheMeta, _: &SpanHandle) -> Result<MissHandler> {
        let Some(plan) = meta.extensions().get::<Arc<FillPlan>>() else {
            self.events().fill_refused(Refusal::NoPlan);
            return Error::e_explain(ErrorType::InternalError, "a cacheable response without a fill plan");
        };
        Ok(Box::new(self.fill(plan.clone())?))
    }

    async fn purge(
        &'static self,
        target: PurgeTarget<'_>,
        _: pingora_cache::storage::PurgeType,
        _: &SpanHandle,
    ) -> Result<PurgeOutcome> {
        match Memory::purge(self, &resource_key(target.key())).objects {
            0 => Ok(PurgeOutcome::NotFound),
            _ => Ok(PurgeOutcome::Purged(None)),
        }
    }

    async fn expire(&'static self, target: PurgeTarget<'_>, _: &SpanHandle) -> Result<PurgeOutcome> {
        match self.sweep(&Scope::Resource(resource_key(target.key())), Effect::Expire).objects {
            0 => Ok(PurgeOutcome::NotFound),
            _ => Ok(PurgeOutcome::Expired),
        }
    }

    async fn update_meta(&'static self, _: &CacheKey, meta: &CacheMeta, _: &SpanHandle) -> Result<bool> {
        match meta.extensions().get::<Arc<RefreshPlan>>() {
            Some(plan) => Ok(self.refresh(plan)),
            None => Ok(false),
        }
    }

    fn support_streaming_partial_write(&self) -> bool {
        false
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync + 'static) {
        self
    }
}
