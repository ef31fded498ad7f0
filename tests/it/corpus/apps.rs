//! Every payload from apps that frame and code it in their own ways.

use super::payloads::{self, MIN_SIZE};
use crate::harness::{Answer, Origin, Vacpack, decode};
use std::io::Write;
use std::process::{Command, Stdio};

/// gzip(1), as an app would use it.
fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gzip")
        .args(["--stdout", "-6", "--no-name"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip(1) is everywhere");
    let mut stdin = child.stdin.take().expect("piped");
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(content).expect("it reads"));
        child.wait_with_output().expect("a child of ours").stdout
    })
}

/// HTTP/1.0, the length untold: what a cut connection looks like, so it is sent and not kept.
#[test]
#[ignore = "reads the real payloads: make acceptance"]
fn every_payload_survives_an_app_that_only_closes() {
    let origin = Origin::start();
    let vacpack = Vacpack::before(&origin);
    for payload in payloads::all() {
        let answer = Answer::ok(&payload.media_type, &payload.content).fresh("max-age=3600");
        origin.serve(&payload.path(), answer.until_close().http10());
        for (turn, coding) in ["br", "gzip"].into_iter().enumerate() {
            let response = vacpack.get_as(&payload.path(), coding);
            assert_eq!((response.status, response.outcome()), (200, "pass"), "{}", payload.name);
            // How small a body is shows at its end only: too late to leave it alone.
            let small = payload.content.len() < MIN_SIZE;
            assert!(small || response.coding() == payload.coding(coding), "{}", payload.name);
            assert!(response.content() == payload.content, "{} in {coding}", payload.name);
            assert_eq!(origin.fetches(&payload.path()), turn + 1, "{}", payload.name);
        }
    }
}

/// The app compresses whoever asks: its own bytes go out untouched, and come back from the cache.
#[test]
#[ignore = "reads the real payloads: make acceptance"]
fn every_payload_survives_an_app_that_compresses() {
    let origin = Origin::start();
    let vacpack = Vacpack::with(&origin, "memory.budget = \"1GiB\"");
    for payload in payloads::all() {
        let coded = gzipped(&payload.content);
        let answer = Answer::ok(&payload.media_type, &coded).fresh("max-age=3600").field("ETag", "\"gz\"");
        origin.serve(&payload.path(), answer.field("Content-Encoding", "gzip").field("Vary", "Accept-Encoding"));
        for turn in 1..=2 {
            let response = vacpack.get_as(&payload.path(), "gzip");
            assert_eq!((response.status, response.coding()), (200, "gzip"), "{}, request {turn}", payload.name);
            assert!(decode::by_all("gzip", &response.body) == payload.content, "{}, request {turn}", payload.name);
            assert!(response.body == coded, "{}, request {turn}: recoded", payload.name);
        }
    }
}
