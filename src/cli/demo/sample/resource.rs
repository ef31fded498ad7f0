//! One resource of the sample app: its head, its body, and how the body is sent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::Sent;

/// How the app marks the end of a body (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::demo) enum Framing {
    Length,
    Chunked,
    /// By closing the connection, so that a cut body looks like a whole one.
    Close,
}

/// A resource; built with the methods below, served by `server`.
#[derive(Debug)]
pub(in crate::cli::demo) struct Resource {
    pub(in crate::cli::demo) path: &'static str,
    /// What is particular about it, in a few words.
    pub(in crate::cli::demo) note: &'static str,
    pub(super) framing: Framing,
    /// Fields of the head, other than those of the framing.
    pub(super) fields: Vec<(&'static str, String)>,
    /// The body, in the pieces in which it is written.
    pub(super) pieces: Vec<Bytes>,
    /// Before the head: a database at work.
    pub(super) delay: Duration,
    /// Between two pieces: events that come as they happen.
    pub(super) tick: Duration,
    responses: AtomicU64,
    bytes: AtomicU64,
}

/// What one write of an app comes to: a page of its template engine's buffer.
const PIECE: usize = 16 * 1024;

impl Resource {
    pub(super) fn new(path: &'static str, media_type: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self {
            path,
            note: "",
            framing: Framing::Length,
            fields: vec![("Content-Type", media_type.to_owned())],
            pieces: body.chunks(PIECE).map(|piece| body.slice_ref(piece)).collect(),
            delay: Duration::ZERO,
            tick: Duration::ZERO,
            responses: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// A stream of events, one every `tick`.
    pub(super) fn stream(path: &'static str, events: Vec<String>, tick: Duration) -> Self {
        Self {
            pieces: events.into_iter().map(Bytes::from).collect(),
            tick,
            ..Self::new(path, "text/event-stream", Bytes::new())
                .framed(Framing::Chunked)
                .field("Cache-Control", "no-cache")
        }
    }

    pub(super) fn note(self, note: &'static str) -> Self {
        Self { note, ..self }
    }

    pub(super) fn framed(self, framing: Framing) -> Self {
        Self { framing, ..self }
    }

    pub(super) fn delayed(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    pub(super) fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    pub(super) fn max_age(self, seconds: u32) -> Self {
        self.field("Cache-Control", format!("public, max-age={seconds}"))
    }

    /// An entity tag and a date, as static files have them.
    pub(super) fn validators(self) -> Self {
        let tag = format!("\"{:x}-{:x}\"", self.length(), self.path.len() * 7919);
        self.field("ETag", tag).field("Last-Modified", "Mon, 02 Nov 2026 09:00:00 GMT")
    }

    /// Bytes of the body.
    pub(in crate::cli::demo) fn length(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.len() as u64).sum()
    }

    /// Whether `body` is the app's, byte for byte.
    pub(in crate::cli::demo) fn is_body(&self, body: &[u8]) -> bool {
        let mut rest = body;
        self.pieces.iter().all(|piece| rest.strip_prefix(piece.as_ref()).map(|after| rest = after).is_some())
            && rest.is_empty()
    }

    pub(in crate::cli::demo) fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str())
    }

    /// The app compressed it itself.
    pub(in crate::cli::demo) fn coded_by_app(&self) -> bool {
        self.value("Content-Encoding").is_some()
    }

    /// Whether a shared cache may keep it (RFC 9111, section 3): there is explicit freshness, it is nobody's
    /// in particular, and its end is known to be the end (section 3.3).
    pub(in crate::cli::demo) fn storable(&self) -> bool {
        self.value("Cache-Control").is_some_and(|control| control.contains("max-age="))
            && self.value("Set-Cookie").is_none()
            && self.framing != Framing::Close
    }

    pub(in crate::cli::demo) fn sent(&self) -> Sent {
        Sent { responses: self.responses.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }

    pub(super) fn count_response(&self) {
        self.responses.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_bytes(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
