//! One connection of HTTP/1: requests one after the other.
//!
//! A request begins with its first byte, and that is waited for here: a connection that is idle holds no session of the
//! platform's, and `header_timeout` is the whole of a head's time, however it trickles. The timers that the platform leaves
//! at "for ever" are set *before* a head is read.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use pingora::apps::{HttpPersistentSettings, HttpServerApp, ReusedHttpStream};
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::proxy::HttpProxy;
use pingora::server::ShutdownWatch;
use tokio::time::{Instant, timeout, timeout_at};

use super::Proxy;
use super::arrival::HeadArrival;
use super::connection::{ConnectionLimits, GOODBYE};
use super::outlet::Outlet;
use crate::metrics::{Limit, Metrics};

/// The platform's word for a time without an end.
const FOR_EVER: Option<u64> = Some(0);

/// One of them, as it is served.
pub struct Http1<'a> {
    pub proxy: &'a Arc<HttpProxy<Proxy>>,
    pub limits: &'a ConnectionLimits,
    pub metrics: &'a Metrics,
    /// True once a drain has begun.
    pub leaving: ShutdownWatch,
    /// True once the listener closes.
    pub closing: ShutdownWatch,
}

impl Http1<'_> {
    /// Serves it until it ends. `since`: when the first byte came, if it did.
    pub async fn serve(mut self, stream: Stream, since: Option<Instant>) {
        let head = HeadArrival::within(self.limits.max_header_size);
        let mut connection = Box::new(Outlet::new(stream, head.clone()));
        let mut settings = None;
        let Some(mut since) = (match since {
            Some(since) => Some(since),
            None => self.begins(&mut connection, self.limits.header_timeout, Limit::HeaderTime).await,
        }) else {
            return;
        };
        loop {
            let session = self.session(connection, settings.take());
            let Some(reused) = self.serve_one(session, &head, since).await else {
                return;
            };
            let (stream, kept) = reused.consume();
            // As it was given to the platform.
            let Ok(same) = stream.into_any().downcast() else {
                return;
            };
            (connection, settings) = (same, kept);
            since = match self.begins(&mut connection, self.limits.idle_timeout, Limit::IdleTime).await {
                Some(since) => since,
                None => return,
            };
        }
    }

    /// When the next request began. None: there is none.
    async fn begins(&mut self, connection: &mut Outlet, patience: Duration, limit: Limit) -> Option<Instant> {
        let begun = tokio::select! {
            biased; // What has come already is served.
            begun = timeout(patience, connection.begins()) => begun,
            _ = self.closing.wait_for(|closing| *closing) => return None,
        };
        match begun {
            Ok(true) => Some(Instant::now()),
            Ok(false) => None,
            Err(_) => {
                self.metrics.limit_met(limit);
                None
            }
        }
    }

    fn session(&self, connection: Box<Outlet>, settings: Option<HttpPersistentSettings>) -> ServerSession {
        let mut session = ServerSession::new_http1(connection);
        match settings {
            Some(settings) => settings.apply_to_session(&mut session),
            None => {
                let reuses = self.limits.max_requests.map(|most| u32::try_from(most - 1).unwrap_or(u32::MAX));
                session.set_keepalive_reuses_remaining(reuses);
            }
        }
        // The platform takes either time for each read of a head: whichever is shorter would end it before our own, which the
        // client is told. The proxy's first filter sets both for what comes then.
        session.set_keepalive(FOR_EVER);
        session.set_read_timeout(None);
        session
    }

    /// One request, whose head is whole in time.
    async fn serve_one(
        &self,
        mut session: ServerSession,
        head: &HeadArrival,
        since: Instant,
    ) -> Option<ReusedHttpStream> {
        head.begin();
        session.set_connection_user_context(Some(Box::new(head.clone())));
        let mut serving = pin!(self.proxy.process_new_http(session, &self.leaving));
        match timeout_at(since + self.limits.header_timeout, &mut serving).await {
            Ok(next) => {
                if head.is_too_large() {
                    self.metrics.limit_met(Limit::HeaderSize);
                }
                next
            }
            Err(_) if head.is_whole() => serving.await,
            Err(_) => {
                self.metrics.limit_met(Limit::HeaderTime);
                head.expire();
                let _told = timeout(GOODBYE, serving).await;
                None
            }
        }
    }
}
