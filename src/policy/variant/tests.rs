use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn request(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

fn vary(value: &'static str) -> Vary {
    Vary::parse(&request(&[("vary", value)]))
}

#[test]
fn a_star_never_matches() {
    // §4.1: "A stored response with a Vary header field value containing a member '*' always fails
    // to match."
    for value in ["*", "*, *", ", *", "*, foo", "foo, *"] {
        assert_eq!(Selector::new(&vary(value), &request(&[("foo", "1")])), None, "{value}");
    }
}

#[rustfmt::skip]
#[test]
fn requests_match_by_the_selecting_fields() {
    let list = "foo, bar, accept-language, cookie, user-agent";
    for (stored, presented, expected) in [
        // §4.1: the fields named match
        (&[("foo", "1")][..], &[("foo", "1")][..], true),
        (&[("foo", "1")], &[("foo", "2")], false),
        (&[("foo", "1")], &[("foo", "1"), ("other", "2")], true),
        // §4.1: absent matches only absent, and empty is not absent
        (&[], &[("foo", "1")], false),
        (&[("foo", "1")], &[], false),
        (&[("foo", "")], &[], false),
        (&[], &[], true),
        // §4.1: "combining multiple header field lines with the same field name", "adding or
        // removing whitespace"
        (&[("foo", "1, 2")], &[("foo", "1"), ("foo", "2")], true),
        (&[("foo", "1,2")], &[("foo", " 1, 2 ")], true),
        (&[("foo", "1,2")], &[("foo", "2,1")], false),
        (&[("foo", "12")], &[("foo", "1 2")], false),
        (&[("foo", "\"a, b\"")], &[("foo", "\"a,b\"")], false),
        // RFC 4647, §2: language ranges are case-insensitive; order is not ours to change
        (&[("accept-language", "en, de;q=0.5")], &[("accept-language", "eN,  De;Q=0.5")], true),
        (&[("accept-language", "en, de")], &[("accept-language", "de, en")], false),
        (&[("foo", "En")], &[("foo", "en")], false),
        // no lists
        (&[("user-agent", "X (a, b)")], &[("user-agent", "X (a,b)")], false),
        (&[("cookie", "a=1; b=2")], &[("cookie", "a=1"), ("cookie", "b=2")], true),
        (&[("cookie", "a=1")], &[("cookie", "a=2")], false),
        // a value does not move from one field into the next
        (&[("foo", "1"), ("bar", "2")], &[("foo", "2"), ("bar", "1")], false),
        // ours to negotiate
        (&[("accept-encoding", "br")], &[("accept-encoding", "gzip")], true),
    ] {
        let (stored, presented) = (request(stored), request(presented));
        let selector = Selector::new(&vary(list), &stored).unwrap();
        assert_eq!(
            selector.matches(&presented),
            expected,
            "{stored:?} {presented:?}"
        );
        assert_eq!(
            selector.of(&presented) == selector,
            expected,
            "{stored:?} {presented:?}"
        );
    }
}

#[test]
fn accept_encoding_selects_nothing() {
    let selector = Selector::new(&vary("Accept-Encoding"), &request(&[("accept-encoding", "br")])).unwrap();
    assert!(selector.is_empty());
    assert_eq!(selector, Selector::default());
}

#[test]
fn the_order_of_vary_makes_no_variant() {
    let headers = request(&[("foo", "1"), ("bar", "2")]);
    let (one, other) = (Selector::new(&vary("Foo, Bar"), &headers), Selector::new(&vary("bar, foo, BAR"), &headers));
    assert_eq!(one, other);
    let one = one.unwrap();
    assert_eq!(one.fields(), ["bar", "foo"]);
    assert_eq!(one.values().collect::<Vec<_>>(), [Some(&b"2"[..]), Some(&b"1"[..])]);
    assert!(one.weight() > 8);
}

fn any_headers() -> impl Strategy<Value = HeaderMap> {
    let name = prop::sample::select(vec!["foo", "bar", "cookie", "accept-language", "accept-encoding"]);
    let value =
        prop_oneof!["[aA1, \"]{0,4}".prop_map(|text| text.into_bytes()), prop::collection::vec(any::<u8>(), 0..6),];
    prop::collection::vec((name, value), 0..5).prop_map(|lines| {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(name, value);
            }
        }
        headers
    })
}

proptest! {
    #[test]
    fn equality_is_equality_of_the_normalised_values(one in any_headers(), other in any_headers()) {
        let vary = vary("foo, cookie, accept-language, accept-encoding");
        let selector = Selector::new(&vary, &one).unwrap();
        let presented = Selector::new(&vary, &other).unwrap();
        let same = ["foo", "cookie", "accept-language"].into_iter().map(HeaderName::from_static)
            .all(|name| normalised(&one, &name) == normalised(&other, &name));
        prop_assert_eq!(selector == presented, same);
        prop_assert_eq!(selector.matches(&other), same);
        prop_assert_eq!(selector.of(&other), presented);
        prop_assert!(selector.matches(&one));
    }
}
