//! Header maps for the tests of this module and of those above it: the lines of one field, as
//! bytes.

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

/// `lines` of the field `name`, in order.
pub(crate) fn field(name: &'static str, lines: &[&str]) -> HeaderMap {
    fields(&lines.iter().map(|line| (name, *line)).collect::<Vec<_>>())
}

/// Any number of fields, each with its line.
pub(crate) fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, line) in lines {
        let value = HeaderValue::from_bytes(line.as_bytes()).expect("a legal field value");
        headers.append(HeaderName::from_static(name), value);
    }
    headers
}

/// Bytes that a field line may hold, obs-text included, biased towards the delimiters that parsers
/// branch on.
pub(crate) fn line() -> impl Strategy<Value = Vec<u8>> {
    let delimiters = b"\",;=\\ \t*/()?@%:-.+'".to_vec();
    let byte = prop_oneof![
        4 => proptest::sample::select(delimiters),
        3 => proptest::sample::select(b"abqrzWw019".to_vec()),
        1 => (0x20u8..=0xff).prop_filter("DEL is no field byte", |byte| *byte != 0x7f),
    ];
    proptest::collection::vec(byte, 0..48)
}

/// One to three arbitrary lines of the field `name`.
pub(crate) fn any_field(name: &'static str) -> impl Strategy<Value = HeaderMap> {
    proptest::collection::vec(line(), 1..4).prop_map(move |lines| {
        let mut headers = HeaderMap::new();
        for line in lines {
            let value = HeaderValue::from_bytes(&line).expect("a legal field value");
            headers.append(HeaderName::from_static(name), value);
        }
        headers
    })
}
