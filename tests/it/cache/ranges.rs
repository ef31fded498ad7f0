//! Parts of a stored representation (RFC 9110, section 14).

use crate::harness::payload::page;
use crate::harness::{Answer, Call, Origin, Response, Vacpack};

const LENGTH: usize = 20_000;

fn stored(answer: Answer, coding: &str) -> (Origin, Vacpack, Response) {
    let origin = Origin::start();
    origin.serve("/page", answer);
    let vacpack = Vacpack::before(&origin);
    vacpack.get_as("/page", coding);
    let whole = vacpack.get_as("/page", coding);
    assert_eq!(whole.outcome(), "hit");
    (origin, vacpack, whole)
}

fn tagged() -> Answer {
    Answer::cacheable(page(LENGTH)).field("ETag", "\"v1\"")
}

fn part(range: &str, coding: &str) -> Call {
    Call::get("/page").accepting(coding).field("Range", range)
}

#[test]
fn a_part_is_cut_from_the_representation_that_the_client_accepts() {
    for coding in ["", "br", "gzip"] {
        let (origin, vacpack, whole) = stored(tagged(), coding);
        let length = whole.body.len();
        for (range, first, last) in [
            ("bytes=10-19".to_owned(), 10, 19),
            ("bytes=0-0".to_owned(), 0, 0),
            (format!("bytes={}-", length - 7), length - 7, length - 1),
            ("bytes=-5".to_owned(), length - 5, length - 1),
            (format!("bytes=100-{}", 10 * length), 100, length - 1),
        ] {
            let response = vacpack.ask(&part(&range, coding));
            assert_eq!((response.status, response.outcome()), (206, "hit"), "{range} of {coding:?}");
            let content_range = format!("bytes {first}-{last}/{length}");
            assert_eq!(response.field("Content-Range"), Some(content_range.as_str()));
            assert_eq!(response.body, whole.body[first..=last], "{range} of {coding:?}");
            for name in ["ETag", "Content-Encoding", "Vary", "Content-Type"] {
                assert_eq!(response.fields.all(name), whole.fields.all(name), "{name} of {range} of {coding:?}");
            }
        }
        assert_eq!(origin.fetches("/page"), 1);
    }
}

#[test]
fn a_part_beyond_the_end_is_refused_with_the_length() {
    let (_origin, vacpack, _) = stored(tagged(), "");
    let response = vacpack.ask(&part("bytes=30000-", ""));
    assert_eq!((response.status, response.field("Content-Range")), (416, Some("bytes */20000")));
}

#[test]
fn what_is_not_a_range_is_ignored() {
    let (_origin, vacpack, _) = stored(tagged(), "");
    for range in ["bytes", "bytes=", "bytes=b-a", "lines=1-2", "bytes=9-5"] {
        let response = vacpack.ask(&part(range, ""));
        assert_eq!((response.status, response.body.len()), (200, LENGTH), "{range}");
    }
}

#[test]
fn the_last_nothing_cannot_be_had() {
    let (origin, vacpack, whole) = stored(tagged(), "");
    let response = vacpack.ask(&part("bytes=-0", ""));
    // RFC 9110, 14.1.2: "a suffix-range with a non-zero suffix-length".
    assert_eq!((response.status, response.field("Content-Range")), (416, Some("bytes */20000")));
    let response = vacpack.ask(&part("bytes=-0, 5-9", ""));
    assert_eq!((response.status, response.body.as_slice()), (206, &whole.body[5..10]));
    origin.serve("/empty", Answer::cacheable(""));
    vacpack.get("/empty");
    for range in ["bytes=-0", "bytes=-5", "bytes=0-"] {
        let response = vacpack.ask(&Call::get("/empty").field("Range", range));
        assert_eq!((response.status, response.outcome(), response.body.len()), (200, "hit", 0), "{range} of nothing");
    }
}

#[test]
fn only_a_get_is_cut() {
    let (_origin, vacpack, whole) = stored(tagged(), "br");
    // RFC 9110, 14.2: ranges are defined for GET.
    let response = vacpack.ask(&Call::head("/page").accepting("br").field("Range", "bytes=0-9"));
    assert_eq!((response.status, response.field("Content-Range")), (200, None));
    assert_eq!(response.field("Content-Length"), Some(whole.body.len().to_string().as_str()));
}

#[test]
fn if_range_needs_the_same_strong_tag() {
    let (_origin, vacpack, whole) = stored(tagged(), "br");
    for (coding, tag, status) in [
        ("br", whole.field("ETag").expect("a tag"), 206),
        // Of other bytes of the same content in the same coding.
        ("br", "\"v1-br\"", 200),
        ("br", "\"v1-br.00000000\"", 200),
        ("br", "\"v1\"", 200),
        ("br", "\"v1-gzip\"", 200),
        // RFC 9110, 13.1.5: strong comparison only.
        ("br", "W/\"v1-br\"", 200),
        ("", "\"v1\"", 206),
        ("", "\"v2\"", 200),
    ] {
        let response = vacpack.ask(&part("bytes=0-9", coding).field("If-Range", tag));
        assert_eq!(response.status, status, "{tag} as {coding:?}");
    }
}

#[test]
fn a_weak_tag_never_joins_parts() {
    let (_origin, vacpack, _) = stored(Answer::cacheable(page(LENGTH)).field("ETag", "W/\"v1\""), "");
    assert_eq!(vacpack.ask(&part("bytes=0-9", "").field("If-Range", "W/\"v1\"")).status, 200);
}

#[test]
fn parts_of_an_encoded_body_join_to_the_whole() {
    let (_origin, vacpack, whole) = stored(tagged(), "br");
    let middle = whole.body.len() / 2;
    let first = vacpack.ask(&part(&format!("bytes=0-{}", middle - 1), "br"));
    let tag = first.field("ETag").expect("to join by").to_owned();
    let second = vacpack.ask(&part(&format!("bytes={middle}-"), "br").field("If-Range", &tag));
    let joined = Response { body: [first.body, second.body].concat(), ..whole };
    assert_eq!(joined.content(), page(LENGTH));
}

#[test]
fn several_parts_are_sent_as_one_multipart_or_as_the_whole() {
    let (_origin, vacpack, whole) = stored(tagged(), "");
    let response = vacpack.ask(&part("bytes=0-9,100-109", ""));
    assert!(response.complete());
    match response.status {
        200 => assert_eq!(response.body, whole.body),
        206 => {
            let media_type = response.field("Content-Type").expect("a multipart type");
            assert!(media_type.starts_with("multipart/byteranges"), "{media_type}");
            let holds = |bytes: &[u8]| response.body.windows(bytes.len()).any(|window| window == bytes);
            assert!(holds(&whole.body[..10]) && holds(&whole.body[100..110]));
        }
        other => panic!("{other}"),
    }
}
