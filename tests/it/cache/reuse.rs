//! A second request is answered from memory, and says so (RFC 9111, section 4; RFC 9211).

use crate::harness::payload::{json, page};
use crate::harness::{Answer, Call, Framing, Origin, Vacpack};

#[test]
fn a_miss_then_hits() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(5000)));
    let vacpack = Vacpack::before(&origin);
    assert_eq!(vacpack.outcomes(&Call::get("/page")), ["miss", "hit", "hit"]);
    assert_eq!(origin.fetches("/page"), 1);
}

#[test]
fn a_hit_says_how_old_it_is_and_how_long_it_lives() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(5000)));
    let vacpack = Vacpack::before(&origin);
    let miss = vacpack.get("/page");
    assert_eq!(miss.field("Cache-Status").map(|field| field.starts_with("vacpack; fwd=uri-miss")), Some(true));
    assert!(miss.cache().stored);
    assert_eq!(miss.age(), None, "it comes from the app");
    let hit = vacpack.get("/page");
    let status = hit.cache();
    assert!(status.hit && status.fwd.is_none() && !status.stored, "{status:?}");
    assert!(status.ttl.is_some_and(|ttl| (50..=60).contains(&ttl)), "{status:?}");
    assert!(hit.age().is_some_and(|age| age <= 10), "Age: {:?}", hit.age());
    assert_eq!(hit.framing, Framing::Length(5000));
    assert_eq!(hit.fields.all("Date").len(), 1);
}

/// RFC 9110, section 6.6.1: it tells when the response was made, not when it was sent on.
#[test]
fn the_date_is_that_of_the_app_also_from_memory() {
    const MADE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    let origin = Origin::start();
    let answer = Answer::html(page(5000)).field("Date", MADE).field("Expires", "Tue, 06 Nov 2294 08:49:37 GMT");
    origin.serve("/page", answer);
    let vacpack = Vacpack::before(&origin);
    // On one connection: each of its heads has its own date.
    let mut client = vacpack.client();
    for (coding, outcome) in [("br", "miss"), ("br", "hit"), ("", "hit")] {
        let response = client.ask(&Call::get("/page").accepting(coding));
        assert_eq!((response.outcome(), response.fields.all("Date")), (outcome, vec![MADE]));
        assert_eq!(response.content(), page(5000));
    }
    let made_here = client.ask(&Call::get("/none"));
    assert_ne!(made_here.field("Date"), Some(MADE));
}

#[test]
fn a_hit_carries_the_fields_of_the_miss() {
    let origin = Origin::start();
    let answer =
        Answer::cacheable(page(5000)).field("ETag", "\"v1\"").field("X-Custom", "one").field("X-Custom", "two");
    origin.serve("/page", answer.field("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT").field("Vary", "X-Other"));
    let vacpack = Vacpack::before(&origin);
    let call = Call::get("/page").accepting("br");
    let (miss, hit) = (vacpack.ask(&call), vacpack.ask(&call));
    for name in ["ETag", "X-Custom", "Last-Modified", "Content-Type", "Content-Encoding", "Cache-Control", "Vary"] {
        assert!(!miss.fields.all(name).is_empty(), "{name} on the miss");
        assert_eq!(hit.fields.all(name), miss.fields.all(name), "{name}");
    }
}

#[test]
fn a_hit_runs_no_codec() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(100_000)));
    let vacpack = Vacpack::before(&origin);
    let brotli = Call::get("/page").accepting("br");
    assert_eq!(vacpack.ask(&brotli).outcome(), "miss");
    let before = vacpack.metrics_after(1);
    assert_eq!(before.encoded_bytes(), 100_000.0);
    assert_eq!(vacpack.outcomes(&brotli), ["hit"; 20]);
    let after = vacpack.metrics_after(21);
    assert_eq!(after.encoded_bytes(), before.encoded_bytes());
    let seconds = "vacpack_compression_seconds_total";
    assert_eq!(after.sum(seconds, &[]), before.sum(seconds, &[]));
    assert_eq!(after.sum("vacpack_cache_requests_total", &["hit"]), 20.0);
    assert_eq!(after.sum("vacpack_cache_requests_total", &["miss"]), 1.0);
}

#[test]
fn a_connection_that_is_kept_serves_hits_of_every_length() {
    let origin = Origin::start();
    let lengths = [0, 1, 1459, 1460, 65_535, 65_536, 300_000];
    for length in lengths {
        origin.serve(&format!("/{length}"), Answer::cacheable(page(length)));
    }
    let vacpack = Vacpack::before(&origin);
    let mut client = vacpack.client();
    for turn in ["miss", "hit", "hit"] {
        for length in lengths {
            let response = client.ask(&Call::get(&format!("/{length}")));
            assert_eq!(response.outcome(), turn, "{length}");
            assert!(response.body == page(length), "{turn} of {length} bytes");
        }
    }
}

#[test]
fn head_is_answered_from_what_get_brought() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(5000)).field("ETag", "\"v1\""));
    let vacpack = Vacpack::before(&origin);
    let get = Call::get("/page").accepting("br");
    vacpack.ask(&get);
    let hit = vacpack.ask(&get);
    let head = vacpack.ask(&Call::head("/page").accepting("br"));
    assert_eq!((head.outcome(), head.status, head.body.len()), ("hit", 200, 0));
    // RFC 9110, 9.3.2: the same fields that GET would have.
    for name in ["Content-Length", "Content-Encoding", "ETag", "Vary", "Content-Type"] {
        assert_eq!(head.fields.all(name), hit.fields.all(name), "{name}");
    }
    assert_eq!(origin.fetches("/page"), 1);
}

