//! The app's answer as it comes in: read before anything is changed, planned, freed of what is one connection's.

use std::sync::Arc;
use std::time::Instant;

use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, StatusCode, Version};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use pingora::{Error, ErrorType};

use super::context::{AppHead, Context};
use super::edit::apply_to;
use super::encoding::{Encoding, Job};
use super::intake::{self, content_length};
use super::judgement;
use super::request::Request;
use super::{Proxy, out_of_time};
use crate::encode::{self, Admission, FlushRule, Reservation};
use crate::header::{Coding, EntityTag, TagCondition, Vary, date, hop_by_hop, list};
use crate::metrics::{Limit, Phase};
use crate::negotiate::{self, BodyPlan, Breach, ResponseFacts};
use crate::upstream::Deadline;

/// nginx's word for "do not hold this response back".
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

impl Proxy {
    /// The raw head of the app's answer: decides what happens to the body.
    pub(super) fn plan_body(
        &self,
        session: &mut Session,
        response: &ResponseHeader,
        end: bool,
        context: &mut Context,
    ) -> pingora::Result<()> {
        if response.status == StatusCode::SWITCHING_PROTOCOLS
            && !context.request.as_ref().is_some_and(|request| request.websocket)
        {
            // RFC 9110, section 7.8: a server must not switch to a protocol that the client did not ask for.
            return Err(not_http("a 101 that nobody asked for"));
        }
        self.begin_stream(response, context);
        if response.status.is_informational() {
            return Ok(());
        }
        let now = Instant::now();
        context.app.answered = Some(now);
        if let Some(passed) = context.app.deadline.as_ref().and_then(Deadline::passed) {
            // Its connection has ended, or the request is about to.
            return Err(out_of_time(passed, context));
        }
        self.judge_head(response, context)?;
        if end {
            context.app.deadline = None;
        }
        if let Some(asked) = context.app.asked {
            context.phases.add(Phase::UpstreamWait, now - asked);
        }
        let Some(request) = &context.request else {
            return Ok(());
        };
        if has_foreign_transfer_coding(&response.headers) {
            return Err(not_http("a transfer coding that nobody asked for"));
        }
        let stored = |app: &AppHead| self.stores(session, request, app);
        let (mut head, facts, plan) = judgement::body_plan(request, response, end, stored);
        let flush = flush_rule(&facts);
        let (plan, decoder) = self.admit_decoder(request, plan, &facts);
        if plan.source().is_none() {
            // Also where it was to be decoded, and there is no room: then it goes, and is kept, as the app sent it.
            head.codable &= !head.app_coded;
            head.app_coded = false;
        }
        let (plan, encoder) = self.admit_encoder(request, plan, &facts, flush);
        context.answer.skipped = plan.skipped();
        head.level = encoder.as_ref().map(|admission| admission.setup.level);
        head.revision = encoder.is_some().then(encode::draw_revision);
        let drops_trailers = session.cache.enabled() || session.cache.bypassing();
        let job = Job { drops_trailers, ..job(request, &head, plan, (decoder, encoder), &facts, flush, context) };
        context.app.head = Some(head);
        let encoding = session.upstream_modules_ctx.get_mut::<Encoding>();
        let encoding = encoding.ok_or_else(|| Error::explain(ErrorType::InternalError, "no encoding module"))?;
        encoding.arm(job)
    }

    /// The app has begun to answer, with a head that is not too large.
    fn judge_head(&self, response: &ResponseHeader, context: &mut Context) -> pingora::Result<()> {
        self.note_answer(context);
        context.app.deadline = context.app.deadline.take().and_then(Deadline::answered);
        if intake::size(&response.headers) > self.parts.upstream.config().max_header_size {
            context.limit = Some(Limit::UpstreamHeader);
            return Err(not_http("a head larger than upstream.max_header_size"));
        }
        Ok(())
    }

    /// The head on its way to the store and the client, coded already.
    pub(super) fn clean_head(
        &self,
        session: &Session,
        response: &mut ResponseHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        if response.status == StatusCode::NOT_MODIFIED && session.cache.enabled() {
            // A validation: the platform shows us nothing of it before.
            context.app.answered = Some(Instant::now());
            self.judge_head(response, context)?;
            context.app.deadline = None;
            context.app.head = Some(AppHead::read(response, true));
        }
        strip_hop_by_hop(response);
        if response.status.is_informational() {
            return Ok(());
        }
        settle_framing(response)?;
        // RFC 9112, section 2.3: the version is the sender's own, whatever the app speaks.
        response.set_version(Version::HTTP_11);
        if !response.headers.contains_key(DATE) {
            // RFC 9110, section 6.6.1. The platform writes one when it sends; what is stored needs it before.
            response.insert_header(DATE, date::format(context.received))?;
        }
        if context.app.head.as_ref().is_some_and(|head| head.varies) {
            apply_to(Vary::parse(&response.headers).add(&ACCEPT_ENCODING), response)?;
        }
        if response.status == StatusCode::NOT_MODIFIED {
            name_the_clients_copy(session, response)?;
        }
        Ok(())
    }
}

