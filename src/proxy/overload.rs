//! At the door of the app: a request waits for a place, or is told that there will be none; and it is noted who answers.
//!
//! It is the platform's error path that answers one without: what is stored stands in where it may, as for any failure of
//! the app, and 503 with `Retry-After` is what else there is (RFC 9110, section 15.6.4).

use std::time::Instant;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::proxy::Session;
use pingora::{Error, ErrorType};

use super::Proxy;
use super::context::Context;
use crate::metrics::{Label, Phase, Priority, Shed};
use crate::upstream::Party;

/// Seconds after which one who was shed may ask again: queues are as short, and so is the pause before an app that failed
/// is tried again.
pub const RETRY_AFTER: u32 = 1;

/// Events, and calls that may be streams of messages.
const STREAMS: [&[u8]; 2] = [b"text/event-stream", b"application/grpc"];

impl Proxy {
    /// Waits for a place, once for all tries of a request, and no longer than the client does.
    pub(super) async fn enter(&self, session: &mut Session, context: &mut Context) -> pingora::Result<()> {
        if context.app.place.is_some() {
            return Ok(());
        }
        let begin = Instant::now();
        if self.parts.upstream.addresses().are_down(begin) {
            // Nothing to wait for.
            return Err(self.app_is_down(session, context));
        }
        let priority = priority(session, context);
        let entered = tokio::select! {
            // Whoever has left has no place, although there were one.
            biased;
            () = until_reset(session) => Err(gone()),
            entered = self.parts.places.enter(priority, party(context)) => entered.map_err(shed),
        };
        context.phases.add(Phase::Queue, begin.elapsed());
        context.app.place = Some(entered?);
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
    pub(super) fn note_answer(&self, context: &mut Context) {
        if let Some(place) = &mut context.app.place {
            place.has_met_the_app();
        }
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

/// With whom it takes turns. A proxy that we trust asks for many clients on one connection: each of them is one for itself.
fn party(context: &Context) -> Option<&Party> {
    let client = &context.request.as_ref()?.client;
    let is_own = client.address == client.peer.map(|peer| peer.to_canonical());
    context.tally.as_ref().filter(|_| is_own).map(|tally| tally.party())
}

/// Until its stream is reset, by either end. Nobody can tell of a connection of HTTP/1 while what follows on it is not read.
async fn until_reset(session: &mut Session) {
    match session.as_downstream_mut() {
        ServerSession::H2(stream) => drop(stream.idle().await),
        _ => std::future::pending().await,
    }
}

/// Nobody waits for the answer any more.
fn gone() -> Box<Error> {
    Error::explain(ErrorType::ConnectionClosed, "the client left before the app was asked").into_down()
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
