//! Every payload asked for in part, on condition, and by `HEAD`; and the one that is larger than may be kept.

use super::CODINGS;
use super::payloads::{self, MAX_OBJECT, Payload};
use crate::harness::{Answer, Call, H2Client, Origin, Response, Vacpack, decode};

/// Before the whole corpus, each payload with the tag `"v1"`.
fn before_the_corpus() -> (Origin, Vacpack, Vec<Payload>) {
    let origin = Origin::start();
    let payloads = payloads::all();
    for payload in &payloads {
        let answer = Answer::ok(&payload.media_type, &payload.content).fresh("max-age=3600");
        origin.serve(&payload.path(), answer.field("ETag", "\"v1\""));
    }
    let vacpack = Vacpack::with(&origin, "memory.budget = \"1GiB\"");
    (origin, vacpack, payloads)
}

/// The representation as it is kept, if it can be.
fn kept(vacpack: &Vacpack, payload: &Payload, coding: &str) -> Option<(Call, Response)> {
    let call = Call::get(&payload.path()).accepting(coding);
    vacpack.ask(&call);
    let hit = vacpack.ask(&call);
    (hit.outcome() == "hit").then_some((call, hit))
}

#[test]
#[ignore = "reads the real payloads: make acceptance"]
fn parts_of_hits_join_to_the_whole() {
    let (_origin, vacpack, payloads) = before_the_corpus();
    for payload in &payloads {
        for coding in CODINGS {
            let Some((call, whole)) = kept(&vacpack, payload, coding) else { continue };
            if payload.is_large() && coding == "identity" {
                // Decoded while it is sent: the next test's.
                continue;
            }
            let (length, tag) = (whole.body.len(), whole.field("ETag").expect("kept with one").to_owned());
            let mut joined = Vec::new();
            for (first, last) in [(0, 0), (1, length / 3), (length / 3 + 1, length - 2), (length - 1, length - 1)] {
                let range = format!("bytes={first}-{last}");
                let part = vacpack.ask(&call.clone().field("Range", &range).field("If-Range", &tag));
                let what = format!("{range} of {} in {coding}", payload.name);
                assert_eq!((part.status, part.outcome()), (206, "hit"), "{what}");
                assert_eq!(part.field("Content-Range"), Some(format!("bytes {first}-{last}/{length}").as_str()));
                assert_eq!((part.coding(), part.field("ETag")), (whole.coding(), Some(tag.as_str())), "{what}");
                joined.extend(part.body);
            }
            assert!(decode::foreign(whole.coding(), &joined) == payload.content, "{} in {coding}", payload.name);
        }
    }
}

#[test]
#[ignore = "reads the real payloads: make acceptance"]
fn the_tag_of_every_representation_comes_back_as_a_304() {
    let (origin, vacpack, payloads) = before_the_corpus();
    let mut multiplexed = H2Client::connect(vacpack.address());
    for payload in &payloads {
        let mut tags = Vec::new();
        for coding in CODINGS {
            let Some((call, hit)) = kept(&vacpack, payload, coding) else { continue };
            let tag = hit.field("ETag").expect("the app gave one").to_owned();
            let what = format!("{tag} of {} in {coding}", payload.name);
            assert!(hit.is_tagged("v1"), "{what}");
            for same in [
                vacpack.ask(&call.clone().field("If-None-Match", &tag)),
                multiplexed.ask(&call.clone().field("If-None-Match", &tag)),
                vacpack.ask(&call.clone().http10().field("If-None-Match", &tag)),
            ] {
                assert_eq!((same.status, same.body.len()), (304, 0), "{what}");
                assert_eq!((same.outcome(), same.field("ETag")), ("hit", Some(tag.as_str())), "{what}");
            }
            let other = vacpack.ask(&call.field("If-None-Match", "\"v2\""));
            assert_eq!((other.status, other.body.len()), (200, hit.body.len()), "{what}");
            tags.push(tag);
        }
        tags.dedup();
        let distinct = if payload.is_only_identity() { 1 } else { 4 };
        assert_eq!(tags.len(), distinct, "{}: a tag for each representation", payload.name);
        assert_eq!(origin.fetches(&payload.path()), 1, "{}", payload.name);
    }
}

