//! What the origin answers, to the byte: a head, a framing, and parts that are data, pauses, gates and accidents.

use super::super::wait::Gate;
use std::time::{Duration, Instant};

/// One step in sending a body.
#[derive(Clone, Debug)]
pub enum Part {
    /// Written at once; one chunk when the body is chunked.
    Data(Vec<u8>),
    /// Written at once as it is: it carries its own framing.
    Wire(Vec<u8>),
    /// `data: <microseconds since>\n\n`, made when it is sent.
    Stamp(Instant),
    Wait(Gate),
    Pause(Duration),
    /// FIN here, whatever the framing promised.
    Cut,
    /// RST here.
    Reset,
}

/// How the end of the body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    Length,
    Chunked,
    Close,
}

/// A response, before it is sent.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) version: &'static str,
    pub(super) status: u16,
    pub(super) fields: Vec<(String, String)>,
    pub(super) delimiter: Delimiter,
    /// Done before the head is sent.
    pub(super) before: Vec<Part>,
    pub(super) parts: Vec<Part>,
    pub(super) trailers: Vec<(String, String)>,
    /// After the head, bytes come back as they arrive (an upgraded connection).
    pub(super) echo: bool,
    /// Sent instead of all of the above; then the connection closes.
    pub(super) raw: Option<Vec<u8>>,
}

impl Answer {
    /// An answer without a body, HTTP/1.1, its length told.
    pub fn status(status: u16) -> Self {
        Self {
            version: "HTTP/1.1",
            status,
            fields: Vec::new(),
            delimiter: Delimiter::Length,
            before: Vec::new(),
            parts: Vec::new(),
            trailers: Vec::new(),
            echo: false,
            raw: None,
        }
    }

    /// 200 with a media type and a body.
    pub fn ok(media_type: &str, body: impl AsRef<[u8]>) -> Self {
        Self::status(200).field("Content-Type", media_type).body(body)
    }

    /// 200, `text/html`.
    pub fn html(body: impl AsRef<[u8]>) -> Self {
        Self::ok("text/html; charset=utf-8", body)
    }

    /// 200, `text/html`, fresh for a minute.
    pub fn cacheable(body: impl AsRef<[u8]>) -> Self {
        Self::html(body).fresh("max-age=60")
    }

    /// Closes the connection without a word.
    pub fn hang_up() -> Self {
        Self { before: vec![Part::Cut], ..Self::status(200) }
    }

    /// These bytes and nothing else, then FIN.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self { raw: Some(bytes.as_ref().to_vec()), ..Self::status(200) }
    }

    /// 101 to a WebSocket handshake, then an echo of every byte.
    pub fn websocket_echo() -> Self {
        let answer = Self::status(101).field("Connection", "Upgrade").field("Upgrade", "websocket");
        Self { echo: true, ..answer }
    }

    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// `Cache-Control`.
    pub fn fresh(self, directives: &str) -> Self {
        self.field("Cache-Control", directives)
    }

    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.parts = vec![Part::Data(body.as_ref().to_vec())];
        self
    }

    pub fn parts(mut self, parts: impl IntoIterator<Item = Part>) -> Self {
        self.parts = parts.into_iter().collect();
        self
    }

    /// Cuts the body into pieces of `size` bytes, each written (and chunked) by itself.
    pub fn in_pieces(mut self, size: usize) -> Self {
        let whole = self.data();
        self.parts = whole.chunks(size).map(|piece| Part::Data(piece.to_vec())).collect();
        self
    }

    /// Lets something happen (a gate, a pause, an accident) once `at` bytes of the body are out.
    pub fn then_at(mut self, at: usize, what: Part) -> Self {
        let whole = self.data();
        let (first, rest) = whole.split_at(at);
        self.parts = vec![Part::Data(first.to_vec()), what, Part::Data(rest.to_vec())];
        self
    }

    /// Lets something happen before the head is sent.
    pub fn first(mut self, what: Part) -> Self {
        self.before.push(what);
        self
    }

    pub fn chunked(mut self) -> Self {
        self.delimiter = Delimiter::Chunked;
        self
    }

    pub fn until_close(mut self) -> Self {
        self.delimiter = Delimiter::Close;
        self
    }

    /// As an HTTP/1.0 server: its version, and the connection ends after the answer.
    pub fn http10(mut self) -> Self {
        self.version = "HTTP/1.0";
        self
    }

    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// An interim response ahead of this one.
    pub fn after_interim(mut self, status: u16, field: &str, value: &str) -> Self {
        let head = format!("HTTP/1.1 {status} Interim\r\n{field}: {value}\r\n\r\n");
        self.before.push(Part::Data(head.into_bytes()));
        self
    }

    fn data(&self) -> Vec<u8> {
        let bytes =
            self.parts.iter().filter_map(|part| if let Part::Data(data) = part { Some(data.as_slice()) } else { None });
        bytes.collect::<Vec<_>>().concat()
    }

    /// The head, with the framing fields its delimiter asks for.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} Scripted\r\n", self.version, self.status);
        for (name, value) in &self.fields {
            head += &format!("{name}: {value}\r\n");
        }
        let bodyless = self.status < 200 || self.status == 204 || self.status == 304;
        match self.delimiter {
            _ if bodyless => {}
            Delimiter::Length => head += &format!("Content-Length: {}\r\n", self.data().len()),
            Delimiter::Chunked => head += "Transfer-Encoding: chunked\r\n",
            Delimiter::Close => {}
        }
        head += "\r\n";
        head.into_bytes()
    }

    /// Does the connection end with this answer?
    pub(super) fn closes(&self) -> bool {
        self.version == "HTTP/1.0" || self.delimiter == Delimiter::Close
    }
}
