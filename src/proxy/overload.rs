//! At the door of the app: a request waits for a place, or is told that there will be none; and it is noted who answers.
//!
//! It is the platform's error path that answers one without: what is stored stands in where it may, as for any failure of
//! the app, and 503 with `Retry-After` is what else there is (RFC 9110, section 15.6.4).

use std::time::Instant;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use pingora::http::ResponseHeader;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::proxy::Session;
use pingora::{Error, ErrorType};

use super::Proxy;
use super::context::Context;
use crate::metrics::{Label, Phase, Priority, Shed};

/// Seconds after which one who was shed may ask again: queues are as short, and so is the pause before an app that failed
/// is tried again.
pub const RETRY_AFTER: u32 = 1;

/// Events, and calls that may be streams of messages.
const STREAMS: [&[u8]; 2] = [b"text/event-stream", b"application/grpc"];

impl Proxy {
    /// Waits for a place, once for all tries of a request.
    pub(super) async fn enter(&self, session: &Session, context: &mut Context) -> pingora::Result<()> {
        if context.app.place.is_some() {
            return Ok(());
        }
        let begin = Instant::now();
        if self.parts.upstream.addresses().are_down(begin) {
            // Nothing to wait for.
            return Err(self.app_is_down(session, context));
        }
        let entered = self.parts.places.enter(priority(session, context)).await;
        context.phases.add(Phase::Queue, begin.elapsed());
        context.app.place = Some(entered.map_err(shed)?);
        Ok(())
    }

    /// An address of the app for this try, another one than for the last if there is one.
    pub(super) fn choose(&self, session: &Session, context: &mut Context) -> pingora::Result<SocketAddr> {
        let addresses = self.parts.upstream.addresses();
        let chosen = addresses.choose(Instant::now(), context.app.address.as_ref());
        let chosen = chosen.ok_or_else(|| self.app_is_down(session, context))?;
        context.app.address = Some(chosen.clone());
        Ok(chosen)
    }

    fn app_is_down(&self, session: &Session, context: &Context) -> Box<Error> {
        self.parts.metrics.upstream.admission.shed(priority(session, context), Shed::AppDown);
        shed(Shed::AppDown)
    }

    /// The app has begun to answer.
    pub(super) fn note_answer(&self, context: &Context) {
        let (addresses, meters) = (self.parts.upstream.addresses(), &self.parts.metrics.upstream);
        if let Some(address) = context.app.address.as_ref().filter(|address| addresses.answered(address)) {
            meters.addresses(addresses.count());
            meters.recovered(address);
        }
    }

    /// An attempt got no answer. One that is made again at the same address is not counted twice.
    pub(super) fn note_failure(&self, error: &Error, again: bool, context: &Context) {
        let (addresses, meters) = (self.parts.upstream.addresses(), &self.parts.metrics.upstream);
        let Some(address) = context.app.address.as_ref().filter(|_| !again || addresses.are_several()) else {
            return;
        };
        if addresses.failed(address, Instant::now()) {
            meters.addresses(addresses.count());
            meters.ejected(address, error);
        }
    }

    /// What stays open as long as anybody listens is no work that the app does at once: it leaves its place when it begins.
    pub(super) fn begin_stream(&self, response: &ResponseHeader, context: &mut Context) {
        let switched = response.status == StatusCode::SWITCHING_PROTOCOLS;
        let media_type = response.headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
        let lasts = |media_type: &[u8]| STREAMS.iter().any(|stream| media_type.starts_with(stream));
        if switched || media_type.is_some_and(lasts) {
            context.app.place = None;
        }
    }
}

fn priority(session: &Session, context: &Context) -> Priority {
    match &context.request {
        // A refresh in the background: its client was answered.
        _ if session.subrequest_ctx.is_some() => Priority::Low,
        Some(request) => request.route.priority,
        None => Priority::Normal,
    }
}

/// The error of a request that does not go to the app. The app's fault, so that what is stored may stand in.
pub fn shed(reason: Shed) -> Box<Error> {
    Error::new(ErrorType::Custom(reason.label())).into_up()
}

/// The reason in such an error.
pub fn reason(kind: &ErrorType) -> Option<Shed> {
    match kind {
        ErrorType::Custom(word) => Shed::ALL.iter().copied().find(|reason| reason.label() == *word),
        _ => None,
    }
}
