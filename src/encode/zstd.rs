//! Zstandard (RFC 8878, RFC 9659): the one file that names the `zstd` crate.
//!
//! The content size is never pledged: a pledge that turns out wrong is an error after the head has gone out, and what it
//! buys - tables that fit the body - is said with explicit parameters instead, at the same ratio.

use ::zstd::zstd_safe::{CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, SafeResult, get_error_name};
use bytes::BytesMut;

use super::codec::{Codec, CodecError, Decode, DecodeError, Step};
use super::level::Setup;
use super::spare;
use crate::header::Coding;
use crate::header::coding::Source;

const SOURCE: Source = Source::Coded(Coding::Zstd);

/// RFC 9659, section 3: a content coding's window is at most 8 MiB; decoders may refuse more, and so do we.
const MAX_WINDOW: u32 = 23;

pub(super) struct Encoder {
    context: CCtx<'static>,
    /// Of the context: window and a block, a block, and the input so far.
    input_buffer: usize,
    block: usize,
    taken: usize,
    /// Goes out behind the frame.
    padding: Vec<u8>,
}

/// RFC 8878, section 3.1.2: any of sixteen numbers, then the length in four bytes; decoders skip what follows.
const SKIPPABLE: u32 = 0x184d_2a50;

impl Encoder {
    pub(super) fn new(setup: &Setup) -> Result<Self, CodecError> {
        let mut context = CCtx::try_create().ok_or_else(|| refused("no memory for a context".to_owned()))?;
        for parameter in parameters(setup) {
            context.set_parameter(parameter).map_err(refused_code)?;
        }
        let window = 1 << setup.window;
        let block = window.min(128 << 10);
        Ok(Self { context, input_buffer: window + block, block, taken: 0, padding: Vec::new() })
    }

    /// Calls `work` with room in `out` until it says that it has nothing left.
    fn drain(
        &mut self,
        out: &mut BytesMut,
        mut work: impl FnMut(&mut CCtx<'static>, &mut OutBuffer<'_, [u8]>) -> SafeResult,
    ) -> Result<(), CodecError> {
        loop {
            let start = out.len();
            out.resize(start + spare(0), 0);
            let mut buffer = OutBuffer::around(&mut out[start..]);
            let left = work(&mut self.context, &mut buffer);
            let written = buffer.pos();
            out.truncate(start + written);
            if left.map_err(refused_code)? == 0 {
                return Ok(());
            }
        }
    }
}

/// Tables no larger than the plan's, and never larger than the level's own.
fn parameters(setup: &Setup) -> Vec<CParameter> {
    let (hash, chain) = match setup.level {
        ..=1 => (14, setup.window.min(13)),
        2 => (16, setup.window.min(15)),
        3 | 4 => (17, setup.window.min(16)),
        5..=12 => (setup.table, setup.table.min(setup.window)),
        // A tree: two links for each position.
        13.. => (setup.table, setup.table),
    };
    let mut parameters = vec![
        CParameter::CompressionLevel(setup.level),
        CParameter::WindowLog(setup.window),
        CParameter::HashLog(setup.table.min(hash)),
        CParameter::ChainLog(chain),
        // RFC 8878, section 3.1.1: optional; HTTP has its own integrity, and four bytes are four bytes.
        CParameter::ChecksumFlag(false),
    ];
    // The lazy searches. Below them is a plain hash of the level's own width, above them a tree that wants 3.
    if (5..=12).contains(&setup.level) {
        parameters.push(CParameter::MinMatch(setup.min_match));
    }
    parameters
}

impl Codec for Encoder {
    /// A skippable frame is a frame, and there are decoders that take the end of the first one for a pause: what comes
    /// first is the content, so that a decoder that knows of one frame only has all of it.
    fn pad(&mut self, padding: &[u8], _: &mut BytesMut) -> Result<(), CodecError> {
        self.padding = padding.to_vec();
        Ok(())
    }

    fn write(&mut self, input: &[u8], out: &mut BytesMut) -> Result<(), CodecError> {
        self.taken = self.taken.saturating_add(input.len());
        let mut input = InBuffer::around(input);
        while input.pos() < input.src.len() {
            let start = out.len();
            out.resize(start + spare(input.src.len() - input.pos()), 0);
            let mut buffer = OutBuffer::around(&mut out[start..]);
            let result = self.context.compress_stream(&mut buffer, &mut input);
            let written = buffer.pos();
            out.truncate(start + written);
            result.map_err(refused_code)?;
        }
        Ok(())
    }

    fn flush(&mut self, out: &mut BytesMut) -> Result<(), CodecError> {
        self.drain(out, |context, buffer| context.flush_stream(buffer))
    }

    fn finish(mut self: Box<Self>, out: &mut BytesMut) -> Result<(), CodecError> {
        self.drain(out, |context, buffer| context.end_stream(buffer))?;
        if !self.padding.is_empty() {
            let length = u32::try_from(self.padding.len()).map_err(|_| refused("padding is too long".to_owned()))?;
            out.extend_from_slice(&SKIPPABLE.to_le_bytes());
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(&self.padding);
        }
        Ok(())
    }

    fn heap(&self) -> usize {
        self.context.sizeof()
    }

    /// Not the input buffer until it is full, nor three quarters of what is kept for a block without a match or of nothing
    /// but matches (eleven bytes for each fourth one, and its literals), which text is not.
    fn resident(&self) -> usize {
        let input = self.input_buffer.saturating_sub(self.taken);
        let sequences = (self.block / 4 * 11 + self.block) / 4 * 3;
        self.heap().saturating_sub(input + sequences)
    }
}

fn refused(why: String) -> CodecError {
    CodecError::Refused { coding: Coding::Zstd, why }
}

fn refused_code(code: usize) -> CodecError {
    refused(get_error_name(code).to_owned())
}

pub(super) struct Decoder {
    context: DCtx<'static>,
    /// Frames read to their end. RFC 8878, section 3: a body is a series of them.
    ended: u64,
    /// Some of the current frame was read.
    within: bool,
}

impl Decoder {
    pub(super) fn new() -> Result<Self, DecodeError> {
        let mut context = DCtx::try_create().ok_or_else(|| corrupt("no memory for a context"))?;
        context.set_parameter(DParameter::WindowLogMax(MAX_WINDOW)).map_err(|code| corrupt(get_error_name(code)))?;
        Ok(Self { context, ended: 0, within: false })
    }

    fn failure(&self, code: usize) -> DecodeError {
        // Behind a whole frame and not the beginning of another one.
        if self.ended > 0 && !self.within {
            return DecodeError::Trailing { coding: SOURCE };
        }
        corrupt(get_error_name(code))
    }
}

impl Decode for Decoder {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, DecodeError> {
        if input.is_empty() && !self.within {
            return Ok(Step::default());
        }
        let mut source = InBuffer::around(input);
        let mut target = OutBuffer::around(output);
        let left = self.context.decompress_stream(&mut target, &mut source).map_err(|code| self.failure(code))?;
        if left == 0 {
            self.ended += 1;
        }
        self.within = left != 0;
        Ok(Step { read: source.pos(), written: target.pos() })
    }

    fn complete(&self) -> bool {
        self.ended > 0 && !self.within
    }

    fn heap(&self) -> usize {
        self.context.sizeof()
    }
}

fn corrupt(why: &str) -> DecodeError {
    DecodeError::Corrupt { coding: SOURCE, why: why.to_owned() }
}
