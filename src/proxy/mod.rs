//! The only `ProxyHttp`: a table of the platform's phases, each of which calls one sibling.
//!
//! ```text
//! request   early_request_filter    intake, forward      who asks, for what, is it well-formed
//!           request_filter          purge                the method PURGE
//!           request_cache_filter    caching              key; on or off; alone or with others
//!           cache_hit_filter        caching              may what is stored answer?
//! to app    upstream_peer           overload             is there a place for it?
//!           upstream_request_filter outbound             identity, the app's own validators, who the client is
//!                                   delivery             the client may leave, if others may wait for the same
//! from app  adjust_upstream_modules inbound              what happens to the body
//!           (module)                encoding             it happens
//!           upstream_response_filter inbound, caching    what is one connection's goes; invalidation
//!           response_cache_filter   caching              may it be stored?
//! response  response_filter         caching, respond     invalidation; the operator's rules, Cache-Status
//!                                   delivery             a client whose request fills the cache is not in its way
//!           fail_to_proxy           failure, respond
//!           logging                 delivery, report     the client has it all; one record
//!                                   broken               or it has not, and sees that
//! ```

mod announced;
mod arrival;
mod batch;
mod begun;
mod broken;
mod caching;
mod confirm;
mod connection;
mod context;
mod delivery;
mod door;
mod edit;
mod effort;
mod encoding;
mod entrance;
mod explain;
mod failure;
mod forward;
mod hops;
mod http1;
mod http2;
mod identity;
mod inbound;
mod inlet;
mod intake;
mod judgement;
mod outbound;
mod outlet;
mod overload;
mod part;
mod predictor;
mod purge;
mod refresh;
mod report;
mod request;
mod respond;
mod route;
mod ruleset;
mod tally;
mod trace;
mod turn;
mod unchunked;
mod work;
mod wrapped;

pub use announced::Announcers;
pub use connection::{ConnectionLimits, Connections};
pub use explain::{Scene, Supposed};
pub use forward::TrustedProxies;
pub use intake::RequestLimits;
pub use predictor::Memorable;
pub use route::{Matcher, RequestHeaderRules, Route, Routes};
pub use ruleset::Ruleset;
pub use trace::{TraceRules, Traceparent};
pub use turn::Turns;

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use http::Version;
use http::header::CONTENT_LENGTH;
use pingora::cache::key::CacheKey;
use pingora::cache::lock::CacheKeyLockImpl;
use pingora::cache::storage::HitHandler;
use pingora::cache::{CacheMeta, ForcedFreshness, RespCacheable};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::protocols::Digest;
use pingora::proxy::{FailToProxy, ProxyHttp, RangeType, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType, Result};

use crate::admin::Lifecycle;
use crate::cache::Memory;
use crate::encode::{Budget, Pressure};
use crate::metrics::{AccessLog, AfterFailure, Limit, Metrics, Phase, Reused, UpstreamError};
use crate::upstream::{Deadline, Passed, Places, Protocol, Purpose, Upstream};

use arrival::HeadArrival;
use connection::keepalive;
use context::Context;
use delivery::{Delivery, Undelivered};
use encoding::EncodingBuilder;
use failure::Failure;
use forward::Client;
use request::Request;
use tally::Tally;
use unchunked::UnchunkedBuilder;

/// Everything the proxy works with, built by `app`.
pub struct Parts {
    /// What the operator can change meanwhile; each request takes it once.
    pub rules: ArcSwap<Ruleset>,
    /// Chosen at start: it knows how the app fares.
    pub upstream: Upstream,
    /// The places that the app has for requests.
    pub places: Arc<Places>,
    pub memory: &'static Memory,
    /// The memory of all encoders.
    pub encoders: Arc<Budget>,
    /// How short the CPU is.
    pub pressure: Arc<Pressure>,
    /// Long turns of encoders.
    pub turns: Arc<Turns>,
    pub predictor: &'static Memorable,
    pub lock: &'static CacheKeyLockImpl,
    pub metrics: Arc<Metrics>,
    pub access_log: Arc<AccessLog>,
    pub lifecycle: Arc<Lifecycle>,
}

/// vacpack's proxy.
pub struct Proxy {
    parts: Arc<Parts>,
}

impl Proxy {
    pub fn new(parts: Arc<Parts>) -> Self {
        Self { parts }
    }

