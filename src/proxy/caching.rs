//! Between the platform's cache state machine and the pure rules: facts in, its vocabulary out.
//!
//! Every decision is `policy`'s or `negotiate`'s; the bytes are `cache`'s. What is here is the translation, and the way
//! round two traps of a fill that its first client takes part in: a `HEAD` that misses would end it with its own, short,
//! answer, so it goes to the app as it is; and a condition that a *miss* would meet is not applied, so that the fill is
//! whole.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, DATE, ETAG, RANGE, TRANSFER_ENCODING};
use pingora::cache::predictor::CacheablePredictor;
use pingora::cache::{
    CacheMeta, CacheOptionOverrides, CachePhase, ForcedFreshness, NoCacheReason, RespCacheable, key::CacheKey,
};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use super::Proxy;
use super::context::{AppHead, Context};
use super::judgement::{self, Admission, Condition, Reuse};
use super::part;
use super::predictor;
use super::request::Request;
use crate::cache::{self, FillPlan, Found, Joined, Sharing};
use crate::header::range::{is_byte_ranges, without_empty_suffixes};
use crate::header::{Coding, EntityTag, Forward, Vary, apply, date};
use crate::negotiate;
use crate::policy::lookup::{StaleUse, ValidateReason};
use crate::policy::{
    self, Freshness, Lookup, NotStored, OverVarying, StoreRequest, StoreResponse, StoredFreshness, Validators,
};

/// How often a request that waited may wait again before it goes to the app alone.
const LOCK_RETRIES: usize = 2;

impl Proxy {
    /// Turns the cache on for a request that may be answered from it, or fill it.
    pub(super) fn enable_cache(&self, session: &mut Session, context: &mut Context) {
        let Some(request) = &mut context.request else {
            return;
        };
        let head = session.req_header();
        context.answer.forward = request.passes_by(&head.method);
        if context.answer.forward.is_some() {
            return;
        }
        let memory = self.parts.memory;
        let key = request.key(head, &context.rules.generation);
        let resource = memory.peek(&key);
        // Most resources have one variant, and then a hit need not copy the request's fields.
        let selective = resource.as_ref().is_none_or(|resource| resource.is_selective());
        let mut view = request.view_of(head, key, selective);
        let length = || part::length(memory, &view, resource.as_deref());
        request.part = part::decide(request, head, memory.limits().max_object, length);
        // An answer that will not be stored is worth no wait.
        let crowded = resource.is_some_and(|resource| memory.crowds(&resource, &view));
        let collapses = request.collapses(head) && !memory.known_oversize(&key) && !crowded;
        view.sharing = match session.subrequest_ctx {
            None => sharing(request, head, context.rules.coalesce),
            Some(_) => Sharing::of_refresh(),
        };
        let view = Arc::new(view);
        request.view = Some(view);
        context.answer.forward = Some(Forward::UriMiss);

        let mut options = CacheOptionOverrides::default();
        options.wait_timeout = Some(context.rules.coalesce);
        options.max_lock_retries = Some(LOCK_RETRIES);
        let predictor: &'static (dyn CacheablePredictor + Sync) = self.parts.predictor;
        let predictor = collapses.then_some(predictor);
        let lock = collapses.then_some(self.parts.lock);
        session.cache.enable(self.parts.memory, None, predictor, lock, Some(options));
    }

    pub(super) fn cache_key(&self, context: &Context) -> pingora::Result<CacheKey> {
        let view = context.request.as_ref().and_then(|request| request.view.clone());
        let view = view.ok_or_else(|| {
            pingora::Error::explain(pingora::ErrorType::InternalError, "the cache was enabled without a key")
        })?;
        Ok(cache::cache_key(view))
    }

