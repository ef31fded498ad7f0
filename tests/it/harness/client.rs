//! A strict HTTP/1.1 client over one connection: it sends exact bytes and reads what comes as it comes.

use super::call::Call;
use super::response::Response;
use super::socket::Socket;
use super::wait::DEADLINE;
use super::wire::{BodyReader, Fields, Framing, Head, read_head};
use socket2::{Domain, Socket as Socket2, Type};
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

pub struct Client {
    reader: BufReader<Socket>,
    writer: Socket,
}

impl Client {
    pub fn connect(to: SocketAddr) -> Self {
        Self::over(TcpStream::connect_timeout(&to, DEADLINE).expect("somebody listens"))
    }

    /// One whose kernel takes little of what it does not read.
    pub fn connect_taking_little(to: SocketAddr) -> Self {
        let socket = Socket2::new(Domain::for_address(to), Type::STREAM, None).expect("a socket");
        // Before the connection is made: its window is told then.
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        socket.connect_timeout(&to.into(), DEADLINE).expect("somebody listens");
        Self::over(socket.into())
    }

    fn over(stream: TcpStream) -> Self {
        let writer = Socket::tcp(stream).expect("connected");
        writer.set_read_timeout(DEADLINE).expect("connected");
        let reader = BufReader::with_capacity(64 * 1024, writer.try_clone().expect("connected"));
        Self { reader, writer }
    }

    /// Sends bytes as they are; a peer that has closed already is seen when the answer is read.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _closed = self.writer.write_all(bytes.as_ref());
    }

    /// As `send`; says whether the peer still takes bytes.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.writer.write_all(bytes.as_ref()).is_ok()
    }

    /// Leaves with a RST.
    pub fn reset(self) {
        self.writer.reset_on_close().expect("connected");
    }

    /// A second hold of the same connection, to send while this one reads.
    pub fn another_writer(&self) -> Self {
        let writer = self.writer.try_clone().expect("connected");
        Self { reader: BufReader::new(writer.try_clone().expect("connected")), writer }
    }

    /// One exchange.
    pub fn ask(&mut self, call: &Call) -> Response {
        self.begin(call).read_to_end()
    }

    /// Sends a request and reads the head of its answer.
    pub fn begin(&mut self, call: &Call) -> Incoming<'_> {
        self.try_begin(call).unwrap_or_else(|none| panic!("no answer to {} {}: {none}", call.method, call.target))
    }

    /// As `begin`, for requests that may be cut off without an answer.
    pub fn try_begin(&mut self, call: &Call) -> io::Result<Incoming<'_>> {
        let asked = Instant::now();
        self.send([call.head_bytes(), call.body.clone()].concat());
        self.incoming(call.method == "HEAD", asked)
    }

    /// Reads the next response on this connection, to a request that was sent by hand.
    pub fn response(&mut self, to_head: bool) -> Response {
        self.incoming(to_head, Instant::now()).expect("a response").read_to_end()
    }

    /// The next head, interim or final.
    pub fn next_head(&mut self) -> io::Result<(u16, Head)> {
        let head = read_head(&mut self.reader).map_err(in_time)?;
        let head = head.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok((status_of(&head), head))
    }

    pub fn incoming(&mut self, to_head: bool, asked: Instant) -> io::Result<Incoming<'_>> {
        let mut interim = Vec::new();
        let (status, head) = loop {
            let (status, head) = self.next_head()?;
            if status >= 200 || status == 101 {
                break (status, head);
            }
            interim.push((status, head.fields));
        };
        let framing = response_framing(status, to_head, &head);
        let response = Response {
            version: head.start.split(' ').next().unwrap_or_default().to_owned(),
            status,
            fields: head.fields,
            body: Vec::new(),
            framing,
            trailers: Fields::default(),
            interim,
            cut: None,
            asked,
            ended: asked,
        };
        Ok(Incoming { reader: &mut self.reader, body: BodyReader::new(framing), response })
    }

    /// Bytes of an upgraded connection.
    pub fn exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The peer closes without another byte.
    pub fn sees_the_end(&mut self) -> bool {
        let mut byte = [0];
        match self.reader.read(&mut byte) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    /// What the peer still sends before it closes; `None` when it does not close in time.
    pub fn rest(&mut self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.reader.read_to_end(&mut bytes) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => None,
            _ => Some(bytes),
        }
    }
}

/// A response whose head is read and whose body is on its way.
pub struct Incoming<'a> {
    reader: &'a mut BufReader<Socket>,
    body: BodyReader,
    pub response: Response,
}

impl Incoming<'_> {
    /// The next bytes of the content, as they arrived; `None` at its end, good or bad.
    pub fn next_piece(&mut self) -> Option<Vec<u8>> {
        match self.body.next(self.reader) {
            Ok(Some(piece)) => {
                self.response.body.extend(&piece);
                return Some(piece);
            }
            Ok(None) => {}
            Err(cut) => self.response.cut = Some(in_time(cut).to_string()),
        }
        None
    }

    pub fn read_to_end(mut self) -> Response {
        while self.next_piece().is_some() {}
        self.response.trailers = self.body.trailers;
        self.response.ended = Instant::now();
        self.response
    }
}

/// A peer that is silent until our own deadline has not ended anything: that fails the test, whatever it expects.
fn in_time(error: io::Error) -> io::Error {
    let silent = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
    assert!(!silent, "nothing came for {DEADLINE:?}, and no end either");
    error
}

fn status_of(head: &Head) -> u16 {
    let status = head.start.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("not a status line: {:?}", head.start))
}

/// RFC 9112, section 6.3, the response's side.
fn response_framing(status: u16, to_head: bool, head: &Head) -> Framing {
    let coded = head.fields.all("Transfer-Encoding");
    let length = head.fields.one("Content-Length");
    // RFC 9112, 6.1: not both; not to or from HTTP/1.0.
    assert!(coded.is_empty() || length.is_none(), "both Transfer-Encoding and Content-Length: {:?}", head.fields);
    assert!(coded.is_empty() || head.start.starts_with("HTTP/1.1 "), "Transfer-Encoding in {:?}", head.start);
    // RFC 9110, 8.6: no Content-Length in 1xx and 204.
    assert!(length.is_none() || (status >= 200 && status != 204), "Content-Length in a {status}");
    if to_head || status < 200 || status == 204 || status == 304 {
        return Framing::Empty;
    }
    match (coded.as_slice(), length) {
        ([], None) => Framing::Close,
        ([], Some(length)) => Framing::Length(length.parse().expect("Content-Length is an integer")),
        (["chunked"], _) => Framing::Chunked,
        (other, _) => panic!("Transfer-Encoding: {other:?}"),
    }
}