#[test]
fn a_body_on_a_get_that_hits_is_not_the_next_request() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(2000)));
    let vacpack = Vacpack::before(&origin);
    vacpack.get("/page");
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: site.test\r\n\r\n";
    let mut client = vacpack.client();
    client
        .send(format!("GET /page HTTP/1.1\r\nHost: site.test\r\nContent-Length: {}\r\n\r\n{smuggled}", smuggled.len()));
    assert_eq!(client.response(false).status, 200);
    let next = client.try_begin(&Call::get("/page")).map(|incoming| incoming.read_to_end().status);
    assert!(next.is_err() || next.is_ok_and(|status| status == 200));
    assert_eq!(origin.fetches("/smuggled"), 0);
}

#[test]
fn an_object_larger_than_the_limit_streams_whole_and_is_not_kept() {
    let origin = Origin::start();
    let body = json(1 << 20);
    origin.serve("/length", Answer::ok("application/json", &body).fresh("max-age=60"));
    origin.serve("/chunked", Answer::ok("application/json", &body).fresh("max-age=60").in_pieces(20_000).chunked());
    let vacpack = Vacpack::with(&origin, "cache.max_object = \"16KiB\"");
    for path in ["/length", "/chunked"] {
        for coding in ["", "br"] {
            for _turn in 0..2 {
                let response = vacpack.get_as(path, coding);
                assert!(response.content() == body, "{path} as {coding:?}");
                assert_ne!(response.outcome(), "hit", "{path} as {coding:?}");
            }
        }
        assert_eq!(origin.fetches(path), 4, "{path}");
    }
    assert_eq!(vacpack.metrics().sum("vacpack_cache_entries", &[]), 0.0);
}

#[test]
fn an_object_that_fits_once_it_is_compressed_is_kept() {
    let origin = Origin::start();
    origin.serve("/", Answer::ok("application/json", json(200_000)).fresh("max-age=60").chunked());
    let vacpack = Vacpack::with(&origin, "cache.max_object = \"64KiB\"");
    assert_eq!(vacpack.outcomes(&Call::get("/").accepting("br")), ["miss", "hit"]);
}

#[test]
fn only_if_cached_never_reaches_the_app() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(2000)));
    let vacpack = Vacpack::before(&origin);
    let call = Call::get("/page").field("Cache-Control", "only-if-cached");
    // RFC 9111, 5.2.1.7: 504 when there is nothing stored to answer with.
    assert_eq!(vacpack.ask(&call).status, 504);
    assert_eq!(origin.fetches("/page"), 0);
    vacpack.get("/page");
    let stored = vacpack.ask(&call);
    assert_eq!((stored.status, stored.outcome()), (200, "hit"));
}

#[test]
fn errors_are_remembered_for_the_configured_time_where_the_app_gives_none() {
    let origin = Origin::start();
    origin.serve("/gone", Answer::status(404).field("Content-Type", "text/html").body("none here"));
    origin.serve("/broken", Answer::status(500).body("oops"));
    origin.serve("/refused", Answer::status(404).fresh("no-store").body("none here"));
    let vacpack = Vacpack::before(&origin);
    assert_eq!(vacpack.outcomes(&Call::get("/gone")), ["miss", "hit", "hit"]);
    let hit = vacpack.get("/gone");
    assert_eq!((hit.status, hit.text().as_str()), (404, "none here"));
    assert_eq!(vacpack.outcomes(&Call::get("/broken")), ["pass", "pass"]);
    assert_eq!(vacpack.outcomes(&Call::get("/refused")), ["pass", "pass"]);
}

#[test]
fn redirects_are_kept_when_the_app_says_so() {
    let origin = Origin::start();
    origin.serve("/old", Answer::status(301).field("Location", "/new").fresh("max-age=60"));
    let vacpack = Vacpack::before(&origin);
    assert_eq!(vacpack.outcomes(&Call::get("/old")), ["miss", "hit"]);
    let hit = vacpack.get("/old");
    assert_eq!((hit.status, hit.field("Location")), (301, Some("/new")));
}

#[test]
fn the_status_field_can_be_switched_off() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(2000)));
    let vacpack = Vacpack::with(&origin, "cache.status_header = false");
    for _turn in 0..2 {
        assert_eq!(vacpack.get("/page").field("Cache-Status"), None);
    }
    assert_eq!(origin.fetches("/page"), 1);
}

#[test]
fn the_gauges_tell_what_is_kept() {
    let origin = Origin::start();
    let vacpack = Vacpack::before(&origin);
    for number in 0..10 {
        let path = format!("/{number}");
        origin.serve(&path, Answer::cacheable(page(10_000)));
        vacpack.get(&path);
    }
    let metrics = vacpack.metrics_after(10);
    assert_eq!(metrics.sum("vacpack_cache_entries", &[]), 10.0);
    let size = metrics.sum("vacpack_cache_size_bytes", &[]);
    // Ten bodies, and their keys and heads.
    assert!((100_000.0..140_000.0).contains(&size), "{size} bytes");
    assert!(metrics.sum("vacpack_cache_capacity_bytes", &[]) > size);
}