#[test]
#[ignore = "reads the real payloads: make acceptance"]
fn head_says_of_every_hit_what_get_does() {
    let (_origin, vacpack, payloads) = before_the_corpus();
    let mut multiplexed = H2Client::connect(vacpack.address());
    for payload in &payloads {
        for coding in CODINGS {
            let Some((call, whole)) = kept(&vacpack, payload, coding) else { continue };
            let call = Call { method: "HEAD".to_owned(), ..call };
            for head in [vacpack.ask(&call), multiplexed.ask(&call)] {
                let what = format!("{} in {coding}, {}", payload.name, head.version);
                assert_eq!((head.status, head.outcome(), head.body.len()), (200, "hit", 0), "{what}");
                for name in ["Content-Type", "Content-Length", "Content-Encoding", "ETag", "Vary"] {
                    assert_eq!(head.fields.all(name), whole.fields.all(name), "{name} of {what}");
                }
            }
        }
    }
}

/// 20 MB of JSON: its identity form is never kept, its codings are, and whichever is missing streams out of them.
#[test]
#[ignore = "reads the real payloads: make acceptance"]
fn what_is_larger_than_may_be_kept_streams_whole() {
    let payload = payloads::named("browser-compat-data.json");
    assert!(payload.content.len() > 4 * MAX_OBJECT);
    for first in ["br", "zstd", "gzip"] {
        let origin = Origin::start();
        let answer = Answer::ok("application/json", &payload.content).fresh("max-age=3600").field("ETag", "\"v1\"");
        origin.serve("/data", answer.in_pieces(64 * 1024).chunked());
        let vacpack = Vacpack::before(&origin);
        assert_eq!(vacpack.get_as("/data", first).outcome(), "miss", "{first}");
        let plain = Call::get("/data");
        for (what, response) in [
            ("HTTP/1.1", vacpack.ask(&plain)),
            ("HTTP/1.0", vacpack.ask(&plain.clone().http10())),
            ("HTTP/2", H2Client::connect(vacpack.address()).ask(&plain)),
        ] {
            assert_eq!((response.status, response.outcome(), response.coding()), (200, "hit", "identity"), "{what}");
            assert!(response.complete() && response.body == payload.content, "{what} after {first}: other content");
        }
        // No part can be cut from what is not there: the whole is a right answer (RFC 9110, section 14.2).
        let part = vacpack.ask(&plain.clone().field("Range", "bytes=1000000-1000099"));
        match part.status {
            200 => assert!(part.complete() && part.body == payload.content, "{first}"),
            206 => assert!(part.body == payload.content[1_000_000..1_000_100], "{first}"),
            other => panic!("{other} to a range after {first}"),
        }
        let head = vacpack.ask(&Call::head("/data"));
        assert_eq!((head.status, head.body.len()), (200, 0), "{first}");
        let same = vacpack.ask(&plain.field("If-None-Match", "\"v1\""));
        assert_eq!((same.status, same.body.len()), (304, 0), "{first}");
        let kept = vacpack.metrics().sum("vacpack_cache_bytes", &[]);
        assert!(kept < 16.0 * 1024.0 * 1024.0, "{kept} bytes kept after {first}");
    }
    // Asked for as it is first, it is passed through and never kept.
    let origin = Origin::start();
    origin.serve("/data", Answer::ok("application/json", &payload.content).fresh("max-age=3600"));
    let vacpack = Vacpack::before(&origin);
    for turn in 1..=2 {
        let response = vacpack.get("/data");
        assert!(response.complete() && response.body == payload.content, "request {turn}");
        assert_eq!(origin.fetches("/data"), turn);
    }
}
