//! Reading a stored body by slices that share its memory. Nothing is copied, nothing is computed.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pingora::{Error, ErrorType, Result};
use pingora_cache::CacheKey;
use pingora_cache::storage::{HandleHit, Storage};
use pingora_cache::trace::SpanHandle;

use super::representation::Representation;

/// One write to the client. A write timeout covers one write, so that a slow client of a large object is not cut off
/// for being slow; larger slices save nothing that can be measured.
pub const SLICE: usize = 128 * 1024;

/// A body in memory, held until the client has it: an entry may leave the cache meanwhile.
pub struct Hit {
    representation: Arc<Representation>,
    rest: Range<usize>,
}

impl Hit {
    pub fn new(representation: Arc<Representation>) -> Self {
        let rest = 0..representation.body.len();
        Self { representation, rest }
    }

    fn next(&mut self) -> Option<Bytes> {
        let end = self.rest.end.min(self.rest.start.saturating_add(SLICE));
        let slice = self.rest.start..end;
        self.rest.start = end;
        (!slice.is_empty()).then(|| self.representation.body.slice(slice))
    }
}

#[async_trait]
impl HandleHit for Hit {
    async fn read_body(&mut self) -> Result<Option<Bytes>> {
        Ok(self.next())
    }

    async fn finish(self: Box<Self>, _: &'static (dyn Storage + Sync), _: &CacheKey, _: &SpanHandle) -> Result<()> {
        Ok(())
    }

    fn can_seek(&self) -> bool {
        true
    }

    /// Once for a single range, once before each part of several: always from the body's beginning, in any order.
    fn seek(&mut self, start: usize, end: Option<usize>) -> Result<()> {
        let length = self.representation.body.len();
        let end = end.map_or(length, |end| end.min(length));
        if start > end {
            return Error::e_explain(ErrorType::InternalError, "seek past the end of a stored body");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::representation::Common;
    use crate::header::{Coding, EntityTag};
    use http::{HeaderMap, StatusCode};

    fn hit(length: usize) -> Hit {
        let tag = EntityTag::strong("t");
        let common =
            Common { status: StatusCode::OK, head: &HeaderMap::new(), tag: &tag, codable: false, app_coded: false };
        let body: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let representation = Representation::new(common, Coding::Identity, body.into(), None).unwrap();
        Hit::new(Arc::new(representation))
    }

    fn rest(hit: &mut Hit) -> Vec<Bytes> {
        std::iter::from_fn(|| hit.next()).collect()
    }

    #[test]
    fn slices_share_the_body_and_are_bounded() {
        let mut hit = hit(3 * SLICE + 5);
        let slices = rest(&mut hit);
        assert_eq!(slices.iter().map(Bytes::len).collect::<Vec<_>>(), [SLICE, SLICE, SLICE, 5]);
        assert_eq!(slices.concat(), hit.representation.body);
        let body = hit.representation.body.as_ptr_range();
        assert!(slices.iter().all(|slice| body.contains(&slice.as_ptr())), "zero copy");
        assert!(hit.next().is_none());
    }

    #[test]
    fn an_empty_body_ends_at_once() {
        assert!(hit(0).next().is_none());
    }

    #[test]
    fn seeks_are_absolute_and_repeatable() {
        let mut hit = hit(1000);
        let body = hit.representation.body.clone();
        for (start, end) in [(10, Some(20)), (0, Some(1)), (990, None), (5, Some(5000)), (1000, None)] {
            hit.seek(start, end).unwrap();
            assert_eq!(rest(&mut hit).concat(), body[start..end.unwrap_or(1000).min(1000)]);
        }
        assert!(hit.seek(1001, None).is_err());
        assert!(hit.seek(20, Some(10)).is_err());
    }
}
