//! The app behind us: where it listens and how long we wait for it.
//!
//! Owns the peer that pingora connects to, with every timeout set: the platform's own default for each of them is
//! "for ever". Decides nothing about what is asked, only whether and where: [`admission`] says how much the app is given,
//! [`addresses`] where it is, [`breaker`] when it is left alone. A WebSocket handshake takes the connector of [`websocket`].

mod addresses;
mod admission;
mod breaker;
mod deadline;
mod places;
mod probe;
mod socket;
mod websocket;

use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pingora::protocols::l4::socket::SocketAddr;
use pingora::upstreams::peer::HttpPeer;
use tokio::time::sleep;

pub use addresses::Addresses;
pub use admission::Limits;
pub use breaker::Rules as BreakerRules;
pub use deadline::{Deadline, Passed};
pub use places::{Place, Places};
pub use socket::{duplicate, is_drained};
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
    /// Further addresses of the same app.
    pub also: Vec<Address>,
    /// How often names are looked up again.
    pub resolve_every: Duration,
    /// What is asked for to know whether the app is ready, and how often.
    pub ready_path: Option<String>,
    pub ready_interval: Duration,
    /// When an address that fails is left alone.
    pub breaker: BreakerRules,
    pub connect_timeout: Duration,
    /// From the request to the first byte of the response.
    pub first_byte_timeout: Duration,
    /// Between two reads of a response.
    pub read_timeout: Duration,
    /// From the request to the last byte of the response.
    pub total_timeout: Option<Duration>,
    /// For one write of a request.
    pub write_timeout: Duration,
    /// An unused connection to the app is closed after this long.
    pub idle_timeout: Duration,
    /// Bytes of all field names and values of a response together.
    pub max_header_size: u64,
    /// Further attempts after a connection that could not be made, or was found closed.
    pub max_retries: usize,
    /// Unused connections kept to the app.
    pub keepalive: usize,
    /// Requests at once, and those that wait.
    pub admission: Limits,
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

/// The app's addresses, with its timeouts.
#[derive(Clone)]
pub struct Upstream {
    config: Arc<Config>,
    addresses: Arc<Addresses>,
    retry_groups: Arc<AtomicU64>,
}

impl Upstream {
    /// Every name has to have an address at the start.
    pub fn resolve(config: Config) -> Result<Self, ResolveError> {
        let all: Vec<Address> = std::iter::once(&config.address).chain(&config.also).cloned().collect();
        let probe = config.ready_path.as_ref().map(|path| probe::of(&config.address, path));
        let addresses = Addresses::resolve(&all, config.breaker, probe.transpose()?)?;
        let retry_groups = Arc::new(AtomicU64::new(FIRST_RETRY_GROUP));
        Ok(Self { config: Arc::new(config), addresses: Arc::new(addresses), retry_groups })
    }

    /// Where the app is, and how it is there.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Looks the app's names up, again and again, and tells how many addresses there are, and how many are left alone.
    pub async fn look_up(self, tell: impl Fn((usize, usize))) {
        loop {
            sleep(self.config.resolve_every).await;
            self.addresses.look_up().await;
            tell(self.addresses.count());
        }
    }

    /// Asks for `ready_path`, again and again, and tells whether the app answers.
    pub async fn probe(self, tell: impl Fn(bool)) {
        loop {
            tell(self.addresses.probe().await);
            sleep(self.config.ready_interval).await;
        }
    }

    /// The peer for one request, or for one more try of it.
    pub fn peer(&self, address: &SocketAddr, purpose: Purpose) -> pingora::Result<Box<HttpPeer>> {
        let mut peer = match address {
            SocketAddr::Inet(address) => HttpPeer::new(*address, false, String::new()),
            SocketAddr::Unix(address) => {
                let path = address.as_pathname().and_then(|path| path.to_str()).unwrap_or_default();
                HttpPeer::new_uds(path, false, String::new())?
            }
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

    /// The timers of one exchange on a connection to the app, where there are any beside the platform's own.
    pub fn deadline(&self, socket: RawFd) -> Option<Deadline> {
        let first = self.config.first_byte_timeout;
        let first = (first < self.config.read_timeout).then_some(first);
        Deadline::begin(socket, first, self.config.total_timeout)
    }

    pub fn config(&self) -> &Config {
        &self.config
    }
}

/// Why the app's address is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolveError {
    Name(String, String),
    Path(PathBuf),
    Probe(String),
}

impl std::fmt::Display for ResolveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(address, why) => write!(f, "cannot resolve {address} (upstream.address): {why}"),
            Self::Probe(path) => write!(f, "{path} cannot be asked for (upstream.ready_path)"),
            Self::Path(path) => write!(f, "upstream.address unix:{} is not UTF-8, or too long", path.display()),
        }
    }
}

impl std::error::Error for ResolveError {}
