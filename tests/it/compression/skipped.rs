//! Bodies that are passed through, each for its reason (design: every other outcome has a word and a counter).

use crate::harness::payload::page;
use crate::harness::{Answer, Call, Framing, Origin, Vacpack};

const LARGE: usize = 8 * 1024;

/// Passed through untouched, and counted under its reason.
fn passes(answer: Answer, settings: &str, call: &Call, reason: &str) {
    let origin = Origin::start();
    origin.serve("/", answer);
    let vacpack = Vacpack::with(&origin, settings);
    let response = vacpack.ask(call);
    assert_eq!(response.coding(), "identity", "{reason}");
    assert!(response.complete(), "{reason}");
    let counted = vacpack.metrics_after(1).sum("vacpack_compression_skipped_total", &[reason]);
    assert_eq!(counted, 1.0, "counted as {reason}");
}

fn asking_for_brotli() -> Call {
    Call::get("/").accepting("br")
}

#[test]
fn each_skipped_body_is_counted_under_its_reason() {
    let answer = Answer::html(page(LARGE));
    let brotli = asking_for_brotli();
    passes(answer.clone(), "", &Call::get("/"), "no_accept");
    passes(answer.clone(), "compression.enabled = false", &brotli, "disabled");
    passes(answer.clone().fresh("no-transform"), "", &brotli, "no_transform");
    passes(answer.clone(), "", &brotli.clone().field("Cache-Control", "no-transform"), "no_transform");
    passes(answer.clone().field("X-Compress-Hint", "off"), "", &brotli, "hint");
    passes(answer, "", &brotli.clone().http10(), "http10");
    passes(Answer::html(page(500)), "", &brotli, "too_small");
    passes(Answer::ok("image/png", page(LARGE)), "", &brotli, "type_not_listed");
}

#[test]
fn grpc_is_never_encoded_even_when_its_type_is_listed() {
    let answer = Answer::ok("application/grpc+proto", page(LARGE));
    passes(answer, "compression.types = [\"application/*\"]", &asking_for_brotli(), "grpc");
}

#[test]
fn a_body_that_the_app_encoded_is_passed_through_to_the_byte() {
    let origin = Origin::start();
    let coded = [page(3000), vec![0, 159, 146, 150]].concat();
    origin.serve("/", Answer::html(&coded).field("Content-Encoding", "gzip").field("ETag", "\"1\""));
    origin.serve("/foreign", Answer::html(&coded).field("Content-Encoding", "aes128gcm"));
    let vacpack = Vacpack::before(&origin);
    let response = vacpack.get_as("/", "br, gzip");
    assert_eq!((response.field("Content-Encoding"), &response.body), (Some("gzip"), &coded));
    assert_eq!(response.field("ETag"), Some("\"1\""), "the app's own tag for its own bytes");
    let foreign = vacpack.get_as("/foreign", "br, aes128gcm");
    assert_eq!((foreign.field("Content-Encoding"), &foreign.body), (Some("aes128gcm"), &coded));
}

