//! Brotli (RFC 7932): the one file that names the `brotli` crate.
//!
//! The encoder is driven below the crate's `Write` adapter: output goes from its storage straight into ours, flush and
//! finish are exact, and - what no parameter offers - the match finder is our choice. The crate's own finders for levels
//! 2 to 8 store bulk positions masked to the ring buffer, so that matches vanish once a stream is longer than its window
//! (20 MB of JSON, level 5, window 18: ratio 8.8 where the C library reaches 26.5). Its finder "H6" stores absolute
//! positions, and all of its parts are public: installing one before the first byte gives 26.9 in less memory.

use ::brotli::enc::StandardAlloc;
use ::brotli::enc::backward_references::{AdvHasher, BrotliHasherParams, H6Sub, H9Opts, Struct1, UnionHasher};
use ::brotli::enc::encode::{BrotliEncoderOperation as Operation, BrotliEncoderStateStruct as State};
use ::brotli::{Allocator, BrotliDecompressStream, BrotliResult, BrotliState, SliceWrapper};
use bytes::BytesMut;

use super::codec::{Codec, CodecError, Decode, DecodeError, Step};
use super::ladder;
use super::level::Setup;
use crate::header::Coding;
use crate::header::coding::Source;

const SOURCE: Source = Source::Coded(Coding::Brotli);

/// Input is searched in blocks of 2^16. Level 9 would take 2^18 and hold the thread four times as long.
const BLOCK_BITS: i32 = 16;

pub(super) struct Encoder {
    state: State<StandardAlloc>,
    /// Input since the last metablock ended, and the most that one takes.
    pending: usize,
    metablock: usize,
    /// The most that the state is given at a time.
    piece: usize,
    /// Input until the format's own dictionary is left alone.
    introduction: usize,
}

impl Encoder {
    pub(super) fn new(setup: &Setup) -> Self {
        let mut state = State::new(StandardAlloc::default());
        state.params.quality = setup.level;
        state.params.lgwin = setup.window as i32;
        state.params.lgblock = BLOCK_BITS;
        state.params.size_hint = setup.length.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        if (2..=9).contains(&setup.level) {
            state.hasher_ = match_finder(setup);
        }
        let introduction = setup.introduction();
        Self { state, pending: 0, metablock: setup.metablock(), piece: setup.piece(), introduction }
    }

    fn run(&mut self, operation: Operation, input: &[u8], out: &mut BytesMut) -> Result<(), CodecError> {
        let (mut left, mut at) = (input.len(), 0);
        loop {
            let before = left;
            // No room is offered for output, so that all of it waits in the encoder's storage and is copied once.
            let accepted = self.state.compress_stream(
                operation,
                &mut left,
                input,
                &mut at,
                &mut 0,
                &mut [],
                &mut 0,
                &mut None,
                &mut |_, _, _, _| (),
            );
            if !accepted {
                return Err(refused("the state machine rejected the operation"));
            }
            let taken = self.take(out);
            let done = match operation {
                Operation::BROTLI_OPERATION_FINISH => self.state.is_finished(),
                _ => left == 0,
            };
            if done {
                return Ok(());
            }
            if left == before && taken == 0 {
                return Err(refused("no progress"));
            }
        }
    }

    fn take(&mut self, out: &mut BytesMut) -> usize {
        let before = out.len();
        while self.state.has_more_output() {
            let mut size = 0;
            let piece = self.state.take_output(&mut size);
            out.extend_from_slice(&piece[..size]);
        }
        out.len() - before
    }
}

impl Codec for Encoder {
    /// RFC 7932, section 9.2: a metablock of no content, whose bytes decoders skip. From the lowest bit: not the last, no
    /// nibbles of length (two bits), a reserved bit, one byte (two bits) of the number to skip, less one; filled up with
    /// zeros. Written here, at the byte boundary that a flush leaves: what the crate writes for it is not decodable.
    fn pad(&mut self, padding: &[u8], out: &mut BytesMut) -> Result<(), CodecError> {
        const SKIP_BY_ONE_BYTE: u16 = 0b01_0110;
        let Some(less_one) = padding.len().checked_sub(1) else {
            return Ok(());
        };
        let less_one = u8::try_from(less_one).map_err(|_| refused("padding is too long"))?;
        self.flush(out)?;
        out.extend_from_slice(&(SKIP_BY_ONE_BYTE | u16::from(less_one) << 6).to_le_bytes());
        out.extend_from_slice(padding);
        Ok(())
    }

    fn write(&mut self, mut input: &[u8], out: &mut BytesMut) -> Result<(), CodecError> {
        while !input.is_empty() {
            let (now, later) = input.split_at(input.len().min(self.metablock - self.pending).min(self.piece));
            self.run(Operation::BROTLI_OPERATION_PROCESS, now, out)?;
            self.pending += now.len();
            self.introduction = self.introduction.saturating_sub(now.len());
            self.state.params.use_dictionary = self.introduction > 0;
            if self.pending == self.metablock {
                self.flush(out)?;
            }
            input = later;
        }
        Ok(())
    }

    fn flush(&mut self, out: &mut BytesMut) -> Result<(), CodecError> {
        self.pending = 0;
        self.run(Operation::BROTLI_OPERATION_FLUSH, &[], out)
    }

    fn finish(mut self: Box<Self>, out: &mut BytesMut) -> Result<(), CodecError> {
        self.run(Operation::BROTLI_OPERATION_FINISH, &[], out)
    }