    /// Something is stored: may it answer (RFC 9111, section 4)?
    pub(super) fn judge_hit(
        &self,
        session: &Session,
        meta: &CacheMeta,
        is_fresh: bool,
        context: &mut Context,
    ) -> Option<ForcedFreshness> {
        if let Some(joined) = meta.extensions().get::<Joined>() {
            // A stale response that was found before has nothing to do with this one.
            context.answer.found = None;
            context.answer.joined = Some(joined.clone());
            // It was fresh when it was joined, and is not stored, so that it could be validated.
            return Some(ForcedFreshness::ForceFresh);
        }
        let found = meta.extensions().get::<Found>()?.clone();
        let request = context.request.as_ref()?;
        let fields = &session.req_header().headers;
        let verdict = match judgement::reuse(&found.variant.head, &found.freshness, request, fields, SystemTime::now())
        {
            Reuse::Judged(verdict) => verdict,
            Reuse::NotAuthorized => {
                // Not kept as found: the app must not be asked to validate what this client may not have.
                context.answer.forward = Some(Forward::Request);
                return Some(ForcedFreshness::ForceMiss);
            }
        };
        let generation = found.variant.generation;
        context.answer.found = Some(found);
        match verdict {
            // A purge may have made it stale before its time.
            Lookup::Fresh if is_fresh => None,
            Lookup::Fresh => {
                context.answer.forward = Some(Forward::Stale);
                None
            }
            Lookup::Stale(StaleUse::MaxStale) => Some(served_stale(context)),
            // To the platform it is fresh: a stale one it would refresh.
            Lookup::Stale(StaleUse::WhileRevalidate) if self.is_held_off(session, generation) => {
                Some(served_stale(context))
            }
            Lookup::Stale(StaleUse::WhileRevalidate) => {
                context.answer.forward = Some(Forward::Stale);
                None
            }
            Lookup::Validate { reason, stale_if_error } => {
                context.answer.forward = Some(forward(reason));
                // Stale by the clock alone: the platform's own windows apply. Anything else must not be served stale.
                let windows_apply = stale_if_error && reason == ValidateReason::Expired;
                if windows_apply { None } else { Some(ForcedFreshness::ForceExpired) }
            }
            Lookup::Miss | Lookup::Bypass | Lookup::GatewayTimeout => {
                context.answer.forward = Some(Forward::Stale);
                Some(ForcedFreshness::ForceExpired)
            }
        }
    }

    /// Nothing that is stored answers: is there nothing, or only other variants (RFC 9211, section 2.2)?
    pub(super) fn name_the_miss(&self, context: &mut Context) {
        // It was there before this request waited for another one's answer, and was purged meanwhile. The app must not be
        // asked to confirm what nobody has any more.
        if context.answer.found.take().is_some() {
            context.answer.forward = Some(Forward::UriMiss);
        }
        let key = context.request.as_ref().and_then(|request| request.view.as_ref()).map(|view| view.key);
        let nothing_said = context.answer.forward == Some(Forward::UriMiss);
        if nothing_said && key.is_some_and(|key| self.parts.memory.peek(&key).is_some()) {
            context.answer.forward = Some(Forward::VaryMiss);
        }
    }

    /// What must not go through the fill leaves the cache here; the lock, if it holds one, passes to the next in line.
    pub(super) fn leave_cache(&self, session: &mut Session, context: &Context) {
        let head = session.req_header();
        let fills = context.request.as_ref().is_some_and(|request| request.fills(head));
        if session.cache.enabled() && !fills {
            session.cache.disable(NoCacheReason::Deferred);
        }
    }

    /// Will the app's answer be stored, for all that its head tells?
    pub(super) fn stores(&self, session: &Session, request: &Request, app: &AppHead) -> bool {
        let Some(view) = request.view.as_ref().filter(|_| session.cache.enabled()) else {
            return false;
        };
        let client = session.req_header();
        let asked = StoreRequest { method: &client.method, headers: &client.headers };
        let answer = StoreResponse { status: app.status, headers: &app.headers, close_delimited: app.close_delimited };
        !self.parts.memory.known_oversize(&view.key)
            && policy::store(&asked, &answer, &request.route.cache, SystemTime::now()).is_ok()
    }

    /// May the app's answer be stored (RFC 9111, section 3)?
    pub(super) fn admit_to_cache(
        &self,
        session: &Session,
        response: &ResponseHeader,
        context: &mut Context,
    ) -> pingora::Result<RespCacheable> {
        match self.judge_response(session, response, context) {
            Ok(meta) => Ok(RespCacheable::Cacheable(meta)),
            Err(reason) => {
                context.answer.not_stored = Some(reason);
                Ok(RespCacheable::Uncacheable(predictor::reason_of(reason)))
            }
        }
    }

