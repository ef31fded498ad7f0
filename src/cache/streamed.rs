//! A stored body in another coding, made while it is read: for what would be too large to keep.
//!
//! A 3 MB brotli body may be 80 MB of JSON. A client that accepts no coding gets it as it is decoded, a piece at a
//! time, in the memory of a decoder (and an encoder); nothing is kept, and no range of it can be sought. A slow client
//! holds that memory for long, so it is of the encoders' budget: where there is none, the app is asked again.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pingora::http::ResponseHeader;
use pingora::{Error, ErrorType, Result};
use pingora_cache::CacheKey;
use pingora_cache::storage::{HandleHit, Storage};
use pingora_cache::trace::SpanHandle;
use tokio::task;

use super::derive::{Unmade, lasting};
use super::key::ResourceKey;
use super::memory::Memory;
use super::representation::Representation;
use super::variant::Variant;
use crate::encode::Transcoder;
use crate::header::{Coding, EntityTag};

/// A body on its way from one coding to another.
pub struct Streamed {
    head: ResponseHeader,
    etag: EntityTag,
    memory: &'static Memory,
    key: ResourceKey,
    generation: u64,
    from: Arc<Representation>,
    to: Coding,
    state: State,
}

enum State {
    Reading(Box<Transcoder<Bytes>>),
    /// A piece is being made on another thread, or the making of it was cut off.
    Away,
    Ended,
}

impl Streamed {
    pub fn new(
        memory: &'static Memory,
        key: ResourceKey,
        variant: &Variant,
        from: &Arc<Representation>,
        to: Coding,
    ) -> Result<Self, Unmade> {
        let transcoder = lasting(from, to, variant.identity_length, memory.encoders())?;
        // Only identity's length is known before it has been made.
        let length = variant.identity_length.filter(|_| to == Coding::Identity);
        let (head, etag) = variant.common().head(to, length).map_err(|_| Unmade::Head)?;
        Ok(Self {
            head,
            etag,
            memory,
            key,
            generation: variant.generation,
            from: from.clone(),
            to,
            state: State::Reading(Box::new(transcoder)),
        })
    }

    pub fn head(&self) -> ResponseHeader {
        self.head.clone()
    }

    pub fn etag(&self) -> EntityTag {
        self.etag.clone()
    }

    pub fn coding(&self) -> Coding {
        self.to
    }

    /// The head is out: all that is left is to break the body off, so that nobody takes it for whole.
    fn failed(&self, unmade: &Unmade) -> Box<Error> {
        self.memory.derive_failed(self.key, self.generation, &self.from, self.to, unmade);
        broken_off()
    }
}

fn broken_off() -> Box<Error> {
    Error::explain(ErrorType::InternalError, "a stored body could not be recoded")
}

#[async_trait]
impl HandleHit for Streamed {
    async fn read_body(&mut self) -> Result<Option<Bytes>> {
        let mut transcoder = match std::mem::replace(&mut self.state, State::Away) {
            State::Reading(transcoder) => transcoder,
            State::Away => return Err(broken_off()),
            State::Ended => {
                self.state = State::Ended;
                return Ok(None);
            }
        };
        // A piece is 64 KiB of identity: a tenth of a millisecond to decode, several to encode.
        let (piece, transcoder) = match self.to {
            Coding::Identity => (transcoder.next(), transcoder),
            _ => task::spawn_blocking(move || (transcoder.next(), transcoder)).await.map_err(|_| broken_off())?,
        };
        match piece {
            Some(Ok(bytes)) => {
                self.state = State::Reading(transcoder);
                Ok(Some(bytes))
            }
            Some(Err(error)) => Err(self.failed(&error.into())),
            None => {
                self.state = State::Ended;
                Ok(None)
            }
        }
    }

    async fn finish(self: Box<Self>, _: &'static (dyn Storage + Sync), _: &CacheKey, _: &SpanHandle) -> Result<()> {
        Ok(())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }

    fn as_any_mut(&mut self) -> &mut (dyn Any + Send + Sync) {
        self
    }
}
