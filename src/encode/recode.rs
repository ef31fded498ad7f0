//! A coded body on its way from the app: undone, and coded anew or not, in the memory of one decoder and one encoder.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::body::BodyEncoder;
use super::budget::Reservation;
use super::codec::DecodeError;
use super::decode::{Bounds, Decoder, USUAL_RATIO};
use super::transcode::TranscodeError;
use crate::header::coding::Source;

/// Identity bytes between decoder and encoder.
const TURN: usize = 64 << 10;

/// A piece of identity up to this long is what a read of 64 KiB usually becomes, and is not counted one by one.
pub const PIECE: u64 = USUAL_RATIO * TURN as u64;

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
/// After an error it yields nothing more, and the response has to be aborted. What a chunk becomes is handed out whole, as
/// the platform takes one piece for each that it gives: for identity that is up to [`Bounds::ratio`] times its size, or
/// [`Bounds::grace`]. A piece above [`PIECE`] is of the budget until it is written, and an error where there is no room.
pub struct Recoder {
    stage: Stage,
    target: Target,
    plain: BytesMut,
    busy: Duration,
    source: Source,
}

/// A piece that is of the budget as long as anybody has it.
struct Counted {
    bytes: Bytes,
    _reservation: Reservation,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
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
        Ok(Self { stage, target, plain: BytesMut::new(), busy: Duration::ZERO, source: from })
    }

    /// With what the decoder may hold.
    pub fn admitted(mut self, reservation: Reservation) -> Self {
        self.stage = match self.stage {
            Stage::Open(decoder) => Stage::Open(decoder.admitted(reservation)),
            ended => ended,
        };
        self
    }

    /// Takes a chunk; returns what is ready, often nothing. `seen` gets all identity bytes, in order. With `flush`,
    /// whatever the app made decodable is decodable in what comes out.
    pub fn push(&mut self, chunk: Bytes, flush: bool, mut seen: impl FnMut(&[u8])) -> Result<Bytes, TranscodeError> {
        let mut out = BytesMut::new();
        let mut rest = &chunk[..];
        let mut room = None;
        while self.turn(&mut rest, &mut seen, &mut out)? == TURN {
            self.make_room(out.len() as u64, &mut room)?;
        }
        // A stream that pauses holds none of it.
        self.plain = BytesMut::new();
        match &mut self.target {
            Target::AsItCame => return Ok(chunk),
            Target::Coded(encoder) if flush => out.extend_from_slice(&encoder.push(&[], true)?),
            Target::Identity | Target::Coded(_) => {}
        }
        Ok(match room {
            Some(reservation) => Bytes::from_owner(Counted { bytes: out.freeze(), _reservation: reservation }),
            None => out.freeze(),
        })
    }

    /// For a piece that is already so long, and goes on.
    fn make_room(&mut self, length: u64, room: &mut Option<Reservation>) -> Result<(), TranscodeError> {
        let Stage::Open(decoder) = &self.stage else {
            return Ok(());
        };
        let (Some(decoders), true) = (decoder.reservation(), length >= PIECE) else {
            return Ok(());
        };
        // Buffers double when they grow.
        let bytes = (length + 1).next_power_of_two();
        let enough = match room {
            Some(reservation) => reservation.grow(bytes),
            None => {
                *room = decoders.beside(bytes);
                room.is_some()
            }
        };
        if enough { Ok(()) } else { Err(self.failed(DecodeError::OverMemory { coding: self.source, bytes })) }
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
