//! TLS towards the app: who may sign its certificate, which name that has to be for, and what it is shown of ours.
//!
//! The platform makes the handshake, and takes for each connection what it is told with the peer. Left to itself it does not
//! verify at all where it is told no name, as nginx does; so there always is one here. It would also end the process over
//! certificates that it cannot read; so they are read here first, and handed over only if they are of use. New files are
//! used from the next connection on, and connections made with the former ones are not used again; what does not work is
//! refused, and the former ones are kept.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use pingora::protocols::tls::CaType;
use pingora::tls::load_platform_certs_incl_env_into_store;
use pingora::upstreams::peer::HttpPeer;
use pingora::utils::tls::{CertKey, WrappedX509, parse_x509};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;

use crate::tls::{Fingerprint, LOOK_EVERY, Pem, TlsError, authorities, read_file, refuse};

/// The settings that name the files.
const CA: &str = "upstream.tls.ca";
const CERTIFICATE: &str = "upstream.tls.client_certificate";

/// What the operator wants of TLS towards the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What the certificate has to be for, and what the handshake asks for (RFC 6066, section 3).
    pub name: String,
    /// A file of certificates that may have signed the app's; None for the system's.
    pub ca: Option<PathBuf>,
    /// What the app is shown if it asks: a directory or a file, as those of the listener.
    pub client_certificate: Option<PathBuf>,
    pub trust: Trust,
}

/// How much of the app's certificate is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    Verified,
    /// Of a known signer, and of anybody who has one of that.
    AnyName,
    /// Of anybody.
    AnyCertificate,
}

/// The files, as they are now.
pub struct Tls {
    config: Config,
    current: RwLock<Arc<Current>>,
    seen: Mutex<Fingerprint>,
}

/// What one state of the files gives.
struct Current {
    ca: Option<Arc<CaType>>,
    own: Option<Arc<CertKey>>,
    /// Connections of one state are not another's.
    group: u64,
}

/// What the files hold.
struct Sources {
    ca: Option<(PathBuf, Vec<u8>)>,
    own: Option<(PathBuf, Pem)>,
}

impl Tls {
    pub fn load(config: Config) -> Result<Self, TlsError> {
        let sources = Sources::read(&config)?;
        if config.ca.is_none() {
            system_has_authorities()?;
        }
        let current = RwLock::new(Arc::new(sources.current()?));
        Ok(Self { config, current, seen: Mutex::new(sources.fingerprint()) })
    }

    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Tells the platform how to secure a connection.
    pub fn secure(&self, peer: &mut HttpPeer) {
        let current = self.current.read().clone();
        peer.options.verify_cert = self.config.trust != Trust::AnyCertificate;
        peer.options.verify_hostname = self.config.trust == Trust::Verified;
        peer.options.ca = current.ca.clone();
        peer.client_cert_key = current.own.clone();
        peer.group_key = current.group;
    }

    /// Follows the files from now on.
    pub async fn follow(&self) {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        loop {
            tick.tick().await;
            match self.refresh() {
                Ok(false) => {}
                Ok(true) => tracing::info!("new certificates are in use towards the app"),
                Err(error) => tracing::error!(%error, "the certificates towards the app stay as they were"),
            }
        }
    }

    /// Looks at the files again. True if they are others, and in use; an error is told once.
    fn refresh(&self) -> Result<bool, TlsError> {
        let sources = Sources::read(&self.config);
        let fingerprint = sources.as_ref().map_or_else(Fingerprint::of_error, Sources::fingerprint);
        if std::mem::replace(&mut *self.seen.lock(), fingerprint) == fingerprint {
            return Ok(false);
        }
        *self.current.write() = Arc::new(sources?.current()?);
        Ok(true)
    }
}

/// In an image without any, each handshake would fail.
fn system_has_authorities() -> Result<(), TlsError> {
    let mut roots = RootCertStore::empty();
    match load_platform_certs_incl_env_into_store(&mut roots) {
        Ok(()) if !roots.is_empty() => Ok(()),
        _ => {
            let why = "the system has no certificates of authorities: name a file".to_owned();
            Err(refuse(CA, "(the system's)".as_ref(), why))
        }
    }
}

impl Sources {
    fn read(config: &Config) -> Result<Self, TlsError> {
        let ca = |path: &PathBuf| match read_file(path) {
            Ok(pem) => Ok((path.clone(), pem)),
            Err(error) => Err(refuse(CA, path, error.to_string())),
        };
        let own = |path: &PathBuf| match Pem::read(path) {
            Ok(pem) => Ok((path.clone(), pem)),
            Err(error) => Err(refuse(CERTIFICATE, path, error.to_string())),
        };
        Ok(Self {
            ca: config.ca.as_ref().map(ca).transpose()?,
            own: config.client_certificate.as_ref().map(own).transpose()?,
        })
    }

    fn fingerprint(&self) -> Fingerprint {
        let own = self.own.iter().flat_map(|(_, pem)| [&pem.chain, &pem.key]);
        Fingerprint::of(self.ca.iter().map(|(_, pem)| pem).chain(own))
    }

    fn current(&self) -> Result<Current, TlsError> {
        let ca = |(path, pem): &(PathBuf, Vec<u8>)| {
            let (_, all) = authorities(pem).map_err(|why| refuse(CA, path, why))?;
            Ok(all.into_iter().map(|each| wrapped(each.to_vec())).collect())
        };
        let own = |(path, pem): &(PathBuf, Pem)| own(pem).map_err(|why| refuse(CERTIFICATE, path, why));
        Ok(Current {
            ca: self.ca.as_ref().map(ca).transpose()?,
            own: self.own.as_ref().map(own).transpose()?.map(Arc::new),
            group: self.fingerprint().short(),
        })
    }
}

/// The certificate is one that could be parsed before.
fn wrapped(certificate: Vec<u8>) -> WrappedX509 {
    WrappedX509::new(certificate, parse_x509)
}

fn own(pem: &Pem) -> Result<CertKey, String> {
    let certificate = pem.parse(&rustls::crypto::ring::default_provider())?;
    if PrivateKeyDer::try_from(certificate.secret.as_slice()).is_err() {
        return Err("its private key is of no known form".to_owned());
    }
    let (_, chain) = authorities(&pem.chain).map_err(|why| format!("its chain: {why}"))?;
    Ok(CertKey::new(chain.iter().map(|each| each.to_vec()).collect(), certificate.secret))
}
