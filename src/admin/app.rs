//! Answers the admin listener's requests. The platform reads and writes HTTP; this decides the response.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{Method, StatusCode};
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::services::listening::Service;
use tokio::task;

use super::access::{Access, Peer};
use super::drain;
use super::endpoint::{Endpoint, NoEndpoint};
use super::explain::{self, Explain};
use super::improvement::{self, Pause};
use super::lifecycle::{Lifecycle, State};
use super::purge::{self, Order, Purge};
use super::reload::{self, Reload};
use super::reply::{self, Reply};
use crate::metrics::{self, Metrics, PurgeResult};

/// A client that sends a body of a few bytes for longer than this is not one of ours.
const BODY_LIMIT: Duration = Duration::from_secs(5);
/// A client that takes an answer of some 100 KB for longer than this is gone.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

pub struct AdminApp {
    metrics: Arc<Metrics>,
    lifecycle: Arc<Lifecycle>,
    cache: Arc<dyn Purge>,
    access: Arc<Access>,
    /// `None` where there is no proxy to ask.
    proxy: Option<Arc<dyn Explain>>,
    /// `None` where nothing is improved.
    pause: Option<Arc<Pause>>,
    /// `None` where there is nothing to read again.
    reload: Option<Arc<dyn Reload>>,
}

impl AdminApp {
    pub fn new(metrics: Arc<Metrics>, lifecycle: Arc<Lifecycle>, cache: Arc<dyn Purge>, access: Arc<Access>) -> Self {
        Self { metrics, lifecycle, cache, access, proxy: None, pause: None, reload: None }
    }

    /// With a proxy that can say what it would do.
    pub fn explaining(self, proxy: Arc<dyn Explain>) -> Self {
        Self { proxy: Some(proxy), ..self }
    }

    /// With an improver that can be held still.
    pub fn pausing(self, pause: Arc<Pause>) -> Self {
        Self { pause: Some(pause), ..self }
    }

    /// With a configuration that can be read again.
    pub fn reloading(self, reload: Arc<dyn Reload>) -> Self {
        Self { reload: Some(reload), ..self }
    }

    /// The service to give to the server, once it has an address. One thread: a slow scrape must not take a core from
    /// the proxy.
    pub fn into_service(self) -> Service<Self> {
        let mut service = Service::new("admin".to_owned(), self);
        service.threads = Some(1);
        service
    }

    async fn answer(&self, session: &mut ServerSession) -> Reply {
        let request = session.req_header();
        let path = request.uri.path();
        match Endpoint::find(&request.method, path) {
            Ok(Endpoint::Index) => reply::text(StatusCode::OK, index()),
            Ok(Endpoint::Startup) => self.startup(),
            Ok(Endpoint::Live) => self.live(),
            Ok(Endpoint::Ready) => self.ready(),
            Ok(Endpoint::Metrics) => self.scrape(),
            Ok(Endpoint::Explain) => self.explain(session),
            Ok(Endpoint::Purge) => self.purge(session).await,
            Ok(Endpoint::Reload) => self.reload(session).await,
            Ok(Endpoint::Drain) => self.drain(session),
            Ok(Endpoint::PauseImproving) => self.pause(session, true),
            Ok(Endpoint::ResumeImproving) => self.pause(session, false),
            Err(NoEndpoint::Method { allow }) => reply::method_not_allowed(path, allow),
            Err(NoEndpoint::Path) => {
                reply::text(StatusCode::NOT_FOUND, format!("nothing here; there is:\n{}", index()))
            }
        }
    }

