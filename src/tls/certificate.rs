//! One certificate of the listener: where its files are, and what is in them.
//!
//! A directory holds a chain and a key under the names that their makers give them: `tls.crt` and `tls.key` in a secret
//! of Kubernetes, `fullchain.pem` and `privkey.pem` with certbot. A file holds both, one after the other, in PEM.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Chain and key in a directory.
const PAIRS: [(&str, &str); 2] = [("tls.crt", "tls.key"), ("fullchain.pem", "privkey.pem")];

/// Far more than a chain needs, and little enough for a wrong path to do no harm.
const LARGEST_FILE: u64 = 1 << 20;

/// A certificate that can be served.
pub struct Certificate {
    pub key: Arc<CertifiedKey>,
    /// The private key as it was read.
    pub secret: Vec<u8>,
    /// The DNS names it is for, lower-case; one may begin with `*.`.
    pub names: Vec<String>,
    pub expires: SystemTime,
}

/// What the files of one certificate hold.
pub struct Pem {
    pub chain: Vec<u8>,
    pub key: Vec<u8>,
}

impl Pem {
    pub fn read(path: &Path) -> io::Result<Self> {
        if !path.is_dir() {
            let both = read_file(path)?;
            return Ok(Self { chain: both.clone(), key: both });
        }
        let pair = |(chain, key): &(&str, &str)| (path.join(chain), path.join(key));
        let found: Option<(PathBuf, PathBuf)> = PAIRS.iter().map(pair).find(|(chain, _)| chain.exists());
        let Some((chain, key)) = found else {
            let why = "it has neither tls.crt with tls.key nor fullchain.pem with privkey.pem";
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        };
        let named = |path: &Path| {
            read_file(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        };
        Ok(Self { chain: named(&chain)?, key: named(&key)? })
    }

    /// The error is a sentence for the operator.
    pub fn parse(&self, provider: &CryptoProvider) -> Result<Certificate, String> {
        let chain = certificates(&self.chain)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| "there is no private key in it".to_owned())?;
        let (names, expires) = read_leaf(&chain[0])?;
        let secret = key.secret_der().to_vec();
        let key = provider.key_provider.load_private_key(key);
        let key = CertifiedKey::new(chain, key.map_err(|error| format!("its private key cannot be used: {error}"))?);
        match key.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(_) => return Err("its private key belongs to another certificate".to_owned()),
        }
        Ok(Certificate { key: Arc::new(key), secret, names, expires })
    }
}

/// All certificates of a file, at least one.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err("there is no certificate in it".to_owned()),
        Err(error) => Err(format!("it is not PEM: {error}")),
    }
}

/// Those who sign certificates: all of a file, at least one, each of them of use.
pub fn authorities(pem: &[u8]) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), String> {
    let (mut roots, all) = (RootCertStore::empty(), certificates(pem)?);
    for certificate in &all {
        let added = roots.add(certificate.clone());
        added.map_err(|error| format!("a certificate in it is broken: {error}"))?;
        read_leaf(certificate)?;
    }
    Ok((roots, all))
}

/// The names in a certificate, and its end. RFC 9110, section 4.3.4: the subject's common name is none of them.
fn read_leaf(leaf: &CertificateDer<'_>) -> Result<(Vec<String>, SystemTime), String> {
    let (_, leaf) = X509Certificate::from_der(leaf).map_err(|error| format!("its certificate is broken: {error}"))?;
    let extension = leaf.subject_alternative_name();
    let extension = extension.map_err(|error| format!("its names cannot be read: {error}"))?;
    let names = extension.map(|extension| &extension.value.general_names);
    let names = names.into_iter().flatten().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    let end = u64::try_from(leaf.validity().not_after.timestamp()).unwrap_or(0);
    Ok((names.collect(), SystemTime::UNIX_EPOCH + Duration::from_secs(end)))
}

pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    if std::fs::metadata(path)?.len() > LARGEST_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1MiB"));
    }
    std::fs::read(path)
}
