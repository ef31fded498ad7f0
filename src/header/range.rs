//! Range requests (RFC 9110, section 14.1.1), as far as a cache has to tell a range from what only looks like one.

use super::list;

/// Whether `value` is a `ranges-specifier` in bytes. What is not one is ignored (14.2), which is no error of the client's
/// that it would have to be told about: a 416 is for ranges that are well-formed and lie outside.
pub fn is_byte_ranges(value: &[u8]) -> bool {
    let Some(equals) = value.iter().position(|byte| *byte == b'=') else {
        return false;
    };
    let (unit, set) = (value[..equals].trim_ascii(), &value[equals + 1..]);
    let mut ranges = list::split(set).peekable();
    unit.eq_ignore_ascii_case(b"bytes") && ranges.peek().is_some() && ranges.all(is_range)
}

/// Ranges in bytes without those of the last nothing, `-0`; `None` where there are none of them.
///
/// 14.1.2: what is satisfiable is a "suffix-range with a non-zero suffix-length". The platform would send an empty part whose
/// range ends before it begins.
pub fn without_empty_suffixes(value: &[u8]) -> Option<String> {
    let equals = value.iter().position(|byte| *byte == b'=')?;
    let ranges = || list::split(&value[equals + 1..]);
    let is_empty = |range: &&[u8]| range.strip_prefix(b"-").and_then(number) == Some(0);
    if !ranges().any(|range| is_empty(&range)) {
        return None;
    }
    let left: Vec<_> = ranges().filter(|range| !is_empty(range)).map(String::from_utf8_lossy).collect();
    Some(if left.is_empty() { UNSATISFIABLE.to_owned() } else { format!("bytes={}", left.join(",")) })
}

/// The first byte of the range that begins last; `None` where one is counted from the end, or is no range.
pub fn last_first(value: &[u8]) -> Option<u64> {
    let equals = value.iter().position(|byte| *byte == b'=')?;
    let firsts = list::split(&value[equals + 1..]).map(|range| number(range.split(|byte| *byte == b'-').next()?));
    firsts.collect::<Option<Vec<_>>>()?.into_iter().max()
}

/// How long the whole is of which a `Content-Range` tells (14.4): `bytes 0-9/1234`. `None` where that is not said.
pub fn complete_length(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    let slash = value.iter().rposition(|byte| *byte == b'/')?;
    let in_bytes = value.get(..5).is_some_and(|unit| unit.eq_ignore_ascii_case(b"bytes"));
    number(&value[slash + 1..]).filter(|_| in_bytes)
}

/// A range that lies outside of everything.
const UNSATISFIABLE: &str = "bytes=18446744073709551615-";

/// `first-pos "-" [ last-pos ]`, or `"-" suffix-length`. "An int-range is invalid if the last-pos value is present and less
/// than first-pos."
fn is_range(range: &[u8]) -> bool {
    let Some(dash) = range.iter().position(|byte| *byte == b'-') else {
        return false;
    };
    let (first, last) = (&range[..dash], &range[dash + 1..]);
    match (number(first), number(last)) {
        (Some(first), Some(last)) => first <= last,
        (Some(_), None) => last.is_empty(),
        (None, Some(_)) => first.is_empty(),
        (None, None) => false,
    }
}

/// Digits; more than fit count as the greatest number there is.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let text = std::str::from_utf8(digits).ok()?;
    Some(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_and_what_only_looks_like_one() {
        let valid = [
            "bytes=0-499",
            "bytes=500-",
            "bytes=-500",
            "bytes=0-0,-1",
            "bytes= 0-999, 4500-5499, -1000",
            "BYTES=0-1",
            "bytes=99999999999999999999-",
            "bytes=5-99999999999999999999",
        ];
        for value in valid {
            assert!(is_byte_ranges(value.as_bytes()), "{value}");
        }
        let invalid = [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=b-a",
            "bytes=9-5",
            "bytes=0-1,x",
            "lines=1-2",
            "bytes=1",
            "0-1",
        ];
        for value in invalid {
            assert!(!is_byte_ranges(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn the_last_nothing_is_left_out() {
        for (value, left) in [
            ("bytes=-0", Some(UNSATISFIABLE)),
            ("bytes=-00, -0", Some(UNSATISFIABLE)),
            ("bytes=0-1, -0,5-", Some("bytes=0-1,5-")),
            ("bytes=0-0", None),
            ("bytes=-10", None),
            ("", None),
        ] {
            assert_eq!(without_empty_suffixes(value.as_bytes()).as_deref(), left, "{value}");
        }
    }

    #[test]
    fn the_range_that_begins_last_tells_how_much_comes_before() {
        for (value, first) in [
            ("bytes=0-9", Some(0)),
            ("bytes=7-", Some(7)),
            ("bytes=5-6, 100-200, 9-", Some(100)),
            ("bytes=-5", None),
            ("bytes=0-1,-5", None),
            ("bytes=99999999999999999999-", Some(u64::MAX)),
            ("bytes", None),
            ("bytes=", None),
        ] {
            assert_eq!(last_first(value.as_bytes()), first, "{value}");
        }
    }

    #[test]
    fn a_content_range_may_tell_the_length_of_the_whole() {
        for (value, length) in [
            ("bytes 0-9/1234", Some(1234)),
            ("Bytes */1234", Some(1234)),
            (" bytes 0-9/1234 ", Some(1234)),
            ("bytes 0-9/*", None),
            ("bytes 0-9", None),
            ("bytes 0-9/-1", None),
            ("lines 0-9/1234", None),
            ("", None),
        ] {
            assert_eq!(complete_length(value.as_bytes()), length, "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(value: Vec<u8>) {
            is_byte_ranges(&value);
            last_first(&value);
            complete_length(&value);
            without_empty_suffixes(&value);
        }
    }
}
