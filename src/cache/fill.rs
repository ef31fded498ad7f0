//! Storing a response while it streams to its first client.
//!
//! The fill sees the bytes the client sees, already coded. It never slows the response down and never fails it: over
//! the size limit or the budget it gives up, says so once, and the client goes on receiving. What did not come to its
//! end is dropped with the handler (RFC 9111, section 3.3: an incomplete response is not stored).

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use pingora::{Error, ErrorType, Result};
use pingora_cache::storage::{HandleMiss, MissFinishType};

use super::buffer::{Buffer, OverBudget};
use super::clock::Moment;
use super::events::Refusal;
use super::head::compact;
use super::key::{Partition, ResourceKey};
use super::memory::Memory;
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
}

/// What the encoder learns of the identity bytes and the fill cannot see. Set when the body ends, before `finish`.
#[derive(Debug, Default)]
pub struct BodyFacts {
    pub identity_length: OnceLock<u64>,
    pub digest: OnceLock<[u8; 32]>,
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
    buffer: Buffer,
    began: Moment,
    /// Of the bytes as they pass, if a validator will be made of them and nobody else sees the identity bytes.
    digest: Option<Box<blake3::Hasher>>,
}

impl Memory {
    pub(super) fn fill(&'static self, plan: Arc<FillPlan>) -> Result<Fill> {
        let encoded_here = plan.codable && plan.coding != Coding::Identity;
        let mut fill = Fill {
            memory: self,
            buffer: Buffer::new(self.fills().clone()),
            began: Moment::at(plan.now),
            digest: (plan.app_etag.is_none() && !encoded_here).then(Box::default),
            plan,
        };
        if let Some(length) = fill.plan.length {
            fill.admit(length)?;
            fill.buffer.prepare(length).map_err(|over| fill.over_budget(over))?;
        }
        Ok(fill)
    }
}

impl Fill {
    /// `total` bytes of body are within the limit.
    fn admit(&self, total: u64) -> Result<()> {
        if self.memory.limits().takes(total) {
            return Ok(());
        }
        self.memory.remember_oversize(self.plan.key);
        Err(self.refuse(Refusal::TooLarge))
    }

    fn over_budget(&self, OverBudget: OverBudget) -> Box<Error> {
        self.refuse(Refusal::OverBudget)
    }

    /// Said once: what comes after the first refusal is its consequence.
    fn refuse(&self, reason: Refusal) -> Box<Error> {
        if self.plan.outcome.set(FillOutcome::Refused(reason)).is_ok() {
            self.memory.events().fill_refused(reason);
        }
        Error::explain(ErrorType::Custom("FillRefused"), reason.label())
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
    async fn write_body(&mut self, data: Bytes, _end: bool) -> Result<()> {
        self.admit((self.buffer.len() + data.len()) as u64)?;
        if let Some(digest) = &mut self.digest {
            digest.update(&data);
        }
        self.buffer.write(&data).map_err(|over| self.over_budget(over))
    }

    async fn finish(mut self: Box<Self>) -> Result<MissFinishType> {
        let empty = Buffer::new(self.memory.fills().clone());
        let body = std::mem::replace(&mut self.buffer, empty).finish();
        let bytes = body.len() as u64;
        let variant = self.variant(body)?;
        if let Err(refusal) = self.memory.store(self.plan.key, variant, self.plan.purge_epoch) {
            self.refuse(refusal);
            return Ok(MissFinishType::Created(0));
        }
        let _ = self.plan.outcome.set(FillOutcome::Stored { bytes });
        self.memory.events().stored(self.plan.coding, bytes);
        Ok(MissFinishType::Created(usize::try_from(bytes).unwrap_or(usize::MAX)))
    }
}

impl Drop for Fill {
    fn drop(&mut self) {
        if self.plan.outcome.get().is_none() {
            self.refuse(Refusal::Aborted);
        }
    }
}

/// RFC 9110, section 8.8.3.3: a strong tag changes whenever the content does; a digest of it is one.
fn content_tag(digest: Option<[u8; 32]>, stored: &Bytes) -> EntityTag {
    let digest = digest.map_or_else(|| blake3::hash(stored), blake3::Hash::from_bytes);
    EntityTag::strong(digest.to_hex()[..32].to_owned())
}