#[test]
fn media_types_match_without_case_and_parameters() {
    let origin = Origin::start();
    let vacpack = Vacpack::before(&origin);
    for (number, (media_type, coding)) in [
        ("text/html", "br"),
        ("Text/HTML; Charset=\"utf-8\"", "br"),
        ("text/css", "br"),
        ("application/json", "br"),
        ("application/problem+json; charset=utf-8", "br"),
        ("application/atom+xml", "br"),
        ("image/svg+xml", "br"),
        ("application/wasm", "br"),
        ("application/javascript", "br"),
        ("application/octet-stream", "identity"),
        ("application/zip", "identity"),
        ("application/pdf", "identity"),
        ("image/webp", "identity"),
        ("video/mp4", "identity"),
        ("textual/html", "identity"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/{number}");
        origin.serve(&path, Answer::ok(media_type, page(LARGE)));
        assert_eq!(vacpack.get_as(&path, "br").coding(), coding, "{media_type}");
    }
}

#[test]
fn answers_without_content_stay_without_content() {
    let origin = Origin::start();
    origin.serve("/none", Answer::status(204).field("Content-Type", "text/html"));
    origin.serve("/same", Answer::status(304).field("ETag", "\"1\"").field("Content-Type", "text/html"));
    origin.serve("/page", Answer::html(page(LARGE)));
    let vacpack = Vacpack::with(&origin, "cache.enabled = false");
    let mut client = vacpack.client();
    for (call, status) in [
        (Call::get("/none"), 204),
        (Call::get("/same").field("If-None-Match", "\"1\""), 304),
        (Call::head("/page"), 200),
    ] {
        let response = client.ask(&call.accepting("br"));
        assert_eq!((response.status, response.framing), (status, Framing::Empty));
        assert!(response.complete() && response.fields.all("Transfer-Encoding").is_empty(), "{status}");
        assert_eq!(response.field("Content-Encoding"), None, "{status}");
    }
    // All of them on one connection: no stray byte followed any head.
    assert_eq!(client.ask(&Call::get("/page")).body, page(LARGE));
}

#[test]
fn a_head_request_reaches_the_app_as_such_and_keeps_identity_fields() {
    let origin = Origin::start();
    origin.serve("/", Answer::html(page(LARGE)).field("ETag", "\"1\""));
    let vacpack = Vacpack::before(&origin);
    let response = vacpack.ask(&Call::head("/").accepting("br"));
    assert_eq!(origin.last("/").method, "HEAD");
    assert_eq!((response.status, response.body.len()), (200, 0));
    assert!(response.varies_on("Accept-Encoding"), "GET would have been encoded");
}

#[test]
fn a_part_of_a_body_is_never_encoded() {
    let origin = Origin::start();
    let part = Answer::status(206).field("Content-Type", "text/html").field("Content-Range", "bytes 0-4095/9000");
    origin.serve("/part", part.body(page(4096)));
    origin.serve("/whole", Answer::html(page(LARGE)));
    let vacpack = Vacpack::before(&origin);
    let response = vacpack.ask(&Call::get("/part").accepting("br").field("Range", "bytes=0-4095"));
    assert_eq!((response.status, response.coding()), (206, "identity"));
    assert_eq!((response.field("Content-Range"), &response.body), (Some("bytes 0-4095/9000"), &page(4096)));
    // The app may ignore Range; the client asked for offsets into the identity bytes all the same.
    let response = vacpack.ask(&Call::get("/whole").accepting("br").field("Range", "bytes=0-4095"));
    assert_eq!(response.coding(), "identity");
}

/// Half of a small budget is for encoders, and half of that for one: in brotli it takes up to 4 MiB, a small one 1, one that
/// encodes in fragments a tenth of that, one in gzip half a MiB.
#[test]
fn where_memory_is_short_a_body_goes_out_in_gzip_and_then_as_it_is() {
    let rows = [
        ("64MiB", "br, gzip", "br"),
        ("4MiB", "br, gzip", "br"),
        ("2MiB", "br, gzip", "gzip"),
        ("1MiB", "br, gzip", "br"),
        ("1MiB", "gzip", "identity"),
    ];
    for (budget, accepted, coding) in rows {
        let origin = Origin::start();
        origin.serve("/", Answer::html(page(200_000)).chunked());
        let vacpack = Vacpack::with(&origin, &format!("memory.budget = \"{budget}\""));
        for _turn in 0..2 {
            let response = vacpack.get_as("/", accepted);
            assert_eq!(response.coding(), coding, "{budget}");
            assert!(response.content() == page(200_000), "{budget}");
        }
        let skipped = vacpack.metrics_after(2).sum("vacpack_compression_skipped_total", &["over_budget"]);
        assert_eq!(skipped, if coding == "identity" { 2.0 } else { 0.0 }, "{budget}");
    }
}
