//! What is stored of an answer beside the one representation that it needs, and what that has to earn.
//!
//! While there is room, every coding that was asked for stays. Where there is none, a byte serves most requests in the
//! representation that is asked for most, since all others can be made from it: one that is asked for now and then costs
//! a millisecond each time, an answer evicted for its sake costs a fetch. So before anything is evicted, those go that
//! do not earn their room; and what is derived then is kept only if it earns it, or in the place of what it was made
//! from.
//!
//! To earn it: an answer at the brink of eviction gets about one hit while as many bytes come in as the cache holds. What
//! a hit spares there is a fetch; here it is the work of an encoder, or of a decoder alone. A representation therefore
//! has to be hit so many times as often, for each of its bytes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::key::ResourceKey;
use super::memory::Memory;
use super::representation::Representation;
use super::variant::Variant;
use crate::header::Coding;

/// What a hit spares, from a decoder's work to the app's.
const DECODED: f64 = 1.0;
const ENCODED: f64 = 8.0;
const FETCHED: f64 = 64.0;

/// After this part of the capacity has come in, it shows what a representation is good for.
const TURN: u64 = 8;

/// Looks at a time: a write that finds the cache full is not to wait for a walk through all of it.
const LOOKS: usize = 16;

/// Answers in the line: a mebibyte. One that is pushed out of it keeps what it has until it goes itself.
const LONGEST: usize = 16 * 1024;

/// The answers that have more than one representation, in the order in which they were looked at.
#[derive(Debug, Default)]
pub struct Surplus {
    /// Bytes that came in from the app.
    written: AtomicU64,
    line: Mutex<VecDeque<Seen>>,
}

impl Surplus {
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

/// An answer when it was looked at.
#[derive(Debug)]
struct Seen {
    key: ResourceKey,
    generation: u64,
    /// By the number of the coding.
    hits: [u64; 4],
    written: u64,
}

impl Seen {
    fn now(key: ResourceKey, variant: &Variant, written: u64) -> Self {
        let mut hits = [0; 4];
        Coding::ALL.into_iter().for_each(|coding| hits[coding as usize] = variant.wanted_in(coding));
        Self { key, generation: variant.generation, hits, written }
    }
}

/// What room is worth now.
#[derive(Clone, Copy, Debug)]
struct Market {
    capacity: u64,
    /// Bytes of one answer, on average.
    average: u64,
    /// Bytes that came in while the hits were counted.
    turnover: u64,
}

impl Market {
    /// What so much room would have spared, given to answers that were evicted.
    fn price(self, bytes: u64) -> f64 {
        let [capacity, average, turnover, bytes] =
            [self.capacity, self.average, self.turnover, bytes].map(|of| of as f64);
        FETCHED * (turnover / capacity.max(1.0)) * (bytes / average.max(1.0))
    }

    /// What a representation spared beyond that: less than nothing if it is not worth its room.
    fn gain(self, one: &Representation, hits: u64) -> f64 {
        let spared = if one.coding == Coding::Identity { DECODED } else { ENCODED };
        hits as f64 * spared - self.price(one.weight())
    }
}

/// Those of one answer that stay: one in any case, and each that is worth its room.
fn worthy(all: &[Arc<Representation>], market: Market, hits: impl Fn(Coding) -> u64) -> Vec<Coding> {
    let gain = |one: &Representation| market.gain(one, hits(one.coding));
    let first = all.iter().max_by(|one, other| gain(one).total_cmp(&gain(other))).map(|one| one.coding);
    all.iter().filter(|one| first == Some(one.coding) || gain(one) >= 0.0).map(|one| one.coding).collect()
}

impl Memory {
    /// What stays of an answer once `one` has been made from it: this one, unless there is neither room for it nor
    /// reason to make some.
    pub(super) fn staying(&self, variant: &Variant, one: &Arc<Representation>) -> Vec<Coding> {
        let replaced = variant.representation(one.coding).map_or(0, |old| old.weight());
        let mut all = variant.representations().to_vec();
        all.retain(|other| other.coding != one.coding);
        all.push(one.clone());
        if all.len() == 1 || self.bytes() + one.weight() <= self.allowed() + replaced {
            return all.iter().map(|one| one.coding).collect();
        }
        worthy(&all, self.market(variant.born()), |coding| variant.wanted_in(coding))
    }

    /// An answer has several representations from now on.
    pub(super) fn note_surplus(&self, key: ResourceKey, variant: &Variant) {
        let seen = Seen::now(key, variant, self.surplus().written());
        let mut line = self.surplus().line.lock();
        if line.len() >= LONGEST {
            line.pop_front();
        }
        line.push_back(seen);
    }

    /// Before `bytes` come in from the app: where there is no room for them, what does not earn its own goes first.
    pub(super) fn make_room(&self, bytes: u64) {
        self.surplus().written.fetch_add(bytes, Ordering::Relaxed);
        for _ in 0..LOOKS {
            if self.bytes() + bytes <= self.allowed() {
                return;
            }
            let Some(seen) = self.next_seen() else {
                return;
            };
            self.look_at(&seen);
        }
    }

