//! Frames of HTTP/2 as bytes, right or wrong: what no library would send.

use super::wait::DEADLINE;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

/// RFC 9113, section 3.4.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// RFC 9113, section 6.
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;
pub const PRIORITY: u8 = 32;

/// One frame, whose payload need not fit its kind.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Fields as literals without indexing (RFC 7541, section 6.2.2): any byte can be in any field.
pub fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [length(text.len()), text.as_bytes().to_vec()].concat();
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// RFC 7541, section 5.1, with a prefix of seven bits.
fn length(mut number: usize) -> Vec<u8> {
    if number < 127 {
        return vec![number as u8];
    }
    let mut bytes = vec![127];
    number -= 127;
    while number >= 128 {
        bytes.push((number % 128 + 128) as u8);
        number /= 128;
    }
    bytes.push(number as u8);
    bytes
}

/// The pseudo-fields of a request, and what follows them.
pub fn request(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let head = [(":method", method), (":scheme", "http"), (":path", path), (":authority", super::HOST)];
    fields(&[&head, more].concat())
}

/// A whole request without content.
pub fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(kind::HEADERS, END_STREAM | END_HEADERS, stream, &request("GET", path, &[]))
}

fn reach(to: SocketAddr, first: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(to).expect("somebody listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("connected");
    stream.set_write_timeout(Some(DEADLINE)).expect("connected");
    stream.write_all(first).expect("connected");
    stream
}

fn secure(stream: TcpStream, name: &str, config: ClientConfig) -> Box<dyn Wire> {
    let name = ServerName::try_from(name.to_owned()).expect("a host name");
    let session = ClientConnection::new(Arc::new(config), name).expect("a configuration");
    Box::new(StreamOwned::new(session, stream))
}

trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// A connection of HTTP/2 that does as it is told.
pub struct Frames {
    wire: Box<dyn Wire>,
    buffer: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frames {
    /// With prior knowledge; the settings of both sides are exchanged.
    pub fn connect(to: SocketAddr) -> Self {
        Self::connect_after(to, b"")
    }

    /// Something else comes first.
    pub fn connect_after(to: SocketAddr, first: &[u8]) -> Self {
        Self::over(Box::new(reach(to, first)))
    }

    /// Over TLS.
    pub fn secured(to: SocketAddr, name: &str, config: ClientConfig) -> Self {
        Self::secured_after(to, b"", name, config)
    }

    /// Something else comes first, before TLS.
    pub fn secured_after(to: SocketAddr, first: &[u8], name: &str, config: ClientConfig) -> Self {
        Self::over(secure(reach(to, first), name, config))
    }

    /// Over TLS, and nothing was said yet.
    pub fn secured_in_silence(to: SocketAddr, name: &str, config: ClientConfig) -> Self {
        Self { wire: secure(reach(to, b""), name, config), buffer: Vec::new() }
    }

    fn over(wire: Box<dyn Wire>) -> Self {
        let mut frames = Self { wire, buffer: Vec::new() };
        frames.send(&[PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat());
        let first = frames.next().expect("settings");
        assert_eq!((first.kind, first.flags), (kind::SETTINGS, 0));
        frames.send(&frame(kind::SETTINGS, ACK, 0, &[]));
        frames
    }

    /// Whether the peer still takes bytes.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.wire.write_all(bytes).and_then(|()| self.wire.flush()).is_ok()
    }

    /// The next frame; None at the end of the connection.
    pub fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.take() {
                return Some(frame);
            }
            let mut more = [0; 16 * 1024];
            match self.wire.read(&mut more) {
                Ok(0) => return None,
                Ok(count) => self.buffer.extend(&more[..count]),
                Err(error) => {
                    let silent = matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
                    assert!(!silent, "nothing came for {DEADLINE:?}, and no end either");
                    return None;
                }
            }
        }
    }

    fn take(&mut self) -> Option<Frame> {
        let head: [u8; 9] = self.buffer.get(..9)?.try_into().expect("nine bytes");
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let payload = self.buffer.get(9..9 + length)?.to_vec();
        self.buffer.drain(..9 + length);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }
}
