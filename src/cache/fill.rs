//! Storing a response while it streams to its first client.
//!
//! The fill sees the bytes the client sees, already coded. It never slows the response down and never fails it: over
//! the size limit or the budget it gives up, says so once, and the client goes on receiving. What did not come to its
//! end is dropped with the handler (RFC 9111, section 3.3: an incomplete response is not stored).
//!
//! Others read along while it grows ([`super::live`]). Only if such a body turns out not to be stored does the fill slow
//! it down, to the pace of the slowest of them: the alternatives are memory without bound, and half a body.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use pingora::{Error, ErrorType, Result};
use pingora_cache::storage::{HandleMiss, MissFinishType};

use super::buffer::OverBudget;
use super::clock::Moment;
use super::events::Refusal;
use super::head::compact;
use super::key::{Partition, ResourceKey};
use super::live::{Body, LiveFill, Relay};
use super::memory::Memory;
use super::scope::Subject;
use super::variant::{Draft, Variant};
use crate::header::{Coding, EntityTag, Revision};
use crate::policy::{Freshness, Selector};

/// Everything about a response that is to be stored, decided before its body came.
#[derive(Debug)]
pub struct FillPlan {
    pub key: ResourceKey,
    pub status: StatusCode,
    /// The app's head as identity; as the app sent it if it is not `codable`.
    pub head: HeaderMap,
    pub app_etag: Option<EntityTag>,
    /// The coding of the bytes that will be written.
    pub coding: Coding,
    /// Of the encoder that makes them, if one does.
    pub level: Option<i32>,
    /// In the tag that went out ahead of them, if our encoder makes them.
    pub revision: Option<Revision>,
    /// vacpack may code this body, so that other codings can be derived.
    pub codable: bool,
    /// The app had coded this body: its own tag is of the coded bytes, and identity gets another.
    pub app_coded: bool,
    pub selector: Selector,
    pub partition: Partition,
    pub freshness: Freshness,
    pub now: SystemTime,
    pub tags: Vec<String>,
    /// As [`super::url`] writes it.
    pub url: Arc<str>,
    /// Bytes that will be written, where that is known.
    pub length: Option<u64>,
    pub body: Arc<BodyFacts>,
    /// When the request to the app began.
    pub purge_epoch: u64,
    /// What became of it, for `Cache-Status` and the log.
    pub outcome: OnceLock<FillOutcome>,
    /// It will not be stored, but others read along to its end.
    pub relaying: AtomicBool,
}

impl FillPlan {
    /// What a purge that may cover it looks at.
    pub fn subject(&self) -> Subject<'_> {
        Subject { key: &self.key, url: &self.url, tags: &self.tags }
    }

    /// The rest of the body is for its first client alone.
    pub fn is_given_up(&self) -> bool {
        matches!(self.outcome.get(), Some(FillOutcome::Refused(_))) && !self.relaying.load(Ordering::Relaxed)
    }
}

/// What the encoder learns of the identity bytes and the fill cannot see. Set when the body ends, before `finish`.
#[derive(Debug, Default)]
pub struct BodyFacts {
    pub identity_length: OnceLock<u64>,
    pub digest: OnceLock<[u8; 32]>,
    /// A validator will be made of it.
    digest_wanted: AtomicBool,
}

impl BodyFacts {
    /// Asks for the digest, before the first byte. It is a fifth of the CPU of passing a body on.
    pub fn want_digest(&self) {
        self.digest_wanted.store(true, Ordering::Relaxed);
    }

    pub fn wants_digest(&self) -> bool {
        self.digest_wanted.load(Ordering::Relaxed)
    }
}

/// How a fill ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FillOutcome {
    Stored { bytes: u64 },
    Refused(Refusal),
}

/// A fill under way.
pub struct Fill {
    memory: &'static Memory,
    plan: Arc<FillPlan>,
    body: Arc<Body>,
    /// What others know of it; `None` if it is not for them, or for nobody new.
    shared: Option<Arc<LiveFill>>,
    began: Moment,
    /// Of the bytes as they pass, if a validator will be made of them and nobody else sees the identity bytes.
    digest: Option<Box<blake3::Hasher>>,
}

impl Memory {
    pub(super) fn fill(&'static self, plan: Arc<FillPlan>) -> Result<Fill> {
        let mut fill = Fill {
            memory: self,
            body: Arc::new(Body::new(self.fills().clone())),
            shared: None,
            began: Moment::at(plan.now),
            digest: (plan.app_etag.is_none() && !plan.codable).then(Box::default),
            plan,
        };
        if let Some(length) = fill.plan.length {
            fill.admit(length).map_err(|reason| fill.refuse(reason))?;
            fill.body.prepare(length).map_err(|OverBudget| fill.refuse(Refusal::OverBudget))?;
        }
        fill.shared = self.announce(&fill.plan, &fill.body);
        Ok(fill)
    }
}

