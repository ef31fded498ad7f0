//! `delta-seconds` (RFC 9111, section 1.2.2): the whole seconds of `max-age` and `Age`.

use std::time::Duration;

/// The most that is ever understood. RFC 9111, 1.2.2: a greater value, or an overflow on the way,
/// counts as "2147483648 (2^31) or the greatest positive integer it can conveniently represent".
pub const GREATEST: Duration = Duration::from_secs(1 << 31);

/// `1*DIGIT` and nothing else: no sign, no fraction, no space, no unit. Leading zeros are digits.
pub fn parse(bytes: &[u8]) -> Option<Duration> {
    if bytes.is_empty() {
        return None;
    }
    let mut seconds: u64 = 0;
    for byte in bytes {
        if !byte.is_ascii_digit() {
            return None;
        }
        seconds = seconds.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
    }
    Some(Duration::from_secs(seconds).min(GREATEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digits_only_and_clamped() {
        let table: [(&str, Option<u64>); 15] = [
            ("0", Some(0)),
            ("60", Some(60)),
            ("003600", Some(3600)),
            ("2147483647", Some(2_147_483_647)),
            ("2147483648", Some(2_147_483_648)),
            ("2147483649", Some(2_147_483_648)),
            ("99999999999", Some(2_147_483_648)),
            ("99999999999999999999999999999999999999999", Some(2_147_483_648)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.0", None),
            ("1s", None),
            (" 1", None),
            ("'1'", None),
        ];
        for (input, seconds) in table {
            assert_eq!(parse(input.as_bytes()), seconds.map(Duration::from_secs), "{input}");
        }
    }

    proptest! {
        #[test]
        fn never_over_the_greatest(bytes: Vec<u8>) {
            prop_assert!(parse(&bytes).is_none_or(|span| span <= GREATEST));
        }
    }
}
