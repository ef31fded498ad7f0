//! One downstream connection: counted, limited, let in by its [`Entrance`], and served until it ends.
//!
//! The limits are those in force when it begins: it keeps them to its end.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, ServerApp};
use pingora::protocols::l4::stream::Stream as Socket;
use pingora::protocols::{GetSocketDigest, Stream};
use pingora::proxy::HttpProxy;
use pingora::server::ShutdownWatch;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::announced::Announcers;
use super::door::{Counted, Door, TurnedAway};
use super::entrance::{Entrance, Opened};
use super::http1::Http1;
use super::http2::{Http2, StreamLimits};
use super::{Parts, Proxy};
use crate::metrics::Limit;
use crate::tls::Tls;

/// How long somebody who is turned away may take to say something first, and to hear why: an answer to what was not read
/// would be lost.
pub const GOODBYE: Duration = Duration::from_millis(100);

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
    parts: Arc<Parts>,
    /// None: without TLS.
    tls: Option<Arc<Tls>>,
    door: Door,
    /// True once a drain has begun, which is before the listener closes: connections of HTTP/2 hear of it by GOAWAY.
    leaving: ShutdownWatch,
}

impl Connections {
    pub fn new(proxy: HttpProxy<Proxy>, parts: Arc<Parts>, tls: Option<Arc<Tls>>, leaving: ShutdownWatch) -> Self {
        Self { proxy: Arc::new(proxy), parts, tls, door: Door::default(), leaving }
    }

    fn limits(&self) -> Arc<ConnectionLimits> {
        self.parts.rules.load().connection.clone()
    }

    fn limit_met(&self, limit: Limit) {
        self.parts.metrics.limit_met(limit);
    }

    /// Says why, and hears what there is to hear, so that the answer is not lost to a reset.
    async fn turn_away(&self, mut stream: Stream, turned: TurnedAway) {
        self.limit_met(turned.limit());
        if self.tls.is_some() {
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
    async fn let_in(&self, mut socket: Box<Socket>, limits: &ConnectionLimits) -> Option<(Opened, Option<Counted>)> {
        self.hear_whose(&mut socket, limits).await?;
        let counted = {
            let rules = self.parts.rules.load();
            self.door.count(peer(&socket), limits.max_per_client, &rules.trusted_proxies)
        };
        let (patience, tls, metrics) = (limits.header_timeout, self.tls.as_deref(), &*self.parts.metrics);
        match counted {
            Ok(counted) => {
                let entrance = Entrance { h2c: limits.h2c, patience, tls, metrics };
                Some((entrance.open(socket).await?, counted))
            }
            Err(turned) => {
                self.turn_away(socket, turned).await;
                None
            }
        }
    }

    /// From here on the connection's peer is the client that a balancer speaks for. None: it had to say so, and did not.
    async fn hear_whose(&self, socket: &mut Socket, limits: &ConnectionLimits) -> Option<()> {
        match timeout(limits.header_timeout, limits.announcers.hear(socket)).await {
            Ok(heard) => heard,
            Err(_) => {
                self.limit_met(Limit::HeaderTime);
                None
            }
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
        let limits = self.limits();
        let _place = match self.door.enter(limits.max_connections) {
            Ok(place) => place,
            Err(turned) => {
                self.turn_away(socket, turned).await;
                return None;
            }
        };
        let _open = self.parts.metrics.connection();
        let mut closing = shutdown.clone();
        let (opened, _counted) = tokio::select! {
            // What has arrived is answered.
            biased;
            // On the heap each, here and below: what is over gives its room back, and a connection holds what it is at.
            opened = Box::pin(self.let_in(socket, &limits)) => opened?,
            _ = closing.wait_for(|closing| *closing) => return None,
        };
        match opened {
            Opened::Http1(stream, since) => {
                let (metrics, leaving) = (&*self.parts.metrics, self.leaving.clone());
                let connection = Http1 { proxy: &self.proxy, limits: &limits, metrics, leaving, closing };
                Box::pin(connection.serve(stream, since)).await;
            }
            Opened::Http2(stream) => {
                let (streams, leaving) = (limits.of_streams(), self.leaving.clone());
                let connection = Http2 { proxy: &self.proxy, limits: &streams, metrics: &self.parts.metrics, leaving };
                Box::pin(connection.serve(stream, limits.header_timeout)).await;
            }
        }
        None
    }

    async fn cleanup(&self) {
        self.proxy.http_cleanup().await;
    }
}
