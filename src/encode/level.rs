//! Level, window and tables of an encoder: a pure plan from the coding, the operator's choice and the body's length.
//!
//! The window follows the body, so that a small page does not pay for clearing large tables, and is capped so that no
//! live encoder outgrows a few MiB. The figures behind each constant are in the essay of [`super`].

use std::time::Duration;

use crate::header::Coding;

/// How hard live responses are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Live {
    /// The measured best for latency: see [`Levels::AUTO`].
    #[default]
    Auto,
    Fixed(Levels),
}

/// The operator's level for each coding. Values outside a coding's range count as its nearest end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    pub brotli: u32,
    pub zstd: i32,
    pub gzip: u32,
}

impl Levels {
    /// A 100 KB page is under 3 ms of one core at each of these. Brotli's 4, with as many candidates as 5 looks at, is 1 %
    /// larger than 5 and takes 13 to 21 % less CPU: the window that the length allows is worth more, and costs none.
    pub const AUTO: Self = Self { brotli: 4, zstd: 6, gzip: 6 };
}

/// Brotli 10 and 11 run at 1 to 3 MB/s: for stored bodies, not for live ones, but an operator may insist.
pub const BROTLI_LEVELS: std::ops::RangeInclusive<u32> = 0..=11;
/// Levels 20 to 22 only add window, which is planned here.
pub const ZSTD_LEVELS: std::ops::RangeInclusive<i32> = 1..=19;
pub const GZIP_LEVELS: std::ops::RangeInclusive<u32> = 1..=9;

/// Everything an encoder is built from. Sizes are powers of two, given as their logarithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    pub coding: Coding,
    pub level: i32,
    /// How far back a match may reach.
    pub window: u32,
    /// Entries of the table that finds matches. Brotli 0 and 1: bytes of a fragment, which has a table of its size.
    pub table: u32,
    /// The shortest match that is looked for: short ones pay in short bodies, long ones in long bodies.
    pub min_match: u32,
    /// The body's length where it is known. A hint: a body of any other length is encoded as well.
    pub length: Option<u64>,
}

/// Plans the encoder of one response body.
pub fn setup(coding: Coding, live: Live, length: Option<u64>) -> Setup {
    let levels = match live {
        Live::Auto => Levels::AUTO,
        Live::Fixed(levels) => levels,
    };
    let body = Body::of(length);
    match coding {
        Coding::Identity => Setup { coding, level: 0, window: 0, table: 0, min_match: 0, length },
        Coding::Brotli => {
            let level = clamp(levels.brotli, BROTLI_LEVELS);
            Setup {
                coding,
                level: level as i32,
                window: window(length, brotli_windows(level, length)),
                table: brotli_table(level, body, length),
                min_match: body.min_match(),
                length,
            }
        }
        Coding::Zstd => {
            let level = match (live, body) {
                // One level up costs nothing on a body this short, and makes up for the size that is not pledged.
                (Live::Auto, Body::Short) => Levels::AUTO.zstd + 1,
                _ => clamp(levels.zstd, ZSTD_LEVELS),
            };
            let window = window(length, ZSTD_WINDOWS);
            Setup { coding, level, window, table: ZSTD_TABLE.min(window + 1), min_match: body.min_match(), length }
        }
        Coding::Gzip => Setup {
            coding,
            level: clamp(levels.gzip, GZIP_LEVELS) as i32,
            // RFC 1951, section 2: 32 KiB is all there is, and a smaller one saves nothing worth having.
            window: 15,
            table: 0,
            min_match: 3,
            length,
        },
    }
}

/// Brotli: 16 has the shortest header (RFC 7932, section 9.1) and below it nothing is saved.
///
/// 18 keeps an encoder near 3 MiB. A length that is told says that the body ends, and that it is worth its window: 20
/// takes 1.5 MiB more and saves 2 % of bodies over 512 KB. Below level 2 nothing is found that far back, above level 9 a
/// window costs ten times its size.
fn brotli_windows(level: u32, length: Option<u64>) -> std::ops::RangeInclusive<u32> {
    if length.is_some() && (2..=9).contains(&level) { 16..=20 } else { 16..=18 }
}

