//! What is given up when memory is short: a pure way down from a plan to one that fits.
//!
//! Each rung gives up as little as it can for what it saves. Peak heap, and the ratio of a 100 KB JSON listing and of
//! 100 KB of law text, length unknown:
//!
//! | rung | plan | KiB | JSON | law text |
//! |---|---|---|---|---|
//! | full | br 4, window 18 | 2,686 | 9.86 | 4.41 |
//! | window | br 4, window 17, half the table | 1,902 | 9.85 | 4.40 |
//! | | br 4, window 16, an eighth | 1,380 | 9.75 | 4.33 |
//! | level | br 3, window 16, a sixteenth | 800 | 9.17 | 4.13 |
//! | coding | gzip 6 | 390 | 9.08 | 4.24 |
//! | | zstd 6, window 15 | 325 | 9.38 | 4.18 |
//! | | zstd 6, window 14 | 199 | 8.93 | 3.94 |
//! | fragment | br 1, fragments of 8 KiB | 97 | 4.68 | 2.79 |
//! | | br 1, fragments of 2 KiB | 31 | 3.03 | 2.26 |
//! | | br 1, fragments of 1 KiB | 16 | 2.40 | 1.97 |
//!
//! A body of known length has a wider table and a wider window at the top, which it loses in this order. A client that accepts one coding gets the rungs
//! of that one. Below the last there is identity, which is the caller's.

use super::level::Setup;
use crate::header::Coding;

/// How far down the ladder an encoder was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// As planned.
    Full,
    /// Looks less far back.
    Window,
    /// Looks less hard.
    Level,
    /// In another coding, which takes less.
    Coding,
    /// Piece by piece, each without a memory of those before.
    Fragment,
}

/// The best plan on the way down from `plan` whose heap is within `room`; none if not even the least is.
///
/// `allowed` are the codings that the client accepts and the route offers; the plan's own is one without being named.
pub fn fit(plan: &Setup, allowed: &[Coding], room: u64) -> Option<(Setup, Rung)> {
    let may = |setup: &Setup| setup.coding == plan.coding || allowed.contains(&setup.coding);
    let full = (*plan, Rung::Full);
    let below = rungs(plan).into_iter().filter(|(setup, _)| may(setup) && setup.heap() < plan.heap());
    std::iter::once(full).chain(below).find(|(setup, _)| setup.heap() <= room)
}

/// The smallest encoder there is: what a brotli stream that pauses is shrunk to.
pub(super) fn least() -> Setup {
    brotli_fragments(None, 10)
}

fn rungs(plan: &Setup) -> Vec<(Setup, Rung)> {
    let mut rungs = Vec::with_capacity(12);
    let window = |window, table| Setup { window: plan.window.min(window), table: plan.table.min(table), ..*plan };
    match plan.coding {
        Coding::Brotli if plan.level >= 2 => {
            rungs.push((window(20, 18), Rung::Window));
            rungs.push((window(18, 18), Rung::Window));
            rungs.push((window(17, 17), Rung::Window));
            rungs.push((window(16, 15), Rung::Window));
            rungs.push((Setup { level: plan.level.min(3), ..window(16, 14) }, Rung::Level));
        }
        Coding::Zstd => {
            rungs.push((window(17, 16), Rung::Window));
            rungs.push((Setup { level: plan.level.min(6), ..window(17, 16) }, Rung::Level));
        }
        Coding::Brotli | Coding::Gzip | Coding::Identity => {}
    }
    // In the order of what they hold, whichever the plan's own coding is.
    rungs.extend([gzip(plan), zstd(plan, 15), zstd(plan, 14)].map(|setup| {
        let rung = if setup.coding == plan.coding { Rung::Window } else { Rung::Coding };
        (setup, rung)
    }));
    let brotli = |fragment| brotli_fragments(plan.length, fragment);
    let fragments = [brotli(13), zstd_fragments(plan), brotli(11), brotli(10)];
    rungs.extend(fragments.map(|setup| (setup, Rung::Fragment)));
    rungs
}

/// As much effort as was planned: level 4 of brotli is where 6 of gzip is.
fn gzip(plan: &Setup) -> Setup {
    let level = if plan.coding == Coding::Brotli { plan.level + 2 } else { plan.level };
    Setup { coding: Coding::Gzip, level: level.clamp(1, 6), window: 15, table: 0, min_match: 3, length: plan.length }
}

fn zstd(plan: &Setup, window: u32) -> Setup {
    let window = window.min(plan.window);
    Setup { coding: Coding::Zstd, level: 6, window, table: window - 1, min_match: 5, length: plan.length }
}

/// Zstandard knows no fragments: a window of 4 KiB comes to much the same.
fn zstd_fragments(plan: &Setup) -> Setup {
    Setup { level: 1, table: 11, ..zstd(plan, 12) }
}

