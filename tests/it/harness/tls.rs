//! Certificates for tests, and clients that check them: rustls in this process, curl and openssl beside it.

use super::Directory;
use super::wait::DEADLINE;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Who signs the certificates of one test.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: Directory,
}

/// A chain and its key, in PEM.
#[derive(Clone)]
pub struct Pair {
    pub chain: String,
    pub key: String,
}

impl Authority {
    /// `name` is the test's: files of two tests must not meet.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        // Not the library's own: a certificate whose subject is its issuer's would count as self-signed.
        params.distinguished_name.push(DnType::CommonName, "an authority of these tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate");
        let directory = Directory::new(name);
        directory.file("ca.pem", &issuer.pem());
        Self { issuer, directory }
    }

    pub fn issue(&self, names: &[&str]) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(names).expect("names");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Pair { chain: certificate.pem(), key: key.serialize_pem() }
    }

    /// A new certificate for these names, in a directory of its own.
    pub fn directory(&self, of: &str, names: &[&str]) -> PathBuf {
        let path = self.directory.join(of);
        std::fs::create_dir_all(&path).expect("the temporary directory is writable");
        self.issue(names).write(&path);
        path
    }

    /// The authority's own certificate, in a file.
    pub fn file(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// A path beside the certificates.
    pub fn join(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A client that trusts this authority alone, offers these protocols, and may have a certificate of its own.
    pub fn client(&self, protocols: &[&str], own: Option<&Pair>) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("versions").with_root_certificates(self.roots());
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(pair) => builder.with_client_auth_cert(vec![pair.der()], pair.secret()).expect("a pair"),
        };
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }

    /// A server with a certificate for these names, that offers these protocols, and may ask its clients for certificates
    /// that this authority has signed.
    pub fn server(&self, names: &[&str], protocols: &[&str], asks: bool) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        let builder = builder.expect("versions");
        let builder = match asks {
            false => builder.with_no_client_auth(),
            true => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()), provider);
                builder.with_client_cert_verifier(verifier.build().expect("an authority"))
            }
        };
        let pair = self.issue(names);
        let mut config = builder.with_single_cert(vec![pair.der()], pair.secret()).expect("a pair");
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("an authority");
        roots
    }
}

impl Pair {
    pub fn write(&self, directory: &Path) {
        std::fs::write(directory.join("tls.crt"), &self.chain).expect("a writable directory");
        std::fs::write(directory.join("tls.key"), &self.key).expect("a writable directory");
    }

    fn secret(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("a key")
    }

    /// The certificate itself.
    pub fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.chain.as_bytes()).expect("a certificate")
    }
}

/// A handshake as the client sees it; the error is its own, or the server's alert.
pub async fn secure(to: SocketAddr, name: &str, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(to).await.expect("somebody listens");
    let name = ServerName::try_from(name.to_owned()).expect("a host name");
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    timeout(DEADLINE, handshake).await.expect("a handshake, or an alert, in time")
}

/// The certificate that a client who asks for `name` is shown.
pub fn shown(to: SocketAddr, name: &str, config: ClientConfig) -> CertificateDer<'static> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let stream = runtime.block_on(secure(to, name, config)).expect("a handshake");
    let (_, session) = stream.get_ref();
    session.peer_certificates().expect("a server has one")[0].clone().into_owned()
}

/// curl, asking for `name` at this address.
pub fn curl(to: SocketAddr, name: &str, arguments: &[&str]) -> Output {
    let resolve = format!("{name}:{}:{}", to.port(), to.ip());
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "20", "--resolve", &resolve]).args(arguments);
    command.stdin(Stdio::null()).output().expect("curl: make setup installs it")
}
