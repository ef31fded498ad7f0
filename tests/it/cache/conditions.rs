//! Conditional requests (RFC 9110, section 13), answered from what is stored or translated for the app.

use crate::harness::payload::page;
use crate::harness::{Answer, Call, Origin, Vacpack};

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const LATER: &str = "Mon, 07 Nov 1994 08:49:37 GMT";
const EARLIER: &str = "Sat, 05 Nov 1994 08:49:37 GMT";

fn tagged() -> Answer {
    Answer::cacheable(page(5000)).field("ETag", "\"v1\"").field("Last-Modified", MODIFIED)
}

#[test]
fn if_none_match_is_answered_from_the_stored_representation() {
    let origin = Origin::start();
    origin.serve("/page", tagged());
    let vacpack = Vacpack::before(&origin);
    vacpack.get_as("/page", "br");
    for (coding, tags, status) in [
        ("br", "\"v1-br\"", 304),
        ("br", "W/\"v1-br\"", 304),
        ("br", "\"other\", \"v1-br\"", 304),
        ("br", "*", 304),
        ("br", "\"v2-br\"", 200),
        ("br", "\"V1-BR\"", 200),
        ("br", "v1-br", 200),
        ("", "\"v1\"", 304),
        ("", "\"v2\"", 200),
        ("gzip", "\"v1-gzip\"", 304),
    ] {
        let response = vacpack.ask(&Call::get("/page").accepting(coding).field("If-None-Match", tags));
        assert_eq!((response.status, response.outcome()), (status, "hit"), "{tags} as {coding:?}");
        if status == 304 {
            assert!(response.body.is_empty() && response.field("Content-Encoding").is_none(), "{tags}");
        }
    }
    assert_eq!(origin.fetches("/page"), 1);
}

#[test]
fn a_304_carries_what_the_200_would_have_said_about_caching() {
    let origin = Origin::start();
    origin.serve("/page", tagged());
    let vacpack = Vacpack::before(&origin);
    let call = Call::get("/page").accepting("br");
    vacpack.ask(&call);
    let whole = vacpack.ask(&call);
    let same = vacpack.ask(&call.field("If-None-Match", whole.field("ETag").expect("a tag")));
    // RFC 9110, 15.4.5.
    for name in ["ETag", "Vary", "Cache-Control"] {
        assert!(!whole.fields.all(name).is_empty(), "{name}");
        assert_eq!(same.fields.all(name), whole.fields.all(name), "{name}");
    }
    assert!(same.age().is_some());
    assert_eq!(same.fields.all("Date").len(), 1);
}

#[test]
fn if_modified_since_counts_only_without_if_none_match() {
    let origin = Origin::start();
    origin.serve("/page", tagged());
    let vacpack = Vacpack::before(&origin);
    vacpack.get("/page");
    for (since, status) in [(MODIFIED, 304), (LATER, 304), (EARLIER, 200), ("yesterday", 200)] {
        let response = vacpack.ask(&Call::get("/page").field("If-Modified-Since", since));
        assert_eq!(response.status, status, "{since}");
    }
    // RFC 9110, 13.1.3: ignored where there is an If-None-Match.
    let both = Call::get("/page").field("If-Modified-Since", LATER).field("If-None-Match", "\"v2\"");
    assert_eq!(vacpack.ask(&both).status, 200);
}

#[test]
fn an_app_without_validators_gets_some() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(5000)));
    let vacpack = Vacpack::before(&origin);
    let mut tags = Vec::new();
    for coding in ["br", "gzip", ""] {
        vacpack.get_as("/page", coding);
        let hit = vacpack.get_as("/page", coding);
        let tag = hit.field("ETag").unwrap_or_else(|| panic!("{coding:?}: no tag")).to_owned();
        assert!(tag.starts_with('"'), "a strong one: {tag}");
        let same = vacpack.ask(&Call::get("/page").accepting(coding).field("If-None-Match", &tag));
        assert_eq!((same.status, same.field("ETag")), (304, Some(tag.as_str())), "{coding:?}");
        tags.push(tag);
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 3, "one for each representation");
}