/// Zstandard: 19 keeps an encoder under 2 MiB. The format's limit for browsers is 23 (RFC 8878, section 3.1.1.1.2: 8 MiB).
const ZSTD_WINDOWS: std::ops::RangeInclusive<u32> = 10..=19;
const ZSTD_TABLE: u32 = 17;
/// 2^18 entries are 1 MiB. In a body over 512 KB twice as many save 1 % in the same time; in shorter ones they take more,
/// to be cleared and as they fall out of the L2 cache.
const BROTLI_TABLE: u32 = 18;
const BROTLI_WIDE_TABLE: u32 = 19;
/// Brotli 0 and 1 find no match across fragments: 64 KiB are 28 % smaller than 16, and hold 0.7 MiB.
const BROTLI_FRAGMENT: u32 = 16;

/// The classes of body that want different matches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    Short,
    Middle,
    Long,
}

impl Body {
    fn of(length: Option<u64>) -> Self {
        match length {
            Some(0..=0x8000) => Self::Short,
            Some(0x8_0000..) => Self::Long,
            Some(_) | None => Self::Middle,
        }
    }

    /// Measured on the corpus: 4 saves 2 % of a 10 KB text and costs 1 % of a 100 KB JSON; 6 saves 1 % of a 1 MB text.
    fn min_match(self) -> u32 {
        match self {
            Self::Short => 4,
            Self::Middle => 5,
            Self::Long => 6,
        }
    }
}

/// The smallest window that covers the body; the largest allowed when the length is unknown.
fn window(length: Option<u64>, allowed: std::ops::RangeInclusive<u32>) -> u32 {
    let Some(length) = length else {
        return *allowed.end();
    };
    // Brotli's window of 2^n reaches back 2^n - 16 (RFC 7932, section 9.1); no harm to the others.
    let bits = u64::BITS - length.saturating_add(15).leading_zeros();
    bits.clamp(*allowed.start(), *allowed.end())
}

/// log2 of the entries: a bucket for every eight bytes of body, and in each as many candidates as the level examines.
fn brotli_table(level: u32, body: Body, length: Option<u64>) -> u32 {
    if level <= 1 {
        return BROTLI_FRAGMENT;
    }
    let depth = brotli_depth(level, body);
    // Below level 4 there are too few candidates in a bucket to fill more.
    let widest = if level >= 4 && body == Body::Long { BROTLI_WIDE_TABLE } else { BROTLI_TABLE };
    match length {
        Some(length) => (length.max(1).ilog2().saturating_sub(3).max(8) + depth).min(widest),
        None => BROTLI_TABLE,
    }
}

fn brotli_depth(level: u32, body: Body) -> u32 {
    // Twice the candidates in a short body: the same time, as most buckets are empty, and 0.5 % smaller.
    let extra = u32::from(body == Body::Short);
    let depth = match level {
        // Where live bodies are coded: half as many candidates save 8 % of the time and cost 1.5 %.
        4 => 4,
        _ => level.clamp(2, 8) - 1,
    };
    depth + extra
}

impl Setup {
    /// log2 of the candidates in one bucket of the match table (brotli 2 to 9).
    pub(super) fn depth(&self) -> u32 {
        brotli_depth(self.level.unsigned_abs(), Body::of(self.length))
    }

    /// How many of the last distances are tried before the table (brotli 2 to 9). The C library tries four up to level 6,
    /// and ten above; at level 4 the third and the fourth save 0.1 % for 2 to 4 % of the time.
    pub(super) fn last_distances(&self) -> i32 {
        match self.level {
            ..=4 => 2,
            5..=6 => 4,
            _ => 10,
        }
    }

    /// How much of a body is looked up in brotli's own dictionary (RFC 7932, section 8) where nothing else was found. What
    /// it has of a text is in the text itself soon: behind the first 64 KiB it saves 0.1 % for 4 to 8 % of the time.
    pub(super) fn introduction(&self) -> usize {
        if self.level <= 4 { 64 << 10 } else { usize::MAX }
    }

    /// About how long a turn over so much input takes. Of the slow levels each may take long, as what was collected before
    /// is then searched as well.
    pub fn cost(&self, input: usize) -> Duration {
        let cost = nanoseconds(self.coding, self.level);
        let searched = if cost >= SLOW { input.max(BLOCK) } else { input };
        Duration::from_nanos((cost * searched) as u64)
    }

    /// After so much input a brotli metablock is ended.
    ///
    /// Left alone, the crate collects two windows: half a MiB more heap, and a burst of work when it ends. The cost is
    /// 0.3 %. Levels 2 and 3 end theirs by themselves after 12,287 commands and literals: rarely later than this.
    pub(super) fn metablock(&self) -> usize {
        if self.level <= 3 { 64 << 10 } else { 256 << 10 }
    }

