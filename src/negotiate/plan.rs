//! The plan for a body that comes from the app.
//!
//! The reasons are asked for in a fixed order, so that each response has one and counters add up:
//! first what the messages are, then what the three sides allow, last what this client wants.

use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_RANGE};

use super::breach::{Breach, guard};
use super::facts::{COMPRESS_HINT, Offer, RequestFacts, ResponseFacts};
use super::preference::{Preference, codings, first_of, preference};
use super::reason::SkipReason;
use super::transcode::transcode;
use crate::header::coding::{Applied, Source};
use crate::header::{AcceptEncoding, CacheControl, Coding, MediaType, list};

/// What happens to a body. Every response gets exactly one plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyPlan {
    Encode(Coding),
    /// The app's coding is undone, and this one applied.
    Recode {
        from: Source,
        to: Coding,
    },
    /// The app's coding is undone, and none applied.
    Decode {
        from: Source,
        why: SkipReason,
    },
    /// The body goes out as the app coded it, and a decoder reads along: to see it whole, and to
    /// tell the cache of the identity bytes.
    Verify(Coding),
    Pass(SkipReason),
}

impl BodyPlan {
    /// The app's coding, if a decoder is to run.
    pub fn source(self) -> Option<Source> {
        match self {
            Self::Recode { from, .. } | Self::Decode { from, .. } => Some(from),
            Self::Verify(coding) => Some(Source::Coded(coding)),
            Self::Encode(_) | Self::Pass(_) => None,
        }
    }

    /// The coding that an encoder is to apply.
    pub fn target(self) -> Option<Coding> {
        match self {
            Self::Encode(coding) | Self::Recode { to: coding, .. } => Some(coding),
            Self::Decode { .. } | Self::Verify(_) | Self::Pass(_) => None,
        }
    }

    /// The same without an encoder, for which there is this reason.
    pub fn without_encoder(self, why: SkipReason) -> Self {
        match self {
            Self::Encode(_) => Self::Pass(why),
            Self::Recode { from, .. } => Self::Decode { from, why },
            Self::Decode { .. } | Self::Verify(_) | Self::Pass(_) => self,
        }
    }

    /// The same without a decoder, and so without anything, for which there is this reason.
    pub fn without_decoder(self, why: SkipReason) -> Self {
        match self {
            Self::Recode { .. } | Self::Decode { .. } | Self::Verify(_) => Self::Pass(why),
            Self::Encode(_) | Self::Pass(_) => self,
        }
    }

    /// Why no encoder is to run.
    pub fn skipped(self) -> Option<SkipReason> {
        match self {
            Self::Encode(_) | Self::Recode { .. } => None,
            Self::Decode { why, .. } | Self::Pass(why) => Some(why),
            Self::Verify(_) => Some(SkipReason::AlreadyEncoded),
        }
    }
}

/// Decides.
pub fn plan(request: &RequestFacts, response: &ResponseFacts<'_>, offer: &Offer) -> BodyPlan {
    decide(request, response, offer).unwrap_or_else(BodyPlan::Pass)
}

/// Whether the identity body of `response` could be coded at all, for a client of this `accept` as for any
/// other: what [`select`](super::select()) asks about a stored identity representation.
pub fn codable(response: &ResponseFacts<'_>, offer: &Offer, accept: &AcceptEncoding) -> bool {
    whole_body(response).and_then(|()| permitted(response, offer)).is_ok()
        && Applied::parse(response.headers) == Applied::Known(Coding::Identity)
        && large_enough(response, offer, accept).is_ok()
}

/// Whether `Vary: Accept-Encoding` is due: another client might have got the same content in
/// another coding, be it now or from the cache.
///
/// RFC 9110, 12.5.5: an origin "SHOULD generate a Vary header field on a cacheable response when it
/// wishes that response to be selectively reused", and without it a cache downstream would hand
/// coded bytes to who cannot read them. A body too small to be coded goes without the field: only a
/// client that refuses identity would get another one, and 12.5.3 lets it have this one, while the
/// field would part every cache downstream by spellings of `Accept-Encoding`. A 304 without a type
/// is that of a resource whose type is not known here; it gets the field, since 15.4.5 asks for
/// what the 200 would have had.
pub fn varies(response: &ResponseFacts<'_>, offer: &Offer, accept: &AcceptEncoding) -> bool {
    let known_type_or_304 = match permitted(response, offer) {
        Ok(()) => true,
        Err(SkipReason::TypeNotListed) => {
            response.status == StatusCode::NOT_MODIFIED && MediaType::of(response.headers).is_none()
        }
        Err(_) => false,
    };
    let recodable = match Applied::parse(response.headers) {
        Applied::Foreign => false,
        Applied::Known(Coding::Identity) => is_part(response) || large_enough(response, offer, accept).is_ok(),
        // The app's own coding: undone for those who refuse it, whatever its length.
        Applied::Known(_) => true,
        Applied::Deflate => offer.transcode,
    };
    has_representation(response.status) && known_type_or_304 && recodable
}