impl Fill {
    /// `total` bytes of body are within the limit.
    fn admit(&self, total: u64) -> Result<(), Refusal> {
        if self.memory.limits().takes(total) {
            return Ok(());
        }
        self.memory.remember_oversize(self.plan.key);
        Err(Refusal::TooLarge)
    }

    /// Into the buffer; what did not fit is left in the chunk.
    fn keep(&mut self, data: &mut Bytes) -> Result<(), Refusal> {
        self.admit((self.body.written() + data.len()) as u64)?;
        if let Some(digest) = &mut self.digest {
            digest.update(data);
        }
        self.body.write(data).map_err(|OverBudget| Refusal::OverBudget)
    }

    /// It will not be stored: that ends it, unless somebody reads along.
    async fn outgrown(&mut self, reason: Refusal, rest: Bytes) -> Result<()> {
        self.withdraw();
        let relaying = self.body.outgrow();
        // Before the outcome is known: who asks whether it was given up must not be told so in between.
        self.plan.relaying.store(relaying, Ordering::Relaxed);
        let refused = self.refuse(reason);
        match relaying {
            true => self.relay(rest).await,
            false => Err(refused),
        }
    }

    async fn relay(&self, data: Bytes) -> Result<()> {
        match self.body.relay(data).await {
            Relay::Taken => Ok(()),
            Relay::Unwanted => {
                self.plan.relaying.store(false, Ordering::Relaxed);
                Err(refused(Refusal::Aborted))
            }
        }
    }

    /// Nobody new may share it.
    fn withdraw(&mut self) {
        if let Some(fill) = self.shared.take() {
            self.memory.live().withdraw(&fill);
        }
    }

    /// Said once: what comes after the first refusal is its consequence.
    fn refuse(&self, reason: Refusal) -> Box<Error> {
        if self.plan.outcome.set(FillOutcome::Refused(reason)).is_ok() {
            self.memory.events().fill_refused(reason);
        }
        refused(reason)
    }

    fn variant(&mut self, body: Bytes) -> Result<Variant> {
        let plan = &self.plan;
        let passed = self.digest.take().map(|digest| *digest.finalize().as_bytes());
        let tag = match &plan.app_etag {
            Some(tag) => tag.clone(),
            None => content_tag(plan.body.digest.get().copied().or(passed), &body),
        };
        let identity = (plan.coding == Coding::Identity).then_some(body.len() as u64);
        let draft = Draft {
            generation: self.memory.next_generation(),
            status: plan.status,
            head: compact(&plan.head),
            app_etag: plan.app_etag.clone(),
            tag,
            selector: plan.selector.clone(),
            partition: plan.partition,
            freshness: plan.freshness,
            stored: self.began,
            codable: plan.codable,
            app_coded: plan.app_coded,
            identity_length: plan.body.identity_length.get().copied().or(identity),
            tags: plan.tags.as_slice().into(),
            url: plan.url.clone(),
        };
        draft.with(plan.coding, body, plan.revision, plan.level)
    }
}

#[async_trait]
impl HandleMiss for Fill {
    async fn write_body(&mut self, mut data: Bytes, _end: bool) -> Result<()> {
        if self.body.is_relay() {
            return self.relay(data).await;
        }
        match self.keep(&mut data) {
            Ok(()) => Ok(()),
            Err(reason) => self.outgrown(reason, data).await,
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<MissFinishType> {
        if self.body.is_relay() {
            self.body.relayed();
            return Ok(MissFinishType::Created(0));
        }
        let body = self.body.finish();
        let bytes = body.len() as u64;
        let variant = self.variant(body.clone())?;
        let stored = self.memory.store(self.plan.key, variant, self.plan.purge_epoch);
        match stored {
            Ok(()) => {
                let _ = self.plan.outcome.set(FillOutcome::Stored { bytes });
                self.memory.events().stored(self.plan.coding, bytes);
            }
            Err(refusal) => drop(self.refuse(refusal)),
        }
        // Only now: who waited for the end finds it stored.
        self.withdraw();
        self.body.complete(body);
        Ok(MissFinishType::Created(if stored.is_ok() { usize::try_from(bytes).unwrap_or(usize::MAX) } else { 0 }))
    }
}

impl Drop for Fill {
    fn drop(&mut self) {
        self.withdraw();
        self.body.abort();
        if self.plan.outcome.get().is_none() {
            self.refuse(Refusal::Aborted);
        }
    }
}

/// The platform hears it as a storage that failed, and goes on without it.
fn refused(reason: Refusal) -> Box<Error> {
    Error::explain(ErrorType::Custom("FillRefused"), reason.label())
}

/// RFC 9110, section 8.8.3.3: a strong tag changes whenever the content does; a digest of it is one.
fn content_tag(digest: Option<[u8; 32]>, stored: &Bytes) -> EntityTag {
    let digest = digest.map_or_else(|| blake3::hash(stored), blake3::Hash::from_bytes);
    EntityTag::strong(digest.to_hex()[..32].to_owned())
}
