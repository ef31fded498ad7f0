//! A scripted HTTP/1.1 origin: it answers exactly what a test wrote, and remembers every request it saw.
//!
//! One thread accepts, one thread serves each connection. Dropping the origin closes everything, joins every
//! thread, and re-raises the panic of any of them.

mod answer;
mod connection;

pub use answer::{Answer, Part};

use super::socket::Socket;
use super::wire::Fields;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

/// A request as the origin read it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub fields: Fields,
    pub body: Vec<u8>,
    /// The body ended as its framing promised.
    pub complete: bool,
    /// Its number on its connection, from 1.
    pub nth: usize,
}

impl Seen {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.one(name)
    }
}

type Handler = Arc<dyn Fn(&Seen) -> Answer + Send + Sync>;

/// What the threads of one origin share.
#[derive(Default)]
struct Shared {
    routes: Mutex<HashMap<String, Handler>>,
    seen: Mutex<Vec<Seen>>,
    /// The connections that are open now, each by its number.
    open: Mutex<HashMap<usize, Socket>>,
    serving: Mutex<Vec<JoinHandle<()>>>,
    refusing: AtomicBool,
    stopping: AtomicBool,
    body_bytes: AtomicU64,
}

#[derive(Clone, Debug)]
enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

pub struct Origin {
    address: Address,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Origin {
    /// Listens on a loopback address of its own, so that nobody takes the port while it refuses connections.
    pub fn start() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(1);
        let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let listener = TcpListener::bind((Ipv4Addr::new(127, 1, high, low), 0)).expect("a free loopback port");
        let address = Address::Tcp(listener.local_addr().expect("bound"));
        Self::on(address, Listener::Tcp(listener))
    }

    pub fn start_unix(path: &Path) -> Self {
        let listener = UnixListener::bind(path).expect("a free path");
        Self::on(Address::Unix(path.to_owned()), Listener::Unix(listener))
    }

    fn on(address: Address, listener: Listener) -> Self {
        let shared = Arc::new(Shared::default());
        let accepting = Some(accept(listener, Arc::clone(&shared)));
        Self { address, shared, accepting }
    }

    /// As `upstream.address` has it.
    pub fn address(&self) -> String {
        match &self.address {
            Address::Tcp(address) => address.to_string(),
            Address::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    /// Answers a path, whatever its query.
    pub fn on_path(&self, path: &str, answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) {
        lock(&self.shared.routes).insert(path.to_owned(), Arc::new(answer));
    }

    /// The same answer each time.
    pub fn serve(&self, path: &str, answer: Answer) {
        self.on_path(path, move |_| answer.clone());
    }

    /// One answer after the other; the last one stays.
    pub fn serve_in_turn<const N: usize>(&self, path: &str, answers: [Answer; N]) {
        let next = AtomicU64::new(0);
        self.on_path(path, move |_| {
            let turn = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).expect("few requests");
            answers[turn.min(N - 1)].clone()
        });
    }

    /// The requests to a path, in the order in which they were read.
    pub fn requests(&self, path: &str) -> Vec<Seen> {
        let at = |seen: &&Seen| path_of(&seen.target) == path;
        lock(&self.shared.seen).iter().filter(at).cloned().collect()
    }

    /// How many requests came for a path.
    pub fn fetches(&self, path: &str) -> usize {
        self.requests(path).len()
    }

    /// The last request to a path.
    pub fn last(&self, path: &str) -> Seen {
        self.requests(path).pop().unwrap_or_else(|| panic!("the origin saw no request for {path}"))
    }

    /// Body bytes the kernel took so far, over all answers.
    pub fn body_bytes(&self) -> u64 {
        self.shared.body_bytes.load(Ordering::Relaxed)
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        lock(&self.shared.open).len()
    }

    /// Closes the listener and every connection: the next connect is refused.
    pub fn refuse(&mut self) {
        self.shared.refusing.store(true, Ordering::Relaxed);
        self.join_acceptor();
        self.close_connections();
    }

    /// Listens again where it did before.
    pub fn accept_again(&mut self) {
        let Address::Tcp(address) = self.address else { panic!("only a TCP origin comes back") };
        let listener = TcpListener::bind(address).expect("the address is this origin's own");
        self.shared.refusing.store(false, Ordering::Relaxed);
        self.accepting = Some(accept(Listener::Tcp(listener), Arc::clone(&self.shared)));
    }

    fn close_connections(&self) {
        for socket in lock(&self.shared.open).values() {
            socket.close();
        }
    }

    fn join_acceptor(&mut self) {
        let Some(accepting) = self.accepting.take() else {
            return;
        };
        // The acceptor blocks in accept(2): a connection wakes it, and it looks at its orders.
        let _woken = match &self.address {
            Address::Tcp(address) => TcpStream::connect(address).map(drop),
            Address::Unix(path) => UnixStream::connect(path).map(drop),
        };
        reraise(accepting.join());
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.shared.refusing.store(true, Ordering::Relaxed);
        self.join_acceptor();
        self.close_connections();
        let serving = std::mem::take(&mut *lock(&self.shared.serving));
        for connection in serving {
            reraise(connection.join());
        }
    }
}

fn accept(listener: Listener, shared: Arc<Shared>) -> JoinHandle<()> {
    thread::spawn(move || {
        loop {
            let accepted = match &listener {
                Listener::Tcp(listener) => listener.accept().and_then(|(stream, _)| Socket::tcp(stream)),
                Listener::Unix(listener) => listener.accept().map(|(stream, _)| Socket::Unix(stream)),
            };
            if shared.refusing.load(Ordering::Relaxed) {
                return;
            }
            // A peer that left between SYN and accept is no event.
            if let Ok((socket, twin)) = accepted.and_then(|socket| Ok((socket.try_clone()?, socket))) {
                let mut serving = lock(&shared.serving);
                let number = serving.len();
                lock(&shared.open).insert(number, twin);
                let connection = Arc::clone(&shared);
                serving.push(thread::spawn(move || connection::serve(number, socket, &connection)));
            }
        }
    })
}

fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or(target)
}

fn reraise(ended: thread::Result<()>) {
    if let Err(panic) = ended
        && !thread::panicking()
    {
        std::panic::resume_unwind(panic);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder panics")
}
