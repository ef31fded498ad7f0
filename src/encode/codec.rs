//! What a coding machine is: the two traits its library is put behind, and how each may fail.
//!
//! A machine knows nothing of HTTP, limits or end-of-body paths; [`super::BodyEncoder`] and [`super::Decoder`] own those.

use std::fmt;
use std::time::Duration;

use bytes::BytesMut;

use super::level::Setup;
use super::{brotli, deflate, gzip, zstd};
use crate::header::Coding;
use crate::header::coding::Source;

/// Turns identity bytes into coded bytes.
///
/// `finish` takes the machine: writing after the end mark does not compile, and its memory is gone when the mark is out.
/// After an error the machine is spent; its output so far must not be continued with anything else.
pub trait Codec: Send + Sync {
    /// Makes the stream longer by these bytes, 256 at most, and a few more, all of which decoders skip. Before the first
    /// write.
    fn pad(&mut self, padding: &[u8], out: &mut BytesMut) -> Result<(), CodecError>;

    /// Takes all of `input`; appends what the machine lets go of, which may be nothing.
    fn write(&mut self, input: &[u8], out: &mut BytesMut) -> Result<(), CodecError>;

    /// Appends everything still held, so that a decoder can produce every byte written so far.
    fn flush(&mut self, out: &mut BytesMut) -> Result<(), CodecError>;

    /// Appends everything still held and the coding's end mark.
    fn finish(self: Box<Self>, out: &mut BytesMut) -> Result<(), CodecError>;

    /// Right after a flush: gives up what was learnt of the body, to hold as little as possible from here on. Says how
    /// much that comes to at most; `None`, and nothing changes, where the coding cannot go on without.
    fn shrink(&mut self) -> Option<u64> {
        None
    }

    /// Bytes of heap this machine holds now: its own count, within a few percent of the allocator's.
    fn heap(&self) -> usize;

    /// What of it was written to, and so is memory of the process and not just addresses. About, and never more.
    fn resident(&self) -> usize {
        self.heap()
    }
}

/// Turns coded bytes into identity bytes, one bounded step at a time.
pub trait Decode: Send + Sync {
    /// Reads from the front of `input`, writes to the front of `output`; either may be left over.
    ///
    /// A step that fills `output` may hold more: call again, with no input if there is none.
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, DecodeError>;

    /// Whether the input so far is a whole body: an end mark was read and nothing was begun after it.
    fn complete(&self) -> bool;

    /// Bytes of heap this machine holds now: its own count.
    fn heap(&self) -> usize;
}

/// How far one [`Decode::step`] got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    pub read: usize,
    pub written: usize,
}

/// The encoding machine for a plan, or `None` for identity, which needs none.
pub fn encoder(setup: &Setup) -> Result<Option<Box<dyn Codec>>, CodecError> {
    Ok(match setup.coding {
        Coding::Identity => None,
        Coding::Brotli => Some(Box::new(brotli::Encoder::new(setup))),
        Coding::Zstd => Some(Box::new(zstd::Encoder::new(setup)?)),
        Coding::Gzip => Some(Box::new(gzip::Encoder::new(setup))),
    })
}

/// The decoding machine for a coding, or `None` for identity.
pub(super) fn decode(source: Source) -> Result<Option<Box<dyn Decode>>, DecodeError> {
    Ok(match source {
        Source::Coded(Coding::Identity) => None,
        Source::Coded(Coding::Brotli) => Some(Box::new(brotli::Decoder::new())),
        Source::Coded(Coding::Zstd) => Some(Box::new(zstd::Decoder::new()?)),
        Source::Coded(Coding::Gzip) => Some(Box::new(gzip::Decoder::new())),
        Source::Deflate => Some(Box::new(deflate::Decoder::new())),
    })
}

/// An encoder that cannot go on. Never the client's or the app's fault; the response has to be aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// The library refused its input or parameters.
    Refused { coding: Coding, why: String },
    /// The body was already ended, by its end mark or by an earlier error.
    Closed { coding: Coding },
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { coding, why } => write!(f, "{} encoder refused: {why}", coding.token()),
            Self::Closed { coding } => write!(f, "{} encoder used after its end", coding.token()),
        }
    }
}

impl std::error::Error for CodecError {}

/// A coded body that cannot be decoded. The fault lies with whoever produced the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Not a valid stream of this coding.
    Corrupt { coding: Source, why: String },
    /// The body ended before the end mark.
    Truncated { coding: Source },
    /// Bytes follow the end mark.
    Trailing { coding: Source },
    /// The identity form is longer than the caller allows.
    OverLimit { coding: Source, limit: u64 },
    /// So many bytes of identity come from one coded byte.
    OverRatio { coding: Source, limit: u64 },
    /// Decoding took longer than the caller allows.
    OverTime { coding: Source, limit: Duration },
    /// It takes more memory than there is left, for its window or for what a few coded bytes became.
    OverMemory { coding: Source, bytes: u64 },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt { coding, why } => {
                write!(f, "corrupt {} body: {why}", coding.token())
            }
            Self::Truncated { coding } => write!(f, "{} body without its end", coding.token()),
            Self::Trailing { coding } => {
                write!(f, "bytes after the end of a {} body", coding.token())
            }
            Self::OverLimit { coding, limit } => {
                write!(f, "{} body decodes to over {limit} bytes", coding.token())
            }
            Self::OverRatio { coding, limit } => {
                write!(f, "{} body decodes to over {limit} times its size", coding.token())
            }
            Self::OverTime { coding, limit } => {
                write!(f, "{} body takes over {} s to decode", coding.token(), limit.as_secs())
            }
            Self::OverMemory { coding, bytes } => {
                write!(f, "no room for the {bytes} bytes that decoding this {} body takes", coding.token())
            }
        }
    }
}

impl std::error::Error for DecodeError {}
