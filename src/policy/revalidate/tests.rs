use http::HeaderValue;
use proptest::prelude::*;

use super::super::testing::{any_head, head};
use super::*;
use crate::header::apply;

type Lines = &'static [(&'static str, &'static str)];

fn merged(stored: Lines, not_modified: Lines, set_cookie: SetCookie) -> HeaderMap {
    let mut headers = head(stored);
    apply(merge_304(&headers, &head(not_modified), set_cookie), &mut headers);
    headers
}

#[test]
fn a_304_updates_what_section_3_2_lets_it() {
    for name in [
        "x-test",
        "cache-control",
        "content-foo",
        "content-location",
        "content-security-policy",
        "content-md5",
        "expires",
        "vary",
        "last-modified",
        "cdn-cache-control",
        "surrogate-key",
        "clear-site-data",
    ] {
        let (stored, newer) = (HeaderValue::from_static("1"), HeaderValue::from_static("2"));
        let mut headers = HeaderMap::new();
        headers.insert(name, stored);
        let mut not_modified = HeaderMap::new();
        not_modified.insert(name, newer.clone());
        apply(merge_304(&headers, &not_modified, SetCookie::Refuse), &mut headers);
        assert_eq!(headers[name], newer, "{name}");
    }
}

#[test]
fn a_304_leaves_alone_what_the_bytes_depend_on_and_what_is_not_stored() {
    for name in [
        "content-length",
        "content-encoding",
        "content-type",
        "content-range",
        "etag",
        "connection",
        "keep-alive",
        "te",
        "upgrade",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "transfer-encoding",
        "set-cookie",
    ] {
        let mut not_modified = HeaderMap::new();
        not_modified.insert(name, HeaderValue::from_static("2"));
        let edits = merge_304(&HeaderMap::new(), &not_modified, SetCookie::Strip);
        assert_eq!(edits, [], "{name}");
    }
}

#[test]
fn lines_are_replaced_together() {
    let stored: Lines = &[("link", "a"), ("link", "b"), ("link", "c"), ("x", "1"), ("y", "1")];
    let headers =
        merged(stored, &[("link", "d"), ("link", "e"), ("x", "1"), ("connection", "y"), ("y", "2")], SetCookie::Refuse);
    assert_eq!(headers.get_all("link").iter().collect::<Vec<_>>(), ["d", "e"]);
    assert_eq!((&headers["x"], &headers["y"]), (&HeaderValue::from_static("1"), &HeaderValue::from_static("1")));
    assert_eq!(merge_304(&head(&[("x", "1")]), &head(&[("x", "1")]), SetCookie::Refuse), []);
}

#[test]
fn age_and_date_are_the_304s_or_nobodys() {
    let stored: Lines = &[("age", "1800"), ("date", "@-9"), ("x", "1")];
    let headers = merged(stored, &[], SetCookie::Refuse);
    assert!(!headers.contains_key("age") && !headers.contains_key("date") && headers.contains_key("x"));
    let headers = merged(stored, &[("age", "3"), ("date", "@0")], SetCookie::Refuse);
    assert_eq!(headers["age"], "3");
    assert_eq!(headers["date"], head(&[("date", "@0")])["date"]);
}

#[test]
fn a_cookie_is_merged_only_where_cookies_are_kept() {
    let not_modified: Lines = &[("set-cookie", "a=b")];
    assert!(!merged(&[], not_modified, SetCookie::Refuse).contains_key("set-cookie"));
    assert!(merged(&[], not_modified, SetCookie::Keep).contains_key("set-cookie"));
}

#[rustfmt::skip]
#[test]
fn a_304_about_another_representation_freshens_nothing() {
    for (clause, stored, not_modified, expected) in [
        ("§4.3.4 no validator", &[("etag", "\"a\"")][..], &[][..], true),
        ("§4.3.4 strong, the same", &[("etag", "\"a\"")], &[("etag", "\"a\"")], true),
        ("§4.3.4 strong, another", &[("etag", "\"a\"")], &[("etag", "\"b\"")], false),
        ("§4.3.4 strong, and the stored one is not", &[("etag", "W/\"a\"")], &[("etag", "\"a\"")], false),
        ("§4.3.4 weak, corresponds", &[("etag", "\"a\"")], &[("etag", "W/\"a\"")], true),
        ("§4.3.4 weak, does not", &[("etag", "W/\"a\"")], &[("etag", "W/\"b\"")], false),
        ("§4.3.4 nothing to compare with", &[], &[("etag", "\"a\"")], false),
        ("§4.3.4 weak by date, beside a weak tag", &[("last-modified", "@-9")], &[("etag", "W/\"a\""), ("last-modified", "@-9")], true),
        ("§4.3.4 weak by date, another", &[("last-modified", "@-9")], &[("etag", "W/\"a\""), ("last-modified", "@-8")], false),
        ("§4.3.4 strong, beside the same date", &[("last-modified", "@-9")], &[("etag", "\"a\""), ("last-modified", "@-9")], false),
        ("§4.3.4 by date", &[("last-modified", "@-9")], &[("last-modified", "@-9")], true),
        ("§4.3.4 by date", &[("last-modified", "@-9")], &[("last-modified", "@-8")], false),
        ("§4.3.4 the tag is stronger than the date", &[("etag", "\"a\""), ("last-modified", "@-9")], &[("etag", "\"a\""), ("last-modified", "@-8")], true),
    ] as [(&str, Lines, Lines, bool); 13]
    {
        assert_eq!(
            freshens(&head(stored), &head(not_modified)),
            expected,
            "{clause}: {stored:?} {not_modified:?}"
        );
    }
}

#[rustfmt::skip]
#[test]
fn what_a_head_tells() {
    use HeadEvidence::{Changed, Freshens};
    let stored: Lines = &[
        ("etag", "\"a\""),
        ("last-modified", "@-9"),
        ("content-length", "3"),
    ];
    for (newer, expected) in [
        (&[][..], Freshens),
        (&[("etag", "\"a\""), ("content-length", "3"), ("x", "2")], Freshens),
        (&[("etag", "\"b\"")], Changed),
        (&[("last-modified", "@-8")], Changed),
        (&[("content-length", "4")], Changed),
    ] as [(Lines, HeadEvidence); 5]
    {
        assert_eq!(
            head_evidence(&head(stored), &head(newer)),
            expected,
            "{newer:?}"
        );
    }
}

const NAMES: &[&str] = &[
    "age",
    "date",
    "etag",
    "content-type",
    "content-length",
    "connection",
    "foo",
    "set-cookie",
    "vary",
    "cache-control",
];

proptest! {
    #[test]
    fn whatever_the_304_says(stored in any_head(NAMES), not_modified in any_head(NAMES)) {
        freshens(&stored, &not_modified);
        head_evidence(&stored, &not_modified);
        let mut headers = stored.clone();
        apply(merge_304(&stored, &not_modified, SetCookie::Refuse), &mut headers);
        for name in ["etag", "content-type", "content-length", "set-cookie", "connection"] {
            prop_assert!(headers.get_all(name) == stored.get_all(name), "{}", name);
        }
        // Once is enough.
        prop_assert_eq!(merge_304(&headers, &not_modified, SetCookie::Refuse), []);
    }
}
