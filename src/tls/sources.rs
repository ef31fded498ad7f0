//! The files behind the listener's TLS, read together, so that what is built from them is of one moment.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::certificate::{Pem, authorities, read_file};
use super::choice::Certificates;
use super::{Config, TlsError};

/// The settings that name the files.
pub const CERTIFICATES: &str = "listen.tls.certificates";
pub const CLIENT_CA: &str = "listen.tls.client_ca";

/// What all files hold.
pub struct Sources {
    pairs: Vec<(PathBuf, Pem)>,
    client_ca: Option<(PathBuf, Vec<u8>)>,
}

/// Tells one state of the files from another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of these files' content.
    pub fn of<'a>(files: impl Iterator<Item = &'a Vec<u8>>) -> Self {
        let mut digest = blake3::Hasher::new();
        for file in files {
            digest.update(&(file.len() as u64).to_le_bytes()).update(file);
        }
        Self(*digest.finalize().as_bytes())
    }

    /// A part of it.
    pub fn short(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// Of files that cannot be read: as long as they cannot for the same reason, nothing is new.
    pub fn of_error(error: &TlsError) -> Self {
        Self(*blake3::hash(error.to_string().as_bytes()).as_bytes())
    }
}

impl Sources {
    pub fn read(config: &Config) -> Result<Self, TlsError> {
        let pair = |path: &PathBuf| match Pem::read(path) {
            Ok(pem) => Ok((path.clone(), pem)),
            Err(error) => Err(refuse(CERTIFICATES, path, error.to_string())),
        };
        let ca = |path: &PathBuf| match read_file(path) {
            Ok(pem) => Ok((path.clone(), pem)),
            Err(error) => Err(refuse(CLIENT_CA, path, error.to_string())),
        };
        Ok(Self {
            pairs: config.certificates.iter().map(pair).collect::<Result<_, _>>()?,
            client_ca: config.client_ca.as_ref().map(ca).transpose()?,
        })
    }

    pub fn fingerprint(&self) -> Fingerprint {
        let ca = self.client_ca.iter().map(|(_, pem)| pem);
        Fingerprint::of(self.pairs.iter().flat_map(|(_, pem)| [&pem.chain, &pem.key]).chain(ca))
    }

    pub fn certificates(&self, provider: &CryptoProvider) -> Result<Certificates, TlsError> {
        let parse = |(path, pem): &(PathBuf, Pem)| pem.parse(provider).map_err(|why| refuse(CERTIFICATES, path, why));
        let mut all = self.pairs.iter().map(parse).collect::<Result<Vec<_>, _>>()?.into_iter();
        let first = all.next().ok_or_else(|| refuse(CERTIFICATES, &PathBuf::new(), "the list is empty".to_owned()))?;
        Ok(Certificates::new(first, all.collect()))
    }

    /// None where clients need not show who they are.
    pub fn client_verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
        let Some((path, pem)) = &self.client_ca else {
            return Ok(None);
        };
        let (roots, _) = authorities(pem).map_err(|why| refuse(CLIENT_CA, path, why))?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        match verifier.build() {
            Ok(verifier) => Ok(Some(verifier)),
            Err(error) => Err(refuse(CLIENT_CA, path, error.to_string())),
        }
    }
}

pub fn refuse(key: &'static str, path: &std::path::Path, why: String) -> TlsError {
    TlsError { key, path: path.to_owned(), why }
}