    /// The most that is given to a brotli encoder at a time: a fragment, where the heap follows from it.
    pub(super) fn piece(&self) -> usize {
        if self.level <= 1 { 1 << self.table } else { usize::MAX }
    }

    /// The heap one encoder of this plan may come to hold, for admission to a budget.
    ///
    /// Real bodies reach 60 to 100 % of it; [`super::Codec::heap`] says what an encoder holds at a given moment.
    pub fn heap(&self) -> u64 {
        let length = self.length.unwrap_or(u64::MAX);
        let window = 1u64 << self.window;
        match self.coding {
            Coding::Identity => 0,
            Coding::Gzip => (342 + 96) << 10,
            Coding::Zstd => zstd_heap(self.level, 4 << self.table, window),
            Coding::Brotli if self.level <= 1 => fragment_heap(1 << self.table),
            Coding::Brotli => brotli_heap(self.level, 4 << self.table, window, length.min(self.metablock() as u64)),
        }
    }
}

/// What a codec collects before it searches it.
const BLOCK: usize = 64 << 10;
/// At this cost a byte, a block takes two milliseconds.
const SLOW: usize = 32;

/// What a byte of text or markup costs: measured with 1 MB of law text and 2 MB of HTML, the dearer of the two.
fn nanoseconds(coding: Coding, level: i32) -> usize {
    match (coding, level) {
        (Coding::Identity, _) => 0,
        (Coding::Brotli, ..=1) => 6,
        (Coding::Brotli, 2..=5) => 18,
        (Coding::Brotli, 6..=9) => 50,
        (Coding::Brotli, _) => 1000,
        (Coding::Zstd, ..=4) => 3,
        (Coding::Zstd, 5..=8) => 10,
        (Coding::Zstd, 9..=12) => 32,
        (Coding::Zstd, _) => 200,
        (Coding::Gzip, ..=3) => 6,
        (Coding::Gzip, 4..=6) => 16,
        (Coding::Gzip, _) => 32,
    }
}

/// Room for output, window and a block in, a block out, the sequences of a block and the tables (`ZSTD_sizeof_CCtx`).
fn zstd_heap(level: i32, table: u64, window: u64) -> u64 {
    let block = window.min(128 << 10);
    let tables = match level {
        // A second table for short matches, or the chains of a tree.
        ..=4 | 13.. => 2 * table,
        // Rows, with one byte to tell entries apart.
        _ => table + table / 4,
    };
    // The optimal parser weighs whole blocks.
    let parser = if level >= 13 { 1408 << 10 } else { 0 };
    (96 << 10) + window + 5 * block + block / 2 + tables + parser
}

/// State, and for each byte of a fragment its place in the table, in the literals, the commands and twice in the output.
fn fragment_heap(fragment: u64) -> u64 {
    (10 << 10) + 11 * fragment
}

/// State, ring of two windows and a block, match table, one metablock's output and commands, and a little for writing it.
fn brotli_heap(level: i32, table: u64, window: u64, metablock: u64) -> u64 {
    // Levels 2 and 3 search in smaller blocks.
    let block = metablock.min(if level <= 3 { 16 << 10 } else { 64 << 10 });
    let state = (48 << 10) + 2 * metablock;
    let ring = 2 * window + (64 << 10);
    // 16 bytes for each match found, one in four bytes at the worst, and room for those of a block that has nothing else.
    let commands = 16 * ((metablock / 4).min(ring / 8) + block * 3 / 4 + 16);
    match level {
        ..=9 => state + ring + commands + table + table / 8 + (128 << 10),
        // Binary trees over the window, and the shortest path through a block.
        _ => state + ring + commands + 10 * window + 160 * block,
    }
}

