//! Heads and instants for the tests of this module and of `cdn`, as short as the tables that use
//! them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use crate::header::date;

/// The instant at which every test happens, in the middle of a second.
pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_800_000_000_500)
}

/// `now`, so many seconds later.
pub(crate) fn later(seconds: u64) -> SystemTime {
    now() + Duration::from_secs(seconds)
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A head of these lines; a value `@-10` is the date ten seconds before [`now`].
pub(crate) fn head(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), value_of(value));
    }
    headers
}

fn value_of(text: &str) -> HeaderValue {
    let Some(offset) = text.strip_prefix('@') else {
        return HeaderValue::from_bytes(text.as_bytes()).expect("a legal field value");
    };
    let offset: i64 = offset.parse().expect("seconds from now");
    date::format(UNIX_EPOCH + Duration::from_secs(1_800_000_000_u64.saturating_add_signed(offset)))
}

/// Heads of up to eight lines of these fields, with values near the grammar and far from it.
pub(crate) fn any_head(names: &'static [&'static str]) -> impl Strategy<Value = HeaderMap> {
    let words = prop::sample::select(vec![
        "max-age=60",
        "max-age=99999999999",
        "max-age=-1",
        "max-age=\"5\"",
        "s-maxage=30",
        "no-store",
        "private",
        "no-cache",
        "no-cache=\"set-cookie\"",
        "must-revalidate",
        "must-understand",
        "public",
        "stale-while-revalidate=9999999999",
        "stale-if-error=60",
        "min-fresh=5",
        "max-stale",
        "max-stale=7",
        "only-if-cached",
        "*",
        "foo",
        "accept-encoding, foo",
        "\"a\"",
        "W/\"a\"",
        "\"a\", \"b\"",
        "0",
        "7200",
        "99999999999999999999",
        "-1",
        "Thu, 18 Aug 2050 02:01:18 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "bytes=0-1",
        "a=b",
    ]);
    let value = prop_oneof![
        3 => words.prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..24),
    ];
    let line = (prop::sample::select(names), value);
    prop::collection::vec(line, 0..8).prop_map(|lines| {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        headers
    })
}
