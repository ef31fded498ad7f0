//! HTTP dates (RFC 9110, section 5.6.7): read in the three formats, written in the one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::token::trim;

/// The longest date there is: `Wednesday, 09-Nov-94 08:49:37 GMT`, with room to spare.
const LONGEST: usize = 40;

/// 9999-12-31T23:59:59Z. IMF-fixdate has four digits for the year.
const LAST: Duration = Duration::from_secs(253_402_300_799);

/// A date in any of the formats a recipient must accept; `None` is an invalid one.
///
/// Case is forgiven and zones are not. RFC 9111, 4.2: "Although all date formats are specified to
/// be case-sensitive, a cache recipient SHOULD match the field value case-insensitively", and a
/// zone other than GMT is "invalid for calculating expiration". A day of the week that is not that
/// of the date is forgiven too: it says nothing that the date does not, and RFC 9110, 5.6.7 asks
/// recipients "to be robust in parsing timestamps".
pub fn parse(value: &[u8]) -> Option<SystemTime> {
    let value = trim(value);
    let mut buffer = [0; LONGEST];
    let canonical = buffer.get_mut(..value.len())?;
    canonical.copy_from_slice(value);
    capitalise(canonical);
    strictly(canonical).or_else(|| on_any_day(canonical))
}

fn strictly(date: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(date).ok()?).ok()
}

/// The date under the name of each day but its own; the long names of the obsolete rfc850 format
/// are not worth it.
fn on_any_day(date: &mut [u8]) -> Option<SystemTime> {
    const DAYS: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
    if !DAYS.contains(&date.first_chunk()?) {
        return None;
    }
    DAYS.iter().find_map(|day| {
        *date.first_chunk_mut()? = **day;
        strictly(date)
    })
}

/// The date in the field `name`. `None` if it is absent, invalid, or has several lines that do not
/// agree: these fields are singletons (RFC 9110, section 5.5), and an ambiguous date is not one to
/// calculate with.
pub fn field(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    let mut lines = headers.get_all(name).into_iter();
    let first = lines.next()?;
    lines.all(|line| line == first).then(|| parse(first.as_bytes()))?
}

/// `at` as an IMF-fixdate, cut to whole seconds and held between the years 1970 and 9999, which is
/// all that format has.
pub fn format(at: SystemTime) -> HeaderValue {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default().min(LAST);
    let text = httpdate::fmt_http_date(UNIX_EPOCH + since);
    HeaderValue::try_from(text).expect("an IMF-fixdate is visible ASCII")
}

/// `THU, 18 aug 2050 02:01:18 gmt` -> `Thu, 18 Aug 2050 02:01:18 GMT`.
fn capitalise(date: &mut [u8]) {
    let mut inside_word = false;
    for byte in &mut *date {
        if inside_word {
            byte.make_ascii_lowercase();
        } else {
            byte.make_ascii_uppercase();
        }
        inside_word = byte.is_ascii_alphabetic();
    }
    if let Some(zone) = date.last_chunk_mut::<4>()
        && zone == b" Gmt"
    {
        zone.make_ascii_uppercase();
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use http::header::EXPIRES;
    use proptest::prelude::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn the_three_formats_and_nothing_near_them() {
        // RFC 9110, 5.6.7 gives one instant in three formats; the rest are the ways dates go wrong
        // in the wild.
        let table: [(&str, Option<u64>); 24] = [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 21 Nov 2286 04:46:39 GMT", Some(10_000_039_599)),
            ("THU, 18 Aug 2050 02:01:18 GMT", Some(2_544_400_878)),
            ("Thu, 18 AUG 2050 02:01:18 GMT", Some(2_544_400_878)),
            ("thu, 18 aug 2050 02:01:18 gMT", Some(2_544_400_878)),
            ("thursday, 18-AUG-50 02:01:18 gmt", Some(2_544_400_878)),
            (" Thu, 18 Aug 2050 02:01:18 GMT ", Some(2_544_400_878)),
            // The wrong day of the week.
            ("Mon, 18 Aug 2050 02:01:18 GMT", Some(2_544_400_878)),
            ("Mon Nov  6 08:49:37 1994", Some(784_111_777)),
            ("Xyz, 18 Aug 2050 02:01:18 GMT", None),
            ("Mon, 31 Feb 2050 02:01:18 GMT", None),
            ("Thu, 18 Aug 2050 02:01:18 UTC", None),
            ("Thu, 18 Aug 2050 02:01:18 AEST", None),
            ("Thu, 18 Aug 50 02:01:18 GMT", None),
            ("Thu 18 Aug 2050 02:01:18 GMT", None),
            ("Thu, 18  Aug  2050 02:01:18 GMT", None),
            ("Thu, 18-Aug-2050 02:01:18 GMT", None),
            ("Thu, 18 Aug 2050 02.01.18 GMT", None),
            ("Thu, 18 Aug 2050 2:01:18 GMT", None),
            ("0", None),
            ("", None),
        ];
        for (input, seconds) in table {
            assert_eq!(parse(input.as_bytes()), seconds.map(at), "{input}");
        }
    }

    #[test]
    fn lines_that_disagree_are_no_date() {
        let one = "Sun, 06 Nov 1994 08:49:37 GMT";
        let other = "Sun, 06 Nov 1994 08:49:38 GMT";
        assert_eq!(field(&testing::field("expires", &[]), &EXPIRES), None);
        assert_eq!(field(&testing::field("expires", &[one, one]), &EXPIRES), Some(at(784_111_777)));
        assert_eq!(field(&testing::field("expires", &[one, other]), &EXPIRES), None);
    }

    #[test]
    fn instants_out_of_range_are_held_at_its_ends() {
        assert_eq!(format(UNIX_EPOCH - Duration::from_secs(9)), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(format(at(300_000_000_000)), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(seconds in 0u64..253_402_300_800) {
            prop_assert_eq!(parse(format(at(seconds)).as_bytes()), Some(at(seconds)));
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            parse(&bytes);
        }

        #[test]
        fn anything_like_a_date_is_survived(
            day in "[SMTWF][a-z]{2,8},? ?[0-9 -]{1,3}[A-Z][a-z]{2}",
            time in "[ -][0-9]{1,4} [0-9:]{5,8} ?[A-Zg0-9]{0,4}",
        ) {
            parse(format!("{day}{time}").as_bytes());
        }
    }
}
