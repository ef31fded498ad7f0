use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::super::rules::HeaderRules;
use super::*;
use crate::header::apply;
use crate::policy::testing::head;

type Lines = &'static [(&'static str, &'static str)];

fn rules() -> HeaderRules {
    HeaderRules {
        browser: Some(Duration::from_secs(600)),
        cdn: Some(Duration::from_secs(3600)),
        tags: vec!["assets".into()],
        ..HeaderRules::default()
    }
}

fn left(rules: &HeaderRules, status: u16, response: Lines) -> Vec<(String, String)> {
    let mut headers = head(response);
    let status = StatusCode::from_u16(status).unwrap();
    apply(response_edits(rules, &HeaderMap::new(), &headers, status), &mut headers);
    let mut lines: Vec<_> =
        headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    lines.sort();
    lines
}

fn lines(expected: Lines) -> Vec<(String, String)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn lifetimes_and_tags_on_what_is_kept() {
    let written: Lines =
        &[("cache-control", "public, max-age=600"), ("cache-tag", "assets"), ("cdn-cache-control", "max-age=3600")];
    for (status, expected) in [
        (200, written),
        (204, written),
        (206, written),
        (301, written),
        (304, written),
        (404, written),
        (410, written),
        (400, &[]),
        (401, &[]),
        (500, &[]),
        (503, &[]),
    ] {
        assert_eq!(left(&rules(), status, &[]), lines(expected), "{status}");
    }
}

#[test]
fn a_private_response_stays_private() {
    let private: Lines = &[("cache-control", "private, max-age=5")];
    let expected: Lines = &[("cache-control", "private, max-age=5"), ("cache-tag", "assets")];
    assert_eq!(left(&rules(), 200, private), lines(expected));
}

#[test]
fn edge_fields_stay_inside_where_nothing_in_front_reads_them() {
    let rules = HeaderRules { strip_edge: true, ..rules() };
    let response: Lines = &[
        ("cdn-cache-control", "max-age=1"),
        ("cloudflare-cdn-cache-control", "max-age=1"),
        ("surrogate-control", "max-age=1"),
        ("surrogate-key", "a"),
        ("cache-tag", "a"),
        ("xkey", "a"),
        ("etag", "\"a\""),
    ];
    assert_eq!(left(&rules, 200, response), lines(&[("cache-control", "public, max-age=600"), ("etag", "\"a\"")]));
    assert_eq!(left(&rules, 500, response), lines(&[("etag", "\"a\"")]));
}

#[test]
fn our_own_edge_fields_stay_inside_too() {
    let rules = HeaderRules { strip_edge: true, ..rules() };
    let expected: Lines = &[("cache-control", "public, max-age=600")];
    assert_eq!(left(&rules, 200, &[]), lines(expected));
}

#[test]
fn set_then_add_then_remove_on_every_status() {
    let name = HeaderName::from_static;
    let value = HeaderValue::from_static;
    let rules = HeaderRules {
        set: vec![(name("cache-control"), value("max-age=1")), (name("x"), value("1"))],
        add: vec![(name("x"), value("2")), (name("gone"), value("1"))],
        remove: vec![name("gone"), name("x-powered-by")],
        ..rules()
    };
    let expected = lines(&[("cache-control", "max-age=1"), ("x", "1"), ("x", "2")]);
    assert_eq!(left(&rules, 500, &[("x", "0"), ("x-powered-by", "y"), ("gone", "z")]), expected);
    // Written out in full wins over derived.
    let found = left(&rules, 200, &[]);
    assert!(found.contains(&("cache-control".into(), "max-age=1".into())), "{found:?}");
}
