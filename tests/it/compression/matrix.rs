//! Every coding, over every way in which an app can delimit a body, read by somebody else's decoders.

use crate::harness::payload::{Random, json, noise, page};
use crate::harness::{Answer, Call, Origin, Vacpack, decode};

/// The shapes in which one content can come from an app.
fn shapes(content: &[u8]) -> Vec<(&'static str, Answer)> {
    let answer = Answer::cacheable(content);
    vec![
        ("content-length", answer.clone()),
        ("content-length in pieces", answer.clone().in_pieces(977)),
        ("chunked", answer.clone().in_pieces(4096).chunked()),
        ("one chunk", answer.clone().chunked()),
        ("chunks of one byte", Answer::cacheable(&content[..content.len().min(1500)]).in_pieces(1).chunked()),
        ("with trailers", answer.clone().in_pieces(5000).chunked().trailer("X-Checksum", "1")),
        ("until close", answer.clone().until_close()),
        ("HTTP/1.0 content-length", answer.clone().http10()),
        ("HTTP/1.0 until close", answer.http10().until_close()),
    ]
}

/// First requests, second requests, and what a decoder finds in both.
fn every_shape_survives(coding: &str) {
    let origin = Origin::start();
    let vacpack = Vacpack::before(&origin);
    let bodies = [page(40_000), page(0), page(1024), json(300_000), noise(50_000)];
    for (number, content) in bodies.iter().enumerate() {
        for (shape, answer) in shapes(content) {
            let path = format!("/{number}/{}", shape.replace([' ', '/'], "-"));
            origin.serve(&path, answer);
            let content = if shape == "chunks of one byte" { &content[..content.len().min(1500)] } else { content };
            let mut first = None;
            for turn in ["first", "second"] {
                let response = vacpack.get_as(&path, coding);
                let what = format!("{coding}, {turn} request, {shape}, {} bytes", content.len());
                assert!(response.status == 200 && response.complete(), "{what}: {:?}", response.cut);
                assert!(response.coding() == coding || response.coding() == "identity", "{what}");
                assert!(response.field("Content-Encoding") != Some("identity"), "{what}: not a coding");
                // The same bytes need no second reading.
                let sent = Some((response.coding().to_owned(), response.body.clone()));
                if sent != first {
                    assert!(decode::by_all(response.coding(), &response.body) == content, "{what}: other content");
                    first = sent;
                }
                if content.len() >= 1024 {
                    assert_eq!(response.coding(), coding, "{what}");
                }
            }
        }
    }
}

#[test]
fn brotli_survives_every_shape() {
    every_shape_survives("br");
}

#[test]
fn zstd_survives_every_shape() {
    every_shape_survives("zstd");
}

#[test]
fn gzip_survives_every_shape() {
    every_shape_survives("gzip");
}

#[test]
fn identity_survives_every_shape() {
    every_shape_survives("identity");
}

#[test]
fn three_megabytes_survive_in_every_coding() {
    let origin = Origin::start();
    let vacpack = Vacpack::before(&origin);
    let content = json(3 << 20);
    for (path, answer) in [
        ("/length", Answer::ok("application/json", &content)),
        ("/chunked", Answer::ok("application/json", &content).in_pieces(32 * 1024).chunked()),
    ] {
        origin.serve(path, answer);
        for coding in ["br", "zstd", "gzip", "identity"] {
            let response = vacpack.get_as(path, coding);
            assert_eq!(response.coding(), coding);
            assert!(decode::by_all(coding, &response.body) == content, "{coding} of {path}: other content");
            assert!(coding == "identity" || response.body.len() < content.len() / 3, "{coding} of {path}: large");
        }
    }
}

/// Sizes, pieces and codings by chance, the same chance every time.
#[test]
fn whatever_the_chunking_the_content_is_the_same() {
    let origin = Origin::start();
    let vacpack = Vacpack::before(&origin);
    let mut random = Random::new(2026);
    for round in 0..80 {
        let content = page(random.below(30_000));
        let path = format!("/{round}");
        let answer = Answer::cacheable(&content).in_pieces(1 + random.below(9000));
        let answer = if random.below(2) == 0 { answer.chunked() } else { answer };
        origin.serve(&path, answer);
        let accept = ["br", "zstd", "gzip", "", "br, gzip;q=0.5", "identity;q=0, *"][random.below(6)];
        for _turn in 0..2 {
            let response = vacpack.get_as(&path, accept);
            assert!(response.content() == content, "{} bytes as {accept:?}", content.len());
        }
    }
}

#[test]
fn a_connection_stays_usable_after_an_encoded_body() {
    let origin = Origin::start();
    let vacpack = Vacpack::before(&origin);
    origin.serve("/a", Answer::html(page(9000)).chunked());
    origin.serve("/b", Answer::html(page(7000)));
    let mut client = vacpack.client();
    for _turn in 0..3 {
        for (path, coding, length) in [("/a", "br", 9000), ("/b", "gzip", 7000)] {
            let response = client.ask(&Call::get(path).accepting(coding));
            assert_eq!((response.coding(), response.content()), (coding, page(length)));
        }
    }
}
