//! Streaming decoder with a cap: what a coded body may become is the caller's decision, not the sender's.

use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::budget::Reservation;
use super::codec::{self, Decode, DecodeError, Step};
use super::gzip::INFLATE_HEAP;
use crate::header::Coding;
use crate::header::coding::Source;

/// Decodes one coded body. Several gzip members or zstd frames in a row are one body; anything else after the end is an
/// error, and so is a body without its end.
pub struct Decoder {
    coding: Source,
    /// `None` for identity.
    machine: Option<Box<dyn Decode>>,
    bounds: Bounds,
    /// Its part of the memory of all codecs. None: it is not counted.
    reservation: Option<Reservation>,
    taken: u64,
    produced: u64,
    busy: Duration,
}

/// How far a decoder follows its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most bytes of identity that may come out.
    pub size: u64,
    /// The most bytes of identity for each coded byte, once more than `grace` came out.
    pub ratio: u64,
    pub grace: u64,
    /// The most time to spend on it.
    pub time: Duration,
}

impl Bounds {
    /// For what an app coded, which may be what somebody uploaded to it.
    ///
    /// The ratio is above that of all text that says something (see the table in [`crate::encode`]), and far below that
    /// of an attack: a thousand in gzip, and no end in the others. What says nothing, such as a matrix of zeros, may be
    /// honest all the same, so the ratio is not asked for at first; the grace stays under what the ratio grants to one
    /// read of 64 KiB (12.5 MiB), and so adds nothing to the worst that has to be borne. The size is more than anybody
    /// sends as text, and the time what it takes at a quarter of a decoder's usual speed.
    pub const OF_AN_APP: Self = Self { size: 8 << 30, ratio: 200, grace: 8 << 20, time: Duration::from_secs(120) };

    /// Only the size matters: the input is ours.
    pub const fn size(size: u64) -> Self {
        Self { size, ratio: u64::MAX, grace: u64::MAX, time: Duration::MAX }
    }
}

/// Output grows by this much at a time.
const PIECE: usize = 16 << 10;

impl Decoder {
    /// `limit` is the most bytes of identity that may come out.
    pub fn new(coding: impl Into<Source>, limit: u64) -> Result<Self, DecodeError> {
        Self::within(Bounds::size(limit), coding)
    }

    /// A decoder that stops with an error before it goes beyond `bounds`.
    pub fn within(bounds: Bounds, coding: impl Into<Source>) -> Result<Self, DecodeError> {
        let coding = coding.into();
        let machine = codec::decode(coding)?;
        Ok(Self { coding, machine, bounds, reservation: None, taken: 0, produced: 0, busy: Duration::ZERO })
    }

    /// The same, with what it may hold: [`heap`] at least. What it takes beyond that is asked for when it does.
    pub fn admitted(mut self, reservation: Reservation) -> Self {
        self.reservation = Some(reservation);
        self
    }

    /// Bytes of heap held now.
    pub fn heap(&self) -> usize {
        self.machine.as_ref().map_or(0, |machine| machine.heap())
    }

    pub(super) fn reservation(&self) -> Option<&Reservation> {
        self.reservation.as_ref()
    }

    /// Time spent decoding.
    pub fn busy(&self) -> Duration {
        self.busy
    }

    /// Takes all of `input` and appends all that it decodes to. Stops with an error before `limit` is exceeded.
    pub fn push(&mut self, mut input: &[u8], out: &mut BytesMut) -> Result<(), DecodeError> {
        // An encoder often gives nothing, and Zstandard's library takes the sixteenth nothing in a row for an error.
        if input.is_empty() {
            return Ok(());
        }
        while self.fill(&mut input, out, PIECE)? == PIECE {}
        Ok(())
    }

    /// Appends at most `room` bytes to `out`, taking no more from the front of `input` than that needs.
    ///
    /// Less than `room` means that the input is used up.
    pub fn fill(&mut self, input: &mut &[u8], out: &mut BytesMut, room: usize) -> Result<usize, DecodeError> {
        let started = Instant::now();
        let start = out.len();
        out.resize(start + room, 0);
        let result = self.fill_slice(input, &mut out[start..]).and_then(|written| self.account().map(|()| written));
        self.busy += started.elapsed();
        let written = *result.as_ref().unwrap_or(&0);
        out.truncate(start + written);
        result
    }

