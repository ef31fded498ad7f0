//! Streaming codecs: one response body in, the same body coded out, in memory that does not depend on its length.
//!
//! # How a body flows
//!
//! ```text
//! coding, operator's choice, length --setup()--> Setup --BodyEncoder::new()--> BodyEncoder
//! chunk of the app --push(chunk, rule.due(drained))--> coded bytes, often none
//! end of the body, on whichever path it came --finish()--> the rest and the end mark
//! ```
//!
//! [`setup`] and [`flush_rule`] decide and are pure; [`BodyEncoder`] moves bytes. Output goes from the codec's storage into
//! one buffer, which is handed on without another copy. The way back is [`Decoder`]; [`transcode`] and [`Transcoder`] put a
//! stored body into the coding of the client that asks, [`Recoder`] one that the app coded itself.
//!
//! # The end mark
//!
//! Whoever learns of the end calls `finish`: with the last chunk, after it, on trailers, on a body without a byte. The first
//! call gives the end mark, any other `None`, so that two callers cannot end a body twice. A codec's own `finish` consumes
//! it. After an encoder error nothing comes out any more, only errors: the caller has to abort the response, because plain
//! bytes behind coded ones are a body that decodes to something the app never sent.
//!
//! # Flushing
//!
//! A codec holds back up to a quarter of a MiB to code it well. Messages (`text/event-stream`, NDJSON, or
//! `X-Accel-Buffering: no`) are flushed one by one; a body of unknown length when the app pauses; a body whose length is
//! known never, as the app has it whole. A flush makes everything written so far decodable. Its price, as the ratio of a
//! 100 KB JSON listing and of the same amount of law text when flushed each so many bytes:
//!
//! | coding | 256 | 1 KiB | 4 KiB | 16 KiB | 64 KiB | never |
//! |---|---|---|---|---|---|---|
//! | br 4 | 5.64, 2.98 | 7.65, 3.76 | 8.95, 4.19 | 9.58, 4.36 | 9.82, 4.40 | 9.86, 4.41 |
//! | zstd 6 | 5.83, 3.03 | 7.58, 3.70 | 8.68, 4.09 | 9.23, 4.31 | 9.53, 4.35 | 9.58, 4.36 |
//! | gzip 6 | 6.27, 3.24 | 7.52, 3.73 | 8.41, 4.10 | 8.92, 4.23 | 9.06, 4.24 | 9.08, 4.24 |
//!
//! # Windows, and the history that must not be lost
//!
//! The window is the smallest that covers a body of known length, up to 2^20 (brotli) or 2^19 (zstd); where the length is not
//! known brotli's is 2^18. That is what keeps an encoder within 7, 2 and 4 MiB. Constant memory thus means that long bodies
//! outgrow their window - the very case in which the brotli crate's match finders of levels 2 to 8 lose their history: a bulk
//! store writes ring positions where absolute ones belong, and every match it stored is gone once the ring has wrapped. One
//! of the crate's finders does not have the fault, and `brotli.rs` installs it for all of these levels, with tables sized to
//! the body. Coded bytes at level 5, window 18, streamed, beside the C library:
//!
//! | body | bytes | C library | crate as it comes | here |
//! |---|---|---|---|---|
//! | 20.6 MB JSON | 20,621,633 | 777,468 | 2,337,002 | 766,859 |
//! | 1.5 MB JSON | 1,469,386 | 105,715 | 165,098 | 104,374 |
//! | 1.2 MB law text | 1,178,485 | 258,533 | 307,612 | 250,155 |
//! | 298 KB source map | 298,167 | 60,933 | 60,933 | 60,445 |
//! | 280 KB CSS | 280,311 | 30,512 | 30,512 | 30,342 |
//! | 224 KB HTML | 223,541 | 37,134 | 37,134 | 37,089 |
//! | 100 KB JSON | 102,595 | 10,295 | 10,295 | 10,202 |
//! | 100 KB law text | 102,519 | 23,179 | 23,180 | 23,253 |
//! | 10 KB JSON | 10,380 | 1,550 | 1,550 | 1,542 |
//! | 10 KB law text | 10,313 | 3,864 | 3,864 | 3,860 |
//!
//! # Memory of one encoder
//!
//! KiB of heap while it streams text in chunks of 16 KiB, as a counting allocator sees it (zstd: as the library says).
//! `peak` includes what a metablock takes while it is written; `plan` is [`Setup::heap`], the bound to admit against.
//! [`Codec::heap`] is the codec's own count at any moment, within 8 KiB of the allocator's.
//!
//! | coding | level | length | window | 1 KiB in | 100 KiB | 1 MiB | 8 MiB | peak | plan |
//! |---|---|---|---|---|---|---|---|---|---|
//! | br | 4 | unknown | 18 | 1,062 | 2,534 | 3,267 | 3,267 | 4,036 | 4,208 |
//! | br | 4 | 1,000 | 16 | - | - | - | - | 73 | 421 |
//! | br | 4 | 10,000 | 16 | 136 | - | - | - | 493 | 688 |
//! | br | 4 | 100,000 | 17 | 534 | - | - | - | 1,925 | 2,426 |
//! | br | 4 | 8 MiB | 20 | 2,118 | 5,126 | 5,831 | 5,831 | 6,599 | 6,896 |
//! | br | 1 | unknown | 18 | 7 | 101 | 101 | 101 | 183 | 714 |
//! | br | 3 | unknown | 18 | 1,158 | 2,071 | 2,071 | 2,071 | 2,231 | 2,480 |
//! | br | 9 | unknown | 18 | 1,034 | 2,506 | 3,224 | 3,224 | 3,993 | 4,208 |
//! | zstd | 6 | unknown | 19 | 1,914 | 1,917 | 1,913 | 1,913 | 1,917 | 1,952 |
//! | zstd | 7 | 1,000 | 10 | - | - | - | - | 44 | 112 |
//! | zstd | 7 | 10,000 | 14 | 326 | - | - | - | 326 | 360 |
//! | zstd | 6 | 100,000 | 17 | 1,530 | - | - | - | 1,533 | 1,568 |
//! | gzip | any | any | 15 | 342 | 346 | 346 | 346 | 390 | 438 |
//!
//! Real corpora stay below these: their peaks at brotli 4 are 3.0 to 3.1 MiB, and 5.5 in the widest window. Brotli 10 and
//! 11 are outside of this table and of live use: 8 to 15 MiB, 1 to 3 MB/s.
//!
//! A decoder holds the window that the sender chose, within the formats' limits: at most 16 MiB for brotli ("large window"
//! streams are refused), 8 MiB for zstd (RFC 9659), 32 KiB for gzip. What a body may grow to is the caller's limit. What it
//! usually comes to hold ([`decoder_heap`]) is asked of the same budget before the head goes out; where there is no room the
//! body passes as it came. A larger window is asked for when it turns up, and so is a piece of identity above [`PIECE`]: a
//! read of 64 KiB that became more than usual. There it is too late for anything but an error.
//!
//! [`Budget`] admits encoders, and says what is given up where there are too many ([`fit`]); [`Pressure`] what is given up
//! where the CPU is short.
//!
//! # What an app's coded text may become
//!
//! Ratios of bodies of 5 to 8 MB that shrink as few do, at levels that apps use for what they compress once. A body that
//! shrinks further says next to nothing, or is a bomb; [`Bounds::OF_AN_APP`] is drawn between the two.
//!
//! | body | gzip 9 | zstd 19 | br 9 |
//! |---|---|---|---|
//! | log of health checks | 20 | 27 | 23 |
//! | 41 columns of CSV, one in a hundred not 0 | 23 | 42 | 31 |
//! | Prometheus histograms without an observation | 27 | 102 | 69 |
//! | 41 columns of CSV, all 0 but the number of the row | 31 | 107 | 84 |
//! | JSON rows, all null but the number of the row | 46 | 100 | 126 |
//! | HTML table of empty cells | 50 | 130 | 123 |
//! | JSON matrix, one in a thousand not 0 | 481 | 447 | 673 |
//! | JSON matrix of 0 | 692 | 9,166 | 181,939 |
//!
//! # Where live levels stand
//!
//! [`Live::Auto`], length known: ratio, and MB/s of one thread with making the encoder included; files of a class, of each
//! the first MiB. Level 5 of brotli, and of the C library, is beside it: all levels and a drawing are in `codecs.md`.
//!
//! | class | br 4 | br 5 | C, br 5 | zstd 6 (7 to 32 KiB) | gzip 6 |
//! |---|---|---|---|---|---|
//! | HTML | 7.18 @ 125 | 7.22 @ 102 | 7.24 @ 117 | 6.94 @ 199 | 6.22 @ 143 |
//! | CSS | 8.73 @ 135 | 8.78 @ 116 | 8.72 @ 124 | 8.30 @ 208 | 7.98 @ 156 |
//! | JavaScript | 5.85 @ 102 | 5.87 @ 85 | 5.87 @ 97 | 5.67 @ 160 | 5.41 @ 103 |
//! | JSON | 8.12 @ 121 | 8.24 @ 99 | 8.07 @ 114 | 7.85 @ 192 | 7.32 @ 98 |
//! | XML, SVG | 6.66 @ 106 | 6.84 @ 85 | 6.77 @ 111 | 6.43 @ 197 | 5.77 @ 153 |
//! | prose | 4.28 @ 75 | 4.32 @ 63 | 4.27 @ 76 | 4.15 @ 123 | 3.78 @ 79 |
//!
//! The tables come from `cargo bench --bench encode -- tables` and from `make bench-codecs`; runs are kept in `benches/runs/`.

mod best;
mod body;
mod brotli;
mod budget;
mod codec;
mod decode;
mod deflate;
mod flush;
mod gzip;
mod ladder;
mod level;
mod padding;
mod pressure;
mod recode;
mod revision;
mod transcode;
mod zstd;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

pub use best::{Best, best};
pub use body::BodyEncoder;
pub use budget::{Admission, Budget, Reservation};
pub use codec::{Codec, CodecError, DecodeError, encoder};
pub use decode::{Bounds, Decoder, USUAL_RATIO, heap as decoder_heap};
pub use flush::{FlushRule, flush_rule};
pub use ladder::{Rung, fit};
pub use level::{BROTLI_LEVELS, GZIP_LEVELS, Levels, Live, Setup, ZSTD_LEVELS, setup};
pub use padding::Padding;
pub use pressure::{Ladder as CpuLadder, Pressure, Signals, Step};
pub use recode::{PIECE, Recoder, Target};
pub use revision::draw_revision;
pub use transcode::{TranscodeError, Transcoder, transcode};

/// Room to offer a codec that writes into a slice, for so much input: text shrinks to a quarter or less.
fn spare(input: usize) -> usize {
    (input / 4).clamp(1 << 10, 16 << 10)
}
