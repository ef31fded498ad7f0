//! TLS towards clients: the listener's certificates, which of them a client is shown, and how new ones take over. What is
//! in a PEM file is read here for both sides; TLS towards the app is [`upstream`](crate::upstream)'s.
//!
//! The platform can serve TLS by itself, but only with what it was given at start, and it panics over a certificate that
//! it cannot read. So the connection is taken as it is and secured here, by rustls through the platform's own acceptor:
//! whatever the files hold at the time is one immutable [`Current`], and a connection keeps the one it began with.
//!
//! ```text
//!   files --> Sources --> Current (acceptor, names, expiry)
//!     ^  every 2 s        replaced as a whole, or kept if what is new does not work
//! ```
//!
//! The files are compared by content and not by time stamps: a Kubernetes secret is a symbolic link that is swapped, and
//! what a copy tool leaves behind half-written is read again the next time. A pair that does not belong together is no
//! reason to stop serving with the one that did; it is said once, and the gauge says it until it is mended.

mod certificate;
mod choice;
mod sources;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::{Mutex, RwLock};
use pingora::listeners::tls::Acceptor;
use pingora::protocols::IO;
use pingora::protocols::tls::TlsStream;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

pub(crate) use certificate::{Pem, authorities, read_file};
use sources::Sources;
pub(crate) use sources::{Fingerprint, refuse};

/// How often the files are read. They are small, and a new certificate should be in use when its `kubectl apply` returns,
/// or soon after.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What the operator wants of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Each a directory or a file; see [`certificate`]. The first is for clients that name none of the others' names.
    pub certificates: Vec<PathBuf>,
    pub oldest: Version,
    /// Who signs the certificates that clients have to show; None where they need not.
    pub client_ca: Option<PathBuf>,
    /// Offer HTTP/2.
    pub h2: bool,
}

/// A version of the protocol. rustls knows no older ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    Tls12,
    Tls13,
}

impl Version {
    pub const WORDS: &'static [&'static str] = &["1.2", "1.3"];

    /// One of [`Version::WORDS`].
    pub fn of(word: &str) -> Self {
        if word == "1.3" { Self::Tls13 } else { Self::Tls12 }
    }

    fn and_newer(self) -> Vec<&'static SupportedProtocolVersion> {
        match self {
            Self::Tls12 => vec![&TLS13, &TLS12],
            Self::Tls13 => vec![&TLS13],
        }
    }
}

/// The listener's side of TLS.
pub struct Tls {
    config: Config,
    current: RwLock<Arc<Current>>,
    seen: Mutex<Seen>,
}

/// What one state of the files gives.
struct Current {
    acceptor: Acceptor,
    /// When the first of the certificates does.
    expires: SystemTime,
}

/// What the last look at the files found.
struct Seen {
    fingerprint: Fingerprint,
    /// It is what is in use.
    works: bool,
}

/// What another look at the files led to.
#[derive(Debug)]
pub enum Refreshed {
    Unchanged,
    Replaced,
    /// What was in use still is.
    Kept(TlsError),
}

impl Tls {
    pub fn load(config: Config) -> Result<Self, TlsError> {
        let sources = Sources::read(&config)?;
        let current = RwLock::new(Arc::new(Current::of(&sources, &config)?));
        let seen = Mutex::new(Seen { fingerprint: sources.fingerprint(), works: true });
        Ok(Self { config, current, seen })
    }

    /// The handshake of one connection. It waits for its client for ever.
    pub async fn accept<S: IO + 'static>(&self, stream: S) -> pingora::Result<TlsStream<S>> {
        let current = self.current.read().clone();
        current.acceptor.tls_handshake(stream).await
    }

    /// Looks at the files again.
    pub fn refresh(&self) -> Refreshed {
        let mut seen = self.seen.lock();
        let sources = Sources::read(&self.config);
        let fingerprint = sources.as_ref().map_or_else(Fingerprint::of_error, Sources::fingerprint);
        if seen.fingerprint == fingerprint {
            return Refreshed::Unchanged;
        }
        let made = sources.and_then(|sources| Current::of(&sources, &self.config));
        *seen = Seen { fingerprint, works: made.is_ok() };
        match made {
            Ok(current) => {
                *self.current.write() = Arc::new(current);
                Refreshed::Replaced
            }
            Err(error) => Refreshed::Kept(error),
        }
    }

    /// Follows the files from now on.
    pub async fn follow(self: Arc<Self>) {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        loop {
            tick.tick().await;
            match self.refresh() {
                Refreshed::Unchanged => {}
                Refreshed::Replaced => tracing::info!("new certificates are in use"),
                Refreshed::Kept(error) => tracing::error!(%error, "the certificates stay as they were"),
            }
        }
    }
}

/// For the gauges.
impl crate::metrics::TlsGauges for Tls {
    fn is_current(&self) -> bool {
        self.seen.lock().works
    }

    fn expires(&self) -> u64 {
        let expires = self.current.read().expires;
        expires.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

impl Current {
    fn of(sources: &Sources, config: &Config) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&config.oldest.and_newer())
            .expect("the provider has suites for both versions");
        let builder = match sources.client_verifier(&provider)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let certificates = sources.certificates(&provider)?;
        let expires = certificates.expires();
        let mut server = builder.with_cert_resolver(Arc::new(certificates));
        // Tickets keep no state here. Each state of the files has its own keys: who was let in by a client certificate
        // that is no longer accepted does not come back by a ticket.
        if let Ok(tickets) = rustls::crypto::ring::Ticketer::new() {
            server.ticketer = tickets;
        }
        // RFC 7301, section 3.2: in the order that the server prefers.
        let protocols: [&[u8]; 3] = [b"h2", b"http/1.1", b"http/1.0"];
        server.alpn_protocols = protocols[usize::from(!config.h2)..].iter().map(|name| name.to_vec()).collect();
        Ok(Self { acceptor: Acceptor::from_server_config(Arc::new(server)), expires })
    }
}

/// Why a file is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError {
    key: &'static str,
    path: PathBuf,
    why: String,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot use {} ({}): {}", self.path.display(), self.key, self.why)
    }
}

impl std::error::Error for TlsError {}

#[cfg(test)]
mod tests;