    /// Timers of the connection, which the platform leaves at "for ever" once a head was read.
    fn set_timers(&self, session: &mut Session, rules: &Ruleset) {
        let limits = &rules.limits;
        session.set_read_timeout(Some(limits.body_timeout));
        session.set_write_timeout(Some(limits.write_timeout));
        session.set_total_drain_timeout(Some(limits.body_timeout));
        // None: the client, or its protocol, wants the connection closed already.
        if session.get_keepalive().is_some() {
            let draining = self.parts.lifecycle.is_draining();
            session.set_keepalive(if draining { None } else { keepalive(rules.connection.idle_timeout) });
        }
    }
}

/// Who asks, and what; in words that everybody below reads.
fn admit(session: &mut Session, rules: &Ruleset) -> Result<Request> {
    let peer = session.client_addr().and_then(|address| address.as_inet()).map(|address| address.ip());
    let secured = session.digest().is_some_and(|digest| digest.ssl_digest.is_some());
    let is_clients = session.subrequest_ctx.is_none();
    let head = session.req_header_mut();
    hops::translate(head, peer, &rules.trusted_proxies)?;
    if is_clients {
        trace::name(head, rules.trace, trace::random)?;
    }
    let client = Client::of(peer, secured, &head.headers, &rules.trusted_proxies);
    Ok(Request::of(head, client, &rules.routes))
}

/// An error of the client's making, with the status that says so.
fn refused(status: u16) -> Box<Error> {
    let mut error = Error::new(ErrorType::HTTPStatus(status));
    error.esource = ErrorSource::Downstream;
    error
}

