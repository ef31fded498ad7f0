//! Reading a body that is still coming in, as pingora reads a hit.

use std::any::Any;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use pingora::{Error, ErrorType, Result};
use pingora_cache::CacheKey;
use pingora_cache::storage::{HandleHit, Storage};
use pingora_cache::trace::SpanHandle;

use super::body::{Next, Place};
use crate::cache::hit::SLICE;

/// One client's way through a body that another one's request is fetching.
pub struct Reader {
    place: Place,
    rest: Range<usize>,
    /// Its length is known: a part of it can be asked for before it has come.
    seekable: bool,
}

impl Reader {
    pub fn new(place: Place, seekable: bool) -> Self {
        Self { place, rest: 0..usize::MAX, seekable }
    }
}

#[async_trait]
impl HandleHit for Reader {
    async fn read_body(&mut self) -> Result<Option<Bytes>> {
        let most = self.rest.len().min(SLICE);
        if most == 0 {
            return Ok(None);
        }
        match self.place.next(self.rest.start, most).await {
            Next::Bytes(bytes) => {
                self.rest.start += bytes.len();
                Ok(Some(bytes))
            }
            Next::End => Ok(None),
            // The app's fault, or that of the client whose fetch it was: this one can only be cut off, so that it does
            // not take what it has for the whole (RFC 9112, section 8).
            Next::Cut | Next::Wait => Err(cut_off()),
        }
    }

    async fn finish(self: Box<Self>, _: &'static (dyn Storage + Sync), _: &CacheKey, _: &SpanHandle) -> Result<()> {
        Ok(())
    }

    fn can_seek(&self) -> bool {
        self.seekable
    }

    /// The parts of several ranges are read one after the other from the start on: what is past may be gone.
    fn can_seek_multipart(&self) -> bool {
        false
    }

    fn seek(&mut self, start: usize, end: Option<usize>) -> Result<()> {
        let end = end.unwrap_or(usize::MAX);
        if start > end {
            return Error::e_explain(ErrorType::InternalError, "seek past the end of a body on its way in");
        }
        self.rest = start..end;
        Ok(())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }

    fn as_any_mut(&mut self) -> &mut (dyn Any + Send + Sync) {
        self
    }
}

fn cut_off() -> Box<Error> {
    Error::explain(ErrorType::ConnectionClosed, "a shared fetch broke off").into_up()
}
