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

    proptest! {
        #[test]
        fn any_bytes_are_survived(value: Vec<u8>) {
            is_byte_ranges(&value);
        }
    }
}