/// The end of a connection to the app that one of our own timers made.
fn out_of_time(passed: Passed, context: &mut Context) -> Box<Error> {
    context.limit = Some(match passed {
        Passed::FirstByte => Limit::UpstreamFirstByte,
        Passed::Total => Limit::UpstreamTotal,
    });
    Error::explain(ErrorType::ReadTimedout, "the app took longer than upstream allows").into_up()
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        Context::new(self.parts.rules.load_full())
    }

    /// Not the platform's own compressor: it does not end its brotli streams and does not flush.
    fn init_downstream_modules(&self, modules: &mut HttpModules) {
        if self.parts.upstream.config().protocol != Protocol::Http1 {
            modules.add_module(Box::new(UnchunkedBuilder));
        }
    }

    fn init_upstream_modules(&self, modules: &mut HttpModules) {
        modules.add_module(Box::new(EncodingBuilder { turns: self.parts.turns.clone() }));
    }

    /// The platform hands over what the connection attached to the request, once its head has arrived.
    fn on_connection_reuse(
        &self,
        _session: &mut Session,
        _context: &mut Context,
        attached: Box<dyn Any + Send + Sync>,
    ) {
        if let Some(head) = attached.downcast_ref::<HeadArrival>() {
            head.tell();
        }
    }

    async fn early_request_filter(&self, session: &mut Session, context: &mut Context) -> Result<()> {
        match session.subrequest_ctx {
            None => {
                context.in_flight = Some(self.parts.metrics.request_in_flight());
                context.tally = Tally::of(session).cloned();
            }
            Some(_) => refresh::make_common(session.req_header_mut()),
        }
        self.set_timers(session, &context.rules);
        // RFC 9110, section 15.2: HTTP/1.0 knows no interim responses.
        let http10 = session.req_header().version < Version::HTTP_11;
        session.set_ignore_info_resp(http10);
        intake::drop_nominated(session.req_header_mut());
        if session.as_downstream().get_keepalive_reuses_remaining() == Some(0) {
            self.parts.metrics.limit_met(Limit::ConnectionRequests);
        }
        let request = context.request.insert(admit(session, &context.rules)?);
        if let Some(refusal) = intake::refuse(session.req_header(), &context.rules.limits) {
            context.limit = refusal.limit();
            return Err(refused(refusal.status()));
        }
        request.normalise(session.req_header_mut())
    }

    async fn request_filter(&self, session: &mut Session, context: &mut Context) -> Result<bool> {
        self.purge_by_method(session, context).await
    }

    async fn request_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        _end: bool,
        context: &mut Context,
    ) -> Result<()> {
        context.content += body.as_ref().map_or(0, |piece| piece.len() as u64);
        if let Some(deadline) = &context.app.deadline {
            deadline.asked();
        }
        let Some(limit) = self.exceeded(context) else {
            return Ok(());
        };
        context.limit = Some(limit);
        Err(refused(if limit == Limit::BodySize { 413 } else { 408 }))
    }

    fn request_cache_filter(&self, session: &mut Session, context: &mut Context) -> Result<()> {
        self.enable_cache(session, context);
        Ok(())
    }

    fn cache_key_callback(&self, _session: &Session, context: &mut Context) -> Result<CacheKey> {
        self.cache_key(context)
    }

    fn cache_miss(&self, session: &mut Session, context: &mut Context) {
        self.name_the_miss(context);
        session.cache.cache_miss();
    }

    async fn cache_hit_filter(
        &self,
        session: &mut Session,
        meta: &CacheMeta,
        _hit: &mut HitHandler,
        is_fresh: bool,
        context: &mut Context,
    ) -> Result<Option<ForcedFreshness>> {
        Ok(self.judge_hit(session, meta, is_fresh, context))
    }

    async fn proxy_upstream_filter(&self, session: &mut Session, context: &mut Context) -> Result<bool> {
        context.answer.predicted = session.cache.bypassing();
        context.app.purge_epoch = self.parts.memory.purge_epoch();
        let wants_stored = |request: &Request| request.view.is_some() && request.directives.only_if_cached;
        if context.request.as_ref().is_some_and(wants_stored) {
            // RFC 9111, section 5.2.1.7.
            return Err(refused(504));
        }
        self.leave_cache(session, context);
        Ok(true)
    }

    async fn upstream_peer(&self, session: &mut Session, context: &mut Context) -> Result<Box<HttpPeer>> {
        // Another try begins as the first did.
        self.delivered(session, false, context).await;
        context.app.tries += 1;
        self.enter(session, context).await?;
        let address = self.choose(session, context)?;
        context.app.connecting = Some(Instant::now());
        let asks_for = |what: fn(&Request) -> bool| context.request.as_ref().is_some_and(what);
        let purpose = match context.app.tries {
            _ if asks_for(|request| request.websocket) => Purpose::WebSocket,
            1 => Purpose::Request,
            _ if context.app.downgraded => Purpose::Downgraded,
            _ => Purpose::Retry,
        };
        let peer = self.parts.upstream.peer(&address, purpose)?;
        Ok(match purpose {
            Purpose::WebSocket => peer,
            _ if asks_for(|request| request.grpc) => self.parts.upstream.lasting(peer),
            _ if session.is_body_empty() => peer,
            _ => self.parts.upstream.taking_content(peer, intake::content_length(&session.req_header().headers)),
        })
    }

    async fn connected_to_upstream(
        &self,
        _session: &mut Session,
        reused: bool,
        _peer: &HttpPeer,
        socket: std::os::fd::RawFd,
        _digest: Option<&Digest>,
        context: &mut Context,
    ) -> Result<()> {
        let now = Instant::now();
        if let Some(connecting) = context.app.connecting {
            context.phases.add(Phase::UpstreamConnect, now - connecting);
        }
        context.app.asked = Some(now);
        context.app.reused = Some(if reused { Reused::Yes } else { Reused::No });
        if let Some(place) = context.app.place.as_mut().filter(|_| reused) {
            place.has_met_the_app();
        }
        context.app.socket = socket;
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        outbound: &mut RequestHeader,
        context: &mut Context,
    ) -> Result<()> {
        self.watch(outbound.version, context);
        outbound::prepare(session, outbound, context)?;
        if context.app.over_http2 {
            outbound::settle_for_http2(session, outbound, context.app.tries).await?;
        }
        self.await_head(session, context);
        Ok(())
    }

    async fn adjust_upstream_modules(
        &self,
        session: &mut Session,
        response: &ResponseHeader,
        end: bool,
        context: &mut Context,
    ) -> Result<()> {
        self.plan_body(session, response, end, context)
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut Context,
    ) -> Result<()> {
        self.clean_head(session, response, context)?;
        self.note_length(response, context);
        self.freshen_by_head(session, context);
        // Before the client hears of its success: what it asks for next must not be what it just changed.
        self.invalidate(session, context);
        Ok(())
    }

    /// The end of a connection that a deadline ended may look like the end of the body.
    fn upstream_response_body_filter(
        &self,
        _session: &mut Session,
        _body: &mut Option<Bytes>,
        end: bool,
        context: &mut Context,
    ) -> Result<Option<Duration>> {
        if let Some(passed) = context.app.deadline.as_ref().and_then(Deadline::passed) {
            return Err(out_of_time(passed, context));
        }
        if end {
            // What the client takes for it from here on is its own time.
            context.app.deadline = None;
        }
        Ok(None)
    }

    fn response_cache_filter(
        &self,
        session: &Session,
        response: &ResponseHeader,
        context: &mut Context,
    ) -> Result<RespCacheable> {
        self.admit_to_cache(session, response, context)
    }

    fn cache_not_modified_filter(
        &self,
        session: &Session,
        response: &ResponseHeader,
        context: &mut Context,
    ) -> Result<bool> {
        Ok(self.not_modified(session, response, context))
    }

    fn range_header_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        _context: &mut Context,
    ) -> RangeType {
        /// More parts than this in one request are nobody's download.
        const MOST_RANGES: usize = 16;
        if !self.range_applies(session, response) {
            return RangeType::None;
        }
        match caching::range_for_the_platform(session.req_header()) {
            Some(asked) => pingora::proxy::range_header_filter(&asked, response, Some(MOST_RANGES)),
            None => pingora::proxy::range_header_filter(session.req_header(), response, Some(MOST_RANGES)),
        }
    }

    /// Whether stale use is permitted was decided when the response was stored, and at the hit; only failures of the app
    /// are a reason for it, not ours or the client's.
    fn should_serve_stale(&self, session: &mut Session, context: &mut Context, error: Option<&Error>) -> bool {
        match error {
            // While it is refreshed: by a request like this one.
            None => refresh::make_repeatable(session.req_header_mut()).is_ok(),
            Some(error) if *error.esource() == ErrorSource::Upstream => {
                context.failure = Some(Failure::of(error));
                self.count_limit(error, context);
                context.app.deadline = None;
                true
            }
            Some(_) => false,
        }
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut Context,
    ) -> Result<()> {
        self.delivered(session, false, context).await;
        // Before the client hears that its write was done: the next thing it does is to read.
        self.invalidate(session, context);
        self.finish_head(session, response, context)?;
        if context.app.over_http2 && session.subrequest_ctx.is_some() {
            // A refresh has no client to tell it, and over HTTP/2 the end may come apart from the last byte: the platform
            // would not wait for it, and the refresh not be stored.
            response.remove_header(&CONTENT_LENGTH);
        }
        self.deliver(session, response, context);
        Ok(())
    }

    fn response_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        _context: &mut Context,
    ) -> Result<Option<Duration>> {
        respond::announce(session, body.as_ref(), end);
        Ok(None)
    }

    /// Nothing was sent yet, so any request may try again.
    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        context: &mut Context,
        mut error: Box<Error>,
    ) -> Box<Error> {
        let again = self.may_try_again(context);
        error.set_retry(again);
        self.count_failure(&error, again);
        self.note_failure(&error, again, context);
        error
    }

    /// RFC 9110, section 9.2.2: only what is idempotent, and only on a connection that the app had closed while idle.
    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        context: &mut Context,
        reused: bool,
    ) -> Box<Error> {
        if let Some(passed) = context.app.deadline.as_ref().and_then(Deadline::passed) {
            error = out_of_time(passed, context);
        }
        let stale_connection = reused
            && Failure::of(&error) == Failure::Upstream(UpstreamError::Closed)
            && session.req_header().method.is_idempotent();
        let repeatable = context.app.answered.is_none()
            && !session.as_ref().retry_buffer_truncated()
            && session.response_written().is_none();
        context.app.downgraded = *error.etype() == ErrorType::H2Downgrade;
        let not_begun = stale_connection || failure::is_unprocessed(&error);
        error.set_retry(not_begun && repeatable && self.may_try_again(context));
        if *error.esource() == ErrorSource::Upstream {
            let again = error.retry();
            self.count_failure(&error, again);
            let tells = match Failure::of(&error) {
                Failure::Upstream(UpstreamError::Closed) => !reused,
                // Over HTTP/2 an app may hang for ever on the one connection that it has.
                Failure::Upstream(UpstreamError::Timeout) => !reused || context.app.over_http2,
                _ => false,
            };
            if tells && context.app.answered.is_none() {
                self.note_failure(&error, again, context);
            }
        }
        error
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, context: &mut Context) -> FailToProxy {
        let failure = Failure::of(error);
        context.failure = Some(failure);
        if session.response_written().is_none() {
            // There is an answer to send yet, on the connection itself.
            self.delivered(session, true, context).await;
        }
        if failure == Failure::Internal {
            tracing::error!(%error, "a request failed by our own fault");
        }
        let error_code = self.answer_failure(session, failure).await;
        FailToProxy { error_code, can_reuse_downstream: false }
    }

    fn suppress_error_log(&self, _session: &Session, _context: &Context, _error: &Error) -> bool {
        // It is in the access log and the metrics already.
        true
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, context: &mut Context) {
        if let Some(error) = error {
            context.failure.get_or_insert(Failure::of(error));
            self.count_limit(error, context);
        }
        self.close_phases(session, context);
        // Whatever the client still has to read: the app is done with it.
        context.app.place = None;
        let whole = self.delivered(session, error.is_some(), context).await && error.is_none();
        if let Some(failure) = context.failure.filter(|_| !whole) {
            context.answer.instead = broken::end(session, failure).await;
        }
        self.note_refresh(session, context);
        if let Some(tally) = &context.tally {
            let left = context.left.is_some() || context.failure == Some(Failure::ClientGone);
            tally.end(left && session.response_written().is_none());
        }
        self.report(session, context);
    }
}

