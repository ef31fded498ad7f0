//! What is worth improving, how, and how much it is worth. Pure.

use std::time::{Duration, Instant};

use super::super::representation::Representation;
use super::super::variant::Variant;
use crate::encode::{Best, Setup, best};
use crate::header::Coding;

/// What the operator allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Clients who wanted one coding most, since the answer was stored.
    pub after_hits: u64,
    pub best: Best,
    /// Identity bytes below which compression is left alone altogether.
    pub min_size: u64,
}

/// A stored body, as far as the choice depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Body {
    pub coding: Coding,
    pub codable: bool,
    /// It was improved, or that was tried in vain.
    pub settled: bool,
    pub hits: u64,
    /// Bytes that are sent now.
    pub stored: u64,
    pub identity: Option<u64>,
    /// For how long it may still be of use.
    pub lasts: Duration,
}

impl Body {
    /// Of a variant in the coding `wanted`: `now` is that, or what is sent for want of it.
    pub fn of(variant: &Variant, now: &Representation, wanted: Coding) -> Self {
        Self {
            coding: wanted,
            codable: variant.codable,
            settled: (now.improved && now.coding == wanted) || variant.is_settled(wanted),
            hits: variant.wanted_in(wanted),
            stored: now.body.len() as u64,
            identity: variant.identity_length,
            lasts: variant.retained_until().saturating_duration_since(Instant::now()),
        }
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    pub setup: Setup,
    /// Heap that it takes: the encoder, a decoder, and what comes out, collected and copied once to its size.
    pub heap: u64,
    /// Bytes that clients would have been spared so far: hits x bytes to save.
    pub worth: u64,
    /// More bytes than this are no gain.
    pub limit: u64,
}

/// Why a body is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Not hit often enough.
    Cold,
    /// There is nothing to compress better.
    Identity,
    /// What the app coded is not ours to touch.
    AppCoded,
    Settled,
    TooSmall,
    /// Too long to be worth the time, or its length is not known.
    TooLong,
    /// Gone before it would pay.
    ShortLived,
}

/// What expires sooner was improved for too few.
const SHORTEST_LIFE: Duration = Duration::from_secs(10);

/// A swap changes validators: caches downstream fetch the body once more. It has to pay.
const LEAST_GAIN: u64 = 64;
const LEAST_GAIN_PERCENT: u64 = 2;

/// More memory than this is not worth having: the essay of [`best`](crate::encode::best).
const LARGEST: u64 = 40 << 20;

/// The next thing to do with a body that was hit, in so much memory.
pub fn plan(body: &Body, config: &Config, memory: u64) -> Result<Task, Left> {
    if body.coding == Coding::Identity {
        return Err(Left::Identity);
    }
    if !body.codable {
        return Err(Left::AppCoded);
    }
    if body.settled {
        return Err(Left::Settled);
    }
    if body.hits < config.after_hits {
        return Err(Left::Cold);
    }
    let length = body.identity.ok_or(Left::TooLong)?;
    let limit = largest_gain(body.stored).ok_or(Left::TooSmall)?;
    if length < config.min_size {
        return Err(Left::TooSmall);
    }
    if body.lasts < SHORTEST_LIFE {
        return Err(Left::ShortLived);
    }
    let beside = decoder_heap(length) + 2 * body.stored;
    let room = memory.min(LARGEST).saturating_sub(beside);
    let setup = best(body.coding, config.best, length, room).ok_or(Left::TooLong)?;
    let worth = body.hits.saturating_mul(expected(body.coding, body.stored));
    Ok(Task { setup, heap: setup.heap() + beside, worth, limit })
}

/// A window that covers the body, as far as any encoder's goes, and tables.
fn decoder_heap(length: u64) -> u64 {
    length.checked_next_power_of_two().unwrap_or(u64::MAX).min(8 << 20) + (256 << 10)
}