    /// RFC 7932, section 9.2: metablocks follow each other on a byte boundary, which a flush ends at. One that refers to
    /// nothing before itself may come from any encoder: level 1 reuses no distance, no context and no dictionary. Its
    /// own stream header, brought out by a flush of nothing, is not needed a second time.
    fn shrink(&mut self) -> Option<u64> {
        let least = ladder::least();
        let mut encoder = Self::new(&least);
        encoder.flush(&mut BytesMut::new()).ok()?;
        *self = encoder;
        Some(least.heap())
    }

    fn heap(&self) -> usize {
        let state = &self.state;
        size_of::<Self>()
            + state.ringbuffer_.data_mo.slice().len()
            + state.storage_.slice().len()
            + size_of_val(state.commands_.slice())
            + size_of_val(state.large_table_.slice())
            + size_of_val(state.command_buf_.slice())
            + state.literal_buf_.slice().len()
            + finder_heap(&state.hasher_)
    }

    /// The ring is written to as input comes; the match table all over from the start.
    fn resident(&self) -> usize {
        let ring = self.state.ringbuffer_.data_mo.slice().len();
        let written = usize::try_from(self.state.input_pos_).unwrap_or(usize::MAX);
        self.heap() - ring.saturating_sub(written)
    }
}

/// The finder that remembers: 2^(table - depth) buckets, each a ring of 2^depth absolute positions.
fn match_finder(setup: &Setup) -> UnionHasher<StandardAlloc> {
    let depth = setup.depth() as i32;
    let buckets = setup.table as i32 - depth;
    let hash_len = setup.min_match as i32;
    let params = BrotliHasherParams {
        type_: 6,
        bucket_bits: buckets,
        block_bits: depth,
        hash_len,
        num_last_distances_to_check: setup.last_distances(),
        literal_byte_score: 0,
    };
    let mut heap = StandardAlloc::default();
    UnionHasher::H6(AdvHasher {
        GetHasherCommon: Struct1 { params, is_prepared_: 1, dict_num_lookups: 0, dict_num_matches: 0 },
        specialization: H6Sub {
            hash_mask: u64::MAX >> (64 - 8 * hash_len),
            hash_shift_: 64 - buckets,
            bucket_size_: 1 << buckets,
            block_mask_: (1 << depth) - 1,
            block_bits_: depth,
        },
        num: <StandardAlloc as Allocator<u16>>::alloc_cell(&mut heap, 1 << buckets),
        buckets: <StandardAlloc as Allocator<u32>>::alloc_cell(&mut heap, 1 << setup.table),
        h9_opts: H9Opts::new(&params),
    })
}

fn finder_heap(finder: &UnionHasher<StandardAlloc>) -> usize {
    match finder {
        UnionHasher::H6(finder) => size_of_val(finder.num.slice()) + size_of_val(finder.buckets.slice()),
        UnionHasher::H10(finder) => size_of_val(finder.buckets_.slice()) + size_of_val(finder.forest.slice()),
        // Levels 0 and 1 have none; no other finder is ever installed.
        _ => 0,
    }
}

fn refused(why: &str) -> CodecError {
    CodecError::Refused { coding: Coding::Brotli, why: why.to_owned() }
}

type DecoderState = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

pub(super) struct Decoder {
    state: Box<DecoderState>,
    complete: bool,
}

impl Decoder {
    /// Strict: a window over 16 MiB ("large window brotli") is not RFC 7932 and is refused.
    pub(super) fn new() -> Self {
        Self {
            state: Box::new(BrotliState::new_strict(
                StandardAlloc::default(),
                StandardAlloc::default(),
                StandardAlloc::default(),
            )),
            complete: false,
        }
    }
}

impl Decode for Decoder {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, DecodeError> {
        if self.complete {
            return if input.is_empty() { Ok(Step::default()) } else { Err(DecodeError::Trailing { coding: SOURCE }) };
        }
        // The crate counts a call's input in 32 bits.
        let input = &input[..input.len().min(1 << 30)];
        let (mut left, mut room) = (input.len(), output.len());
        let mut step = Step::default();
        let result = BrotliDecompressStream(
            &mut left,
            &mut step.read,
            input,
            &mut room,
            &mut step.written,
            output,
            &mut 0,
            &mut self.state,
        );
        match result {
            BrotliResult::ResultSuccess => self.complete = true,
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultFailure => {
                return Err(DecodeError::Corrupt { coding: SOURCE, why: format!("{:?}", self.state.error_code) });
            }
        }
        Ok(step)
    }

    fn complete(&self) -> bool {
        self.complete
    }

    /// The ring, which grows with the body up to the window that the sender chose; and the codes of one metablock, which
    /// are up to 3 MiB if the sender wants them to be.
    fn heap(&self) -> usize {
        let state = &*self.state;
        let (literals, commands, distances) =
            (&state.literal_hgroup, &state.insert_copy_hgroup, &state.distance_hgroup);
        let blocks = &state.block_type_length_state;
        size_of::<DecoderState>()
            + state.ringbuffer.slice().len()
            + size_of_val(literals.codes.slice())
            + size_of_val(commands.codes.slice())
            + size_of_val(distances.codes.slice())
            + size_of_val(blocks.block_type_trees.slice())
            + size_of_val(blocks.block_len_trees.slice())
            + state.context_map.slice().len()
            + state.dist_context_map.slice().len()
            + state.context_modes.slice().len()
    }
}
