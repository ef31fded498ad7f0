//! Level and window where nobody waits: a pure plan for a stored body that is worth seconds of an idle core.
//!
//! The window covers the body, as far as the memory that one encoder may take allows. Levels follow the length, so that
//! one body is a matter of seconds. Coded bytes of live encoders (levels 4, 6 and 6), and within 40 MiB of heap:
//!
//! | body | br | best | zstd | best | gzip | best |
//! |---|---|---|---|---|---|---|
//! | 10 KB JSON | 1,542 | 1,377 | 1,666 | 1,602 | 1,733 | 1,716 |
//! | 10 KB law text | 3,860 | 3,644 | 3,874 | 3,791 | 3,908 | 3,901 |
//! | 100 KB JSON | 10,354 | 8,706 | 10,711 | 9,559 | 11,292 | 11,103 |
//! | 100 KB law text | 23,273 | 21,387 | 23,519 | 22,084 | 24,166 | 23,889 |
//! | 224 KB HTML | 37,134 | 31,885 | 38,638 | 35,467 | 43,245 | 42,814 |
//! | 280 KB CSS | 30,342 | 24,364 | 31,961 | 27,204 | 33,263 | 33,066 |
//! | 625 KB JavaScript | 104,862 | 90,259 | 107,324 | 92,291 | 111,248 | 110,586 |
//! | 1.2 MB law text | 249,236 | 219,072 | 256,116 | 217,144 | 287,404 | 284,526 |
//! | 1.5 MB JSON | 108,512 | 87,932 | 114,075 | 90,011 | 118,057 | 116,008 |
//! | 5.9 MB HTML | 806,127 | 793,956 | 833,057 | 681,365 | 943,023 | 933,428 |
//! | 20.6 MB JSON | 749,327 | 699,141 | 796,909 | 631,577 | 1,000,668 | 958,951 |
//!
//! 16 MiB instead of 40 cost 5 % on the 1.2 MB text, 1 % on the 1.5 MB JSON, and nothing below 250 KB.

use super::level::{BROTLI_LEVELS, GZIP_LEVELS, Levels, Live, Setup, ZSTD_LEVELS, setup};
use crate::header::Coding;

/// How far the operator lets it go. Gzip has one best level, and it costs next to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Best {
    pub brotli: u32,
    pub zstd: i32,
}

impl Default for Best {
    fn default() -> Self {
        Self { brotli: *BROTLI_LEVELS.end(), zstd: *ZSTD_LEVELS.end() }
    }
}

/// Longer bodies are left as they are.
const LONGEST: u64 = 64 << 20;

/// RFC 7932, section 9.1: from 16 to 24 without "large window", which browsers do not read. Above 22 nothing is gained
/// on bodies of this length, and the trees of levels 10 and 11 take ten times the window.
const BROTLI_WINDOWS: std::ops::RangeInclusive<u32> = 16..=22;
/// RFC 9659, section 3: a content coding's window is at most 8 MiB.
const ZSTD_WINDOWS: std::ops::RangeInclusive<u32> = 10..=23;
/// Two tables of 2^21 entries are 16 MiB; twice that would not fit beside the widest window.
const ZSTD_TABLE: u32 = 21;

/// Plans the encoder of a body of `length` within `memory` bytes of heap. `None` if the body is too long, or the memory
/// too little for any window.
pub fn best(coding: Coding, best: Best, length: u64, memory: u64) -> Option<Setup> {
    if length > LONGEST {
        return None;
    }
    let levels = levels(best, length);
    let plan = setup(coding, Live::Fixed(levels), Some(length));
    let covering = u64::BITS - length.saturating_add(15).leading_zeros();
    let windows = match coding {
        Coding::Identity => return None,
        Coding::Brotli => BROTLI_WINDOWS,
        Coding::Zstd => ZSTD_WINDOWS,
        Coding::Gzip => plan.window..=plan.window,
    };
    let widest = covering.clamp(*windows.start(), *windows.end());
    let fitting = (*windows.start()..=widest).rev().map(|window| with_window(plan, window));
    fitting.into_iter().find(|plan| plan.heap() <= memory)
}

/// From these lengths on, the two slowest levels of brotli are too slow.
const BROTLI_10: u64 = (1 << 20) + 1;
const BROTLI_9: u64 = (4 << 20) + 1;

/// Brotli 11 runs at about one MB/s of a core, 10 at twice that, 9 at twenty; zstd 19 at three and more.
fn levels(best: Best, length: u64) -> Levels {
    let brotli = match length {
        ..BROTLI_10 => 11,
        BROTLI_10..BROTLI_9 => 10,
        BROTLI_9.. => 9,
    };
    Levels { brotli: best.brotli.min(brotli), zstd: best.zstd, gzip: *GZIP_LEVELS.end() }
}

