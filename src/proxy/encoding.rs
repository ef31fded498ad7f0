//! The upstream module in which a response body is encoded: after the app, before the cache.
//!
//! pingora hands it every piece of the app's response. It edits the head of a response that will be coded, runs the
//! encoder over the body, ends it exactly once whichever way the body ends, and takes the digest from which the cache
//! makes a validator. Which coding, or none, was decided before ([`crate::negotiate`]).

use std::any::Any;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::header::TRANSFER_ENCODING;
use http::{HeaderMap, Version};
use pingora::http::ResponseHeader;
use pingora::modules::http::{HttpModule, HttpModuleBuilder, Module};
use pingora::{Error, ErrorType};

use crate::cache::BodyFacts;
use crate::encode::{BodyEncoder, CodecError, FlushRule, Reservation, Setup};
use crate::header::{Coding, Edit};
use crate::upstream::is_drained;

use super::edit::apply_to;

/// What is to be done with one response body.
pub struct Job {
    /// The encoder's plan, and the memory it may take.
    pub encoder: Option<(Setup, Reservation)>,
    pub head: Vec<Edit>,
    pub flush: FlushRule,
    /// The connection to the app, to see whether it has more to read.
    pub socket: Option<RawFd>,
    /// Where the cache reads length and digest of the identity bytes.
    pub facts: Option<Arc<BodyFacts>>,
}

/// What an encoder did with one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    pub coding: Coding,
    pub input: u64,
    pub output: u64,
    pub busy: Duration,
}

/// The module of one request.
#[derive(Default)]
pub struct Encoding {
    job: Option<Running>,
}

struct Running {
    encoder: Option<(Coding, BodyEncoder)>,
    /// Until the body ends: then the encoder holds nothing more.
    memory: Option<Reservation>,
    head: Vec<Edit>,
    flush: FlushRule,
    socket: Option<RawFd>,
    facts: Option<Arc<BodyFacts>>,
    digest: blake3::Hasher,
    input: u64,
    ended: bool,
}

impl Encoding {
    /// Takes a job for the response whose head is about to pass. A retried request replaces the job of its first try.
    pub fn arm(&mut self, job: Job) -> Result<(), CodecError> {
        let (encoder, memory) = match job.encoder {
            Some((setup, memory)) => (Some((setup.coding, BodyEncoder::new(&setup)?)), Some(memory)),
            None => (None, None),
        };
        self.job = Some(Running {
            encoder,
            memory,
            head: job.head,
            flush: job.flush,
            socket: job.socket,
            facts: job.facts,
            digest: blake3::Hasher::new(),
            input: 0,
            ended: false,
        });
        Ok(())
    }

    /// Bytes of body that came from the app.
    pub fn received(&self) -> u64 {
        self.job.as_ref().map_or(0, |job| job.input)
    }

    /// What was encoded; None where nothing was.
    pub fn encoded(&self) -> Option<Encoded> {
        let (coding, encoder) = self.job.as_ref()?.encoder.as_ref()?;
        Some(Encoded {
            coding: *coding,
            input: encoder.input_bytes(),
            output: encoder.output_bytes(),
            busy: encoder.busy(),
        })
    }
}

impl Running {
    /// One piece of the body; `end` on the last.
    fn body(&mut self, piece: Bytes, end: bool) -> Result<Bytes, CodecError> {
        if self.ended {
            return Ok(Bytes::new());
        }
        self.input += piece.len() as u64;
        if self.facts.is_some() {
            self.digest.update(&piece);
        }
        let flush = !end && self.flushes();
        let mut coded = match &mut self.encoder {
            Some((_, encoder)) => encoder.push(&piece, flush)?,
            None => piece,
        };
        if end && let Some(tail) = self.end()? {
            coded = concat(coded, tail);
        }
        Ok(coded)
    }

    /// The end of the body, whichever way it came: once.
    fn end(&mut self) -> Result<Option<Bytes>, CodecError> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(None);
        }
        if let Some(facts) = &self.facts {
            // Only one end is ever set: `ended` saw to it.
            let _ = facts.identity_length.set(self.input);
            let _ = facts.digest.set(*self.digest.finalize().as_bytes());
        }
        let tail = match &mut self.encoder {
            Some((_, encoder)) => encoder.finish(),
            None => Ok(None),
        };
        self.memory = None;
        tail
    }

    fn flushes(&self) -> bool {
        let asks = self.flush == FlushRule::WhenDrained;
        self.flush.due(asks && self.socket.is_none_or(is_drained))
    }
}

/// Both as one piece: pingora takes one for each it gives.
fn concat(first: Bytes, second: Bytes) -> Bytes {
    if first.is_empty() {
        return second;
    }
    let mut both = BytesMut::with_capacity(first.len() + second.len());
    both.extend_from_slice(&first);
    both.extend_from_slice(&second);
    both.freeze()
}

/// An encoder's error aborts the response: plain bytes must never follow coded ones.
fn abort(error: CodecError) -> Box<Error> {
    Error::because(ErrorType::InternalError, "encoding a response body", error)
}

#[async_trait]
impl HttpModule for Encoding {
    async fn response_header_filter(&mut self, response: &mut ResponseHeader, _end: bool) -> pingora::Result<()> {
        let Some(job) = &mut self.job else {
            return Ok(());
        };
        if response.status.is_informational() || job.encoder.is_none() {
            return Ok(());
        }
        apply_to(std::mem::take(&mut job.head), response)?;
        // An HTTP/1.0 app's response would otherwise go out as HTTP/1.0 with chunks, which no client can read.
        response.set_version(Version::HTTP_11);
        response.insert_header(TRANSFER_ENCODING, "chunked")
    }

    fn response_body_filter(&mut self, body: &mut Option<Bytes>, end: bool) -> pingora::Result<()> {
        if let Some(job) = &mut self.job {
            let coded = job.body(body.take().unwrap_or_default(), end).map_err(abort)?;
            *body = Some(coded);
        }
        Ok(())
    }

    fn response_trailer_filter(&mut self, _trailers: &mut Option<Box<HeaderMap>>) -> pingora::Result<Option<Bytes>> {
        self.response_done_filter()
    }

    fn response_done_filter(&mut self) -> pingora::Result<Option<Bytes>> {
        match &mut self.job {
            Some(job) => job.end().map_err(abort),
            None => Ok(None),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// Makes the module for each request.
pub struct EncodingBuilder;

impl HttpModuleBuilder for EncodingBuilder {
    fn init(&self) -> Module {
        Box::new(Encoding::default())
    }
}
