//! HTTP/2 without TLS, by prior knowledge (RFC 9113, section 3.3), on the same port.

use crate::harness::payload::{json, page};
use crate::harness::{Answer, Call, H2Client, Origin, Part, Vacpack, decode};
use std::time::Duration;

const CODINGS: [&str; 4] = ["br", "zstd", "gzip", "identity"];

fn accepting(path: &str, coding: &str) -> Call {
    Call::get(path).accepting(if coding == "identity" { "" } else { coding })
}

#[test]
fn misses_and_hits_in_every_coding() {
    let origin = Origin::start();
    let vacpack = Vacpack::before(&origin);
    let mut client = H2Client::connect(vacpack.address());
    for coding in CODINGS {
        for (shape, answer) in [
            ("length", Answer::cacheable(page(40_000))),
            ("chunked", Answer::cacheable(page(40_000)).in_pieces(3000).chunked()),
            ("empty", Answer::cacheable("").chunked()),
        ] {
            let path = format!("/{coding}-{shape}");
            origin.serve(&path, answer);
            let content = if shape == "empty" { Vec::new() } else { page(40_000) };
            for outcome in ["miss", "hit"] {
                let response = client.ask(&accepting(&path, coding));
                assert_eq!((response.status, response.outcome()), (200, outcome), "{path}");
                assert!(decode::by_all(response.coding(), &response.body) == content, "{outcome} of {path}");
                // RFC 9113, 8.2.2.
                for name in ["Connection", "Transfer-Encoding", "Keep-Alive", "Upgrade"] {
                    assert!(response.fields.all(name).is_empty(), "{name} on a {outcome} of {path}");
                }
            }
        }
    }
}

#[test]
fn versions_share_one_cache() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(20_000)).field("ETag", "\"v1\""));
    let vacpack = Vacpack::before(&origin);
    let mut client = H2Client::connect(vacpack.address());
    assert_eq!(vacpack.get_as("/page", "br").outcome(), "miss");
    for coding in CODINGS {
        let response = client.ask(&accepting("/page", coding));
        assert_eq!((response.outcome(), response.coding()), ("hit", coding));
        assert_eq!(response.content(), page(20_000), "{coding}");
    }
    let same = client.ask(&Call::get("/page").accepting("br").field("If-None-Match", "\"v1-br\""));
    assert_eq!((same.status, same.body.len()), (304, 0));
    let part = client.ask(&Call::get("/page").field("Range", "bytes=5-9"));
    assert_eq!((part.status, part.body.as_slice()), (206, &page(20_000)[5..10]));
    assert_eq!(origin.fetches("/page"), 1);
}

#[test]
fn no_answer_breaks_its_stream_off() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(20_000)).field("ETag", "\"v1\""));
    let vacpack = Vacpack::before(&origin);
    let mut client = H2Client::connect(vacpack.address());
    let logged_in = Call::get("/page").field("Authorization", "Basic eDp5");
    let cold = |method| Call::new(method, "/cold").field("Cache-Control", "only-if-cached");
    for (call, status, length) in [
        // A body that is on its way cannot become a 412, and one to HEAD is none.
        (logged_in.field("If-Match", "\"v2\""), 200, 20_000),
        (Call::get("/page"), 200, 20_000),
        (Call::get("/page").field("If-Match", "\"v2\""), 412, 0),
        (cold("HEAD"), 504, 0),
    ] {
        let response = client.ask(&call);
        assert!(response.complete(), "{call:?}: {:?}", response.cut);
        assert_eq!((response.status, response.body.len()), (status, length), "{call:?}");
    }
    assert_eq!(client.ask(&cold("GET")).status, 504);
}

#[test]
fn many_streams_of_one_connection_cause_one_fetch() {
    let origin = Origin::start();
    let body = json(300_000);
    let slow = Part::Pause(Duration::from_millis(200));
    origin.serve("/data", Answer::ok("application/json", &body).fresh("max-age=60").first(slow));
    let vacpack = Vacpack::before(&origin);
    let mut client = H2Client::connect(vacpack.address());
    let calls: Vec<_> = (0..40).map(|number| accepting("/data", CODINGS[number % 4])).collect();
    for response in client.ask_all(&calls) {
        assert_eq!(response.status, 200);
        assert!(response.content() == body, "{}", response.coding());
    }
    assert_eq!(origin.fetches("/data"), 1);
}

#[test]
fn head_none_and_errors_have_no_body() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(9000)));
    origin.serve("/none", Answer::status(204));
    let vacpack = Vacpack::before(&origin);
    let mut client = H2Client::connect(vacpack.address());
    for call in [Call::head("/page").accepting("br"), Call::get("/none").accepting("br")] {
        let response = client.ask(&call);
        assert!(response.complete() && response.body.is_empty(), "{} {}", call.method, call.target);
    }
    assert_eq!(client.ask(&Call::get("/page").accepting("br")).content(), page(9000));
}

#[test]
fn an_app_that_dies_mid_body_resets_the_stream_and_nothing_else() {
    let origin = Origin::start();
    let whole = Answer::cacheable(page(60_000)).chunked();
    origin.serve_in_turn("/page", [whole.clone().then_at(30_000, Part::Cut), whole]);
    let vacpack = Vacpack::before(&origin);
    let mut client = H2Client::connect(vacpack.address());
    let call = Call::get("/page").accepting("br");
    assert!(!client.ask(&call).complete(), "looked complete");
    assert_eq!(client.ask(&call).content(), page(60_000), "on the same connection");
}

#[test]
fn uploads_arrive() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("ok"));
    let vacpack = Vacpack::before(&origin);
    let body = page(50_000);
    let response = H2Client::connect(vacpack.address()).ask(&Call::post("/page", &body));
    assert_eq!(response.status, 200);
    assert_eq!(origin.last("/page").body, body);
}

#[test]
fn a_client_that_says_little_is_not_taken_for_http_2() {
    let origin = Origin::start();
    origin.serve("/x", Answer::html("short"));
    let vacpack = Vacpack::before(&origin);
    let mut client = vacpack.client();
    // Shorter than the preface that has to be told apart from it.
    client.send("GET /x HTTP/1.0\r\n\r\n");
    assert_eq!(client.response(false).text(), "short");
}

#[test]
fn it_can_be_switched_off() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("page"));
    let vacpack = Vacpack::with(&origin, "listen.h2c = false");
    assert_eq!(vacpack.get("/page").status, 200);
    let mut client = vacpack.client();
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    let told = client.rest().expect("an end");
    assert!(told.is_empty() || told.starts_with(b"HTTP/1.1 "), "{:?}", String::from_utf8_lossy(&told));
}
