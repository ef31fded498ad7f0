//! Gzip (RFC 1952): the one file that names the `flate2` crate.
//!
//! The library behind flate2 is zlib-ng, which the platform brings. The header is constant - no time, no name - so that
//! equal bodies have equal coded bytes and equal validators.

use bytes::BytesMut;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::codec::{Codec, CodecError, Decode, DecodeError, Step};
use super::level::Setup;
use super::spare;
use crate::header::Coding;
use crate::header::coding::Source;

const SOURCE: Source = Source::Coded(Coding::Gzip);

/// RFC 1951, section 2: distances reach back 32 KiB.
const WINDOW: u8 = 15;

pub(super) struct Encoder {
    stream: Compress,
    /// The extra field of the header, until the header is out.
    extra: Vec<u8>,
}

/// RFC 1952, section 2.3.1: the header without optional fields; flags are its fourth byte.
const HEADER: usize = 10;
const FLAGS: usize = 3;
const FEXTRA: u8 = 4;

impl Encoder {
    pub(super) fn new(setup: &Setup) -> Self {
        Self { stream: Compress::new_gzip(Compression::new(setup.level.unsigned_abs()), WINDOW), extra: Vec::new() }
    }

    /// Puts the extra field into the header, which is the first thing that comes out, in one piece.
    fn extend_header(&mut self, coded: &mut BytesMut) {
        let extra = std::mem::take(&mut self.extra);
        debug_assert!(coded.len() >= HEADER, "zlib writes the header at once");
        let rest = coded.split_off(HEADER.min(coded.len()));
        coded[FLAGS] |= FEXTRA;
        coded.extend_from_slice(&extra);
        coded.unsplit(rest);
    }

    fn run(&mut self, input: &[u8], flush: FlushCompress, out: &mut BytesMut) -> Result<(), CodecError> {
        let mut at = 0;
        loop {
            let start = out.len();
            let room = spare(input.len() - at);
            out.resize(start + room, 0);
            let (read, written) = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.compress(&input[at..], &mut out[start..], flush);
            let read = (self.stream.total_in() - read) as usize;
            let written = (self.stream.total_out() - written) as usize;
            out.truncate(start + written);
            if written > 0 && !self.extra.is_empty() {
                let mut coded = out.split_off(start);
                self.extend_header(&mut coded);
                out.unsplit(coded);
            }
            at += read;
            let done = match (status, flush) {
                (Err(error), _) => return Err(refused(error.to_string())),
                (Ok(status), FlushCompress::Finish) => status == Status::StreamEnd,
                (Ok(_), FlushCompress::None) => at == input.len(),
                // zlib has flushed everything when it leaves room.
                (Ok(_), _) => at == input.len() && written < room,
            };
            if done {
                return Ok(());
            }
            if read == 0 && written == 0 {
                return Err(refused("no progress".to_owned()));
            }
        }
    }
}

impl Codec for Encoder {
    /// RFC 1952, section 2.3.1.1: XLEN, then a subfield of two letters, length and data. No checksum covers the header.
    fn pad(&mut self, padding: &[u8], _: &mut BytesMut) -> Result<(), CodecError> {
        let too_long = |_| refused("padding is too long".to_owned());
        let length = u16::try_from(padding.len()).map_err(too_long)?;
        let with_head = u16::try_from(padding.len() + 4).map_err(too_long)?;
        self.extra = [&with_head.to_le_bytes()[..], b"vp", &length.to_le_bytes(), padding].concat();
        Ok(())
    }

    fn write(&mut self, input: &[u8], out: &mut BytesMut) -> Result<(), CodecError> {
        self.run(input, FlushCompress::None, out)
    }

    fn flush(&mut self, out: &mut BytesMut) -> Result<(), CodecError> {
        self.run(&[], FlushCompress::Sync, out)
    }

    fn finish(mut self: Box<Self>, out: &mut BytesMut) -> Result<(), CodecError> {
        self.run(&[], FlushCompress::Finish, out)
    }

    /// zlib allocates everything at once, the same at each level.
    fn heap(&self) -> usize {
        342 << 10
    }
}

fn refused(why: String) -> CodecError {
    CodecError::Refused { coding: Coding::Gzip, why }
}

/// zlib allocates everything at once: the window of 32 KiB, tables and state.
pub(super) const INFLATE_HEAP: usize = 48 << 10;

pub(super) struct Decoder {
    member: Decompress,
    /// Members read to their end. RFC 1952, section 2.2: a body is a series of them.
    ended: u64,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { member: Decompress::new_gzip(WINDOW), ended: 0 }
    }

    /// Nothing of the current member was read yet.
    fn between_members(&self) -> bool {
        self.member.total_in() == 0
    }

    fn failure(&self, why: String) -> DecodeError {
        let coding = SOURCE;
        // Behind a whole member and not the beginning of another one.
        if self.ended > 0 && self.member.total_out() == 0 {
            return DecodeError::Trailing { coding };
        }
        DecodeError::Corrupt { coding, why }
    }
}

impl Decode for Decoder {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, DecodeError> {
        if input.is_empty() && self.between_members() {
            return Ok(Step::default());
        }
        let (read, written) = (self.member.total_in(), self.member.total_out());
        let status = self
            .member
            .decompress(input, output, FlushDecompress::None)
            .map_err(|error| self.failure(error.to_string()))?;
        let step = Step {
            read: (self.member.total_in() - read) as usize,
            written: (self.member.total_out() - written) as usize,
        };
        if status == Status::StreamEnd {
            self.ended += 1;
            self.member = Decompress::new_gzip(WINDOW);
        }
        Ok(step)
    }

    fn complete(&self) -> bool {
        self.ended > 0 && self.between_members()
    }

    fn heap(&self) -> usize {
        INFLATE_HEAP
    }
}
