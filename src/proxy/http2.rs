//! One connection of HTTP/2, and what it may ask of us.
//!
//! A stream costs its client a few bytes and us a request, so that each of the known floods has a bound:
//!
//! * the time of a head, as over HTTP/1: [`Inlet`] knows of one that is not whole;
//! * streams at a time: the operator's, in SETTINGS. Work may outlive its stream, when a fetch goes on for the store after
//!   its client has left: twice as many requests may be at work, and one more is answered 503;
//! * the field section (RFC 9113, section 6.5.2), and with it the CONTINUATION frames that may carry one: what fits is
//!   read, and refused with 431 where it is more than the operator allows;
//! * rapid reset (CVE-2023-44487): streams that are reset before they were looked at end the connection in h2. Those that
//!   come slower have begun to cost something by then: [`Tally`] counts them;
//! * "made you reset" (CVE-2025-8671): streams that we reset since the client broke their rules end it too;
//! * either of these, by who comes back with a new connection each time: what is over by the time it is looked at is not
//!   begun, so that one read's worth of frames costs no more than the frames;
//! * requests altogether: after `listen.max_requests` GOAWAY says that the next belong elsewhere, and what is under way is
//!   finished.
//!
//! The loop is ours because the platform's counts none of these but malformed requests.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use pingora::apps::HttpServerApp;
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::{H2Accept, H2Options, HttpSession, default_h2_options, handshake};
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{Digest, Stream};
use pingora::proxy::HttpProxy;
use pingora::server::ShutdownWatch;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::Proxy;
use super::inlet::Inlet;
use super::tally::{Standing, Tally};
use crate::metrics::{Limit, Metrics};

/// Each field counts as so many bytes more than its name and value (RFC 9113, section 6.5.2).
const FIELD_OVERHEAD: u64 = 32;

/// Streams whose rules the client broke, of one connection. A client of good will breaks none.
const BROKEN_STREAMS: usize = 64;

/// Requests that the platform refused as they came in.
const MALFORMED_REQUESTS: usize = 32;

/// Streams that were reset before they were looked at.
const UNSEEN_RESETS: usize = 20;

/// How long a connection that ends may take to hear why.
const GOODBYE: Duration = Duration::from_millis(500);

/// What every connection is bound by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// At a time.
    pub max_streams: u32,
    /// Altogether.
    pub max_requests: Option<u64>,
    /// Of one request's head.
    pub max_header_size: u64,
    pub max_header_count: usize,
    /// Without a request.
    pub idle_timeout: Duration,
}

impl StreamLimits {
    fn settings(&self) -> H2Options {
        let list = self.max_header_size + FIELD_OVERHEAD * self.max_header_count as u64;
        let mut settings = default_h2_options();
        settings
            .max_concurrent_streams(self.max_streams)
            .max_header_list_size(u32::try_from(list).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(UNSEEN_RESETS)
            .max_local_error_reset_streams(Some(BROKEN_STREAMS));
        settings
    }
}

/// One of them, as it is served.
pub struct Http2<'a> {
    pub proxy: &'a Arc<HttpProxy<Proxy>>,
    pub limits: &'a StreamLimits,
    pub metrics: &'a Metrics,
    /// True once a drain has begun.
    pub leaving: ShutdownWatch,
}

/// Something other than a request.
enum Called {
    /// A drain has begun.
    Away,
    Flood,
    /// A head, or what comes before the first, was not whole in time.
    Late,
    Idle,
}