impl Proxy {
    /// Looks at the connection to the app, where it is this exchange's alone, and sets the timers of the exchange. The
    /// platform shows which HTTP it speaks only by the request.
    fn watch(&self, version: Version, context: &mut Context) {
        let app = &mut context.app;
        app.over_http2 = version == Version::HTTP_2;
        let own = (!app.over_http2).then_some(app.socket);
        let websocket = context.request.as_ref().is_some_and(|request| request.websocket);
        app.wire = own.and_then(|socket| self.parts.upstream.wire(socket));
        app.deadline = if websocket { None } else { self.parts.upstream.deadline(own) };
    }

    /// The limit that the content so far has met.
    fn exceeded(&self, context: &mut Context) -> Option<Limit> {
        let limits = &context.rules.limits;
        let request = context.request.as_ref().filter(|request| !request.websocket)?;
        if context.content > limits.max_body {
            return Some(Limit::BodySize);
        }
        let elapsed = context.content_since.get_or_insert_with(Instant::now).elapsed();
        let slow = !request.grpc && intake::is_too_slow(context.content, elapsed, limits);
        slow.then_some(Limit::BodyRate)
    }

    /// Counts the limit that ended the request, if one did.
    fn count_limit(&self, error: &Error, context: &mut Context) {
        let limit = context.limit.take().or_else(|| failure::limit_of(error, context.app.answered.is_some()));
        if let Some(limit) = limit {
            self.parts.metrics.limit_met(limit);
        }
    }

