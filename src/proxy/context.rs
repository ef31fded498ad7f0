//! What is known of one request while it passes: filled phase by phase, read at the end.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::{HeaderMap, StatusCode};

use pingora::protocols::l4::socket::SocketAddr;

use super::delivery::Delivery;
use super::failure::Failure;
use super::request::Request;
use super::ruleset::Ruleset;
use super::tally::Tally;
use crate::cache::{BodyFacts, FillPlan, Found, Joined};
use crate::header::{EntityTag, Forward, Revision};
use crate::metrics::{InFlight, Limit, Phases, Reused};
use crate::negotiate::SkipReason;
use crate::policy::NotStored;
use crate::upstream::{Deadline, Place, Watch, Wire};

/// The state of one request.
pub struct Context {
    /// As they were when it began.
    pub rules: Arc<Ruleset>,
    pub started: Instant,
    pub received: SystemTime,
    /// Counts the request as in flight until this value goes, however the request ends.
    pub in_flight: Option<InFlight>,
    /// None until the request was admitted.
    pub request: Option<Request>,
    pub app: App,
    pub answer: Answer,
    pub phases: Phases,
    pub failure: Option<Failure>,
    /// The client's connection, while it is served beside the fill.
    pub delivery: Option<Delivery>,
    /// That of its connection; only with HTTP/2.
    pub tally: Option<Arc<Tally>>,
    /// When the client left, where that was before the end of the request.
    pub left: Option<Instant>,
    /// Bytes of the request's content so far.
    pub content: u64,
    /// When the first of it came.
    pub content_since: Option<Instant>,
    /// The limit that ended the request.
    pub limit: Option<Limit>,
    /// The request has none. Asked while the client is there: of a stream that was reset nobody can tell.
    pub no_content: bool,
}

/// The exchange with the app.
#[derive(Default)]
pub struct App {
    /// The connection's number.
    pub socket: RawFd,
    /// The connection, where it is this exchange's alone.
    pub wire: Option<Wire>,
    /// It is many exchanges'.
    pub over_http2: bool,
    /// It wants no HTTP/2.
    pub downgraded: bool,
    pub reused: Option<Reused>,
    pub tries: usize,
    /// Where it was asked.
    pub address: Option<SocketAddr>,
    /// Its place among the requests that the app is given at once.
    pub place: Option<Place>,
    pub connecting: Option<Instant>,
    pub asked: Option<Instant>,
    /// Timers beside the platform's own.
    pub deadline: Option<Deadline>,
    pub answered: Option<Instant>,
    /// Purges up to here came before the app was asked.
    pub purge_epoch: u64,
    /// Its head, as it came.
    pub head: Option<AppHead>,
}

impl App {
    /// What is to be waited for beside an exchange that does not end by itself when its time is up.
    pub fn time(&self) -> Option<Watch> {
        self.deadline.as_ref().filter(|_| self.over_http2).map(Deadline::watch)
    }
}

/// The app's head before anything was changed in it.
pub struct AppHead {
    pub version: http::Version,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub etag: Option<EntityTag>,
    /// RFC 9112, section 6.3: only the end of the connection tells where the body ends.
    pub close_delimited: bool,
    /// Another client may get it in another coding: `Vary: Accept-Encoding` is due.
    pub varies: bool,
    /// The body may be coded by us, now or from the store.
    pub codable: bool,
    /// The app coded the body, and a decoder undoes that or reads along.
    pub app_coded: bool,
    /// Of the encoder that codes the body.
    pub level: Option<i32>,
    /// Of the body that our encoder makes of it.
    pub revision: Option<Revision>,
    pub facts: Arc<BodyFacts>,
}

/// How the request is answered.
#[derive(Default)]
pub struct Answer {
    /// Why the request went to the app, if it did.
    pub forward: Option<Forward>,
    /// What is remembered of the resource kept the request from the cache.
    pub predicted: bool,
    /// The stored response that answers, or is being validated.
    pub found: Option<Found>,
    /// It answers although it is stale, and the app is not asked.
    pub served_stale: bool,
    /// The fetch for another request that answers this one, too.
    pub joined: Option<Joined>,
    /// A condition of the request does not hold: 412.
    pub precondition_failed: bool,
    /// The tag of the client's own copy, for a 304.
    pub held: Option<EntityTag>,
    /// Why the body was not encoded.
    pub skipped: Option<SkipReason>,
    pub not_stored: Option<NotStored>,
    pub fill: Option<Arc<FillPlan>>,
    pub first_byte: Option<Instant>,
    /// The status that the client got because the response broke off before anything of it had left.
    pub instead: Option<StatusCode>,
}

impl Context {
    /// The tag of the content that answers, as identity; none while only the content could give it. What was found and is
    /// not what answers says nothing of it.
    pub fn content_tag(&self, stored: bool) -> Option<&EntityTag> {
        match (&self.answer.joined, &self.answer.found) {
            (Some(joined), _) => joined.plan.app_etag.as_ref(),
            (None, Some(found)) if stored => Some(&found.variant.tag),
            _ => self.app.head.as_ref().and_then(|app| app.etag.as_ref()),
        }
    }

    pub fn new(rules: Arc<Ruleset>) -> Self {
        Self {
            rules,
            started: Instant::now(),
            received: SystemTime::now(),
            in_flight: None,
            request: None,
            app: App::default(),
            answer: Answer::default(),
            phases: Phases::default(),
            failure: None,
            delivery: None,
            tally: None,
            left: None,
            content: 0,
            content_since: None,
            limit: None,
            no_content: false,
        }
    }
}
