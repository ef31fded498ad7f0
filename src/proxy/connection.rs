//! One downstream connection: counted, limited, let in by its [`Entrance`], and served until it ends.
//!
//! What is read of a head before it is whole is bounded here, by time and by size: the platform would keep a megabyte of
//! each.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, ReusedHttpStream, ServerApp};
use pingora::protocols::http::ServerSession;
use pingora::protocols::l4::stream::Stream as Socket;
use pingora::protocols::{GetSocketDigest, Stream};
use pingora::proxy::HttpProxy;
use pingora::server::ShutdownWatch;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::Proxy;
use super::announced::Announcers;
use super::door::{Counted, Door, TurnedAway};
use super::entrance::{Entrance, Opened};
use super::forward::TrustedProxies;
use super::http2::{Http2, StreamLimits};
use super::outlet::Outlet;
use crate::metrics::{Limit, Metrics};
use crate::tls::Tls;

/// How long somebody who is turned away may take to say something first, and to hear why: an answer to what was not read
/// would be lost.
const GOODBYE: Duration = Duration::from_millis(100);

/// A head within so many times `max_header_size` is read, to be answered 431; a larger one is not.
const READ_FOR_AN_ANSWER: u64 = 4;
/// And so much in any case: who sends content along with a small head is no attacker.
const READ_IN_ANY_CASE: u64 = 64 * 1024;

/// Limits of the listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    pub h2c: bool,
    /// Whose connections begin with a PROXY header.
    pub announcers: Announcers,
    pub max_connections: usize,
    /// Of one address.
    pub max_per_client: Option<u64>,
    /// Requests on one connection.
    pub max_requests: Option<u64>,
    /// Requests at a time on one of HTTP/2.
    pub max_streams: u32,
    /// Bytes of a request's head.
    pub max_header_size: u64,
    pub max_header_count: usize,
    /// For the first bytes of a connection, for a TLS handshake, and for a request's head as a whole.
    pub header_timeout: Duration,
    /// An unused connection is closed after this long.
    pub idle_timeout: Duration,
}

impl ConnectionLimits {
    /// Those of a connection of HTTP/2.
    fn of_streams(&self) -> StreamLimits {
        let Self { max_streams, max_requests, max_header_size, max_header_count, idle_timeout, .. } = *self;
        StreamLimits { max_streams, max_requests, max_header_size, max_header_count, idle_timeout }
    }
}

/// pingora's proxy behind the door of the listener.
pub struct Connections {
    proxy: Arc<HttpProxy<Proxy>>,
    entrance: Entrance,
    announcers: Announcers,
    limits: ConnectionLimits,
    door: Door,
    metrics: Arc<Metrics>,
    /// True once a drain has begun, which is before the listener closes: connections of HTTP/2 hear of it by GOAWAY.
    leaving: ShutdownWatch,
}

impl Connections {
    pub fn new(
        proxy: HttpProxy<Proxy>,
        limits: ConnectionLimits,
        tls: Option<Arc<Tls>>,
        trusted: TrustedProxies,
        metrics: Arc<Metrics>,
        leaving: ShutdownWatch,
    ) -> Self {
        Self {
            leaving,
            proxy: Arc::new(proxy),
            entrance: Entrance { h2c: limits.h2c, patience: limits.header_timeout, tls, metrics: metrics.clone() },
            door: Door::new(limits.max_connections, limits.max_per_client, trusted),
            announcers: limits.announcers.clone(),
            limits,
            metrics,
        }
    }

    /// HTTP/1: requests one after the other. It sets the timers that the platform leaves at "for ever" *before* the first head is read.
    async fn serve_http1(&self, stream: Stream, shutdown: &ShutdownWatch) {
        let head = HeadArrival::within(self.limits.max_header_size);
        let mut session = ServerSession::new_http1(Box::new(Outlet::new(stream, head.clone())));
        session.set_read_timeout(Some(self.limits.header_timeout));
        session.set_keepalive(keepalive(self.limits.header_timeout));
        let reuses = self.limits.max_requests.map(|most| u32::try_from(most - 1).unwrap_or(u32::MAX));
        session.set_keepalive_reuses_remaining(reuses);
        let mut next = self.serve_one(session, &head, shutdown, Duration::ZERO).await;
        while let Some(reused) = next {
            let (stream, settings) = reused.consume();
            let mut session = ServerSession::new_http1(stream);
            if let Some(settings) = settings {
                settings.apply_to_session(&mut session);
            }
            session.set_read_timeout(Some(self.limits.header_timeout));
            next = self.serve_one(session, &head, shutdown, self.limits.idle_timeout).await;
        }
    }

    /// One request, whose head is whole in time: the platform's own timers start anew with each byte. The client may be
    /// idle first, and both times together bound how long a head can trickle in.
    async fn serve_one(
        &self,
        mut session: ServerSession,
        head: &HeadArrival,
        shutdown: &ShutdownWatch,
        idle: Duration,
    ) -> Option<ReusedHttpStream> {
        let begin = Instant::now();
        head.begin();
        session.set_connection_user_context(Some(Box::new(head.clone())));
        let serving = self.proxy.process_new_http(session, shutdown);
        let mut serving = pin!(serving);
        match timeout(idle + self.limits.header_timeout, &mut serving).await {
            Ok(next) => {
                if let Some(limit) = head.unfinished(begin.elapsed(), idle, self.limits.header_timeout) {
                    self.metrics.limit_met(limit);
                }
                next
            }
            Err(_) if head.is_whole() => serving.await,
            Err(_) => {
                self.metrics.limit_met(Limit::HeaderTime);
                None
            }
        }
    }