impl Http2<'_> {
    /// Serves it until it ends. `patience`: for each head, and for what comes before the first.
    pub async fn serve(mut self, stream: Stream, patience: Duration) {
        let late = Arc::new(Notify::new());
        let stream: Stream = Box::new(Inlet::new(stream, patience, late.clone()));
        let tally = Arc::new(Tally::new(self.limits.max_streams, self.limits.max_requests));
        let digest = digest(&stream, &tally);
        let mut connection = match timeout(patience, handshake(stream, Some(self.limits.settings()))).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(_)) => return,
            Err(_) => return self.metrics.limit_met(Limit::HeaderTime),
        };
        let (mut malformed, mut leaving) = (0, false);
        let reason = loop {
            let accepted = match self.next(&mut connection, &digest, (&tally, &late), leaving).await {
                Ok(accepted) => accepted,
                Err(Called::Away) => {
                    connection.graceful_shutdown();
                    leaving = true;
                    continue;
                }
                Err(Called::Flood) => break self.flood(),
                Err(Called::Late) => {
                    self.metrics.limit_met(Limit::HeaderTime);
                    break Reason::ENHANCE_YOUR_CALM;
                }
                Err(Called::Idle) => {
                    self.metrics.limit_met(Limit::IdleTime);
                    break Reason::NO_ERROR;
                }
            };
            match accepted {
                Ok(Some(H2Accept::Session(session))) => match self.admit(session, &tally) {
                    Standing::Last if !leaving => {
                        self.metrics.limit_met(Limit::ConnectionRequests);
                        connection.graceful_shutdown();
                        leaving = true;
                    }
                    Standing::Over => break Reason::NO_ERROR,
                    Standing::Fair | Standing::Last | Standing::Crowded => {}
                },
                Ok(Some(H2Accept::Rejected)) if malformed < MALFORMED_REQUESTS => malformed += 1,
                Ok(Some(H2Accept::Rejected)) => break self.flood(),
                Ok(None) => return,
                Err(error) => {
                    if is_flood(&error) {
                        self.flood();
                    }
                    return;
                }
            }
        };
        connection.abrupt_shutdown(reason);
        let _said = timeout(GOODBYE, std::future::poll_fn(|context| connection.poll_closed(context))).await;
    }

    async fn next(
        &mut self,
        connection: &mut h2::server::Connection<Stream, Bytes>,
        digest: &Arc<Digest>,
        (tally, late): (&Tally, &Notify),
        leaving: bool,
    ) -> Result<pingora::Result<Option<H2Accept>>, Called> {
        let idle = pin!(async {
            tally.until_idle().await;
            sleep(self.limits.idle_timeout).await;
        });
        tokio::select! {
            // What would end the connection is looked at first: streams may come in without a pause.
            biased;
            () = tally.until_flooded() => Err(Called::Flood),
            () = late.notified() => Err(Called::Late),
            _ = self.leaving.wait_for(|leaving| *leaving), if !leaving => Err(Called::Away),
            accepted = HttpSession::from_h2_conn(connection, digest.clone()) => Ok(accepted),
            () = idle => Err(Called::Idle),
        }
    }

    fn flood(&self) -> Reason {
        self.metrics.limit_met(Limit::Floods);
        Reason::ENHANCE_YOUR_CALM
    }

    fn admit(&self, mut session: HttpSession, tally: &Arc<Tally>) -> Standing {
        let standing = tally.ask();
        match standing {
            Standing::Fair | Standing::Last | Standing::Crowded if is_over(&mut session) => tally.end(true),
            Standing::Fair | Standing::Last => self.begin(session, tally),
            Standing::Crowded => {
                self.metrics.limit_met(Limit::Streams);
                refuse(session);
            }
            Standing::Over => {}
        }
        standing
    }

    /// One request, beside the others of the connection.
    fn begin(&self, session: HttpSession, tally: &Arc<Tally>) {
        let (proxy, leaving, live) = (self.proxy.clone(), self.leaving.clone(), tally.begin());
        tokio::spawn(async move {
            let _live = live;
            proxy.process_new_http(ServerSession::new_http2(session), &leaving).await;
        });
    }
}

/// Either end has reset the stream already, or the connection is gone: nobody waits for an answer.
fn is_over(session: &mut HttpSession) -> bool {
    let mut nobody = std::task::Context::from_waker(Waker::noop());
    pin!(session.idle()).poll(&mut nobody).is_ready()
}

/// Lets every request of the connection find its tally. The platform hands on what a proxy in front of a server said;
/// here there is none, so that the place is free.
fn digest(stream: &Stream, tally: &Arc<Tally>) -> Arc<Digest> {
    let nothing = ResponseHeader::build(200, None).ok().map(Box::new);
    let found = |nothing| Arc::new(ProxyDigest::new(nothing, Some(Box::new(tally.clone()))));
    Arc::new(Digest {
        ssl_digest: stream.get_ssl_digest(),
        timing_digest: stream.get_timing_digest(),
        proxy_digest: nothing.map(found),
        socket_digest: stream.get_socket_digest(),
    })
}

/// RFC 9110, section 15.6.4: as much is at work for this connection as may be.
fn refuse(mut session: HttpSession) {
    let head = ResponseHeader::build(503, None).and_then(|mut head| {
        head.insert_header(http::header::CACHE_CONTROL, "no-store")?;
        head.insert_header(http::header::RETRY_AFTER, "1")?;
        Ok(Box::new(head))
    });
    // Whoever has reset the stream meanwhile needs no answer.
    let _gone = head.and_then(|head| session.write_response_header(head, true));
}

/// h2 ended the connection since its client wanted too much of it.
fn is_flood(error: &pingora::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<h2::Error>();
    cause.is_some_and(|error| error.reason() == Some(Reason::ENHANCE_YOUR_CALM) && error.is_library())
}
