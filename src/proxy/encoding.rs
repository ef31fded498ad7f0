//! The upstream module in which a response body is encoded or recoded: after the app, before the cache.
//!
//! pingora hands it every piece of the app's response. It edits the head of a response that will be coded, runs the
//! codecs over the body, and ends it exactly once whichever way the body ends. Which coding, or none, was decided before
//! ([`crate::negotiate`]).

use std::any::Any;
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
use crate::encode::{Admission, BodyEncoder, CodecError, DecodeError, FlushRule, Padding, Reservation, TranscodeError};
use crate::header::coding::Source;
use crate::header::{Coding, Edit};
use crate::metrics::Transcoding;
use crate::upstream::Wire;

use super::batch::{self, Batch};
use super::edit::apply_to;
use super::identity::Identity;
use super::turn::{Course, Turns};
use super::work::Work;

/// What is to be done with one response body.
pub struct Job {
    /// What the app did to the body, if a decoder is to run.
    pub source: Option<Source>,
    /// What the decoder may hold.
    pub decoder: Option<Reservation>,
    /// The decoder only reads along.
    pub keeps: bool,
    /// The encoder's plan, if one is to run, and the memory it may take.
    pub encoder: Option<Admission>,
    /// The encoder's output is to have a length that says less.
    pub pads: bool,
    pub head: Vec<Edit>,
    pub flush: FlushRule,
    /// The connection to the app, to see whether it has more to read.
    pub wire: Option<Wire>,
    /// The end of the body is all that others wait for: what comes after it is not passed on.
    pub drops_trailers: bool,
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
pub struct Encoding {
    job: Option<Running>,
    turns: Arc<Turns>,
}

struct Running {
    work: Work,
    head: Vec<Edit>,
    flush: FlushRule,
    wire: Option<Wire>,
    drops_trailers: bool,
    course: Course,
    identity: Identity,
    batch: Batch,
    received: u64,
    ended: bool,
}

impl Encoding {
    /// Takes a job for the response whose head is about to pass. A retried request replaces the job of its first try.
    pub fn arm(&mut self, job: Job) -> pingora::Result<()> {
        let encoder = match job.encoder {
            Some(admission) => Some(encoder(admission, job.pads)?),
            None => None,
        };
        self.job = Some(Running {
            work: Work::new(encoder, job.source, job.decoder, job.keeps)?,
            head: job.head,
            flush: job.flush,
            wire: job.wire,
            drops_trailers: job.drops_trailers,
            course: Course::new(self.turns.clone()),
            identity: Identity::new(job.facts),
            batch: Batch::default(),
            received: 0,
            ended: false,
        });
        Ok(())
    }

    /// Bytes of body that came from the app.
    pub fn received(&self) -> u64 {
        self.job.as_ref().map_or(0, |job| job.received)
    }

    /// Time inside codecs.
    pub fn busy(&self) -> Duration {
        let job = self.job.as_ref();
        let decoding = job.and_then(|job| job.work.recoder()).map_or(Duration::ZERO, |(_, recoder)| recoder.busy());
        let encoding = job.and_then(|job| job.work.encoder()).map_or(Duration::ZERO, BodyEncoder::busy);
        decoding + encoding
    }

    /// What the app had coded and was decoded, and how that ended; None where there was no such thing.
    pub fn transcoded(&self) -> Option<(Source, Transcoding)> {
        let (source, recoder) = self.job.as_ref()?.work.recoder()?;
        Some((source, recoder.outcome().map_or(Transcoding::Unfinished, transcoding)))
    }

    /// What was encoded; None where nothing was.
    pub fn encoded(&self) -> Option<Encoded> {
        let encoder = self.job.as_ref()?.work.encoder()?;
        Some(Encoded {
            coding: encoder.setup().coding,
            input: encoder.input_bytes(),
            output: encoder.output_bytes(),
            busy: encoder.busy(),
        })
    }
}

impl Running {
    /// One piece of the body; `end` on the last.
    fn body(&mut self, piece: Bytes, end: bool) -> Result<Bytes, TranscodeError> {
        if self.ended {
            return Ok(Bytes::new());
        }
        self.received += piece.len() as u64;
        let stays = self.course.stays(self.work.cost(self.batch.length() + piece.len()));
        let more = !end && self.more_waits(stays);
        let flush = !end && self.flush.due(!more);
        let room = || self.work.gathers()?.spare(batch::MOST as u64);
        if self.batch.add(piece, more && !flush && !stays, room) {
            return Ok(Bytes::new());
        }
        let coded = if end { self.end() } else { self.turn(flush, false) };
        Ok(coded?.unwrap_or_default())
    }