#[test]
fn a_tag_made_from_the_content_follows_the_content() {
    let origin = Origin::start();
    origin.serve("/same", Answer::cacheable(page(5000)));
    origin.serve("/twin", Answer::cacheable(page(5000)));
    origin.serve("/other", Answer::cacheable(page(5001)));
    let vacpack = Vacpack::before(&origin);
    let [same, twin, other] = ["/same", "/twin", "/other"].map(|path| {
        vacpack.get(path);
        vacpack.get(path).field("ETag").expect("made by us").to_owned()
    });
    assert_eq!(same, twin);
    assert_ne!(same, other);
}

#[test]
fn without_a_cache_the_app_sees_its_own_tags() {
    let origin = Origin::start();
    origin.on_path("/page", |request| {
        if request.field("if-none-match").is_some_and(|tags| tags.contains("\"v1\"")) {
            return Answer::status(304).field("ETag", "\"v1\"");
        }
        tagged()
    });
    let vacpack = Vacpack::with(&origin, "cache.enabled = false");
    let call = Call::get("/page").accepting("br");
    assert_eq!(vacpack.ask(&call).tag().as_deref(), Some("\"v1-br\""));
    let same = vacpack.ask(&call.clone().field("If-None-Match", "\"x\", \"v1-br\""));
    assert_eq!(
        origin.last("/page").fields.members("If-None-Match"),
        ["\"x\"", "\"v1\"", "\"v1-br\""],
        "the ending may have been the app's own"
    );
    assert_eq!((same.status, same.field("ETag")), (304, Some("\"v1-br\"")));
    assert!(same.varies_on("Accept-Encoding"));
    // RFC 9110, 13.1.1: for writes the app decides, so it must know its own tag.
    vacpack.ask(&Call::post("/page", "x").field("If-Match", "\"v1-gzip\""));
    assert_eq!(origin.last("/page").field("If-Match"), Some("\"v1\", \"v1-gzip\""));
}

#[test]
fn what_was_replaced_just_now_is_nobodys_current_copy() {
    let origin = Origin::start();
    let [old, new] = ["\"v1\"", "\"v2\""].map(|tag| Answer::html(page(5000)).fresh("max-age=0").field("ETag", tag));
    origin.serve_in_turn("/page", [old, new]);
    let vacpack = Vacpack::before(&origin);
    let call = Call::get("/page").accepting("br");
    let first = vacpack.ask(&call);
    let held = first.field("ETag").expect("a tag");
    // The app answers the validation with other content, and the client forbids to store it.
    let response = vacpack.ask(&call.field("If-None-Match", held).field("Cache-Control", "no-store"));
    assert_eq!((response.status, response.tag().as_deref()), (200, Some("\"v2-br\"")));
}

#[test]
fn a_tag_that_only_looks_like_ours_is_not_touched() {
    let origin = Origin::start();
    origin.serve("/page", Answer::status(304).field("ETag", "\"v1-x\""));
    let vacpack = Vacpack::with(&origin, "cache.enabled = false");
    vacpack.ask(&Call::get("/page").accepting("br").field("If-None-Match", "\"v1-x\""));
    assert_eq!(origin.last("/page").field("If-None-Match"), Some("\"v1-x\""));
}

#[test]
fn a_condition_on_a_cold_resource_does_not_spoil_the_fill() {
    let origin = Origin::start();
    origin.on_path("/page", |request| match request.field("if-none-match") {
        Some("\"v1\"") => Answer::status(304).field("ETag", "\"v1\"").fresh("max-age=60"),
        _ => tagged(),
    });
    let vacpack = Vacpack::before(&origin);
    for (coding, tag) in [("br", "\"v1-br\""), ("", "\"v1\"")] {
        let cold = vacpack.ask(&Call::get("/page").accepting(coding).field("If-None-Match", tag));
        assert!(cold.complete() && (cold.status == 200 || cold.status == 304), "{}", cold.status);
        let next = vacpack.get_as("/page", coding);
        assert_eq!((next.status, next.content()), (200, page(5000)));
        assert_eq!(vacpack.get_as("/page", coding).outcome(), "hit");
        let same = vacpack.ask(&Call::get("/page").accepting(coding).field("If-None-Match", tag));
        assert_eq!((same.status, same.outcome()), (304, "hit"));
    }
}
