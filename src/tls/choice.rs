//! Which certificate a client is shown: the one for the name it asks for (RFC 6066, section 3), or else the first.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate::Certificate;

/// All certificates of the listener.
#[derive(Debug)]
pub struct Certificates {
    first: Arc<CertifiedKey>,
    by_name: HashMap<String, Arc<CertifiedKey>>,
    expires: SystemTime,
}

impl Certificates {
    /// Where several are for one name, the first of them serves it.
    pub fn new(first: Certificate, others: Vec<Certificate>) -> Self {
        let mut all = Self { first: first.key.clone(), by_name: HashMap::new(), expires: first.expires };
        for certificate in std::iter::once(first).chain(others) {
            all.expires = all.expires.min(certificate.expires);
            for name in certificate.names {
                all.by_name.entry(name).or_insert_with(|| certificate.key.clone());
            }
        }
        all
    }

    pub fn expires(&self) -> SystemTime {
        self.expires
    }

    /// RFC 9525, section 6.3: a wildcard stands for the whole left-most label, and for no more.
    pub fn named(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let exact = self.by_name.get(&name);
        exact.or_else(|| self.by_name.get(&format!("*.{}", name.split_once('.')?.1)))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| self.named(name));
        Some(named.unwrap_or(&self.first).clone())
    }
}