    /// The end of the body, whichever way it came: once.
    fn end(&mut self) -> Result<Option<Bytes>, TranscodeError> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(None);
        }
        let last = self.turn(false, true)?;
        // Only one end is ever told: `ended` sees to it.
        self.identity.tell();
        Ok(last)
    }

    /// What came goes through the codecs, and the end of the body behind it if it `ends`.
    fn turn(&mut self, flush: bool, ends: bool) -> Result<Option<Bytes>, TranscodeError> {
        let Self { work, identity, batch, course, .. } = self;
        let expected = work.cost(batch.length());
        let passes = matches!(work, Work::Pass);
        let mut run = || {
            let mut coded = Bytes::new();
            batch.each(|piece, is_last| -> Result<(), TranscodeError> {
                let more = work.push(piece, flush && is_last, identity)?;
                coded = concat(std::mem::take(&mut coded), more);
                Ok(())
            })?;
            let tail = if ends { work.finish()? } else { None };
            Ok(match tail {
                Some(tail) => Some(concat(coded, tail)),
                None => Some(coded).filter(|coded| !coded.is_empty()),
            })
        };
        if passes { run() } else { course.take(expected, run) }
    }

    /// The app has sent more already. Asked where something follows from it: it is a call of the kernel.
    fn more_waits(&self, stays: bool) -> bool {
        let asks = match self.flush {
            FlushRule::EveryChunk => false,
            FlushRule::WhenDrained => true,
            FlushRule::Never => !stays && self.work.gathers().is_some(),
        };
        asks && self.wire.is_some_and(|wire| !wire.is_drained())
    }
}

fn encoder(admission: Admission, pads: bool) -> pingora::Result<BodyEncoder> {
    let failed = |error: CodecError| Error::because(ErrorType::InternalError, "starting an encoder", error);
    let encoder = BodyEncoder::admitted(admission).map_err(failed)?;
    if !pads {
        return Ok(encoder);
    }
    let padding =
        Padding::random().map_err(|error| Error::because(ErrorType::InternalError, "drawing random bytes", error))?;
    encoder.padded(&padding).map_err(failed)
}

/// Both as one piece: pingora takes one for each it gives.
fn concat(first: Bytes, second: Bytes) -> Bytes {
    if first.is_empty() || second.is_empty() {
        return if first.is_empty() { second } else { first };
    }
    let mut both = BytesMut::with_capacity(first.len() + second.len());
    both.extend_from_slice(&first);
    both.extend_from_slice(&second);
    both.freeze()
}

/// A codec's error aborts the response: plain bytes must never follow coded ones, nor a wrong end what was broken off.
/// Coded bytes that do not decode are the app's fault; that there is no room for it is ours.
fn abort(error: TranscodeError) -> Box<Error> {
    match error {
        TranscodeError::Decode(error @ DecodeError::OverMemory { .. }) => {
            Error::because(ErrorType::InternalError, "decoding the app's body", error)
        }
        TranscodeError::Encode(error) => Error::because(ErrorType::InternalError, "encoding a response body", error),
        TranscodeError::Decode(error) => {
            Error::because(ErrorType::Custom("BrokenCoding"), "decoding the app's body", error).into_up()
        }
    }
}

fn transcoding(ended: Result<(), &DecodeError>) -> Transcoding {
    match ended {
        Ok(()) => Transcoding::Whole,
        Err(DecodeError::Corrupt { .. }) => Transcoding::Corrupt,
        Err(DecodeError::Truncated { .. }) => Transcoding::Truncated,
        Err(DecodeError::Trailing { .. }) => Transcoding::Trailing,
        Err(DecodeError::OverLimit { .. }) => Transcoding::OverSize,
        Err(DecodeError::OverRatio { .. }) => Transcoding::OverRatio,
        Err(DecodeError::OverTime { .. }) => Transcoding::OverTime,
        Err(DecodeError::OverMemory { .. }) => Transcoding::OverMemory,
    }
}

#[async_trait]
impl HttpModule for Encoding {
    async fn response_header_filter(&mut self, response: &mut ResponseHeader, _end: bool) -> pingora::Result<()> {
        let Some(job) = &mut self.job else {
            return Ok(());
        };
        if response.status.is_informational() {
            return Ok(());
        }
        apply_to(std::mem::take(&mut job.head), response)?;
        if !job.work.changes_bytes() {
            return Ok(());
        }
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

    /// RFC 9110, section 6.5.1: trailers may be dropped, and those of a body that was coded may be wrong. The platform ends a
    /// response with its trailers, and what it fills the cache with only after them: so a last, empty piece ends both.
    fn response_trailer_filter(&mut self, _trailers: &mut Option<Box<HeaderMap>>) -> pingora::Result<Option<Bytes>> {
        let drops = self.job.as_ref().is_some_and(|job| job.drops_trailers || job.work.changes_bytes());
        let tail = self.response_done_filter()?;
        Ok(tail.or_else(|| drops.then(Bytes::new)))
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
pub struct EncodingBuilder {
    pub turns: Arc<Turns>,
}

impl HttpModuleBuilder for EncodingBuilder {
    fn init(&self) -> Module {
        Box::new(Encoding { job: None, turns: self.turns.clone() })
    }
}