    fn startup(&self) -> Reply {
        match self.lifecycle.has_started() {
            true => reply::text(StatusCode::OK, "started\n"),
            false => reply::text(StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        }
    }

    fn live(&self) -> Reply {
        match self.lifecycle.is_alive() {
            true => reply::text(StatusCode::OK, "alive\n"),
            false => reply::text(StatusCode::SERVICE_UNAVAILABLE, "the workers do not turn\n"),
        }
    }

    fn ready(&self) -> Reply {
        let state = self.lifecycle.state();
        let status = match state {
            State::Ready => StatusCode::OK,
            State::Starting | State::AppDown | State::Draining => StatusCode::SERVICE_UNAVAILABLE,
        };
        reply::text(status, format!("{}\n", state.word()))
    }

    fn scrape(&self) -> Reply {
        match self.metrics.exposition() {
            Ok(text) => reply::typed(StatusCode::OK, metrics::CONTENT_TYPE, text.into_bytes()),
            Err(error) => {
                tracing::error!(%error, "the metrics cannot be written");
                reply::text(StatusCode::INTERNAL_SERVER_ERROR, format!("the metrics cannot be written: {error}\n"))
            }
        }
    }

    /// The answer to somebody who may not change anything.
    fn refuse(&self, session: &ServerSession, what: &'static str) -> Option<Reply> {
        let peer = peer(session);
        let (refusal, advice) = self.access.refuse(peer, &session.req_header().headers)?;
        tracing::warn!(%peer, ?refusal, "{what} refused");
        Some(reply::refusal(StatusCode::FORBIDDEN, advice))
    }

    fn explain(&self, session: &ServerSession) -> Reply {
        if let Some(refused) = self.refuse(session, "explain") {
            return refused;
        }
        match &self.proxy {
            Some(proxy) => explain::run(&**proxy, session.req_header().uri.query().unwrap_or_default()),
            None => reply::refusal(StatusCode::NOT_FOUND, "there is no proxy to ask"),
        }
    }

    async fn purge(&self, session: &mut ServerSession) -> Reply {
        if let Some(refused) = self.refuse(session, "purge") {
            self.metrics.cache.purge(PurgeResult::Refused);
            return refused;
        }
        let peer = peer(session);
        let body = match read_body(session, purge::LONGEST_BODY).await {
            Ok(body) => body,
            Err(error) => return self.invalid_purge(error.status(), error.advice()),
        };
        let order = match Order::read(session.req_header().uri.query().unwrap_or_default(), &body) {
            Ok(order) => order,
            Err(message) => return self.invalid_purge(StatusCode::BAD_REQUEST, &message),
        };
        // Probes are answered meanwhile, on this listener's only thread.
        let (cache, metrics) = (self.cache.clone(), self.metrics.clone());
        let work = task::spawn_blocking(move || purge::run(&cache, &order, peer, &metrics));
        work.await.unwrap_or_else(|_| reply::refusal(StatusCode::INTERNAL_SERVER_ERROR, "the purge broke off"))
    }

    fn pause(&self, session: &ServerSession, on: bool) -> Reply {
        if let Some(refused) = self.refuse(session, "pause of improvement") {
            return refused;
        }
        improvement::run(self.pause.as_deref(), on, peer(session), &self.metrics)
    }

    async fn reload(&self, session: &ServerSession) -> Reply {
        if let Some(refused) = self.refuse(session, "reload") {
            return refused;
        }
        reload::run(self.reload.clone()).await
    }

    fn drain(&self, session: &ServerSession) -> Reply {
        if let Some(refused) = self.refuse(session, "drain") {
            return refused;
        }
        drain::run(&self.lifecycle, peer(session))
    }

    fn invalid_purge(&self, status: StatusCode, message: &str) -> Reply {
        self.metrics.cache.purge(PurgeResult::Invalid);
        reply::refusal(status, message)
    }
}

#[async_trait]
impl ServeHttp for AdminApp {
    async fn response(&self, session: &mut ServerSession) -> Reply {
        session.set_write_timeout(Some(WRITE_LIMIT));
        let head = session.req_header().method == Method::HEAD;
        let reply = self.answer(session).await;
        // What is left of a body would be read, without a limit, before the connection is used again.
        if !session.is_body_done() {
            session.set_keepalive(None);
        }
        if head { reply::without_body(reply) } else { reply }
    }
}

fn peer(session: &ServerSession) -> Peer {
    match session.client_addr() {
        Some(SocketAddr::Inet(address)) => Peer::Address(address.ip()),
        Some(SocketAddr::Unix(_)) => Peer::Local,
        None => Peer::Unknown,
    }
}

/// Why a request's body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyProblem {
    TooLong,
    TooSlow,
    Broken,
}

impl BodyProblem {
    fn status(self) -> StatusCode {
        match self {
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::TooLong => "the body is longer than 256 KiB: send fewer targets at a time, or purge by tag",
            Self::TooSlow => "the body did not arrive in time: check its Content-Length",
            Self::Broken => "the body ended too early: check its Content-Length",
        }
    }
}

async fn read_body(session: &mut ServerSession, longest: usize) -> Result<Vec<u8>, BodyProblem> {
    let read = async {
        let mut body = Vec::new();
        while let Some(chunk) = session.read_request_body().await.map_err(|_| BodyProblem::Broken)? {
            if body.len() + chunk.len() > longest {
                return Err(BodyProblem::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    tokio::time::timeout(BODY_LIMIT, read).await.unwrap_or(Err(BodyProblem::TooSlow))
}

fn index() -> String {
    let mut page = String::from("vacpack admin\n\n");
    for endpoint in Endpoint::ALL {
        page += &format!("{:<10} {:<16} {}\n", endpoint.allow(), endpoint.path(), endpoint.about());
    }
    page
}

#[cfg(test)]
mod tests;
