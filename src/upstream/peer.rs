//! What the platform is told of the app for one connection to it: every timeout, TLS, and who may use it after.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pingora::protocols::l4::socket::SocketAddr;
use pingora::upstreams::peer::HttpPeer;

use super::Config;
use super::tls::Tls;
use super::websocket::PatientConnector;

/// What a connection is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Request,
    /// The first try met a connection that was closed: this one is new.
    Retry,
    WebSocket,
}

/// Connections of one group are pooled together. WebSockets have their own connector; a retry must not meet another
/// connection that the app closed with the first, so each is a group of its own.
const WEBSOCKET_GROUP: u64 = 1;
const FIRST_RETRY_GROUP: u64 = 2;

/// A retry's own connection is not kept: it belongs to no pool that anybody asks.
const NOT_KEPT: Duration = Duration::from_millis(1);

/// A tunnel may be silent for hours: its ends, not we, decide when it is over.
const TUNNEL_IDLE: Duration = Duration::from_secs(24 * 60 * 60);

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
        let options = &mut peer.options;
        options.connection_timeout = Some(self.config.connect_timeout);
        options.total_connection_timeout = Some(self.config.connect_timeout);
        options.read_timeout = Some(self.config.read_timeout);
        options.write_timeout = Some(self.config.write_timeout);
        options.idle_timeout = Some(self.config.idle_timeout);
        match purpose {
            Purpose::Request => {}
            Purpose::Retry => {
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
