//! One downstream connection: counted, limited, let in by its [`Entrance`], and served until it ends.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, ReusedHttpStream, ServerApp};
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::proxy::HttpProxy;
use pingora::server::ShutdownWatch;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Proxy;
use super::entrance::{Entrance, Opened};
use super::outlet::Outlet;
use crate::metrics::Metrics;
use crate::tls::Tls;

/// Limits of the listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    pub h2c: bool,
    pub max_connections: usize,
    /// For the first bytes of a connection, for a TLS handshake, and between two reads of a request's head.
    pub header_timeout: Duration,
    /// An unused connection is closed after this long.
    pub idle_timeout: Duration,
}

/// pingora's proxy behind the door of the listener.
pub struct Connections {
    proxy: Arc<HttpProxy<Proxy>>,
    entrance: Entrance,
    limits: ConnectionLimits,
    places: Semaphore,
    metrics: Arc<Metrics>,
}

impl Connections {
    /// `proxy` must have been built with h2c on when `limits.h2c` is.
    pub fn new(
        proxy: HttpProxy<Proxy>,
        limits: ConnectionLimits,
        tls: Option<Arc<Tls>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            proxy: Arc::new(proxy),
            entrance: Entrance { h2c: limits.h2c, patience: limits.header_timeout, tls, metrics: metrics.clone() },
            places: Semaphore::new(limits.max_connections.min(Semaphore::MAX_PERMITS)),
            limits,
            metrics,
        }
    }

    /// HTTP/1: requests one after the other. It sets the timers that the platform leaves at "for ever" *before* the first head is read.
    async fn serve_http1(&self, stream: Stream, shutdown: &ShutdownWatch) {
        let mut session = ServerSession::new_http1(Box::new(Outlet::new(stream)));
        session.set_read_timeout(Some(self.limits.header_timeout));
        session.set_keepalive(keepalive(self.limits.header_timeout));
        let mut next = self.serve_one(session, shutdown, self.limits.header_timeout).await;
        while let Some(reused) = next {
            let (stream, settings) = reused.consume();
            let mut session = ServerSession::new_http1(stream);
            if let Some(settings) = settings {
                settings.apply_to_session(&mut session);
            }
            session.set_read_timeout(Some(self.limits.header_timeout));
            // The client may be idle first: both together bound how long a head can trickle in.
            next = self.serve_one(session, shutdown, self.limits.idle_timeout + self.limits.header_timeout).await;
        }
    }

    /// One request, whose head is whole within `limit`: the platform's own timers start anew with each byte.
    async fn serve_one(
        &self,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
        limit: Duration,
    ) -> Option<ReusedHttpStream> {
        let head = HeadArrival::default();
        session.set_connection_user_context(Some(Box::new(head.clone())));
        let serving = self.proxy.process_new_http(session, shutdown);
        let mut serving = pin!(serving);
        match timeout(limit, &mut serving).await {
            Ok(next) => next,
            Err(_) if head.is_whole() => serving.await,
            Err(_) => None,
        }
    }
}

/// Whether the head of a request has arrived: told by the proxy's first filter, asked by the connection's timer.
#[derive(Clone, Debug, Default)]
pub struct HeadArrival(Arc<AtomicBool>);

impl HeadArrival {
    pub fn tell(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_whole(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// pingora counts whole seconds, and takes zero for "for ever".
pub fn keepalive(timeout: Duration) -> Option<u64> {
    Some(timeout.as_secs().max(1))
}

#[async_trait]
impl ServerApp for Connections {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        // Over the limit a connection is closed at once: waiting would only move the queue into our memory.
        let _place = self.places.try_acquire().ok()?;
        let _open = self.metrics.connection();
        match self.entrance.open(stream).await? {
            Opened::Http1(stream) => self.serve_http1(stream, shutdown).await,
            Opened::Http2(stream) => drop(self.proxy.process_new(stream, shutdown).await),
        }
        None
    }

    async fn cleanup(&self) {
        self.proxy.http_cleanup().await;
    }
}
