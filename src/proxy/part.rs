//! Requests for a part of something (RFC 9110, section 14) that nothing stored answers: what the decision about them is
//! made from, and what is learned from the app's answers for the next one.
//!
//! Where the whole is fetched, the platform takes `Range` out of the request to the app, stores what comes, and cuts the
//! part out of it on its way to the client.

use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_RANGE, RANGE};
use pingora::http::{RequestHeader, ResponseHeader};

use super::Proxy;
use super::context::Context;
use super::intake::content_length;
use super::request::Request;
use crate::cache::{Memory, RequestView, Resource};
use crate::header::range::complete_length;
use crate::policy::{NotStored, Part, PartFacts, part};

/// What becomes of a request for a part, if it is one. `length` is asked for then: how long the whole is.
pub fn decide(
    request: &Request,
    head: &RequestHeader,
    limit: u64,
    length: impl FnOnce() -> Option<u64>,
) -> Option<Part> {
    let range = head.headers.get(RANGE)?;
    let storable = !request.directives.no_store && !head.headers.contains_key(AUTHORIZATION);
    Some(part(&PartFacts { range: range.as_bytes(), storable, length: length(), limit }))
}

/// What is known of the length of something. `stored` is what there is of it, and does not answer.
pub fn length(memory: &Memory, view: &RequestView, stored: Option<&Resource>) -> Option<u64> {
    // Lately it did not fit in some coding: as identity it is no shorter.
    let oversize = memory.known_oversize(&view.key).then_some(u64::MAX);
    let of_stored = || stored?.select(view)?.identity_length;
    oversize.or_else(of_stored).or_else(|| memory.noted_length(&view.key))
}

impl Proxy {
    /// The app has answered with a part: the next request for one is decided by what it says of the whole.
    pub(super) fn note_length(&self, response: &ResponseHeader, context: &Context) {
        let view = context.request.as_ref().and_then(|request| request.view.as_ref());
        let said = response.headers.get(CONTENT_RANGE).filter(|_| response.status == StatusCode::PARTIAL_CONTENT);
        if let (Some(view), Some(length)) = (view, said.and_then(|said| complete_length(said.as_bytes()))) {
            self.parts.memory.note_length(view.key, length);
        }
    }

    /// The whole was fetched for a part of it, and is too long to be kept. That says nothing of requests for the whole:
    /// coded, it may well fit.
    pub(super) fn fits_for_a_part(
        &self,
        request: &Request,
        view: &RequestView,
        response: &ResponseHeader,
    ) -> Result<(), NotStored> {
        let memory = self.parts.memory;
        let length = content_length(&response.headers).filter(|length| !memory.limits().takes(*length));
        match (request.part, length) {
            (Some(_), Some(length)) => {
                memory.note_length(view.key, length);
                Err(NotStored::Range)
            }
            _ => Ok(()),
        }
    }
}
