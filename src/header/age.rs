//! `Age` (RFC 9111, section 5.1): how long ago the origin made or confirmed a response.

use std::time::Duration;

use http::HeaderMap;
use http::header::AGE;

use super::{delta_seconds, list};

/// The age an upstream cache reports.
///
/// RFC 9111, 5.1: of a list or of several lines a cache "SHOULD use the first member of the field
/// value", and an invalid one, "something other than a non-negative integer", it SHOULD ignore.
pub fn parse(headers: &HeaderMap) -> Option<Duration> {
    delta_seconds::parse(list::members(headers, &AGE).next()?)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn the_first_value_if_it_is_a_number() {
        let table: [(&[&str], Option<u64>); 11] = [
            (&[], None),
            (&["7200"], Some(7200)),
            (&["7200, 0"], Some(7200)),
            (&["0, 7200"], Some(0)),
            (&["7200", "0"], Some(7200)),
            (&["0", "7200"], Some(0)),
            (&["2147483649"], Some(2_147_483_648)),
            (&["abc"], None),
            (&["-7200"], None),
            (&["7200.0"], None),
            (&["7200;foo=bar"], None),
        ];
        for (lines, seconds) in table {
            let headers = testing::field("age", lines);
            assert_eq!(parse(&headers), seconds.map(Duration::from_secs), "{lines:?}");
        }
    }
}