fn clamp<T: Ord + Copy>(value: T, range: std::ops::RangeInclusive<T>) -> T {
    value.clamp(*range.start(), *range.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTHS: [Option<u64>; 12] = [
        None,
        Some(0),
        Some(1),
        Some(1_023),
        Some(10_000),
        Some(0x8000),
        Some(0x8001),
        Some(100_000),
        Some(0x7_ffff),
        Some(0x8_0000),
        Some(1 << 40),
        Some(u64::MAX),
    ];

    fn fixed(level: u32) -> Live {
        Live::Fixed(Levels { brotli: level, zstd: level as i32, gzip: level })
    }

    #[test]
    fn the_window_is_the_smallest_that_covers_the_body() {
        // (length, brotli, zstd): brotli's 2^16 reaches 65,520 bytes back.
        let cases = [
            (Some(0), 16, 10),
            (Some(1_000), 16, 10),
            (Some(1_024), 16, 11),
            (Some(10_000), 16, 14),
            (Some(65_520), 16, 16),
            (Some(65_521), 17, 17),
            (Some(131_056), 17, 17),
            (Some(200_000), 18, 18),
            (Some(524_272), 19, 19),
            (Some(1 << 20), 20, 19),
            (Some(u64::MAX), 20, 19),
            (None, 18, 19),
        ];
        for (length, brotli, zstd) in cases {
            let window = |coding| setup(coding, Live::Auto, length).window;
            assert_eq!(window(Coding::Brotli), brotli, "brotli {length:?}");
            assert_eq!(window(Coding::Zstd), zstd, "zstd {length:?}");
            assert_eq!(window(Coding::Gzip), 15, "gzip {length:?}");
        }
    }

    #[test]
    fn levels_outside_the_range_count_as_its_end() {
        let level = |coding, level| setup(coding, fixed(level), None).level;
        assert_eq!(level(Coding::Brotli, 12), 11);
        assert_eq!(level(Coding::Zstd, 0), 1);
        assert_eq!(level(Coding::Zstd, 22), 19);
        assert_eq!(level(Coding::Gzip, 0), 1);
        assert_eq!(level(Coding::Gzip, 10), 9);
        let below = Live::Fixed(Levels { zstd: -7, ..Levels::AUTO });
        assert_eq!(setup(Coding::Zstd, below, None).level, 1);
    }

    #[test]
    fn auto_is_brotli_4_zstd_6_gzip_6() {
        for length in LENGTHS {
            assert_eq!(setup(Coding::Brotli, Live::Auto, length).level, 4);
            assert_eq!(setup(Coding::Gzip, Live::Auto, length).level, 6);
            let short = length.is_some_and(|length| length <= 0x8000);
            let zstd = setup(Coding::Zstd, Live::Auto, length).level;
            assert_eq!(zstd, if short { 7 } else { 6 }, "{length:?}");
            // What the operator fixed is not second-guessed.
            assert_eq!(setup(Coding::Zstd, fixed(6), length).level, 6);
        }
    }

    #[test]
    fn a_match_table_holds_whole_buckets() {
        for level in 2..=9 {
            for length in LENGTHS {
                let plan = setup(Coding::Brotli, fixed(level), length);
                let buckets = plan.table - plan.depth();
                assert!((8..=17).contains(&buckets), "{plan:?}");
                assert!(plan.table <= BROTLI_WIDE_TABLE, "{plan:?}");
            }
        }
    }

    #[test]
    fn a_turn_takes_long_by_its_input_or_by_its_level() {
        let turn = |coding, live, input| setup(coding, live, None).cost(input).as_micros();
        for coding in [Coding::Brotli, Coding::Zstd, Coding::Gzip] {
            assert!(turn(coding, Live::Auto, 16 << 10) < 500, "{coding:?}");
            assert!(turn(coding, fixed(1), 64 << 10) < 500, "{coding:?}");
            // As much as is read from the app at a time.
            assert!((500..1200).contains(&turn(coding, Live::Auto, 64 << 10)), "{coding:?}");
            // Level 9 of any coding may search what it had before.
            assert!(turn(coding, fixed(9), 1) > 1200, "{coding:?}");
        }
        assert_eq!(turn(Coding::Identity, Live::Auto, 64 << 10), 0);
    }

    #[test]
    fn live_plans_stay_within_a_few_mebibytes() {
        for length in LENGTHS {
            let heap = |coding, live| setup(coding, live, length).heap();
            let widest = if length.is_some() { 6_900 } else { 4_300 };
            assert!(heap(Coding::Brotli, Live::Auto) <= widest << 10);
            assert!(heap(Coding::Zstd, Live::Auto) <= 2 << 20);
            assert!(heap(Coding::Gzip, Live::Auto) <= 512 << 10);
            assert_eq!(heap(Coding::Identity, Live::Auto), 0);
            for level in 0..=9 {
                assert!(heap(Coding::Brotli, fixed(level)) <= widest << 10);
                assert!(heap(Coding::Zstd, fixed(level)) <= 2_500 << 10);
            }
        }
        let short = |coding| setup(coding, Live::Auto, Some(1_000)).heap();
        assert!(short(Coding::Brotli) < 512 << 10);
        assert!(short(Coding::Zstd) < 256 << 10);
    }
}
