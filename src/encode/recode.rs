//! A coded body on its way from the app: undone, and coded anew or not, in the memory of one decoder and one encoder.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::body::BodyEncoder;
use super::codec::DecodeError;
use super::decode::{Bounds, Decoder};
use super::transcode::TranscodeError;
use crate::header::coding::Source;

/// Identity bytes between decoder and encoder.
const TURN: usize = 64 << 10;

/// What is made of the identity bytes.
pub enum Target {
    /// They go out.
    Identity,
    /// They go out coded.
    Coded(Box<BodyEncoder>),
    /// Nothing: the body goes out as it came, once it was decoded without complaint.
    AsItCame,
}

/// Recodes one body while it streams: chunks in, chunks out, the end exactly once.
///
/// After an error it yields nothing more, and the response has to be aborted. What a chunk becomes is handed out whole:
/// for identity that is up to [`Bounds::ratio`] times its size, or [`Bounds::grace`].
pub struct Recoder {
    stage: Stage,
    target: Target,
    plain: BytesMut,
    busy: Duration,
}

enum Stage {
    Open(Decoder),
    Finished,
    Failed(DecodeError),
}

impl Recoder {
    /// Of a body that an app coded.
    pub fn new(from: Source, target: Target) -> Result<Self, DecodeError> {
        Self::within(Bounds::OF_AN_APP, from, target)
    }

    pub fn within(bounds: Bounds, from: Source, target: Target) -> Result<Self, DecodeError> {
        let stage = Stage::Open(Decoder::within(bounds, from)?);
        Ok(Self { stage, target, plain: BytesMut::new(), busy: Duration::ZERO })
    }

    /// Takes a chunk; returns what is ready, often nothing. `seen` gets all identity bytes, in order. With `flush`,
    /// whatever the app made decodable is decodable in what comes out.
    pub fn push(&mut self, chunk: Bytes, flush: bool, mut seen: impl FnMut(&[u8])) -> Result<Bytes, TranscodeError> {
        let mut out = BytesMut::new();
        let mut rest = &chunk[..];
        while self.turn(&mut rest, &mut seen, &mut out)? == TURN {}
        match &mut self.target {
            Target::AsItCame => return Ok(chunk),
            Target::Coded(encoder) if flush => out.extend_from_slice(&encoder.push(&[], true)?),
            Target::Identity | Target::Coded(_) => {}
        }
        Ok(out.freeze())
    }

    /// The body has ended: was it whole? The rest and the end mark of the new coding. A second call gives `None`.
    pub fn finish(&mut self) -> Result<Option<Bytes>, TranscodeError> {
        match std::mem::replace(&mut self.stage, Stage::Finished) {
            Stage::Open(decoder) => {
                self.plain = BytesMut::new();
                decoder.finish().map_err(|error| self.failed(error))?;
                match &mut self.target {
                    Target::Coded(encoder) => Ok(encoder.finish()?),
                    Target::Identity | Target::AsItCame => Ok(None),
                }
            }
            Stage::Finished => Ok(None),
            Stage::Failed(error) => Err(self.failed(error)),
        }
    }

    /// Decodes up to a turn's worth; less means that the input is used up.
    fn turn(
        &mut self,
        rest: &mut &[u8],
        seen: &mut impl FnMut(&[u8]),
        out: &mut BytesMut,
    ) -> Result<usize, TranscodeError> {
        let decoder = match &mut self.stage {
            Stage::Open(decoder) => decoder,
            // What follows the end of the body is not part of it.
            Stage::Finished => return Ok(0),
            Stage::Failed(error) => return Err(error.clone().into()),
        };
        self.plain.clear();
        let result = decoder.fill(rest, &mut self.plain, TURN);
        self.busy = decoder.busy();
        let written = result.map_err(|error| self.failed(error))?;
        seen(&self.plain);
        match &mut self.target {
            Target::Identity => out.extend_from_slice(&self.plain),
            Target::Coded(encoder) => out.extend_from_slice(&encoder.push(&self.plain, false)?),
            Target::AsItCame => {}
        }
        Ok(written)
    }

    fn failed(&mut self, error: DecodeError) -> TranscodeError {
        self.stage = Stage::Failed(error.clone());
        self.plain = BytesMut::new();
        error.into()
    }

    /// The encoder's counters, if there is one.
    pub fn encoder(&self) -> Option<&BodyEncoder> {
        match &self.target {
            Target::Coded(encoder) => Some(encoder),
            Target::Identity | Target::AsItCame => None,
        }
    }

    /// The bytes that go out are others than those that came.
    pub fn changes_bytes(&self) -> bool {
        !matches!(self.target, Target::AsItCame)
    }

    /// Time spent in the decoder.
    pub fn busy(&self) -> Duration {
        self.busy
    }

    /// How it ended: `None` while it has not, or if nobody waited for the end.
    pub fn outcome(&self) -> Option<Result<(), &DecodeError>> {
        match &self.stage {
            Stage::Open(_) => None,
            Stage::Finished => Some(Ok(())),
            Stage::Failed(error) => Some(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests;
