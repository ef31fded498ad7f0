//! The head as the client gets it, from the app or from the store: the operator's rules, and what vacpack says of itself.

use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::header::{
    AGE, CONTENT_LENGTH, DATE, ETAG, HeaderName, HeaderValue, RETRY_AFTER, SET_COOKIE, TRANSFER_ENCODING, VIA,
};
use http::{Method, StatusCode, Version};
use pingora::cache::CachePhase;
use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use super::Proxy;
use super::context::{Answer, Context};
use super::edit::apply_to;
use super::failure::Failure;
use super::outlet::{Next, Outlet};
use super::{forward, overload};
use crate::cdn;
use crate::header::{CacheStatus, Forward, Vary, cache_status::CACHE_STATUS};
use crate::metrics::Phase;
use crate::policy::SetCookie;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

impl Proxy {
    /// The last look at a head before it goes out.
    pub(super) fn finish_head(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        if response.status.is_informational() {
            return Ok(());
        }
        context.answer.first_byte.get_or_insert_with(Instant::now);
        settle_condition(response, &context.answer)?;
        tell_age(session, response)?;
        let Some(request) = &context.request else {
            return Ok(());
        };
        if context.answer.fill.is_some() && request.route.cache.set_cookie == SetCookie::Strip {
            response.remove_header(&SET_COOKIE);
        }
        let edits = cdn::response_edits(
            &request.route.headers,
            &session.req_header().headers,
            &response.headers,
            response.status,
        );
        apply_to(&edits, response)?;
        apply_to(request.route.normalise.vary(&Vary::parse(&response.headers)), response)?;
        Outlet::expect_head(session.as_downstream().stream(), response.headers.get(DATE));
        response.append_header(VIA, via(context))?;
        if context.rules.status_header {
            response.append_header(CACHE_STATUS, status_of(session, context).to_header())?;
        }
        if context.rules.server_timing {
            response.append_header(SERVER_TIMING, server_timing(session, context))?;
        }
        if session.req_header().version < Version::HTTP_11 {
            frame_for_http10(session, response);
        }
        if self.parts.lifecycle.is_draining() {
            // RFC 9112, section 9.6. A drain may have begun since the request came.
            session.set_keepalive(None);
        }
        if context.failure.is_some() {
            // Stale in place of the app's failure: after a failure the platform closes the connection, whatever it had
            // said. RFC 9112, section 9.6: say so, or the client's next request is lost.
            session.set_keepalive(None);
        }
        Ok(())
    }

    /// Answers a request that failed, if there is anybody to answer. The status, for the log.
    pub(super) async fn answer_failure(&self, session: &mut Session, failure: Failure) -> u16 {
        let Some(status) = failure.status() else {
            return 0;
        };
        if session.response_written().is_none() {
            Outlet::expect_head(session.as_downstream().stream(), None);
            match failure_head(status, failure) {
                Ok(head) => {
                    // RFC 9110, section 9.3.2: none to HEAD. HTTP/2 would break the stream off.
                    let told = if session.req_header().method == Method::HEAD { "" } else { failure.explanation() };
                    let body = Bytes::from_static(told.as_bytes());
                    if let Err(error) = session.write_error_response(head, body).await {
                        tracing::debug!(%error, "the client left before it heard of a failure");
                    }
                }
                Err(error) => tracing::error!(%error, "building the answer to a failed request"),
            }
        }
        status.as_u16()
    }
}

/// A piece of body is about to be written, and if it is the last then the end of it: they go together.
pub(super) fn announce(session: &Session, body: Option<&Bytes>, end: bool) {
    // The platform writes neither an empty piece nor, whatever there is, a body in answer to HEAD.
    if body.is_none_or(Bytes::is_empty) || session.req_header().method == Method::HEAD {
        return;
    }
    Outlet::expect(session.as_downstream().stream(), if end { Next::End } else { Next::Body });
}

/// The head of the answer to a request that failed.
pub(super) fn failure_head(status: StatusCode, failure: Failure) -> pingora::Result<ResponseHeader> {
    let body = failure.explanation();
    let mut head = ResponseHeader::build(status, Some(5))?;
    head.insert_header(http::header::CONTENT_TYPE, "text/plain; charset=utf-8")?;
    head.insert_header(CONTENT_LENGTH, body.len())?;
    head.insert_header(http::header::CACHE_CONTROL, "no-store")?;
    head.insert_header(CACHE_STATUS, CacheStatus::fwd(Forward::Bypass).detail(failure.detail()).to_header())?;
    if matches!(failure, Failure::Shed(_)) {
        head.insert_header(RETRY_AFTER, overload::RETRY_AFTER)?;
    }
    Ok(head)
}