    fn judge_response(
        &self,
        session: &Session,
        response: &ResponseHeader,
        context: &mut Context,
    ) -> Result<CacheMeta, NotStored> {
        let (Some(request), Some(app)) = (&context.request, &context.app.head) else {
            return Err(NotStored::Disabled);
        };
        let view = request.view.clone().ok_or(NotStored::Disabled)?;
        let client = session.req_header();
        let asked = StoreRequest { method: &client.method, headers: &client.headers };
        let now = SystemTime::now();
        let rules = &request.route.cache;
        if app.status == http::StatusCode::NOT_MODIFIED {
            let found = context.answer.found.clone().ok_or(NotStored::Status)?;
            return self.confirm(&asked, response, &found, context, now);
        }
        let Admission { freshness, selector } = judgement::admission(&asked, app, rules, now)?;
        self.fits_for_a_part(request, &view, response)?;
        let few = |one: &OverVarying| request.route.normalise.covers(&one.field());
        for field in OverVarying::of(&Vary::parse(&app.headers)).filter(|one| !few(one)) {
            self.parts.metrics.cache.overvaried(field);
        }
        if self.parts.memory.is_crowded(&view) {
            return Err(NotStored::TooManyVariants);
        }
        let coding = coding_of(response);
        let ours = app.codable;
        if app.etag.is_none() {
            app.facts.want_digest();
        }
        let plan = Arc::new(FillPlan {
            key: view.key,
            status: app.status,
            head: stored_head(app, rules, now),
            app_etag: app.etag.clone(),
            coding: if ours { coding } else { Coding::Identity },
            level: app.level,
            revision: app.revision,
            codable: ours,
            app_coded: app.app_coded,
            selector,
            partition: view.partition,
            freshness,
            now,
            tags: tags_of(&app.headers, request),
            url: request.url(client).into(),
            length: super::intake::content_length(&response.headers),
            body: app.facts.clone(),
            purge_epoch: context.app.purge_epoch,
            outcome: OnceLock::new(),
            relaying: AtomicBool::new(false),
        });
        context.answer.fill = Some(plan.clone());
        let mut meta = meta_of(&plan.freshness, now, response.clone());
        meta.extensions_mut().insert(plan);
        Ok(meta)
    }

    /// RFC 9110, section 13: does the client have the stored response already?
    pub(super) fn not_modified(&self, session: &Session, response: &ResponseHeader, context: &mut Context) -> bool {
        // On a miss the whole response goes to the client once, so that the whole response is stored.
        if matches!(session.cache.phase(), CachePhase::Miss | CachePhase::Expired) || !response.status.is_success() {
            return false;
        }
        let stored = answers_from_store(session.cache.phase());
        let identity = context.content_tag(stored);
        let fields = &session.req_header().headers;
        match judgement::condition(fields, &response.headers, identity, SystemTime::now()) {
            Condition::Holds => false,
            Condition::NotModified(tag) => {
                context.answer.held = tag;
                true
            }
            // An answer of the app that is on its way has a body, which a 412 in its place could not be rid of: the client
            // gets it whole, as RFC 9110, section 13.1.1 lets a cache ignore the condition.
            Condition::Failed if !stored => false,
            Condition::Failed => {
                context.answer.precondition_failed = true;
                true
            }
        }
    }

    /// RFC 9110, section 14.2 and 13.1.5: is `Range` applied to this response?
    pub(super) fn range_applies(&self, session: &Session, response: &ResponseHeader) -> bool {
        let headers = &session.req_header().headers;
        // RFC 9110, section 14.2: "GET is the only method for which range handling is defined".
        if session.req_header().method != http::Method::GET {
            return false;
        }
        // Of nothing there is no part that `Content-Range` could name.
        if super::intake::content_length(&response.headers) == Some(0) {
            return false;
        }
        // The platform takes some of what is no range for one that cannot be satisfied.
        if headers.get(RANGE).is_some_and(|range| !is_byte_ranges(range.as_bytes())) {
            return false;
        }
        let selected = EntityTag::of(&response.headers);
        let validators = Validators {
            selected: selected.as_ref(),
            same_content: &[],
            last_modified: None,
            date: SystemTime::UNIX_EPOCH,
        };
        policy::range_applies(headers, &validators)
    }