    fn may_try_again(&self, context: &Context) -> bool {
        context.app.tries <= self.parts.upstream.config().max_retries
    }

    /// Others may wait for this answer: it is fetched although the client leaves. Or the app has its time.
    fn await_head(&self, session: &mut Session, context: &mut Context) {
        let for_others = session.cache.enabled() && session.cache.is_cache_lock_writer();
        let has_client = session.subrequest_ctx.is_none() && !session.is_upgrade_req();
        context.no_content |= session.is_body_empty();
        let (memory, time) = (self.parts.memory, context.app.time());
        if for_others && has_client && context.no_content {
            context.delivery = Some(Delivery::await_head(session, memory, self.parts.places.clone(), time));
        } else if let Some(time) = time {
            context.delivery = Some(Delivery::within(session, time, memory));
        }
    }

    /// From here on the client's connection is served beside the fill, where there is one; or within the app's time.
    fn deliver(&self, session: &mut Session, response: &ResponseHeader, context: &mut Context) {
        let fill = context.answer.fill.as_ref().filter(|fill| fill.outcome.get().is_none());
        let (memory, time) = (self.parts.memory, context.app.time());
        let has_client = session.subrequest_ctx.is_none() && context.delivery.is_none();
        let is_last = !response.status.is_informational() && !session.is_upgrade_req();
        let is_asked = has_client && is_last && (context.no_content || session.is_body_done());
        if let Some(fill) = fill.filter(|_| is_asked) {
            context.delivery = Some(Delivery::begin(session, fill.clone(), memory, time));
        } else if let Some(time) = time {
            context.delivery = Some(Delivery::within(session, time, memory));
        }
    }

    /// Waits until the client's connection is back. Has the client got what there was?
    async fn delivered(&self, session: &mut Session, failed: bool, context: &mut Context) -> bool {
        let Some(delivery) = context.delivery.take() else {
            return true;
        };
        let Err(Undelivered { error, at }) = delivery.end(session, failed).await else {
            return true;
        };
        self.count_limit(&error, context);
        context.failure.get_or_insert(Failure::of(&error));
        context.left = Some(at);
        false
    }

    fn count_failure(&self, error: &Error, again: bool) {
        let Failure::Upstream(reason) = Failure::of(error) else {
            return;
        };
        let then = if again { AfterFailure::Retry } else { AfterFailure::GiveUp };
        self.parts.metrics.upstream.failed(reason, then, error);
    }
}