fn decide(request: &RequestFacts, response: &ResponseFacts<'_>, offer: &Offer) -> Result<BodyPlan, SkipReason> {
    asks_for_whole_body(request)?;
    whole_body(response)?;
    permitted(response, offer)?;
    if request.no_transform {
        return Err(SkipReason::NoTransform);
    }
    match Applied::parse(response.headers) {
        Applied::Known(Coding::Identity) => encode(request, response, offer).map(BodyPlan::Encode),
        applied => match applied.source().filter(|_| offer.transcode) {
            Some(from) => transcode(from, request, response, offer),
            None => Err(SkipReason::AlreadyEncoded),
        },
    }
}

fn encode(request: &RequestFacts, response: &ResponseFacts<'_>, offer: &Offer) -> Result<Coding, SkipReason> {
    let coding = preferred(&request.accept, &offer.codings)?;
    large_enough(response, offer, &request.accept)?;
    match guard(request, response, offer) {
        Breach::Off | Breach::Pad => Ok(coding),
        Breach::NoCompression => Err(SkipReason::Breach),
    }
}

/// What the request is.
fn asks_for_whole_body(request: &RequestFacts) -> Result<(), SkipReason> {
    if request.upgrade {
        return Err(SkipReason::Upgrade);
    }
    if request.head {
        return Err(SkipReason::Head);
    }
    // RFC 9110, 14.2: ranges are of the selected representation, after coding. Who asks for one may
    // well be resuming, and coded bytes made on the fly have no offset to resume from.
    if request.range {
        return Err(SkipReason::Partial);
    }
    if request.http10 {
        return Err(SkipReason::Http10);
    }
    Ok(())
}

/// What the response is.
fn whole_body(response: &ResponseFacts<'_>) -> Result<(), SkipReason> {
    if is_part(response) {
        return Err(SkipReason::Partial);
    }
    // RFC 9110, 6.4.1
    if !has_representation(response.status)
        || response.status == StatusCode::NOT_MODIFIED
        || response.end_of_stream
        || response.length == Some(0)
    {
        return Err(SkipReason::NoBody);
    }
    Ok(())
}

/// RFC 9110, 15.3.7 and 14.4: offsets into a representation, which must not change under them; the
/// length is not that of the whole.
fn is_part(response: &ResponseFacts<'_>) -> bool {
    response.status == StatusCode::PARTIAL_CONTENT || response.headers.contains_key(CONTENT_RANGE)
}

/// RFC 9110, 15.2, 15.3.5 and 15.3.6: 1xx, 204 and 205 have no content, and are about none. A 304
/// has none either, but is about some.
fn has_representation(status: StatusCode) -> bool {
    !status.is_informational() && !matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT)
}

/// What the operator and the app allow, whoever asks.
fn permitted(response: &ResponseFacts<'_>, offer: &Offer) -> Result<(), SkipReason> {
    if !offer.enabled || codings(&offer.codings).next().is_none() {
        return Err(SkipReason::Disabled);
    }
    let hint = |value: &[u8]| value.eq_ignore_ascii_case(b"off");
    if list::members(response.headers, &COMPRESS_HINT).any(hint) {
        return Err(SkipReason::Hint);
    }
    // RFC 9110, 7.7: a proxy "MUST NOT transform the content" of such a message.
    if CacheControl::parse(response.headers, &CACHE_CONTROL).no_transform {
        return Err(SkipReason::NoTransform);
    }
    match MediaType::of(response.headers) {
        Some(media_type) if media_type.is_grpc() => Err(SkipReason::Grpc),
        Some(media_type) if offer.types.contains(&media_type) => Ok(()),
        _ => Err(SkipReason::TypeNotListed),
    }
}

/// RFC 9110, 12.5.3: the highest non-zero weight is preferred. Ties go to our order.
pub(super) fn preferred(accept: &AcceptEncoding, offered: &[Coding]) -> Result<Coding, SkipReason> {
    match preference(accept, offered) {
        Preference::Coded(weight) => first_of(accept, codings(offered), weight).ok_or(SkipReason::NoAccept),
        Preference::Identity => Err(SkipReason::IdentityPreferred),
        Preference::Nothing => Err(SkipReason::NoAccept),
    }
}

/// A length that is not known counts as large. A client that refuses identity has every size coded.
fn large_enough(response: &ResponseFacts<'_>, offer: &Offer, accept: &AcceptEncoding) -> Result<(), SkipReason> {
    let small = response.length.is_some_and(|length| length < offer.min_size);
    if small && accept.accepts(Coding::Identity) {
        return Err(SkipReason::TooSmall);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