    fn fill_slice(&mut self, input: &mut &[u8], output: &mut [u8]) -> Result<usize, DecodeError> {
        let mut written = 0;
        while written < output.len() {
            let step = self.step(input, &mut output[written..])?;
            *input = &input[step.read..];
            written += step.written;
            self.taken += step.read as u64;
            self.produced += step.written as u64;
            self.check()?;
            if step == Step::default() {
                break;
            }
        }
        Ok(written)
    }

    /// The window is what the sender chose, and no more is known of it before the first bytes.
    fn account(&mut self) -> Result<(), DecodeError> {
        let (coding, bytes) = (self.coding, self.heap() as u64);
        let fits = self.reservation.as_mut().is_none_or(|reservation| reservation.grow(bytes));
        if fits { Ok(()) } else { Err(DecodeError::OverMemory { coding, bytes }) }
    }

    fn check(&self) -> Result<(), DecodeError> {
        let (coding, bounds) = (self.coding, &self.bounds);
        if self.produced > bounds.size {
            return Err(DecodeError::OverLimit { coding, limit: bounds.size });
        }
        if self.produced > bounds.grace.max(self.taken.saturating_mul(bounds.ratio)) {
            return Err(DecodeError::OverRatio { coding, limit: bounds.ratio });
        }
        if self.busy > bounds.time {
            return Err(DecodeError::OverTime { coding, limit: bounds.time });
        }
        Ok(())
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, DecodeError> {
        let Some(machine) = &mut self.machine else {
            let length = input.len().min(output.len());
            output[..length].copy_from_slice(&input[..length]);
            return Ok(Step { read: length, written: length });
        };
        let step = machine.step(input, output)?;
        if step == Step::default() && !input.is_empty() {
            return Err(DecodeError::Corrupt { coding: self.coding, why: "the decoder makes no progress".to_owned() });
        }
        Ok(step)
    }

    /// The input has ended: was it a whole body?
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.machine {
            Some(machine) if !machine.complete() => Err(DecodeError::Truncated { coding: self.coding }),
            _ => Ok(()),
        }
    }
}

/// What a decoder usually comes to hold, for a coded body of this length: what to ask for before its head goes out.
///
/// Windows are taken for what encoders choose by themselves, 2 MiB for Zstandard and 4 for brotli, whose decoder grows with
/// the body; a MiB of it is more than most pages have. Larger ones are legal, and asked for when they turn up.
pub fn heap(coding: impl Into<Source>, length: Option<u64>) -> u64 {
    let identity = length.map_or(u64::MAX, |length| length.saturating_mul(USUAL_RATIO));
    match coding.into() {
        Source::Coded(Coding::Identity) => 0,
        Source::Coded(Coding::Gzip) | Source::Deflate => INFLATE_HEAP as u64,
        // The context and the window, which follows from the level and not from the body, and a block, in and out.
        Source::Coded(Coding::Zstd) => (160 << 10) + (2 << 20) + 2 * (128 << 10),
        // The state and the codes of a metablock; then the ring.
        Source::Coded(Coding::Brotli) => (64 << 10) + identity.clamp(32 << 10, 1 << 20),
    }
}

/// What coded text becomes, about, when it is decoded.
pub const USUAL_RATIO: u64 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::{BodyEncoder, Live, sample, setup};
    use crate::header::Coding;

    #[test]
    fn nothing_is_never_too_much() {
        for coding in [Coding::Brotli, Coding::Zstd, Coding::Gzip] {
            let body = sample::html(100_000);
            let mut encoder = BodyEncoder::new(&setup(coding, Live::Auto, None)).unwrap();
            let mut decoder = Decoder::new(coding, u64::MAX).unwrap();
            let mut out = BytesMut::new();
            let first = encoder.push(&body, true).unwrap();
            for _turn in 0..100 {
                decoder.push(&[], &mut out).unwrap();
            }
            decoder.push(&first, &mut out).unwrap();
            for _turn in 0..100 {
                decoder.push(&[], &mut out).unwrap();
            }
            decoder.push(&encoder.finish().unwrap().unwrap(), &mut out).unwrap();
            decoder.finish().unwrap();
            assert!(out == body, "{coding:?}");
        }
    }
}
