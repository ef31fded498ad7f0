//! `deflate` (RFC 9110, section 8.4.1.2), to read only: zlib (RFC 1950), or what is inside of it without the wrapper.

use flate2::{Decompress, FlushDecompress, Status};

use super::codec::{Decode, DecodeError, Step};
use super::gzip::INFLATE_HEAP;
use crate::header::coding::Source;

/// RFC 1950, section 2.2: the low half of the first byte, "deflate"; and the largest window in the high half.
///
/// Without the wrapper such a byte would be the beginning of a stored block (RFC 1951, section 3.2.4) with a bit set
/// among those that are skipped up to the next byte. Encoders write zeros there.
const METHOD: u8 = 8;
const MAX_WINDOW: u8 = 7;

pub(super) struct Decoder {
    /// `None` until the first byte tells which format it is.
    stream: Option<Decompress>,
    complete: bool,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { stream: None, complete: false }
    }
}

impl Decode for Decoder {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, DecodeError> {
        let coding = Source::Deflate;
        if self.complete {
            return if input.is_empty() { Ok(Step::default()) } else { Err(DecodeError::Trailing { coding }) };
        }
        let stream = match (&mut self.stream, input.first()) {
            (Some(stream), _) => stream,
            (unknown, Some(first)) => unknown.insert(Decompress::new(is_zlib(*first))),
            (None, None) => return Ok(Step::default()),
        };
        let (read, written) = (stream.total_in(), stream.total_out());
        let status = stream
            .decompress(input, output, FlushDecompress::None)
            .map_err(|error| DecodeError::Corrupt { coding, why: error.to_string() })?;
        self.complete = status == Status::StreamEnd;
        Ok(Step { read: (stream.total_in() - read) as usize, written: (stream.total_out() - written) as usize })
    }

    fn complete(&self) -> bool {
        self.complete
    }

    fn heap(&self) -> usize {
        INFLATE_HEAP
    }
}

fn is_zlib(first: u8) -> bool {
    first & 0x0f == METHOD && first >> 4 <= MAX_WINDOW
}