    /// RFC 9111, section 4.4: a successful unsafe request makes what is stored of its target invalid.
    pub(super) fn invalidate(&self, session: &Session, context: &Context) {
        let (Some(request), Some(app)) = (&context.request, &context.app.head) else {
            return;
        };
        let head = session.req_header();
        if !policy::invalidates(&head.method, app.status) {
            return;
        }
        let target = policy::Target {
            scheme: request.client.scheme(),
            authority: &request.host,
            path_and_query: head.uri.path_and_query().map_or("/", |target| target.as_str()),
        };
        for path in policy::invalidated_targets(&target, &app.headers) {
            let key = context.rules.keys_of(target.scheme, target.authority, &path);
            self.parts.memory.invalidate(&key);
        }
    }
}

/// How a request may share what is being fetched for another one, for `patience` until its head comes.
fn sharing(request: &Request, head: &pingora::http::RequestHeader, patience: Duration) -> Sharing {
    let until = (request.shares(head) && !patience.is_zero()).then(|| Instant::now() + patience);
    Sharing::new(until, head.headers.contains_key(RANGE))
}

fn answers_from_store(phase: CachePhase) -> bool {
    use CachePhase::{Hit, Revalidated, RevalidatedNoCache, Stale, StaleUpdating};
    matches!(phase, Hit | Stale | StaleUpdating | Revalidated | RevalidatedNoCache(_))
}

/// The request with a `Range` that the platform reads as it is meant; `None` where it does that of the one there is.
pub(super) fn range_for_the_platform(request: &pingora::http::RequestHeader) -> Option<pingora::http::RequestHeader> {
    let asked = without_empty_suffixes(request.headers.get(RANGE)?.as_bytes())?;
    let mut request = request.clone();
    request.insert_header(RANGE, asked).ok()?;
    Some(request)
}

/// It answers although it is stale, and the app is not asked.
fn served_stale(context: &mut Context) -> ForcedFreshness {
    context.answer.served_stale = true;
    ForcedFreshness::ForceFresh
}

fn forward(reason: ValidateReason) -> Forward {
    match reason {
        ValidateReason::Expired | ValidateReason::NoCache => Forward::Stale,
        ValidateReason::RequestNoCache | ValidateReason::RequestMaxAge | ValidateReason::RequestMinFresh => {
            Forward::Request
        }
    }
}

/// The coding that our encoder gave the response.
fn coding_of(response: &ResponseHeader) -> Coding {
    let coding = response.headers.get(CONTENT_ENCODING);
    coding.and_then(|coding| Coding::parse(coding.as_bytes())).unwrap_or(Coding::Identity)
}

/// The app's head as it is kept: without what was for one connection or one client, and without what depends on the
/// coding of the body. Our own decisions about the head (`cdn`) are made when it is sent.
fn stored_head(app: &AppHead, rules: &policy::Rules, now: SystemTime) -> HeaderMap {
    let mut head = app.headers.clone();
    for name in policy::unstored_fields(&app.headers, rules) {
        head.remove(name);
    }
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING, ETAG] {
        head.remove(name);
    }
    if app.codable {
        apply(negotiate::coded_head(&head, Coding::Identity, None), &mut head);
        head.remove(CONTENT_ENCODING);
    }
    if app.varies {
        apply(Vary::parse(&head).add(&ACCEPT_ENCODING), &mut head);
    }
    // RFC 9110, section 6.6.1: a recipient with a clock records when a response without Date was received.
    head.entry(DATE).or_insert_with(|| date::format(now));
    head
}

/// The tags by which it is purged: the app's, and the operator's.
pub(super) fn tags_of(head: &HeaderMap, request: &Request) -> Vec<String> {
    let mut tags = crate::cdn::tags(head);
    let ours = request.route.headers.tags.iter().filter(|tag| !tags.contains(tag)).cloned().collect::<Vec<_>>();
    tags.extend(ours);
    tags
}

pub(super) fn meta_of(freshness: &Freshness, now: SystemTime, head: ResponseHeader) -> CacheMeta {
    let stored: StoredFreshness = freshness.stored(now);
    let seconds = |span: std::time::Duration| u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
    CacheMeta::new(
        stored.fresh_until,
        now.checked_sub(stored.age).unwrap_or(SystemTime::UNIX_EPOCH),
        seconds(stored.stale_while_revalidate),
        seconds(stored.stale_if_error),
        head,
    )
}
