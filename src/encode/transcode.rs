//! A stored body in another coding: decode and encode in one pass, in the memory of one decoder and one encoder.

use std::fmt;

use bytes::{Bytes, BytesMut};

use super::body::BodyEncoder;
use super::budget::{Admission, Reservation};
use super::codec::{CodecError, DecodeError};
use super::decode::Decoder;
use super::level::Setup;
use crate::header::Coding;

/// Identity bytes between decoder and encoder: one turn decodes, encodes and hands out no more than this.
const TURN: usize = 64 << 10;

/// Yields a stored body in another coding, piece by piece, as fast as it is asked for.
///
/// It ends after the new end mark; after an error it yields nothing more, and the response has to be aborted.
pub struct Transcoder<B> {
    body: B,
    /// Where in `body` the decoder is.
    at: usize,
    /// `None` once the source is used up and proved whole.
    decoder: Option<Decoder>,
    /// `None` for identity.
    encoder: Option<BodyEncoder>,
    plain: BytesMut,
    failed: bool,
}

impl<B: AsRef<[u8]>> Transcoder<B> {
    /// Of `body`, in coding `from`, at most `limit` bytes of identity are accepted.
    pub fn new(body: B, from: Coding, to: &Setup, limit: u64) -> Result<Self, TranscodeError> {
        let encoder = match to.coding {
            Coding::Identity => None,
            _ => Some(BodyEncoder::new(to)?),
        };
        Ok(Self::of(body, Decoder::new(from, limit)?, encoder))
    }

    /// The same in memory that was asked for: for as long as a slow client reads it, and with as many others as there are.
    pub fn admitted(
        body: B,
        from: Coding,
        to: Option<Admission>,
        limit: u64,
        decoder: Reservation,
    ) -> Result<Self, TranscodeError> {
        let encoder = to.map(BodyEncoder::admitted).transpose()?;
        Ok(Self::of(body, Decoder::new(from, limit)?.admitted(decoder), encoder))
    }

    fn of(body: B, decoder: Decoder, encoder: Option<BodyEncoder>) -> Self {
        Self { body, at: 0, decoder: Some(decoder), encoder, plain: BytesMut::new(), failed: false }
    }

    /// The encoder's counters, unless the target is identity.
    pub fn encoder(&self) -> Option<&BodyEncoder> {
        self.encoder.as_ref()
    }

    /// One turn; an empty piece means that the encoder holds what it was given.
    fn turn(&mut self) -> Result<Option<Bytes>, TranscodeError> {
        let Some(mut decoder) = self.decoder.take() else {
            return Ok(match &mut self.encoder {
                Some(encoder) => encoder.finish()?,
                None => None,
            });
        };
        let source = &self.body.as_ref()[self.at..];
        let mut rest = source;
        let written = decoder.fill(&mut rest, &mut self.plain, TURN)?;
        self.at += source.len() - rest.len();
        if written < TURN {
            decoder.finish()?;
        } else {
            self.decoder = Some(decoder);
        }
        let Some(encoder) = &mut self.encoder else {
            return Ok(Some(self.plain.split().freeze()));
        };
        let coded = encoder.push(&self.plain, false)?;
        self.plain.clear();
        Ok(Some(coded))
    }
}

impl<B: AsRef<[u8]>> Iterator for Transcoder<B> {
    type Item = Result<Bytes, TranscodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            match self.turn() {
                Ok(Some(piece)) if piece.is_empty() => {}
                Ok(piece) => return piece.map(Ok),
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

/// A whole body in another coding, as one piece of exactly its size.
pub fn transcode(body: &[u8], from: Coding, to: &Setup, limit: u64) -> Result<Bytes, TranscodeError> {
    let mut whole = Vec::new();
    for piece in Transcoder::new(body, from, to, limit)? {
        whole.extend_from_slice(&piece?);
    }
    whole.shrink_to_fit();
    Ok(whole.into())
}

/// Why a body could not be put into another coding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TranscodeError {
    Decode(DecodeError),
    Encode(CodecError),
}

impl From<DecodeError> for TranscodeError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<CodecError> for TranscodeError {
    fn from(error: CodecError) -> Self {
        Self::Encode(error)
    }
}

impl fmt::Display for TranscodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::Encode(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TranscodeError {}
