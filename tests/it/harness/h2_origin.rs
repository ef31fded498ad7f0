//! A scripted HTTP/2 origin: each answer is a row of steps, frame by frame, and every request is remembered.

use super::wait::Gate;
use super::wire::Fields;
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use rustls::ServerConfig;
use std::collections::HashMap;
use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// One frame of an answer, or what happens between two.
#[derive(Clone, Debug)]
pub enum Step {
    /// The head; the second says whether it is the end.
    Head(u16, Vec<(String, String)>, bool),
    /// DATA; the second says whether it is the end.
    Data(Vec<u8>, bool),
    Trailers(Vec<(String, String)>),
    /// RST_STREAM.
    Reset(Reason),
    Wait(Gate),
    /// GOAWAY without an error: what is under way is finished.
    GoAway,
    /// The end of the connection.
    Cut,
}

/// The head of a 200, which is not the end.
pub fn head(fields: &[(&str, &str)]) -> Step {
    Step::Head(200, owned(fields), false)
}

pub fn owned(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A request as the origin read it.
#[derive(Clone, Debug)]
pub struct H2Seen {
    pub method: String,
    pub authority: String,
    pub scheme: String,
    pub path: String,
    pub fields: Fields,
    pub body: Vec<u8>,
    /// Its connection's number, from 0.
    pub connection: usize,
}

type Script = Arc<dyn Fn(usize) -> Vec<Step> + Send + Sync>;

#[derive(Default)]
struct Shared {
    scripts: Mutex<HashMap<String, Script>>,
    /// Where the content of requests is not read before a gate opens.
    held: Mutex<HashMap<String, Gate>>,
    seen: Mutex<Vec<H2Seen>>,
    connections: Mutex<usize>,
    body_bytes: AtomicUsize,
    stopping: AtomicBool,
}

pub struct H2Origin {
    address: SocketAddr,
    secured: bool,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

impl H2Origin {
    /// Without TLS, by prior knowledge.
    pub fn start() -> Self {
        Self::on(None)
    }

    pub fn secured(config: ServerConfig) -> Self {
        Self::on(Some(TlsAcceptor::from(Arc::new(config))))
    }

    fn on(tls: Option<TlsAcceptor>) -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(1);
        let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::new(127, 3, high, low), 0)));
        let listener = listener.expect("a free loopback port");
        let (address, secured) = (listener.local_addr().expect("bound"), tls.is_some());
        let shared = Arc::new(Shared::default());
        runtime.spawn(accept(listener, tls, shared.clone()));
        Self { address, secured, shared, runtime: Some(runtime) }
    }

    /// As `upstream.address` has it.
    pub fn address(&self) -> String {
        format!("{}{}", if self.secured { "https://" } else { "" }, self.address)
    }

    /// The same answer each time.
    pub fn serve(&self, path: &str, steps: Vec<Step>) {
        self.serve_by(path, move |_| steps.clone());
    }

    /// The answer to the first request, the second, and so on.
    pub fn serve_by(&self, path: &str, script: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static) {
        lock(&self.shared.scripts).insert(path.to_owned(), Arc::new(script));
    }

    /// Takes no content of requests for this path, beyond what the window has room for, before the gate opens.
    pub fn hold(&self, path: &str, gate: Gate) {
        lock(&self.shared.held).insert(path.to_owned(), gate);
    }

    pub fn requests(&self, path: &str) -> Vec<H2Seen> {
        lock(&self.shared.seen).iter().filter(|seen| seen.path == path).cloned().collect()
    }

    pub fn fetches(&self, path: &str) -> usize {
        self.requests(path).len()
    }

    pub fn last(&self, path: &str) -> H2Seen {
        self.requests(path).pop().unwrap_or_else(|| panic!("the origin saw no request for {path}"))
    }

    /// Bytes of body that were let go so far, over all answers.
    pub fn body_bytes(&self) -> usize {
        self.shared.body_bytes.load(Ordering::Relaxed)
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        *lock(&self.shared.connections)
    }
}

