//! The fields of an encoded response, and of one that could have been (RFC 9110, sections 8 and 12.5.5).

use crate::harness::payload::page;
use crate::harness::{Answer, Call, Framing, Origin, Vacpack};

const LARGE: usize = 8 * 1024;

#[test]
fn an_encoded_response_has_no_length_but_its_own() {
    let origin = Origin::start();
    origin.serve("/", Answer::cacheable(page(LARGE)));
    let vacpack = Vacpack::before(&origin);
    let miss = vacpack.get_as("/", "br");
    assert_eq!(miss.framing, Framing::Chunked, "nobody knows the length yet");
    let hit = vacpack.get_as("/", "br");
    assert_eq!((hit.outcome(), hit.framing), ("hit", Framing::Length(hit.body.len() as u64)));
    assert_eq!(hit.body, miss.body, "stored as it was sent");
}

#[test]
fn an_identity_response_keeps_its_length() {
    let origin = Origin::start();
    origin.serve("/", Answer::html(page(LARGE)));
    let vacpack = Vacpack::before(&origin);
    assert_eq!(vacpack.get("/").framing, Framing::Length(LARGE as u64));
}

#[test]
fn a_response_from_http_1_0_is_http_1_1_when_it_is_encoded() {
    let origin = Origin::start();
    origin.serve("/", Answer::html(page(LARGE)).http10());
    let vacpack = Vacpack::before(&origin);
    let response = vacpack.get_as("/", "br");
    assert_eq!((response.version.as_str(), response.framing), ("HTTP/1.1", Framing::Chunked));
}

#[test]
fn fields_about_the_identity_bytes_do_not_describe_the_encoded_ones() {
    let about_bytes = ["Content-MD5", "Digest", "Content-Digest", "Repr-Digest", "Accept-Ranges"];
    let origin = Origin::start();
    let answer = Answer::html(page(LARGE)).field("X-Other", "stays");
    origin.serve("/", about_bytes.iter().fold(answer, |answer, name| answer.field(name, "bytes")));
    let vacpack = Vacpack::before(&origin);
    let encoded = vacpack.get_as("/", "br");
    for name in about_bytes {
        assert_eq!(encoded.field(name), None, "{name} on an encoded response");
    }
    assert_eq!(encoded.field("X-Other"), Some("stays"));
    let identity = vacpack.get("/");
    for name in about_bytes {
        assert_eq!(identity.field(name), Some("bytes"), "{name} on the identity response");
    }
}

#[test]
fn an_entity_tag_tells_the_codings_apart() {
    let origin = Origin::start();
    origin.serve("/strong", Answer::html(page(LARGE)).field("ETag", "\"abc\""));
    origin.serve("/weak", Answer::html(page(LARGE)).field("ETag", "W/\"abc\""));
    let vacpack = Vacpack::before(&origin);
    let table = [
        ("/strong", "", "\"abc\""),
        ("/strong", "br", "\"abc-br\""),
        ("/strong", "zstd", "\"abc-zstd\""),
        ("/strong", "gzip", "\"abc-gzip\""),
        ("/weak", "", "W/\"abc\""),
        ("/weak", "br", "W/\"abc-br\""),
    ];
    for (path, accept, tag) in table {
        assert_eq!(vacpack.get_as(path, accept).tag().as_deref(), Some(tag), "{path} as {accept:?}");
    }
}

#[test]
fn vary_is_on_whatever_could_have_been_encoded() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html(page(LARGE)));
    origin.serve("/photo", Answer::ok("image/jpeg", page(LARGE)));
    origin.serve("/untyped", Answer::status(200).body(page(LARGE)));
    let vacpack = Vacpack::before(&origin);
    for (path, accept, varies) in [
        ("/page", "br", true),
        ("/page", "", true),
        ("/page", "br;q=0", true),
        ("/photo", "br", false),
        ("/photo", "", false),
        ("/untyped", "br", false),
    ] {
        assert_eq!(vacpack.get_as(path, accept).varies_on("Accept-Encoding"), varies, "{path} as {accept:?}");
    }
    let http10 = vacpack.ask(&Call::get("/page").http10());
    assert!(http10.varies_on("Accept-Encoding"), "shared caches keep answers to HTTP/1.0 as well");
}

#[test]
fn the_apps_own_vary_is_kept_and_not_repeated() {
    let origin = Origin::start();
    origin.serve("/other", Answer::html(page(LARGE)).field("Vary", "Origin"));
    origin.serve("/same", Answer::html(page(LARGE)).field("Vary", "accept-encoding, Cookie"));
    origin.serve("/star", Answer::html(page(LARGE)).field("Vary", "*"));
    let vacpack = Vacpack::before(&origin);
    let mut other = vacpack.get_as("/other", "br").members("Vary");
    other.sort();
    assert_eq!(other, ["accept-encoding", "origin"]);
    let mut same = vacpack.get_as("/same", "br").members("Vary");
    same.sort();
    assert_eq!(same, ["accept-encoding", "cookie"]);
    assert!(vacpack.get_as("/star", "br").members("Vary").contains(&"*".to_owned()));
}

#[test]
fn the_encoder_counts_what_went_in_and_what_came_out() {
    let origin = Origin::start();
    origin.serve("/", Answer::html(page(LARGE)));
    let vacpack = Vacpack::before(&origin);
    let response = vacpack.get_as("/", "br");
    let metrics = vacpack.metrics_after(1);
    let (input, output) = ("vacpack_compression_input_bytes_total", "vacpack_compression_output_bytes_total");
    assert_eq!(metrics.sum(input, &["br", "live"]), LARGE as f64);
    assert_eq!(metrics.sum(output, &["br", "live"]), response.body.len() as f64);
    assert_eq!(metrics.sum("vacpack_compression_ratio_count", &["br"]), 1.0);
    assert_eq!(metrics.sum("vacpack_response_body_bytes_total", &["upstream"]), LARGE as f64);
    assert_eq!(metrics.sum("vacpack_response_body_bytes_total", &["client"]), response.body.len() as f64);
}
