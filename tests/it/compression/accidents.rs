//! The app dies in the middle: the client must see it, and nothing may remember it.

use crate::harness::payload::page;
use crate::harness::{Answer, Call, Origin, Part, Vacpack};

const WHOLE: usize = 60_000;
const AT: usize = 25_000;

fn aborts(answer: Answer, accident: Part, coding: &str, what: &str) {
    let origin = Origin::start();
    origin.serve_in_turn("/", [answer.clone().then_at(AT, accident), answer]);
    let vacpack = Vacpack::before(&origin);
    let first = vacpack.client().try_begin(&Call::get("/").accepting(coding)).map(|incoming| incoming.read_to_end());
    // Either no head at all, or a 502, or a body that is visibly cut; never a whole 200.
    if let Ok(first) = first {
        assert!(!first.complete() || first.status == 502, "{what}: {} looked complete", first.status);
    }
    let second = vacpack.get_as("/", coding);
    assert_eq!(second.content(), page(WHOLE), "{what}: the next request gets all of it");
    assert_eq!(origin.fetches("/"), 2, "{what}: nothing was kept of the first");
    assert_eq!(vacpack.get_as("/", coding).outcome(), "hit", "{what}");
}

#[test]
fn an_app_that_dies_mid_body_leaves_a_cut_body_and_no_trace() {
    for coding in ["br", "zstd", "gzip", ""] {
        let answer = Answer::cacheable(page(WHOLE));
        for accident in [Part::Cut, Part::Reset] {
            aborts(answer.clone(), accident.clone(), coding, &format!("{accident:?}, length, {coding:?}"));
            aborts(answer.clone().chunked(), accident.clone(), coding, &format!("{accident:?}, chunked, {coding:?}"));
        }
    }
}

#[test]
fn an_invalid_chunk_is_an_accident_too() {
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n";
    let origin = Origin::start();
    origin.serve("/", Answer::raw(format!("{head}400\r\n{}\r\nnot-a-size\r\n", "x".repeat(1024))));
    let vacpack = Vacpack::before(&origin);
    for coding in ["br", ""] {
        let mut client = vacpack.client();
        if let Ok(incoming) = client.try_begin(&Call::get("/").accepting(coding)) {
            let response = incoming.read_to_end();
            assert!(!response.complete() || response.status == 502, "{coding:?}: looked complete");
        }
    }
    assert_eq!(origin.fetches("/"), 2, "not kept");
}