/// Without a ring: the window is only what the head of the stream says, and 18 what the crate makes of it.
fn brotli_fragments(length: Option<u64>, fragment: u32) -> Setup {
    Setup { coding: Coding::Brotli, level: 1, window: 18, table: fragment, min_match: 5, length }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::{Levels, Live, setup};

    const ALL: [Coding; 3] = [Coding::Brotli, Coding::Zstd, Coding::Gzip];
    const KIB: u64 = 1 << 10;

    /// Rung, coding, level, and window - or fragment, where there is one.
    type Fitted = Option<(Rung, Coding, i32, u32)>;

    fn fitted(plan: &Setup, allowed: &[Coding], kib: u64) -> Fitted {
        let (setup, rung) = fit(plan, allowed, kib * KIB)?;
        Some((rung, setup.coding, setup.level, if setup.level <= 1 { setup.table } else { setup.window }))
    }

    #[test]
    fn each_rung_is_taken_where_the_one_above_has_no_room() {
        use Coding::{Brotli, Gzip, Zstd};
        use Rung::{Fragment, Full, Level, Window};
        let plan = |coding| setup(coding, Live::Auto, None);
        // (plan, codings of the client, room in KiB, what it comes to)
        let cases: [(Coding, &[Coding], u64, Fitted); 25] = [
            (Brotli, &ALL, 5000, Some((Full, Brotli, 4, 18))),
            (Brotli, &ALL, 4000, Some((Window, Brotli, 4, 17))),
            (Brotli, &ALL, 2500, Some((Window, Brotli, 4, 16))),
            (Brotli, &ALL, 2000, Some((Level, Brotli, 3, 16))),
            (Brotli, &ALL, 1000, Some((Rung::Coding, Gzip, 6, 15))),
            (Brotli, &ALL, 400, Some((Rung::Coding, Zstd, 6, 15))),
            (Brotli, &ALL, 300, Some((Rung::Coding, Zstd, 6, 14))),
            (Brotli, &ALL, 200, Some((Fragment, Brotli, 1, 13))),
            (Brotli, &ALL, 90, Some((Fragment, Brotli, 1, 11))),
            (Brotli, &ALL, 30, Some((Fragment, Brotli, 1, 10))),
            (Brotli, &ALL, 10, None),
            // Nothing that the client did not ask for.
            (Brotli, &[], 1000, Some((Fragment, Brotli, 1, 13))),
            (Brotli, &[Gzip], 1000, Some((Rung::Coding, Gzip, 6, 15))),
            (Brotli, &[Gzip], 400, Some((Fragment, Brotli, 1, 13))),
            (Zstd, &[], 2000, Some((Full, Zstd, 6, 19))),
            (Zstd, &[], 1900, Some((Window, Zstd, 6, 17))),
            (Zstd, &[], 1000, Some((Window, Zstd, 6, 15))),
            (Zstd, &[Brotli], 200, Some((Fragment, Brotli, 1, 13))),
            (Zstd, &[], 140, Some((Fragment, Zstd, 1, 11))),
            (Zstd, &[], 90, None),
            (Zstd, &[Brotli, Gzip], 90, Some((Fragment, Brotli, 1, 11))),
            (Gzip, &[], 440, Some((Full, Gzip, 6, 15))),
            (Gzip, &[], 430, None),
            (Gzip, &[Zstd], 430, Some((Rung::Coding, Zstd, 6, 15))),
            (Gzip, &[Brotli], 430, Some((Fragment, Brotli, 1, 13))),
        ];
        for (coding, allowed, room, expected) in cases {
            assert_eq!(fitted(&plan(coding), allowed, room), expected, "{coding:?} among {allowed:?} in {room} KiB");
        }
    }

    #[test]
    fn a_wide_window_is_given_up_first() {
        let plan = setup(Coding::Brotli, Live::Auto, Some(4 << 20));
        assert_eq!(fitted(&plan, &ALL, 7000), Some((Rung::Full, Coding::Brotli, 4, 20)));
        assert_eq!(fitted(&plan, &ALL, 6000), Some((Rung::Window, Coding::Brotli, 4, 20)));
        assert_eq!(fitted(&plan, &ALL, 5000), Some((Rung::Window, Coding::Brotli, 4, 18)));
        assert_eq!(fitted(&plan, &ALL, 4000), Some((Rung::Window, Coding::Brotli, 4, 17)));
    }

    #[test]
    fn the_least_is_the_smallest_of_all() {
        let plan = setup(Coding::Brotli, Live::Auto, None);
        let rungs = rungs(&plan);
        assert_eq!(rungs.last().map(|(setup, _)| *setup), Some(least()));
        assert!(rungs.iter().all(|(setup, _)| setup.heap() >= least().heap()));
    }

    #[test]
    fn a_rung_never_takes_more_than_there_is_and_less_room_never_gives_more() {
        let lengths = [None, Some(0), Some(1000), Some(10_000), Some(100_000), Some(1 << 30)];
        let fixed = |level: u32| Live::Fixed(Levels { brotli: level, zstd: level as i32, gzip: level });
        let lives: Vec<_> = std::iter::once(Live::Auto).chain((0..=19).map(fixed)).collect();
        for (coding, length, live) in ALL
            .into_iter()
            .flat_map(|coding| lengths.map(|length| (coding, length)))
            .flat_map(|(coding, length)| lives.iter().map(move |live| (coding, length, *live)))
        {
            let plan = setup(coding, live, length);
            let mut last = u64::MAX;
            for room in (0..16_000).rev().step_by(7).map(|kib| kib * KIB) {
                let heap = fit(&plan, &ALL, room).map_or(0, |(setup, _)| setup.heap());
                assert!(heap <= room && heap <= last, "{plan:?} in {room}");
                last = heap;
            }
        }
    }
}
