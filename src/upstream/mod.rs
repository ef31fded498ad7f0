//! The app behind us: where it listens and how long we wait for it.
//!
//! Owns the peer that pingora connects to, with every timeout set: the platform's own default for each of them is
//! "for ever". Decides nothing about requests; a WebSocket handshake takes the connector of [`websocket`].

mod socket;
mod websocket;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pingora::upstreams::peer::HttpPeer;

pub use socket::is_drained;
use websocket::PatientConnector;

/// Where the app listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A name, or an IP address without brackets.
    Tcp {
        host: String,
        port: u16,
    },
    Unix(PathBuf),
}

/// How the app is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub address: Address,
    pub connect_timeout: Duration,
    /// Between two reads of a response.
    pub read_timeout: Duration,
    /// For one write of a request.
    pub write_timeout: Duration,
    /// An unused connection to the app is closed after this long.
    pub idle_timeout: Duration,
    /// Further attempts after a connection that could not be made, or was found closed.
    pub max_retries: usize,
    /// Unused connections kept to the app.
    pub keepalive: usize,
}

/// Connections of one group are pooled together. WebSockets have their own connector; a retry must not meet another
/// connection that the app closed with the first, so each is a group of its own.
const WEBSOCKET_GROUP: u64 = 1;
const FIRST_RETRY_GROUP: u64 = 2;

/// A retry's own connection is not kept: it belongs to no pool that anybody asks.
const NOT_KEPT: Duration = Duration::from_millis(1);

/// What a connection is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Request,
    /// The first try met a connection that was closed: this one is new.
    Retry,
    WebSocket,
}

/// A tunnel may be silent for hours: its ends, not we, decide when it is over.
const TUNNEL_IDLE: Duration = Duration::from_secs(24 * 60 * 60);

/// The app's address, resolved, with its timeouts.
#[derive(Clone, Debug)]
pub struct Upstream {
    config: Config,
    target: Target,
    retry_groups: Arc<AtomicU64>,
}

#[derive(Clone, Debug)]
enum Target {
    Tcp(SocketAddr),
    Unix(String),
}

impl Upstream {
    /// Resolves the address once: the app of a sidecar does not move.
    pub fn resolve(config: Config) -> Result<Self, ResolveError> {
        let target = match &config.address {
            Address::Tcp { host, port } => Target::Tcp(resolve(host, *port)?),
            Address::Unix(path) => {
                Target::Unix(path.to_str().ok_or_else(|| ResolveError::Path(path.clone()))?.to_owned())
            }
        };
        Ok(Self { config, target, retry_groups: Arc::new(AtomicU64::new(FIRST_RETRY_GROUP)) })
    }

    /// The peer for one request, or for one more try of it.
    pub fn peer(&self, purpose: Purpose) -> pingora::Result<Box<HttpPeer>> {
        let mut peer = match &self.target {
            Target::Tcp(address) => HttpPeer::new(*address, false, String::new()),
            Target::Unix(path) => HttpPeer::new_uds(path, false, String::new())?,
        };
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

    pub fn config(&self) -> &Config {
        &self.config
    }
}

fn resolve(host: &str, port: u16) -> Result<SocketAddr, ResolveError> {
    (host, port)
        .to_socket_addrs()
        .map_err(|error| ResolveError::Name(host.to_owned(), error.to_string()))?
        .next()
        .ok_or_else(|| ResolveError::Name(host.to_owned(), "the name has no address".to_owned()))
}

/// Why the app's address is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolveError {
    Name(String, String),
    Path(PathBuf),
}

impl std::fmt::Display for ResolveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(address, why) => write!(f, "cannot resolve {address} (upstream.address): {why}"),
            Self::Path(path) => write!(f, "upstream.address unix:{} is not UTF-8", path.display()),
        }
    }
}

impl std::error::Error for ResolveError {}