fn with_window(plan: Setup, window: u32) -> Setup {
    let table = match plan.coding {
        Coding::Zstd => (window + 1).min(ZSTD_TABLE),
        _ => plan.table,
    };
    Setup { window, table, ..plan }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::{encoder, sample, transcode};
    use bytes::BytesMut;

    const MIB: u64 = 1 << 20;
    const ROOM: u64 = 40 * MIB;

    #[test]
    fn levels_follow_the_length_and_the_operator() {
        let level = |coding, best_: Best, length| best(coding, best_, length, u64::MAX).map(|plan| plan.level);
        let most = Best::default();
        for (length, brotli) in [(0, 11), (MIB, 11), (MIB + 1, 10), (4 * MIB, 10), (4 * MIB + 1, 9), (64 * MIB, 9)] {
            assert_eq!(level(Coding::Brotli, most, length), Some(brotli), "{length}");
            assert_eq!(level(Coding::Zstd, most, length), Some(19), "{length}");
            assert_eq!(level(Coding::Gzip, most, length), Some(9), "{length}");
        }
        let modest = Best { brotli: 9, zstd: 12 };
        assert_eq!(level(Coding::Brotli, modest, 1000), Some(9));
        assert_eq!(level(Coding::Zstd, modest, 1000), Some(12));
        for coding in Coding::ALL {
            assert_eq!(level(coding, most, 64 * MIB + 1), None);
        }
        assert_eq!(level(Coding::Identity, most, 1000), None);
    }

    #[test]
    fn the_window_covers_the_body_as_far_as_decoders_and_memory_allow() {
        let window = |coding, length, memory| best(coding, Best::default(), length, memory).map(|plan| plan.window);
        // (length, brotli, zstd)
        for (length, brotli, zstd) in
            [(1000, 16, 10), (100_000, 17, 17), (MIB - 16, 20, 20), (MIB, 21, 21), (64 * MIB, 22, 23)]
        {
            assert_eq!(window(Coding::Brotli, length, u64::MAX), Some(brotli), "{length}");
            assert_eq!(window(Coding::Zstd, length, u64::MAX), Some(zstd), "{length}");
            assert_eq!(window(Coding::Gzip, length, u64::MAX), Some(15), "{length}");
        }
        assert!(window(Coding::Brotli, MIB, 16 * MIB) < Some(20), "less memory, smaller window");
        for coding in [Coding::Brotli, Coding::Zstd, Coding::Gzip] {
            assert_eq!(window(coding, MIB, 1000), None, "too little for any");
        }
        for length in [0, 1000, 100_000, MIB, 3 * MIB, 20 * MIB, 64 * MIB] {
            for memory in [8, 16, 24, 40].map(|each| each * MIB) {
                for coding in [Coding::Brotli, Coding::Zstd, Coding::Gzip] {
                    let plan = best(coding, Best::default(), length, memory);
                    assert!(plan.is_none_or(|plan| plan.heap() <= memory), "{plan:?}");
                }
            }
        }
    }

    #[test]
    fn an_encoder_stays_within_its_plan_and_its_bytes_are_smaller() {
        let body = sample::html(700_000);
        for coding in [Coding::Brotli, Coding::Zstd, Coding::Gzip] {
            let plan = best(coding, Best::default(), body.len() as u64, ROOM).unwrap();
            let mut machine = encoder(&plan).unwrap().unwrap();
            let (mut out, mut peak) = (BytesMut::new(), 0);
            for piece in body.chunks(64 << 10) {
                machine.write(piece, &mut out).unwrap();
                peak = peak.max(machine.heap());
            }
            machine.finish(&mut out).unwrap();
            assert!(peak as u64 <= plan.heap(), "{coding:?}: {peak} of {}", plan.heap());
            let live = setup(coding, Live::Auto, Some(body.len() as u64));
            let live = transcode(&body, Coding::Identity, &live, u64::MAX).unwrap();
            // zlib has nothing more to give on this text.
            let most = if coding == Coding::Gzip { live.len() * 102 / 100 } else { live.len() * 95 / 100 };
            assert!(out.len() < most, "{coding:?}: {} live, {} now", live.len(), out.len());
            let plain = setup(Coding::Identity, Live::Auto, None);
            assert!(transcode(&out, coding, &plain, u64::MAX).unwrap() == body, "{coding:?}");
        }
    }
}