    /// Says why, and hears what there is to hear, so that the answer is not lost to a reset.
    async fn turn_away(&self, mut stream: Stream, turned: TurnedAway) {
        self.metrics.limit_met(turned.limit());
        if self.entrance.tls.is_some() {
            // A handshake only to say no is what somebody who wants to cost us something would ask for.
            return;
        }
        let _heard = timeout(GOODBYE, stream.read(&mut [0; 4096])).await;
        let said = timeout(GOODBYE, async {
            stream.write_all(turned.answer()).await?;
            AsyncWriteExt::shutdown(&mut stream).await
        });
        if let Ok(Err(error)) = said.await {
            tracing::debug!(%error, ?turned, "a client left before it was turned away");
        }
    }

    /// Whose it is, and what is spoken on it. None: it goes no further.
    async fn let_in(&self, mut socket: Box<Socket>) -> Option<(Opened, Option<Counted>)> {
        self.hear_whose(&mut socket).await?;
        match self.door.count(peer(&socket)) {
            Ok(counted) => Some((self.entrance.open(socket).await?, counted)),
            Err(turned) => {
                self.turn_away(socket, turned).await;
                None
            }
        }
    }

    /// From here on the connection's peer is the client that a balancer speaks for. None: it had to say so, and did not.
    async fn hear_whose(&self, socket: &mut Socket) -> Option<()> {
        match timeout(self.limits.header_timeout, self.announcers.hear(socket)).await {
            Ok(heard) => heard,
            Err(_) => {
                self.metrics.limit_met(Limit::HeaderTime);
                None
            }
        }
    }
}

/// Whether the head of a request has arrived: told by the proxy's first filter, asked by the connection's timer and by
/// whoever reads from it.
#[derive(Clone, Debug)]
pub struct HeadArrival(Arc<Arrival>);

#[derive(Debug, Default)]
struct Arrival {
    whole: AtomicBool,
    read: AtomicUsize,
    most: usize,
}

impl HeadArrival {
    pub fn within(max_header_size: u64) -> Self {
        let most = max_header_size.saturating_mul(READ_FOR_AN_ANSWER).max(READ_IN_ANY_CASE);
        Self(Arc::new(Arrival { most: usize::try_from(most).unwrap_or(usize::MAX), ..Arrival::default() }))
    }

    fn begin(&self) {
        self.0.whole.store(false, Ordering::Relaxed);
        self.0.read.store(0, Ordering::Relaxed);
    }

    pub fn tell(&self) {
        self.0.whole.store(true, Ordering::Relaxed);
    }

    fn is_whole(&self) -> bool {
        self.0.whole.load(Ordering::Relaxed)
    }

    /// So many bytes came. False once they are more than any head may have.
    pub fn read(&self, count: usize) -> bool {
        count == 0 || self.is_whole() || self.0.read.fetch_add(count, Ordering::Relaxed) + count <= self.0.most
    }

    /// The limit that ended a request without a whole head, if one did: most end because the client has nothing more to
    /// ask.
    fn unfinished(&self, after: Duration, idle: Duration, header_timeout: Duration) -> Option<Limit> {
        let read = self.0.read.load(Ordering::Relaxed);
        match read {
            _ if self.is_whole() => None,
            _ if read > self.0.most => Some(Limit::HeaderSize),
            0 if !idle.is_zero() && after >= idle => Some(Limit::IdleTime),
            _ if after >= header_timeout && idle.is_zero() => Some(Limit::HeaderTime),
            _ => None,
        }
    }
}

fn peer(socket: &Socket) -> Option<IpAddr> {
    let digest = socket.get_socket_digest()?;
    digest.peer_addr()?.as_inet().map(|address| address.ip())
}

/// pingora counts whole seconds, and takes zero for "for ever".
pub fn keepalive(timeout: Duration) -> Option<u64> {
    Some(timeout.as_secs().max(1))
}

#[async_trait]
impl ServerApp for Connections {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        // Of the listener's own kind; the platform hands over no other.
        let socket: Box<Socket> = stream.into_any().downcast().ok()?;
        let _place = match self.door.enter() {
            Ok(place) => place,
            Err(turned) => {
                self.turn_away(socket, turned).await;
                return None;
            }
        };
        let _open = self.metrics.connection();
        let mut closing = shutdown.clone();
        let (opened, _counted) = tokio::select! {
            // What has arrived is answered.
            biased;
            opened = self.let_in(socket) => opened?,
            _ = closing.wait_for(|closing| *closing) => return None,
        };
        match opened {
            Opened::Http1(stream) => self.serve_http1(stream, &self.leaving).await,
            Opened::Http2(stream) => {
                let (limits, leaving) = (self.limits.of_streams(), self.leaving.clone());
                let connection = Http2 { proxy: &self.proxy, limits: &limits, metrics: &self.metrics, leaving };
                connection.serve(stream, self.limits.header_timeout).await;
            }
        }
        None
    }

    async fn cleanup(&self) {
        self.proxy.http_cleanup().await;
    }
}
