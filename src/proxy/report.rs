//! The end of a request: what is known of it, as one record.

use std::time::{Duration, Instant};

use http::Version;
use pingora::cache::{CachePhase, NoCacheReason};
use pingora::proxy::Session;

use super::Proxy;
use super::context::Context;
use super::encoding::Encoding;
use super::failure::Failure;
use crate::cache::{Alone, FillOutcome, Refusal};
use crate::metrics::{BodyCoding, Cause, Encoded, ErrorType, Exchange, Mode, Phase, Sharing, Storing};
use crate::policy::{CacheOutcome, NotStored};

impl Proxy {
    /// Counts and logs one request.
    pub(super) fn report(&self, session: &mut Session, context: &mut Context) {
        let ended = context.left.unwrap_or_else(Instant::now);
        let encoding = session.upstream_modules_ctx.get::<Encoding>();
        let upstream_bytes = encoding.map_or(0, Encoding::received);
        let encoded = encoding.and_then(Encoding::encoded);
        let transcoded = encoding.and_then(Encoding::transcoded);
        let Some(request) = &context.request else {
            return;
        };
        let head = session.req_header();
        let field = |name: &str| head.headers.get(name).map(|value| value.as_bytes());
        let exchange = Exchange {
            cause: if session.subrequest_ctx.is_some() { Cause::Refresh } else { Cause::Client },
            route: &context.rules.meters[request.route_index],
            method: &head.method,
            path: head.uri.path(),
            host: &request.host,
            // That of a request whose answer was stale has been made repeatable.
            version: if session.is_http2() { Version::HTTP_2 } else { head.version },
            client: request.client.address,
            user_agent: request.user_agent.as_ref().map(|value| value.as_bytes()),
            request_id: field("x-request-id"),
            traceparent: field("traceparent"),
            status: context.answer.instead.or_else(|| session.response_written().map(|written| written.status)),
            cache: outcome(session.cache.phase(), context),
            storing: storing(context),
            sharing: sharing(session, context),
            body: body(context, encoded),
            transcoded,
            upstream_bytes,
            client_bytes: session.body_bytes_sent() as u64,
            upstream: context.app.reused,
            error: context.failure.map(error_type),
            started: context.received,
            duration: ended - context.started,
            first_byte: context.answer.first_byte.map(|first| first - context.started),
            phases: context.phases.clone(),
        };
        exchange.record(&self.parts.metrics, &self.parts.access_log, &context.rules.access_rules);
    }

    /// The app's part has ended; the client's may go on.
    pub(super) fn close_phases(&self, session: &Session, context: &mut Context) {
        if let Some(lookup) = session.cache.lookup_duration() {
            context.phases.add(Phase::CacheLookup, lookup);
        }
        if let Some(wait) = session.cache.lock_duration() {
            context.phases.add(Phase::LockWait, wait);
        }
        if let Some(answered) = context.app.answered {
            context.phases.add(Phase::UpstreamBody, answered.elapsed());
        }
        let busy = session.upstream_modules_ctx.get::<Encoding>().map_or(Duration::ZERO, Encoding::busy);
        if !busy.is_zero() {
            context.phases.add(Phase::Compress, busy);
        }
    }
}

fn outcome(phase: CachePhase, context: &Context) -> CacheOutcome {
    match phase {
        CachePhase::Hit if context.answer.served_stale => CacheOutcome::Stale,
        CachePhase::Hit => CacheOutcome::Hit,
        CachePhase::StaleUpdating => CacheOutcome::Updating,
        CachePhase::Stale => CacheOutcome::Stale,
        CachePhase::Expired => CacheOutcome::Expired,
        CachePhase::Revalidated | CachePhase::RevalidatedNoCache(_) => CacheOutcome::Revalidated,
        CachePhase::Disabled(NoCacheReason::NeverEnabled) | CachePhase::Bypass => CacheOutcome::Bypass,
        _ if context.answer.predicted => CacheOutcome::Bypass,
        CachePhase::Disabled(_) if context.answer.found.is_some() => CacheOutcome::Expired,
        CachePhase::Disabled(_) | CachePhase::Miss | CachePhase::Uninit | CachePhase::CacheKey => CacheOutcome::Miss,
    }
}

/// What came of it that another request was fetching the same.
fn sharing(session: &Session, context: &Context) -> Option<Sharing> {
    if context.answer.joined.is_some() {
        return Some(Sharing::Joined);
    }
    let view = context.request.as_ref()?.view.as_ref()?;
    match (view.sharing.alone(), session.cache.phase()) {
        (_, CachePhase::Hit) if view.sharing.waited() => Some(Sharing::Waited),
        (_, CachePhase::Hit) => session.cache.lock_duration().map(|_| Sharing::Waited),
        (Some(Alone::Crowded), _) => Some(Sharing::Crowded),
        (Some(Alone::Late), _) | (_, CachePhase::Disabled(NoCacheReason::CacheLockTimeout)) => Some(Sharing::Late),
        _ => session.cache.lock_duration().map(|_| Sharing::Alone),
    }
}

fn storing(context: &Context) -> Storing {
    if let Some(reason) = context.answer.not_stored {
        return Storing::Refused(reason);
    }
    let Some(fill) = &context.answer.fill else {
        return Storing::Undecided;
    };
    match fill.outcome.get() {
        Some(FillOutcome::Stored { .. }) => Storing::Stored(fill.freshness.source),
        Some(FillOutcome::Refused(reason)) => Storing::Refused(match reason {
            Refusal::TooLarge => NotStored::TooLarge,
            Refusal::OverBudget => NotStored::OverBudget,
            Refusal::Purged => NotStored::Purged,
            Refusal::TooManyVariants => NotStored::TooManyVariants,
            Refusal::Aborted | Refusal::NoPlan => NotStored::Truncated,
        }),
        None => Storing::Refused(NotStored::Truncated),
    }
}

fn body(context: &Context, encoded: Option<super::encoding::Encoded>) -> BodyCoding {
    if let Some(encoded) = encoded {
        let super::encoding::Encoded { coding, input, output, busy } = encoded;
        return BodyCoding::Encoded(Encoded { coding, mode: Mode::Live, input, output, busy });
    }
    if let Some(reason) = context.answer.skipped {
        return BodyCoding::Skipped(reason);
    }
    match (&context.answer.found, &context.answer.joined) {
        (Some(found), _) => BodyCoding::Stored { coding: found.coding, identity: found.variant.identity_length },
        (None, Some(joined)) => {
            let identity = joined.plan.body.identity_length.get().copied();
            BodyCoding::Stored { coding: joined.plan.coding, identity }
        }
        (None, None) => BodyCoding::None,
    }
}

fn error_type(failure: Failure) -> ErrorType {
    match failure {
        Failure::ClientGone => ErrorType::Client,
        Failure::Refused(_) => ErrorType::Request,
        Failure::Shed(reason) => ErrorType::Shed(reason),
        Failure::Upstream(reason) => ErrorType::Upstream(reason),
        Failure::Internal => ErrorType::Internal,
    }
}