impl Drop for H2Origin {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _nodelay = stream.set_nodelay(true);
        let number = {
            let mut connections = lock(&shared.connections);
            *connections += 1;
            *connections - 1
        };
        let (tls, shared) = (tls.clone(), shared.clone());
        tokio::spawn(async move {
            match tls {
                None => converse(stream, number, shared).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => converse(stream, number, shared).await,
                    Err(_) => None,
                },
            }
        });
    }
}

/// What the network does here is the subject of the tests.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(stream: S, number: usize, shared: Arc<Shared>) -> Option<()> {
    let mut connection = h2::server::handshake(stream).await.ok()?;
    let (orders, mut ordered) = mpsc::unbounded_channel();
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let (request, answer) = accepted?.ok()?;
                tokio::spawn(serve(request, answer, number, orders.clone(), shared.clone()));
            }
            order = ordered.recv() => match order? {
                Step::GoAway => connection.graceful_shutdown(),
                _ => return None,
            }
        }
    }
}

async fn serve(
    request: Request<RecvStream>,
    mut answer: SendResponse<Bytes>,
    connection: usize,
    orders: mpsc::UnboundedSender<Step>,
    shared: Arc<Shared>,
) -> Option<()> {
    let (head, mut content) = request.into_parts();
    let path = head.uri.path().to_owned();
    let script = lock(&shared.scripts).get(&path).cloned();
    let lines = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let mut seen = H2Seen {
        method: head.method.to_string(),
        authority: head.uri.authority().map(ToString::to_string).unwrap_or_default(),
        scheme: head.uri.scheme_str().unwrap_or_default().to_owned(),
        path: path.clone(),
        fields: Fields(lines.collect()),
        body: Vec::new(),
        connection,
    };
    let held = lock(&shared.held).get(&path).cloned();
    if let Some(gate) = held {
        wait(gate, &shared).await;
    }
    while let Some(Ok(piece)) = content.data().await {
        let _ended = content.flow_control().release_capacity(piece.len());
        seen.body.extend(&piece);
    }
    let nth = {
        let mut all = lock(&shared.seen);
        all.push(seen);
        all.iter().filter(|seen| seen.path == path).count() - 1
    };
    let steps = script.map_or_else(|| vec![Step::Head(404, Vec::new(), true)], |script| script(nth));
    let mut body: Option<SendStream<Bytes>> = None;
    for step in steps {
        match step {
            Step::Head(status, fields, end) => {
                let mut response = Response::builder().status(status);
                for (name, value) in fields {
                    response = response.header(name, value);
                }
                body = Some(answer.send_response(response.body(()).expect("a response"), end).ok()?);
            }
            Step::Data(data, end) => send(body.as_mut().expect("after the head"), data.into(), end, &shared).await?,
            Step::Trailers(fields) => {
                let fields = fields.iter().map(|(name, value)| {
                    (name.parse::<http::HeaderName>().expect("a name"), value.parse().expect("a value"))
                });
                body.as_mut().expect("after the head").send_trailers(fields.collect()).ok()?;
            }
            Step::Reset(reason) => answer.send_reset(reason),
            Step::Wait(gate) => wait(gate, &shared).await,
            Step::GoAway => orders.send(Step::GoAway).ok()?,
            Step::Cut => {
                orders.send(Step::Cut).ok()?;
                // Who let go of the stream would reset it first.
                std::future::pending::<()>().await;
            }
        }
    }
    Some(())
}

async fn wait(gate: Gate, shared: &Arc<Shared>) {
    let shared = shared.clone();
    tokio::task::spawn_blocking(move || gate.pass(&shared.stopping)).await.expect("no panic");
}

/// As fast as it is taken.
async fn send(body: &mut SendStream<Bytes>, mut data: Bytes, end: bool, shared: &Shared) -> Option<()> {
    while !data.is_empty() {
        body.reserve_capacity(data.len());
        let room = poll_fn(|context| body.poll_capacity(context)).await?.ok()?;
        let piece = data.split_to(room.min(data.len()));
        shared.body_bytes.fetch_add(piece.len(), Ordering::Relaxed);
        body.send_data(piece, end && data.is_empty()).ok()?;
        if data.is_empty() {
            return Some(());
        }
    }
    body.send_data(Bytes::new(), end).ok()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder panics")
}
