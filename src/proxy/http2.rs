//! What one connection of HTTP/2 may ask of us.
//!
//! A stream costs its client a few bytes and us a request, so that each of the known floods has a bound:
//!
//! * streams at a time: the operator's, in SETTINGS;
//! * the field section (RFC 9113, section 6.5.2), and with it the CONTINUATION frames that may carry one: what fits is
//!   read, and refused with 431 where it is more than the operator allows;
//! * rapid reset (CVE-2023-44487): streams that are reset before they were looked at end the connection in h2. Those that
//!   come slower have begun to cost something by then: they are counted here, [`Resets`];
//! * "made you reset" (CVE-2025-8671): streams that we reset since the client broke their rules end it too.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pingora::http::ResponseHeader;
use pingora::protocols::GetProxyDigest;
use pingora::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::proxy::Session;
use tokio::sync::Notify;

use super::intake::RequestLimits;

/// Each field counts as so many bytes more than its name and value (RFC 9113, section 6.5.2).
const FIELD_OVERHEAD: u64 = 32;

/// Streams whose rules the client broke, of one connection. A client of good will breaks none.
const BROKEN_STREAMS: usize = 64;

/// Streams that were reset before they were looked at.
const UNSEEN_RESETS: usize = 20;

/// Requests of one connection that may be given up in [`RESET_SPAN`]: a page that is left in the middle of loading gives
/// up as many as it may have at a time, and a person leaves some pages in that span.
const MOST_RESETS: u32 = 500;
const RESET_SPAN: Duration = Duration::from_secs(10);

/// The settings of every connection.
pub fn options(max_streams: u32, limits: &RequestLimits) -> H2Options {
    let list = limits.max_header_size + FIELD_OVERHEAD * limits.max_header_count as u64;
    let mut options = default_h2_options();
    options
        .max_concurrent_streams(max_streams)
        .max_header_list_size(u32::try_from(list).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(UNSEEN_RESETS)
        .max_local_error_reset_streams(Some(BROKEN_STREAMS));
    options
}

/// How many requests a connection gave up lately. Each of its streams has hold of it.
#[derive(Clone, Debug)]
pub struct Resets(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    count: Mutex<Count>,
    too_many: Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    since: Instant,
    resets: u32,
}

impl Resets {
    pub fn none(now: Instant) -> Self {
        Self(Arc::new(Shared { count: Mutex::new(Count { since: now, resets: 0 }), too_many: Notify::new() }))
    }

    /// Lets every stream of the connection find this. The platform hands on what a proxy in front of a server said; here
    /// there is none, so that the place is free.
    pub fn attach(&self, connection: &mut (impl GetProxyDigest + ?Sized)) {
        if let Ok(nothing) = ResponseHeader::build(200, None) {
            connection.set_proxy_digest(ProxyDigest::new(Box::new(nothing), Some(Box::new(self.clone()))));
        }
    }

    /// Those of the connection that this request came on.
    pub fn of(session: &Session) -> Option<&Self> {
        let digest = session.digest()?.proxy_digest.as_ref()?;
        digest.user_data.as_ref()?.downcast_ref()
    }

    /// One more.
    pub fn count(&self, now: Instant) {
        if self.0.count.lock().one_more(now) {
            self.0.too_many.notify_one();
        }
    }

    pub async fn too_many(&self) {
        self.0.too_many.notified().await;
    }
}

impl Count {
    /// Whether it is one too many.
    fn one_more(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) > RESET_SPAN {
            *self = Self { since: now, resets: 0 };
        }
        self.resets += 1;
        self.resets > MOST_RESETS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_in_a_short_time_are_too_many() {
        let start = Instant::now();
        let mut count = Count { since: start, resets: 0 };
        let within = (0..MOST_RESETS).map(|_| count.one_more(start + RESET_SPAN)).collect::<Vec<_>>();
        assert!(!within.contains(&true));
        assert!(count.one_more(start + RESET_SPAN));
        let later = start + RESET_SPAN + Duration::from_millis(1);
        assert!(!count.one_more(later), "a new span");
        assert_eq!(count, Count { since: later, resets: 1 });
    }
}