impl AppHead {
    pub fn read(response: &ResponseHeader, end: bool) -> Self {
        let headers = &response.headers;
        Self {
            version: response.version,
            status: response.status,
            headers: headers.clone(),
            etag: EntityTag::of(headers),
            close_delimited: !end
                && !headers.contains_key(CONTENT_LENGTH)
                && !is_chunked(headers)
                && response.version != http::Version::HTTP_2,
            varies: false,
            codable: false,
            app_coded: false,
            level: None,
            revision: None,
            facts: Arc::default(),
        }
    }
}

fn flush_rule(facts: &ResponseFacts) -> FlushRule {
    let value = |name: &HeaderName| facts.headers.get(name).map(|value| value.as_bytes());
    encode::flush_rule(value(&CONTENT_TYPE), value(&X_ACCEL_BUFFERING), facts.length)
}

fn job(
    request: &Request,
    head: &AppHead,
    plan: BodyPlan,
    (decoder, encoder): (Option<Reservation>, Option<Admission>),
    facts: &ResponseFacts,
    flush: FlushRule,
    context: &Context,
) -> Job {
    let coding = encoder.as_ref().map(|admission| admission.setup.coding);
    Job {
        source: plan.source(),
        decoder,
        keeps: matches!(plan, BodyPlan::Verify(_)),
        encoder,
        pads: negotiate::guard(&request.facts, facts, &request.route.offer) == Breach::Pad,
        head: match plan {
            BodyPlan::Pass(_) => Vec::new(),
            BodyPlan::Verify(coding) => negotiate::kept_head(facts.headers, coding),
            _ => negotiate::coded_head(facts.headers, coding.unwrap_or(Coding::Identity), head.revision),
        },
        flush: if coding.is_some() { flush } else { FlushRule::Never },
        wire: context.app.wire,
        drops_trailers: false,
        facts: (head.codable && request.view.is_some()).then(|| head.facts.clone()),
    }
}

/// RFC 9112, section 7: `chunked` is all that a server may use unless the client's `TE` says otherwise, and ours never
/// does. A body in another transfer coding would reach the client as if it were the content. `identity`, from before RFC
/// 7230, is none.
fn has_foreign_transfer_coding(headers: &HeaderMap) -> bool {
    let known = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked") || coding.eq_ignore_ascii_case(b"identity");
    !list::members(headers, &TRANSFER_ENCODING).all(known)
}

fn is_chunked(headers: &HeaderMap) -> bool {
    list::members(headers, &TRANSFER_ENCODING).any(|coding| coding.eq_ignore_ascii_case(b"chunked"))
}

fn not_http(what: &'static str) -> Box<Error> {
    Error::explain(ErrorType::InvalidHTTPHeader, what).into_up()
}

/// What the app said of its framing, in words that are right to send on.
fn settle_framing(response: &mut ResponseHeader) -> pingora::Result<()> {
    if !is_chunked(&response.headers) {
        response.remove_header(&TRANSFER_ENCODING);
    }
    // RFC 9110, section 8.6: none in a 204, and one where the app said the same one several times.
    if response.status == StatusCode::NO_CONTENT {
        response.remove_header(&CONTENT_LENGTH);
        return Ok(());
    }
    match content_length(&response.headers) {
        Some(length) => response.insert_header(CONTENT_LENGTH, length),
        None => Ok(()),
    }
}

/// RFC 9110, section 7.6.1. `Transfer-Encoding` stays: the platform writes the framing from it.
fn strip_hop_by_hop(response: &mut ResponseHeader) {
    let switching = response.status == StatusCode::SWITCHING_PROTOCOLS;
    let named = hop_by_hop::nominated(&response.headers);
    for name in named.iter().chain(&hop_by_hop::FIXED) {
        let is_the_message = switching && (*name == UPGRADE || *name == CONNECTION);
        if !is_the_message {
            response.remove_header(name);
        }
    }
}

/// A 304 of the app that answers a client's own condition: the client knows its copy by the tag we gave it.
fn name_the_clients_copy(session: &Session, response: &mut ResponseHeader) -> pingora::Result<()> {
    let Some(apps) = EntityTag::of(&response.headers) else {
        return Ok(());
    };
    let condition = TagCondition::parse(&session.req_header().headers, &http::header::IF_NONE_MATCH);
    let Some(TagCondition::Tags(held)) = condition else {
        return Ok(());
    };
    match held.iter().find(|tag| tag.weak_eq(&apps) || tag.split_coding().0.weak_eq(&apps)) {
        Some(tag) => response.insert_header(http::header::ETAG, tag.to_header()),
        None => Ok(()),
    }
}
