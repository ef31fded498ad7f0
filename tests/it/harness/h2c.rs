//! An HTTP/2 client, by prior knowledge or by ALPN.

use super::call::Call;
use super::response::Response;
use super::tls::secure;
use super::wait::DEADLINE;
use super::wire::{Fields, Framing};
use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use http::Request;
use rustls::ClientConfig;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub struct H2Client {
    runtime: Runtime,
    send: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

impl H2Client {
    pub fn connect(to: SocketAddr) -> Self {
        Self::over(async move { TcpStream::connect(to).await.expect("somebody listens") })
    }

    /// Over TLS, to the server of this name.
    pub fn secured(to: SocketAddr, name: &str, config: ClientConfig) -> Self {
        let name = name.to_owned();
        Self::over(async move {
            let stream = secure(to, &name, config).await.expect("a handshake");
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            stream
        })
    }

    /// Whether a server takes this client: with TLS 1.3 it may say no only after the client's last word.
    pub fn is_served(to: SocketAddr, name: &str, config: ClientConfig) -> bool {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let Ok(stream) = secure(to, name, config).await else {
                return false;
            };
            let Ok((send, connection)) = h2::client::handshake(stream).await else {
                return false;
            };
            let _connection = tokio::spawn(connection);
            let ready = timeout(DEADLINE, send.ready()).await.expect("an answer in time");
            let request = Request::builder().uri(format!("https://{name}/")).version(http::Version::HTTP_2).body(());
            let sent = ready.and_then(|mut send| send.send_request(request.expect("a request"), true));
            match sent {
                Ok((answer, _)) => timeout(DEADLINE, answer).await.expect("an answer in time").is_ok(),
                Err(_) => false,
            }
        })
    }

    fn over<S>(stream: impl Future<Output = S>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (send, connection) = runtime.block_on(async {
            let handshake = timeout(DEADLINE, h2::client::handshake(stream.await)).await.expect("settings in time");
            let (send, connection) = handshake.expect("an HTTP/2 server");
            (send, tokio::spawn(connection))
        });
        Self { runtime, send, connection }
    }

    /// Whether the server ends the connection in good order, which over HTTP/2 begins with GOAWAY.
    pub fn hears_that_it_should_go(self) -> bool {
        // `_send` stays: without it the client itself would end the connection.
        let Self { runtime, send: _send, connection } = self;
        let ended = runtime.block_on(async { timeout(DEADLINE, connection).await });
        matches!(ended, Ok(Ok(Ok(()))))
    }

    /// One exchange.
    pub fn ask(&mut self, call: &Call) -> Response {
        self.ask_all(std::slice::from_ref(call)).pop().expect("one answer to one call")
    }

    /// One exchange in which the request does not end.
    pub fn ask_endlessly(&mut self, call: &Call) -> Response {
        let Self { runtime, send, .. } = self;
        runtime.block_on(async {
            let asked = Instant::now();
            *send = send.clone().ready().await.expect("room for a stream");
            let (answer, mut body) = send.send_request(head_of(call), false).expect("the connection lives");
            body.send_data(Bytes::from(call.body.clone()), false).expect("the stream lives");
            timeout(DEADLINE, read(answer, asked)).await.expect("an answer in time")
        })
    }

    /// Leaves after the first bytes of the content.
    pub fn leave(mut self, call: &Call) {
        let Self { runtime, send, .. } = &mut self;
        runtime.block_on(async {
            let answer = open(send, call).await;
            let first = async { answer.await.expect("a response head").into_body().data().await };
            let first = timeout(DEADLINE, first).await.expect("content in time");
            first.expect("content").expect("of a stream that lives");
        });
    }

    /// Leaves without an answer, once the request has `arrived`.
    pub fn leave_unanswered(mut self, call: &Call, arrived: impl Fn() -> bool) {
        let Self { runtime, send, .. } = &mut self;
        runtime.block_on(async {
            let _answer = open(send, call).await;
            let seen = async {
                while !arrived() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            timeout(DEADLINE, seen).await.expect("the request arrives in time");
        });
    }

    /// All of them at once, as streams of this connection; the answers in the order of the calls.
    pub fn ask_all(&mut self, calls: &[Call]) -> Vec<Response> {
        let Self { runtime, send, .. } = self;
        runtime.block_on(async {
            let asked = Instant::now();
            let mut streams = Vec::new();
            for call in calls {
                streams.push(open(send, call).await);
            }
            // Read side by side: a stream that nobody reads would stop the one that all others wait for.
            let readers: Vec<_> = streams.into_iter().map(|stream| tokio::spawn(read(stream, asked))).collect();
            let mut answers = Vec::new();
            for reader in readers {
                let answer = timeout(DEADLINE, reader).await.expect("an answer in time");
                answers.push(answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())));
            }
            answers
        })
    }
}

fn head_of(call: &Call) -> Request<()> {
    let host = call.host.as_deref().expect("HTTP/2 has an authority");
    let mut request = Request::builder().method(call.method.as_str()).uri(format!("http://{host}{}", call.target));
    for (name, value) in &call.fields {
        request = request.header(name, value);
    }
    request.version(http::Version::HTTP_2).body(()).expect("a valid call")
}

async fn open(send: &mut SendRequest<Bytes>, call: &Call) -> ResponseFuture {
    let request = head_of(call);
    *send = send.clone().ready().await.expect("room for a stream");
    let (answer, mut body) = send.send_request(request, call.body.is_empty()).expect("the connection lives");
    if !call.body.is_empty() {
        body.send_data(Bytes::from(call.body.clone()), true).expect("the stream lives");
    }
    answer
}

async fn read(answer: ResponseFuture, asked: Instant) -> Response {
    let (head, mut stream) = answer.await.expect("a response head").into_parts();
    let lines = head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
    let mut response = Response {
        version: "HTTP/2".to_owned(),
        status: head.status.as_u16(),
        fields: Fields(lines.collect()),
        body: Vec::new(),
        framing: Framing::Close,
        trailers: Fields::default(),
        interim: Vec::new(),
        cut: None,
        asked,
        ended: asked,
    };
    while let Some(piece) = stream.data().await {
        match piece {
            Ok(bytes) => {
                response.body.extend(&bytes);
                // RFC 9113, 5.2: what was read may be sent again.
                let _ended = stream.flow_control().release_capacity(bytes.len());
            }
            Err(error) => {
                response.cut = Some(error.to_string());
                break;
            }
        }
    }
    if let Ok(Some(trailers)) = stream.trailers().await {
        let lines = trailers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
        response.trailers = Fields(lines.collect());
    }
    response.ended = Instant::now();
    response
}

fn text(value: &http::HeaderValue) -> String {
    value.as_bytes().iter().copied().map(char::from).collect()
}
