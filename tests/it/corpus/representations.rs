//! Every payload in every coding: on a miss, on a hit, derived from what another client was sent, over HTTP/1.0, 1.1
//! and 2; read by decoders that are not ours.

use super::CODINGS;
use super::payloads::{self, Payload};
use crate::harness::{Answer, Call, H2Client, Origin, Response, Vacpack, decode};

/// Room for everything that one test keeps.
const ROOMY: &str = "memory.budget = \"1GiB\"";

/// Lengths told and lengths untold in turn; told where it says that the body is too small to be coded.
fn answer(number: usize, payload: &Payload) -> Answer {
    let answer = Answer::ok(&payload.media_type, &payload.content).fresh("max-age=3600").field("ETag", "\"v1\"");
    if number.is_multiple_of(2) || payload.is_only_identity() { answer } else { answer.in_pieces(16 * 1024).chunked() }
}

/// What was decoded already needs no second reading.
#[derive(Default)]
struct Decoded(Vec<(String, Vec<u8>)>);

impl Decoded {
    fn is_content(&mut self, response: &Response, content: &[u8], what: &str) {
        assert!(response.status == 200 && response.complete(), "{what}: {} {:?}", response.status, response.cut);
        let known = self.0.iter().any(|(coding, body)| coding == response.coding() && *body == response.body);
        if !known {
            assert!(decode::by_all(response.coding(), &response.body) == content, "{what}: other content");
            self.0.push((response.coding().to_owned(), response.body.clone()));
        }
    }
}

fn accepting(payload: &Payload, coding: &str) -> Call {
    Call::get(&payload.path()).accepting(coding)
}

/// The first client accepts `first`; then come clients of every coding and protocol.
fn every_payload_survives_after(first: &str) {
    let origin = Origin::start();
    let vacpack = Vacpack::with(&origin, ROOMY);
    let mut multiplexed = H2Client::connect(vacpack.address());
    let mut persistent = vacpack.client();
    for (number, payload) in payloads::all().iter().enumerate() {
        let name = &payload.name;
        origin.serve(&payload.path(), answer(number, payload));
        let mut decoded = Decoded::default();
        let miss = vacpack.ask(&accepting(payload, first));
        decoded.is_content(&miss, &payload.content, &format!("{name}, {first} on a miss"));
        assert_eq!(miss.coding(), payload.coding(first), "{name} on a miss");
        // What is too large in the form in which it came is sent, not kept; without a length the head cannot know that.
        let kept = !(payload.is_large() && miss.coding() == "identity");
        if kept {
            assert_eq!(miss.outcome(), "miss", "{name} as {first}");
        }
        for coding in CODINGS {
            let call = accepting(payload, coding);
            for (protocol, expected, response) in [
                ("HTTP/1.1, a fresh connection", coding, vacpack.ask(&call)),
                ("HTTP/1.1, an old connection", coding, persistent.ask(&call)),
                ("HTTP/2", coding, multiplexed.ask(&call)),
                ("HTTP/1.0", "identity", vacpack.ask(&call.clone().http10())),
            ] {
                let what = format!("{name}, {coding} after {first}, {protocol}");
                decoded.is_content(&response, &payload.content, &what);
                assert_eq!(response.coding(), payload.coding(expected), "{what}");
                if kept {
                    assert_eq!(response.outcome(), "hit", "{what}");
                }
            }
        }
        if kept {
            assert_eq!(origin.fetches(&payload.path()), 1, "{name} after {first}");
        }
    }
}

#[test]
#[ignore = "reads the real payloads: make acceptance"]
fn every_payload_survives_when_brotli_came_first() {
    every_payload_survives_after("br");
}

#[test]
#[ignore = "reads the real payloads: make acceptance"]
fn every_payload_survives_when_zstd_came_first() {
    every_payload_survives_after("zstd");
}

#[test]
#[ignore = "reads the real payloads: make acceptance"]
fn every_payload_survives_when_gzip_came_first() {
    every_payload_survives_after("gzip");
}

#[test]
#[ignore = "reads the real payloads: make acceptance"]
fn every_payload_survives_when_identity_came_first() {
    every_payload_survives_after("identity");
}

/// Misses of the protocols that were hits above.
#[test]
#[ignore = "reads the real payloads: make acceptance"]
fn every_payload_survives_a_miss_over_http_1_0_and_2() {
    let origin = Origin::start();
    let vacpack = Vacpack::with(&origin, ROOMY);
    let mut multiplexed = H2Client::connect(vacpack.address());
    for (number, payload) in payloads::all().iter().enumerate() {
        origin.serve(&payload.path(), answer(number, payload));
        let mut decoded = Decoded::default();
        for coding in CODINGS {
            let target = |protocol: &str| format!("{}?{protocol}-{coding}", payload.path());
            let old = vacpack.ask(&Call::get(&target("old")).accepting(coding).http10());
            decoded.is_content(&old, &payload.content, &format!("{}, {coding} over HTTP/1.0", payload.name));
            assert_eq!(old.coding(), "identity", "{} over HTTP/1.0", payload.name);
            let new = multiplexed.ask(&Call::get(&target("new")).accepting(coding));
            decoded.is_content(&new, &payload.content, &format!("{}, {coding} over HTTP/2", payload.name));
            assert_eq!(new.coding(), payload.coding(coding), "{} over HTTP/2", payload.name);
        }
    }
}
