//! What the platform is told of the app for one connection to it: every timeout, TLS, and who may use it after.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pingora::protocols::l4::socket::SocketAddr;
use pingora::upstreams::peer::{HttpPeer, PeerOptions};

use super::tls::Tls;
use super::websocket::PatientConnector;
use super::{Config, Protocol};

/// What a connection is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Request,
    /// The first try met a connection that was closed: this one is new.
    Retry,
    /// The same, after the app has said that it wants no HTTP/2 (RFC 9113, section 7, `HTTP_1_1_REQUIRED`).
    Downgraded,
    WebSocket,
}

/// Connections of one group are pooled together. WebSockets have their own connector; a retry must not meet another
/// connection that the app closed with the first, so each is a group of its own.
const WEBSOCKET_GROUP: u64 = 1;
const FIRST_RETRY_GROUP: u64 = 2;

/// A retry's own connection is not kept: it belongs to no pool that anybody asks.
const NOT_KEPT: Duration = Duration::from_millis(1);

/// A tunnel may be silent for hours: its ends, not we, decide when it is over.
pub const TUNNEL_IDLE: Duration = Duration::from_secs(24 * 60 * 60);

/// What the app may send of one answer before we have read it, and on one connection of HTTP/2. The former is no less than
/// what the platform reads at a time over HTTP/1. The latter is as much as all its streams may hold: with less, some answers
/// that are read slowly would stop all others.
const STREAM_WINDOW: u32 = 64 * 1024;

/// RFC 9113, section 6.9.1.
const LARGEST_WINDOW: u32 = (1 << 31) - 1;

/// What of a request's content a client sends a second, at the least, and how long that may take altogether: an app that
/// takes none of it is waited for as long.
const SLOWEST_UPLOAD: u64 = 16 * 1024;
const LONGEST_UPLOAD: Duration = Duration::from_secs(10 * 60);

/// What a request with content is given beyond the time that its answer may take.
pub fn time_to_send(length: Option<u64>) -> Duration {
    length.map_or(LONGEST_UPLOAD, |length| Duration::from_secs(length / SLOWEST_UPLOAD).min(LONGEST_UPLOAD))
}

/// Makes them.
pub struct Peers {
    config: Arc<Config>,
    pub tls: Option<Tls>,
    retry_groups: AtomicU64,
}

impl Peers {
    pub fn new(config: Arc<Config>, tls: Option<Tls>) -> Self {
        Self { config, tls, retry_groups: AtomicU64::new(FIRST_RETRY_GROUP) }
    }

    /// The peer for one request, or for one more try of it.
    pub fn at(&self, address: &SocketAddr, purpose: Purpose) -> pingora::Result<Box<HttpPeer>> {
        let mut peer = self.to(address)?;
        if !matches!(purpose, Purpose::Downgraded | Purpose::WebSocket) {
            self.speak_http2(&mut peer.options);
        }
        let options = &mut peer.options;
        options.connection_timeout = Some(self.config.connect_timeout);
        options.total_connection_timeout = Some(self.config.connect_timeout);
        options.read_timeout = Some(self.config.read_timeout);
        options.write_timeout = Some(self.config.write_timeout);
        options.idle_timeout = Some(self.config.idle_timeout);
        match purpose {
            Purpose::Request => {}
            Purpose::Retry | Purpose::Downgraded => {
                options.idle_timeout = Some(NOT_KEPT);
                peer.group_key = self.retry_groups.fetch_add(1, Ordering::Relaxed);
            }
            Purpose::WebSocket => {
                options.read_timeout = Some(TUNNEL_IDLE);
                options.custom_l4 = Some(Arc::new(PatientConnector));
                peer.group_key = WEBSOCKET_GROUP;
            }
        }
        Ok(Box::new(peer))
    }

    fn speak_http2(&self, options: &mut PeerOptions) {
        match self.config.protocol {
            Protocol::Http1 => return,
            Protocol::Http2 => options.set_http_version(2, 2),
            Protocol::Negotiated => options.set_http_version(2, 1),
        }
        let streams = u32::try_from(self.config.max_streams).unwrap_or(u32::MAX);
        options.max_h2_streams = self.config.max_streams;
        options.h2_ping_interval = Some(self.config.ping_interval);
        options.h2_stream_window_size = Some(STREAM_WINDOW);
        options.h2_connection_window_size = Some(STREAM_WINDOW.saturating_mul(streams).min(LARGEST_WINDOW));
    }

    fn to(&self, address: &SocketAddr) -> pingora::Result<HttpPeer> {
        let name = self.tls.as_ref().map_or_else(String::new, |tls| tls.name().to_owned());
        let mut peer = match address {
            SocketAddr::Inet(address) => HttpPeer::new(*address, self.tls.is_some(), name),
            SocketAddr::Unix(address) => {
                let path = address.as_pathname().and_then(|path| path.to_str()).unwrap_or_default();
                HttpPeer::new_uds(path, self.tls.is_some(), name)?
            }
        };
        if let Some(tls) = &self.tls {
            tls.secure(&mut peer);
        }
        Ok(peer)
    }
}
