//! How old a response already was when it came (RFC 9111, §4.2.3).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::DATE;

use crate::header::delta_seconds::GREATEST;
use crate::header::{age, date};

/// `corrected_initial_age`: the larger of what `Date` and `Age` say.
///
/// `response_delay` is not added. The app is on the same host: the time until its head comes is the
/// time it works, and `Date` tells on which side of that work the response was made. Added, it
/// would keep the pages that are slowest to make and live shortest, those which need the cache
/// most, from ever being fresh.
pub fn corrected_initial_age(response: &HeaderMap, now: SystemTime) -> Duration {
    let age_value = age::parse(response).unwrap_or_default();
    apparent_age(response, now).max(age_value).min(GREATEST)
}

/// `max(0, response_time - date_value)`, in whole seconds as `Date` is; none without a valid
/// `Date`, or one in the future. Of several lines, which a singleton must not have (RFC 9110, §5.5),
/// the oldest counts: who added the others is not known.
fn apparent_age(response: &HeaderMap, now: SystemTime) -> Duration {
    let dates = response.get_all(DATE).into_iter().filter_map(|line| date::parse(line.as_bytes()));
    dates.min().and_then(|date| whole_seconds(now).duration_since(date).ok()).unwrap_or_default()
}

/// `date_value`; "a recipient with a clock that receives a response message without a Date header
/// field MUST record the time it was received" (RFC 9110, §6.6.1). An invalid one "MAY" be replaced
/// by it.
pub fn date_value(response: &HeaderMap, now: SystemTime) -> SystemTime {
    date::field(response, &DATE).unwrap_or_else(|| whole_seconds(now))
}

/// Dates in fields have whole seconds: a fraction of our clock's is not to be held against a
/// response.
fn whole_seconds(time: SystemTime) -> SystemTime {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::AGE;
    use proptest::prelude::*;

    use super::*;

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(1_700_000_000_900)
    }

    fn response(age: &[&'static str], date: Option<i64>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in age {
            headers.append(AGE, HeaderValue::from_static(line));
        }
        if let Some(offset) = date {
            let seconds = 1_700_000_000_u64.saturating_add_signed(offset);
            headers.insert(DATE, date::format(UNIX_EPOCH + Duration::from_secs(seconds)));
        }
        headers
    }

    #[test]
    fn initial_age_by_clause() {
        for (age, date, expected) in [
            (&[][..], None, 0),      // §4.2.3: nothing said
            (&["7200"], None, 7200), // §5.1
            (&["7200"], Some(0), 7200),
            (&["abc"], Some(0), 0), // §5.1: an invalid field is ignored
            (&["-7200"], Some(-3), 3),
            (&["2147483649"], None, 1 << 31), // §1.2.2
            (&["99999999999999999999999"], Some(-9), 1 << 31),
            (&["0, 7200"], Some(0), 0), // §5.1: the first
            (&[], Some(-10), 10),       // apparent_age; the .9 of now left out
            (&[], Some(10), 0),         // a Date in the future
            (&["25"], Some(-10), 25),   // the larger of the two
            (&["5"], Some(-10), 10),
        ] {
            let found = corrected_initial_age(&response(age, date), now());
            assert_eq!(found, Duration::from_secs(expected), "{age:?} {date:?}");
        }
    }

    #[test]
    fn of_several_dates_the_oldest_counts_and_none_to_reckon_with() {
        let mut headers = response(&[], Some(-10));
        headers.append(DATE, date::format(now()));
        headers.append(DATE, HeaderValue::from_static("yesterday"));
        assert_eq!(corrected_initial_age(&headers, now()), Duration::from_secs(10));
        assert_eq!(date_value(&headers, now()), UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_age_within_bounds(
            age in prop::collection::vec(any::<u8>(), 0..40),
            date in prop::collection::vec(any::<u8>(), 0..40),
            now in 0_u64..1 << 40,
        ) {
            let mut headers = HeaderMap::new();
            for (name, value) in [(AGE, age), (DATE, date)] {
                if let Ok(value) = HeaderValue::from_bytes(&value) {
                    headers.append(name, value);
                }
            }
            let now = UNIX_EPOCH + Duration::from_secs(now);
            prop_assert!(corrected_initial_age(&headers, now) <= GREATEST);
        }
    }
}
