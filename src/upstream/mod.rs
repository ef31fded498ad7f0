//! The app behind us: where it listens and how long we wait for it.
//!
//! Owns the peer that pingora connects to, with every timeout set: the platform's own default for each of them is
//! "for ever". Decides nothing about what is asked, only whether and where: [`admission`] says how much the app is given,
//! [`addresses`] where it is, [`breaker`] when it is left alone, [`tls`] whom we take for it. A WebSocket handshake takes the
//! connector of [`websocket`].
//!
//! Over HTTP/1 a connection is one exchange's at a time, which [`socket`] relies on; over HTTP/2 it is many exchanges', and
//! [`deadline`] ends one of them without it.

mod addresses;
mod admission;
mod breaker;
mod deadline;
mod line;
mod openings;
mod peer;
mod places;
mod probe;
mod socket;
mod tls;
mod websocket;

use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pingora::protocols::l4::socket::SocketAddr;
use pingora::upstreams::peer::HttpPeer;
use tokio::time::sleep;

pub use addresses::Addresses;
pub use admission::Limits;
pub use breaker::Rules as BreakerRules;
pub use deadline::{Deadline, Passed, Watch};
pub use line::Party;
pub use peer::Purpose;
use peer::{Peers, TUNNEL_IDLE};
pub use places::{Place, Places};
pub use socket::{Wire, duplicate};
use tls::Tls;
pub use tls::{Config as TlsConfig, Trust};

use crate::tls::TlsError;

/// Where the app listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A name, or an IP address without brackets.
    Tcp {
        host: String,
        port: u16,
        tls: bool,
    },
    Unix(PathBuf),
}

impl Address {
    /// As a request names it (RFC 9110, section 7.2).
    pub fn authority(&self) -> String {
        match self {
            Self::Tcp { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port, .. } => format!("{host}:{port}"),
            Self::Unix(_) => "localhost".to_owned(),
        }
    }

    pub fn is_secured(&self) -> bool {
        matches!(self, Self::Tcp { tls: true, .. })
    }
}

/// Which HTTP the app is spoken to in. A WebSocket is HTTP/1.1 always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    /// By ALPN with TLS, by prior knowledge without (RFC 9113, section 3).
    Http2,
    /// What the app chooses in the handshake of TLS.
    Negotiated,
}

impl Protocol {
    pub const WORDS: &'static [&'static str] = &["h1", "h2", "h2c", "auto"];

    /// One of [`Protocol::WORDS`].
    pub fn of(word: &str) -> Self {
        match word {
            "h2" | "h2c" => Self::Http2,
            "auto" => Self::Negotiated,
            _ => Self::Http1,
        }
    }
}

/// How the app is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub address: Address,
    /// Further addresses of the same app.
    pub also: Vec<Address>,
    pub protocol: Protocol,
    /// Requests at once on one connection of HTTP/2.
    pub max_streams: usize,
    /// How often a connection of HTTP/2 is asked whether it lives.
    pub ping_interval: Duration,
    /// None where it is reached without.
    pub tls: Option<TlsConfig>,
    /// How often names are looked up again.
    pub resolve_every: Duration,
    /// What is asked for to know whether the app is ready, and how often.
    pub ready_path: Option<String>,
    pub ready_interval: Duration,
    /// When an address that fails is left alone.
    pub breaker: BreakerRules,
    pub connect_timeout: Duration,
    /// From the request, as far as it has come, to the first byte of the response.
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

/// Where a deadline of our own is meant to end an exchange, the platform's timer is later by as much.
const AFTER_DEADLINE: Duration = Duration::from_secs(1);

/// The app's addresses, with its timeouts.
#[derive(Clone)]
pub struct Upstream {
    config: Arc<Config>,
    addresses: Arc<Addresses>,
    peers: Arc<Peers>,
}

impl Upstream {
    /// Every name has to have an address at the start.
    pub fn resolve(config: Config) -> Result<Self, ResolveError> {
        let all: Vec<Address> = std::iter::once(&config.address).chain(&config.also).cloned().collect();
        let config = Arc::new(config);
        let tls = config.tls.clone().map(Tls::load).transpose().map_err(ResolveError::Tls)?;
        let peers = Arc::new(Peers::new(config.clone(), tls));
        let probe = config.ready_path.as_ref().map(|path| probe::of(&config.address, path, peers.clone()));
        let addresses = Addresses::resolve(&all, config.breaker, probe.transpose()?)?;
        Ok(Self { config, addresses: Arc::new(addresses), peers })
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
        self.peers.at(address, purpose)
    }

    /// The peer for a call that may be silent for as long as its ends want, in either direction: gRPC has deadlines of its
    /// own, and over HTTP/2 the connection is asked whether it lives.
    pub fn lasting(&self, mut peer: Box<HttpPeer>) -> Box<HttpPeer> {
        if self.config.protocol != Protocol::Http1 {
            let beyond = |total| total + AFTER_DEADLINE;
            let silence = Some(self.config.total_timeout.map_or(TUNNEL_IDLE, beyond));
            // The platform takes a write that was too late for the end of the request's content, and goes on.
            (peer.options.read_timeout, peer.options.write_timeout) = (silence, silence);
        }
        peer
    }

    /// The peer for a request with content, of this length where it is told. Over HTTP/2 the platform waits for the answer
    /// from the head of the request on, however long it takes to send the rest.
    pub fn taking_content(&self, mut peer: Box<HttpPeer>, length: Option<u64>) -> Box<HttpPeer> {
        if self.config.protocol != Protocol::Http1 {
            peer.options.read_timeout = Some(self.config.read_timeout + peer::time_to_send(length));
        }
        peer
    }

    /// A connection to the app, to look at.
    pub fn wire(&self, socket: RawFd) -> Option<Wire> {
        (socket >= 0).then_some(Wire { socket, secured: self.config.tls.is_some() })
    }

    /// Looks at the files that TLS towards the app takes, again and again.
    pub async fn follow_files(self) {
        if let Some(tls) = &self.peers.tls {
            tls.follow().await;
        }
    }

    /// The timers of one exchange, where there are any beside the platform's own. `socket`: where the connection is this
    /// exchange's alone.
    pub fn deadline(&self, socket: Option<RawFd>) -> Option<Deadline> {
        let first = self.config.first_byte_timeout;
        let first = (first < self.config.read_timeout).then_some(first);
        match socket {
            Some(socket) => Deadline::of_connection(socket, first, self.config.total_timeout),
            None => Deadline::of_stream(first, self.config.total_timeout),
        }
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
    Tls(TlsError),
}

impl std::fmt::Display for ResolveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(address, why) => write!(f, "cannot resolve {address} (upstream.address): {why}"),
            Self::Probe(path) => write!(f, "{path} cannot be asked for (upstream.ready_path)"),
            Self::Tls(error) => error.fmt(f),
            Self::Path(path) => write!(f, "upstream.address unix:{} is not UTF-8, or too long", path.display()),
        }
    }
}

impl std::error::Error for ResolveError {}
