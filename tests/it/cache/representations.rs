//! One resource, many representations: one fetch serves every client, whatever it accepts.

use crate::harness::payload::{json, page};
use crate::harness::{Answer, Call, HOST, Origin, Vacpack, decode, together};
use std::time::Duration;

use crate::harness::Part;

const CODINGS: [&str; 4] = ["br", "zstd", "gzip", "identity"];

fn accepting(coding: &str) -> Call {
    Call::get("/page").accepting(if coding == "identity" { "" } else { coding })
}

#[test]
fn whichever_coding_fills_the_cache_every_other_one_is_derived_from_it() {
    for first in CODINGS {
        let origin = Origin::start();
        origin.serve("/page", Answer::cacheable(page(50_000)).field("ETag", "\"v1\"").chunked());
        let vacpack = Vacpack::before(&origin);
        assert_eq!(vacpack.ask(&accepting(first)).outcome(), "miss");
        for coding in CODINGS {
            let response = vacpack.ask(&accepting(coding));
            assert_eq!((response.outcome(), response.coding()), ("hit", coding), "{coding} after {first}");
            assert!(decode::by_all(coding, &response.body) == page(50_000), "{coding} after {first}");
            assert!(response.is_tagged("v1"), "{coding} after {first}: {:?}", response.field("ETag"));
            assert!(response.varies_on("Accept-Encoding"), "{coding} after {first}");
        }
        assert_eq!(origin.fetches("/page"), 1, "after {first}");
    }
}

#[test]
fn bytes_that_are_made_anew_get_a_tag_of_their_own() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(50_000)).field("ETag", "\"v1\"").chunked());
    let vacpack = Vacpack::before(&origin);
    for coding in CODINGS.into_iter().filter(|coding| *coding != "identity") {
        let tag_of_a_fill = || {
            vacpack.purge(HOST, "/page");
            let (filling, hit) = (vacpack.ask(&accepting(coding)), vacpack.ask(&accepting(coding)));
            assert_eq!(filling.field("ETag"), hit.field("ETag"), "{coding}: the same bytes");
            assert_eq!(filling.body, hit.body, "{coding}");
            hit.field("ETag").expect("the app's").to_owned()
        };
        // RFC 9110, 8.8.1: an encoder flushes where the app pauses. Equal bytes are luck.
        let (first, second) = (tag_of_a_fill(), tag_of_a_fill());
        assert_ne!(first, second, "{coding}");
        // What the client holds is the same content all the same.
        let same = vacpack.ask(&accepting(coding).field("If-None-Match", &first));
        assert_eq!((same.status, same.field("ETag")), (304, Some(first.as_str())), "{coding}");
    }
}

#[test]
fn a_derived_representation_is_kept() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(50_000)));
    let vacpack = Vacpack::before(&origin);
    vacpack.ask(&accepting("br"));
    let derived = vacpack.ask(&accepting("gzip"));
    let once = vacpack.metrics_after(2);
    assert_eq!(once.sum("vacpack_compression_input_bytes_total", &["gzip", "derived"]), 50_000.0);
    for _turn in 0..5 {
        let again = vacpack.ask(&accepting("gzip"));
        assert_eq!((again.outcome(), &again.body), ("hit", &derived.body));
    }
    assert_eq!(vacpack.metrics_after(7).encoded_bytes(), once.encoded_bytes(), "derived once");
}

#[test]
fn a_stored_coding_is_not_exchanged_for_one_that_only_we_prefer() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(50_000)));
    let vacpack = Vacpack::before(&origin);
    vacpack.ask(&accepting("gzip"));
    assert_eq!(vacpack.ask(&accepting("br, gzip")).coding(), "gzip");
    // The client's own preference is another matter.
    assert_eq!(vacpack.ask(&accepting("br, gzip;q=0.5")).coding(), "br");
    assert_eq!(origin.fetches("/page"), 1);
}

