//! Streaming decoder with a cap: what a coded body may become is the caller's decision, not the sender's.

use bytes::BytesMut;

use super::codec::{self, Decode, DecodeError, Step};
use crate::header::Coding;

/// Decodes one coded body. Several gzip members or zstd frames in a row are one body; anything else after the end is an
/// error, and so is a body without its end.
pub struct Decoder {
    coding: Coding,
    /// `None` for identity.
    machine: Option<Box<dyn Decode>>,
    limit: u64,
    produced: u64,
}

/// Output grows by this much at a time.
const PIECE: usize = 16 << 10;

impl Decoder {
    /// `limit` is the most bytes of identity that may come out.
    pub fn new(coding: Coding, limit: u64) -> Result<Self, DecodeError> {
        Ok(Self { coding, machine: codec::decode(coding)?, limit, produced: 0 })
    }

    /// Takes all of `input` and appends all that it decodes to. Stops with an error before `limit` is exceeded.
    pub fn push(&mut self, mut input: &[u8], out: &mut BytesMut) -> Result<(), DecodeError> {
        while self.fill(&mut input, out, PIECE)? == PIECE {}
        Ok(())
    }

    /// Appends at most `room` bytes to `out`, taking no more from the front of `input` than that needs.
    ///
    /// Less than `room` means that the input is used up.
    pub fn fill(&mut self, input: &mut &[u8], out: &mut BytesMut, room: usize) -> Result<usize, DecodeError> {
        let start = out.len();
        out.resize(start + room, 0);
        let result = self.fill_slice(input, &mut out[start..]);
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
            self.produced += step.written as u64;
            if self.produced > self.limit {
                return Err(DecodeError::OverLimit { coding: self.coding, limit: self.limit });
            }
            if step == Step::default() {
                break;
            }
        }
        Ok(written)
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