/// The most bytes that are a gain over `stored`; none where there is nothing to gain.
fn largest_gain(stored: u64) -> Option<u64> {
    let least = (stored / 100 * LEAST_GAIN_PERCENT).max(LEAST_GAIN);
    stored.checked_sub(least).filter(|limit| *limit > 0)
}

/// What the corpus has taught: bytes saved of each thousand, against live levels.
fn expected(coding: Coding, stored: u64) -> u64 {
    let of_a_thousand = match coding {
        Coding::Identity => 0,
        Coding::Brotli => 100,
        Coding::Zstd => 100,
        Coding::Gzip => 10,
    };
    stored * of_a_thousand / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONFIG: Config = Config { after_hits: 3, best: Best { brotli: 11, zstd: 19 }, min_size: 1024 };
    const ROOM: u64 = 24 << 20;
    const BODY: Body = Body {
        coding: Coding::Brotli,
        codable: true,
        settled: false,
        hits: 3,
        stored: 10_000,
        identity: Some(50_000),
        lasts: Duration::from_secs(60),
    };

    #[test]
    fn what_is_left_as_it_is_and_why() {
        let table = [
            (Body { coding: Coding::Identity, ..BODY }, Left::Identity),
            (Body { codable: false, ..BODY }, Left::AppCoded),
            (Body { settled: true, ..BODY }, Left::Settled),
            (Body { hits: 2, ..BODY }, Left::Cold),
            (Body { identity: None, ..BODY }, Left::TooLong),
            (Body { identity: Some(65 << 20), ..BODY }, Left::TooLong),
            (Body { identity: Some(1023), ..BODY }, Left::TooSmall),
            (Body { stored: 64, ..BODY }, Left::TooSmall),
            (Body { lasts: Duration::from_secs(9), ..BODY }, Left::ShortLived),
        ];
        for (body, left) in table {
            assert_eq!(plan(&body, &CONFIG, ROOM), Err(left), "{body:?}");
        }
        assert_eq!(plan(&BODY, &CONFIG, 1 << 20), Err(Left::TooLong));
    }

    #[test]
    fn what_is_done_with_the_rest() {
        let task = plan(&BODY, &CONFIG, ROOM).unwrap();
        assert_eq!((task.setup.coding, task.setup.level), (Coding::Brotli, 11));
        assert_eq!(task.limit, 9_800, "2 %");
        assert_eq!(plan(&Body { stored: 2_000, ..BODY }, &CONFIG, ROOM).unwrap().limit, 1_936, "64 bytes");
        // More hits, or more to save, come first; gzip has little to gain.
        let worth = |body: Body| plan(&body, &CONFIG, ROOM).unwrap().worth;
        assert!(worth(Body { hits: 6, ..BODY }) == 2 * worth(BODY));
        assert!(worth(Body { stored: 20_000, ..BODY }) == 2 * worth(BODY));
        assert!(worth(Body { coding: Coding::Gzip, ..BODY }) < worth(BODY));
        assert!(worth(Body { hits: u64::MAX, ..BODY }) == u64::MAX);
    }

    #[test]
    fn what_it_takes_is_within_the_room_there_is() {
        for coding in [Coding::Brotli, Coding::Zstd, Coding::Gzip] {
            for identity in [2_000, 100_000, 1 << 20, 30 << 20] {
                for room in [1, 4, 12, 24, 200].map(|mib| mib << 20) {
                    let body = Body { coding, identity: Some(identity), stored: identity / 5, ..BODY };
                    let heap = plan(&body, &CONFIG, room).map_or(0, |task| task.heap);
                    assert!(heap <= room.min(LARGEST), "{coding:?} {identity} {room}: {heap}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_gain_is_a_gain(stored: u32) {
            if let Some(limit) = largest_gain(u64::from(stored)) {
                prop_assert!(limit > 0 && limit + LEAST_GAIN <= u64::from(stored));
            }
        }
    }
}