    /// Since so many bytes had come in; no shorter than a turn, in which one hit may be chance.
    fn market(&self, since: u64) -> Market {
        let capacity = self.allowed();
        let turnover = self.surplus().written().saturating_sub(since).max(capacity / TURN);
        Market { capacity, average: self.bytes() / self.objects().max(1), turnover }
    }

    /// The first in line, if enough has come in since it was looked at.
    fn next_seen(&self) -> Option<Seen> {
        let (turn, written) = (self.allowed() / TURN, self.surplus().written());
        let mut line = self.surplus().line.lock();
        line.front().filter(|seen| written.saturating_sub(seen.written) >= turn)?;
        line.pop_front()
    }

    /// Drops what has not earned its room, and puts the answer at the end of the line if there is still a choice.
    fn look_at(&self, seen: &Seen) {
        let resource = self.peek(&seen.key);
        let Some(variant) = resource.as_ref().and_then(|resource| resource.generation(seen.generation)) else {
            return;
        };
        let hits = |coding: Coding| variant.wanted_in(coding).saturating_sub(seen.hits[coding as usize]);
        let worthy = worthy(variant.representations(), self.market(seen.written), hits);
        if worthy.len() < variant.codings().len() {
            self.reduce(seen.key, seen.generation, &worthy);
        }
        if worthy.len() > 1 {
            self.note_surplus(seen.key, variant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::representation::Common;
    use super::*;
    use crate::header::EntityTag;
    use Coding::{Brotli, Gzip, Identity};
    use http::{HeaderMap, StatusCode};
    use proptest::prelude::*;

    fn representation(coding: Coding, length: usize) -> Arc<Representation> {
        let (head, tag) = (HeaderMap::new(), EntityTag::strong("t"));
        let common = Common { status: StatusCode::OK, head: &head, tag: &tag, codable: true, app_coded: false };
        Arc::new(Representation::new(common, coding, vec![0; length].into(), None).unwrap())
    }

    /// As many bytes came in as the cache holds.
    const MARKET: Market = Market { capacity: 1 << 20, average: 20_000, turnover: 1 << 20 };

    #[test]
    fn room_is_earned_by_hits_for_bytes() {
        // An evicted answer of 20,000 bytes would have had one hit.
        let table = [
            // (coding, bytes, hits, turnover, earned)
            (Gzip, 20_000, 9, MARKET.turnover, true),
            (Gzip, 20_000, 7, MARKET.turnover, false),
            (Gzip, 40_000, 15, MARKET.turnover, false),
            (Gzip, 1_000, 1, MARKET.turnover, true),
            (Gzip, 19_000, 1, MARKET.turnover / 8, true),
            (Gzip, 20_000, 0, 1, false),
            // A decoder's work is soon done again.
            (Identity, 100_000, 310, MARKET.turnover, false),
            (Identity, 100_000, 330, MARKET.turnover, true),
        ];
        for (coding, bytes, hits, turnover, earned) in table {
            let gain = Market { turnover, ..MARKET }.gain(&representation(coding, bytes), hits);
            assert_eq!(gain >= 0.0, earned, "{coding:?} {bytes} {hits} {turnover}: {gain}");
        }
    }

    #[test]
    fn one_stays_and_others_if_they_earn_it() {
        let all = [representation(Identity, 100_000), representation(Gzip, 24_000), representation(Brotli, 20_000)];
        let worthy = |hits: [u64; 3]| {
            let hits = |coding| hits[all.iter().position(|one| one.coding == coding).unwrap()];
            worthy(&all, MARKET, hits)
        };
        // (hits of identity, gzip and br)
        assert_eq!(worthy([0, 0, 0]), [Brotli], "the smallest");
        assert_eq!(worthy([2, 8, 90]), [Brotli]);
        assert_eq!(worthy([0, 5, 4]), [Brotli], "smaller");
        assert_eq!(worthy([0, 7, 4]), [Gzip]);
        assert_eq!(worthy([0, 30, 90]), [Gzip, Brotli]);
        assert_eq!(worthy([100, 0, 1]), [Brotli], "decoding costs little, and room much");
        assert_eq!(worthy([300, 0, 1]), [Identity], "until nobody wants anything else");
        assert_eq!(worthy([u64::MAX, u64::MAX, u64::MAX]), [Identity, Gzip, Brotli]);
    }

    proptest! {
        #[test]
        fn something_always_stays(
            lengths in proptest::collection::vec(0_usize..200_000, 1..4),
            hits: [u64; 4],
            capacity: u64,
            turnover: u64,
            average: u64,
        ) {
            let codings = Coding::ALL.into_iter().zip(&lengths);
            let all: Vec<_> = codings.map(|(coding, length)| representation(coding, *length)).collect();
            let worthy = worthy(&all, Market { capacity, average, turnover }, |coding| hits[coding as usize]);
            prop_assert!(!worthy.is_empty());
        }
    }
}
