//! A part of something is asked for (RFC 9110, section 14) and nothing stored answers: is all of it fetched and stored, or
//! the request passed on?
//!
//! RFC 9111 leaves it open. The whole is worth more to those who come next, and can cost more than the part: the app sends
//! what the client did not want, and the client waits for what comes before its part. So the whole is fetched where it is
//! known to fit into the cache, or where little comes before the part. How long a thing is, is known from what is stored of
//! it, and from what the app said of its length when a part of it was passed on before.

use crate::header::range;

/// What may come before the part where it is not known how long the whole is: it is fetched for nothing if that turns out
/// too long to be kept.
pub const NEAR: u64 = 256 * 1024;

/// What is known of the request and of what it asks for.
#[derive(Clone, Copy, Debug)]
pub struct PartFacts<'a> {
    /// The field.
    pub range: &'a [u8],
    /// Nothing about the request forbids to store what it gets.
    pub storable: bool,
    /// Bytes of the whole.
    pub length: Option<u64>,
    /// Bytes of the longest body that is kept.
    pub limit: u64,
}

/// What becomes of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it is fetched and stored, and the client gets its part of that.
    OfWhole(Worth),
    /// The app gets the request as it is.
    PassedOn(Reserve),
}

/// Why the whole is worth fetching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It is known to fit.
    Fits,
    /// The part is near its start: what it costs to find out is small.
    Near,
}

/// Why it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserve {
    /// Not a range in bytes: whatever the app makes of it.
    Unit,
    /// What this request gets is not stored.
    Request,
    /// It is longer than what is kept.
    TooLong,
    /// Who knows how much comes before the part.
    Unknown,
}

/// Pure: is the whole fetched?
pub fn part(facts: &PartFacts<'_>) -> Part {
    if !range::is_byte_ranges(facts.range) {
        return Part::PassedOn(Reserve::Unit);
    }
    if !facts.storable {
        return Part::PassedOn(Reserve::Request);
    }
    match (facts.length, range::last_first(facts.range)) {
        (Some(length), _) if length > facts.limit => Part::PassedOn(Reserve::TooLong),
        (Some(_), _) => Part::OfWhole(Worth::Fits),
        // What has a byte there is longer than that.
        (None, Some(first)) if first >= facts.limit => Part::PassedOn(Reserve::TooLong),
        (None, Some(first)) if first <= NEAR => Part::OfWhole(Worth::Near),
        (None, _) => Part::PassedOn(Reserve::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1024 * 1024;

    fn of(range: &str, length: Option<u64>) -> Part {
        part(&PartFacts { range: range.as_bytes(), storable: true, length, limit: 4 * MIB })
    }

    #[test]
    fn what_fits_is_fetched_whatever_part_is_asked_for() {
        for range in ["bytes=0-9", "bytes=4000000-", "bytes=-5", "bytes=0-1,9-", "bytes=9000000-"] {
            assert_eq!(of(range, Some(4 * MIB)), Part::OfWhole(Worth::Fits), "{range}");
            assert_eq!(of(range, Some(4 * MIB + 1)), Part::PassedOn(Reserve::TooLong), "{range}");
        }
    }

    #[test]
    fn what_is_of_unknown_length_is_fetched_for_parts_near_its_start() {
        for (range, expected) in [
            ("bytes=0-", Part::OfWhole(Worth::Near)),
            ("bytes=262144-262145", Part::OfWhole(Worth::Near)),
            ("bytes=0-1, 5-6", Part::OfWhole(Worth::Near)),
            ("bytes=262145-262146", Part::PassedOn(Reserve::Unknown)),
            ("bytes=0-1,300000-", Part::PassedOn(Reserve::Unknown)),
            ("bytes=-5", Part::PassedOn(Reserve::Unknown)),
            ("bytes=0-1,-5", Part::PassedOn(Reserve::Unknown)),
            ("bytes=4194304-", Part::PassedOn(Reserve::TooLong)),
            ("bytes=99999999999999999999-", Part::PassedOn(Reserve::TooLong)),
        ] {
            assert_eq!(of(range, None), expected, "{range}");
        }
    }

    #[test]
    fn what_is_not_stored_is_not_fetched() {
        let facts = PartFacts { range: b"bytes=0-9", storable: false, length: Some(10), limit: MIB };
        assert_eq!(part(&facts), Part::PassedOn(Reserve::Request));
        assert_eq!(of("lines=0-9", Some(10)), Part::PassedOn(Reserve::Unit));
    }

    proptest! {
        /// Whatever is asked for, no more than the limit is fetched where the length is known, and no more than
        /// [`NEAR`] before the part where it is not.
        #[test]
        fn what_is_fetched_for_nothing_has_a_limit(first: u64, length: Option<u64>, limit in NEAR..u64::MAX) {
            let range = format!("bytes={first}-");
            let facts = PartFacts { range: range.as_bytes(), storable: true, length, limit };
            match part(&facts) {
                Part::OfWhole(Worth::Fits) => prop_assert!(length.is_some_and(|length| length <= limit)),
                Part::OfWhole(Worth::Near) => prop_assert!(length.is_none() && first <= NEAR),
                Part::PassedOn(reserve) => prop_assert!(matches!(reserve, Reserve::TooLong | Reserve::Unknown)),
            }
        }
    }
}