/// RFC 9110, section 7.6.3: the protocol in which the app answered, whenever that was.
fn via(context: &Context) -> HeaderValue {
    let version = context.app.head.as_ref().map_or(Version::HTTP_11, |app| app.version);
    HeaderValue::from_static(forward::via(version))
}

/// What the platform made a plain 304 of: ours names the client's own copy, or is a 412.
fn settle_condition(response: &mut ResponseHeader, answer: &Answer) -> pingora::Result<()> {
    if response.status != StatusCode::NOT_MODIFIED {
        return Ok(());
    }
    if answer.precondition_failed {
        response.set_status(StatusCode::PRECONDITION_FAILED)?;
        response.insert_header(CONTENT_LENGTH, 0)?;
        response.remove_header(&TRANSFER_ENCODING);
        return Ok(());
    }
    match &answer.held {
        Some(tag) => response.insert_header(ETAG, tag.to_header()),
        None => Ok(()),
    }
}

/// RFC 9111, section 5.1: how long ago the app made or confirmed what is stored. The platform tells it of a hit only, not of
/// what the app has just confirmed.
fn tell_age(session: &Session, response: &mut ResponseHeader) -> pingora::Result<()> {
    let confirmed = matches!(session.cache.phase(), CachePhase::Revalidated | CachePhase::RevalidatedNoCache(_));
    if !confirmed || response.headers.contains_key(AGE) {
        return Ok(());
    }
    match session.cache.maybe_cache_meta() {
        Some(stored) => response.insert_header(AGE, stored.age().as_secs()),
        None => Ok(()),
    }
}

/// HTTP/1.0 knows no chunks (RFC 9112, section 7): without a length the end of the connection ends the body.
fn frame_for_http10(session: &mut Session, response: &mut ResponseHeader) {
    if response.remove_header(&TRANSFER_ENCODING).is_some() || !response.headers.contains_key(CONTENT_LENGTH) {
        response.remove_header(&TRANSFER_ENCODING);
        session.set_keepalive(None);
    }
}

/// RFC 9211.
fn status_of(session: &Session, context: &Context) -> CacheStatus {
    let answer = &context.answer;
    let served = matches!(session.cache.phase(), CachePhase::Hit | CachePhase::Stale | CachePhase::StaleUpdating);
    if served {
        return hit(session, context);
    }
    let forward = match answer.predicted {
        true => Forward::Bypass,
        false => answer.forward.unwrap_or(Forward::Bypass),
    };
    let mut status = CacheStatus::fwd(forward);
    if let Some(app) = &context.app.head {
        status = status.fwd_status(app.status);
    }
    if let Some(fill) = &answer.fill {
        status = status.stored().ttl(seconds_left(fill.freshness.fresh_until(fill.now)));
    }
    if session.cache.lock_duration().is_some() {
        // It waited for another one's fetch, and had to go itself.
        status = status.collapsed(false);
    }
    match answer.not_stored {
        Some(reason) => status.detail(reason.label()),
        None => status,
    }
}

fn hit(session: &Session, context: &Context) -> CacheStatus {
    let mut status = match &context.answer.joined {
        // RFC 9211, section 2.6: not in the cache yet, and asked of the app once for all of them.
        Some(joined) => {
            let forward = context.answer.forward.unwrap_or(Forward::UriMiss);
            CacheStatus::fwd(forward).fwd_status(joined.plan.status).collapsed(true)
        }
        None => CacheStatus::hit(),
    };
    if let Some(meta) = session.cache.maybe_cache_meta() {
        status = status.ttl(seconds_left(meta.fresh_until()));
    }
    match &context.answer.found {
        Some(found) if found.derived => status.detail("derived"),
        _ => status,
    }
}

/// Negative once it is stale (RFC 9211, section 2.4).
fn seconds_left(until: SystemTime) -> i64 {
    let now = SystemTime::now();
    let seconds = |span: std::time::Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    match until.duration_since(now) {
        Ok(left) => seconds(left),
        Err(over) => -seconds(over.duration()),
    }
}

/// Server Timing (W3C): where the time until the head went, in milliseconds.
fn server_timing(session: &Session, context: &Context) -> HeaderValue {
    let milliseconds = |span: std::time::Duration| span.as_secs_f64() * 1_000.0;
    let mut text = String::new();
    if let Some(lookup) = session.cache.lookup_duration() {
        text = format!("cache;dur={:.3}", milliseconds(lookup));
    }
    if let Some(wait) = context.phases.of(Phase::UpstreamWait) {
        let comma = if text.is_empty() { "" } else { ", " };
        text = format!("{text}{comma}upstream;dur={:.3}", milliseconds(wait));
    }
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