#[test]
fn what_could_not_be_coded_is_served_as_it_is_to_everybody() {
    let origin = Origin::start();
    origin.serve("/small", Answer::cacheable(page(400)));
    origin.serve("/photo", Answer::ok("image/jpeg", page(9000)).fresh("max-age=60"));
    origin.serve("/kept-whole", Answer::html(page(9000)).fresh("max-age=60, no-transform"));
    let vacpack = Vacpack::before(&origin);
    for path in ["/small", "/photo", "/kept-whole"] {
        for (accept, outcome) in [("", "miss"), ("br", "hit"), ("gzip", "hit")] {
            let response = vacpack.get_as(path, accept);
            assert_eq!((response.coding(), response.outcome()), ("identity", outcome), "{path} as {accept:?}");
        }
        assert_eq!(origin.fetches(path), 1, "{path}");
    }
}

#[test]
fn an_app_that_varies_on_accept_encoding_is_still_asked_once() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(20_000)).field("Vary", "Accept-Encoding"));
    let vacpack = Vacpack::before(&origin);
    for coding in CODINGS {
        assert_eq!(vacpack.ask(&accepting(coding)).content(), page(20_000));
    }
    assert_eq!(origin.fetches("/page"), 1);
}

#[test]
fn an_encoded_answer_of_the_app_is_not_given_to_those_who_cannot_read_it() {
    let origin = Origin::start();
    let coded = {
        // gzip of "hello\n", by gzip(1) without a name or a time.
        const HELLO: &[u8] =
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\xe7\x02\x00\x20\x30\x3a\x36\x06\x00\x00\x00";
        HELLO.to_vec()
    };
    origin.on_path("/page", move |request| {
        let accepts = request.fields.members("Accept-Encoding").iter().any(|member| member.starts_with("gzip"));
        let answer = Answer::html("hello\n").fresh("max-age=60").field("Vary", "Accept-Encoding");
        // An app that compresses whatever it was asked for.
        if accepts || request.field("x-force").is_some() {
            return answer.body(&coded).field("Content-Encoding", "gzip");
        }
        answer
    });
    let vacpack = Vacpack::before(&origin);
    vacpack.ask(&accepting("gzip").field("X-Force", "1"));
    let plain = vacpack.ask(&accepting("identity"));
    assert_eq!((plain.coding(), plain.text().as_str()), ("identity", "hello\n"));
    assert_eq!(vacpack.ask(&accepting("gzip")).text(), "hello\n");
}

#[test]
fn two_hundred_clients_of_one_cold_object_cause_one_fetch() {
    let origin = Origin::start();
    let body = json(1_000_000);
    let slow = Part::Pause(Duration::from_millis(500));
    origin.serve("/data", Answer::ok("application/json", &body).fresh("max-age=60").first(slow));
    let vacpack = Vacpack::before(&origin);
    let sent = together(200, |number| {
        let coding = CODINGS[number % 4];
        let response = vacpack.ask(&Call::get("/data").accepting(if coding == "identity" { "" } else { coding }));
        assert_eq!((response.status, response.coding(), response.complete()), (200, coding, true));
        (coding, response.body)
    });
    assert_eq!(origin.fetches("/data"), 1);
    for coding in CODINGS {
        let mut bodies: Vec<_> = sent.iter().filter(|(sent_in, _)| *sent_in == coding).map(|(_, body)| body).collect();
        bodies.sort();
        bodies.dedup();
        for coded in bodies {
            assert!(decode::by_all(coding, coded) == body, "{coding}: other content");
        }
    }
}

#[test]
fn a_large_object_is_derived_without_harm() {
    let origin = Origin::start();
    let body = json(3 << 20);
    origin.serve("/data", Answer::ok("application/json", &body).fresh("max-age=60").in_pieces(50_000).chunked());
    let vacpack = Vacpack::with(&origin, "memory.budget = \"64MiB\"");
    for coding in ["br", "", "gzip", "zstd", ""] {
        assert!(vacpack.get_as("/data", coding).content() == body, "{coding:?}");
    }
    assert_eq!(origin.fetches("/data"), 1);
}
