//! TLS before a scripted origin: what comes is decrypted, what the origin sends is encrypted, byte for byte.

use super::origin::Origin;
use rustls::ServerConfig;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsAcceptor;

pub struct Terminator {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Ends every connection when it goes.
    _runtime: Runtime,
}

struct Shared {
    config: Arc<ServerConfig>,
    to: SocketAddr,
    /// What each handshake that was done had asked for.
    names: Mutex<Vec<Option<String>>>,
    /// Ends connections without the alert that says so.
    rude: AtomicBool,
}

impl Terminator {
    pub fn before(origin: &Origin, config: ServerConfig) -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(1);
        let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let to = origin.address().parse().expect("an origin over TCP");
        let (names, rude) = (Mutex::default(), AtomicBool::new(false));
        let shared = Arc::new(Shared { config: Arc::new(config), to, names, rude });
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::new(127, 2, high, low), 0)));
        let listener = listener.expect("a free loopback port");
        let address = listener.local_addr().expect("bound");
        runtime.spawn(accept(listener, shared.clone()));
        Self { address, shared, _runtime: runtime }
    }

    /// As `upstream.address` has it.
    pub fn address(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The names that the handshakes so far asked for.
    pub fn names(&self) -> Vec<Option<String>> {
        self.shared.names.lock().expect("no holder panics").clone()
    }

    /// From now on connections end as if they had been cut.
    pub fn be_rude(&self) {
        self.shared.rude.store(true, Ordering::Relaxed);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(relay(stream, shared.clone()));
    }
}

/// What the network does here is the subject of the tests.
async fn relay(stream: TcpStream, shared: Arc<Shared>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut client = TlsAcceptor::from(shared.config.clone()).accept(stream).await?;
    let name = client.get_ref().1.server_name().map(str::to_owned);
    shared.names.lock().expect("no holder panics").push(name);
    let mut origin = TcpStream::connect(shared.to).await?;
    origin.set_nodelay(true)?;
    if !shared.rude.load(Ordering::Relaxed) {
        copy_bidirectional(&mut client, &mut origin).await?;
        return Ok(());
    }
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_origin, mut to_origin) = origin.split();
    tokio::select! {
        copied = tokio::io::copy(&mut from_client, &mut to_origin) => copied,
        copied = tokio::io::copy(&mut from_origin, &mut to_client) => copied,
    }?;
    Ok(())
}
