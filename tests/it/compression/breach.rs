//! The guard against BREACH: what is made for one person is padded, or left as it is.

use crate::harness::payload::page;
use crate::harness::{Answer, Call, Origin, Vacpack, decode};
use std::collections::HashSet;
use std::process::Command;

const CODINGS: [&str; 3] = ["br", "zstd", "gzip"];
const LARGE: usize = 20_000;
const TIMES: usize = 12;

const CREDENTIALS: [(&str, &str); 2] = [("Cookie", "session=1"), ("Authorization", "Bearer 1")];

/// The bodies of equal requests for equal content.
fn bodies(vacpack: &Vacpack, call: &Call) -> HashSet<Vec<u8>> {
    (0..TIMES).map(|_| vacpack.ask(call).body).collect()
}

fn asking_for(path: &str, coding: &str, (name, value): (&str, &str)) -> Call {
    Call::get(path).accepting(coding).field(name, value)
}

#[test]
fn no_two_padded_answers_are_as_long_and_all_say_the_same() {
    let origin = Origin::start();
    origin.serve("/account", Answer::html(page(LARGE)).fresh("private"));
    let vacpack = Vacpack::with(&origin, "compression.breach = \"pad\"");
    for coding in CODINGS {
        let plain = vacpack.get_as("/account", coding).body.len();
        for credentials in CREDENTIALS {
            let bodies = bodies(&vacpack, &asking_for("/account", coding, credentials));
            assert_eq!(bodies.len(), TIMES, "{coding}: none is like another");
            let lengths: HashSet<_> = bodies.iter().map(Vec::len).collect();
            assert!(lengths.len() > 2, "{coding}: {lengths:?}");
            assert!(lengths.iter().all(|length| (plain + 1..plain + 100).contains(length)), "{plain} {lengths:?}");
            for body in bodies.iter().take(4) {
                assert!(decode::by_all(coding, body) == page(LARGE), "{coding}");
            }
        }
    }
}

#[test]
fn curl_reads_what_is_padded() {
    let origin = Origin::start();
    origin.serve("/account", Answer::html(page(LARGE)).fresh("private"));
    let vacpack = Vacpack::with(&origin, "compression.breach = \"pad\"");
    let url = format!("http://{}/account", vacpack.address());
    for coding in CODINGS {
        let accept = format!("Accept-Encoding: {coding}");
        for _ in 0..TIMES {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--show-error", "--fail", "--compressed", "--cookie", "session=1"]);
            let read =
                curl.args(["--header", &accept, "--output", "-", "--write-out", "%{stderr}%{header_json}", &url]);
            let read = read.output().expect("`make setup` installs curl");
            let head = String::from_utf8_lossy(&read.stderr);
            assert!(read.status.success() && head.contains(&format!("\"{coding}\"")), "{coding}: {head}");
            assert!(read.stdout == page(LARGE), "{coding}: {} bytes", read.stdout.len());
        }
    }
}

#[test]
fn a_padded_stream_is_as_prompt_as_any() {
    let origin = Origin::start();
    origin.serve("/feed", Answer::ok("text/event-stream", b"data: 1\n\n".repeat(50)).chunked().in_pieces(9));
    let vacpack = Vacpack::with(&origin, "compression.breach = \"pad\"");
    for coding in CODINGS {
        let response = vacpack.ask(&asking_for("/feed", coding, CREDENTIALS[0]));
        assert!(decode::by_all(coding, &response.body) == b"data: 1\n\n".repeat(50), "{coding}");
        let mut prompt = decode::Prompt::new(coding);
        assert_eq!(prompt.push(&response.body).len(), 450, "{coding}");
    }
}

#[test]
fn what_anybody_gets_is_not_padded() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html(page(LARGE)));
    origin.serve("/kept", Answer::cacheable(page(LARGE)));
    let vacpack = Vacpack::with(&origin, "compression.breach = \"pad\"");
    assert_eq!(bodies(&vacpack, &Call::get("/page").accepting("br")).len(), 1, "nobody in particular asks");
    let stored = asking_for("/kept", "br", CREDENTIALS[0]);
    assert_eq!(bodies(&vacpack, &stored).len(), 1, "the same for everybody");
    let off = Vacpack::before(&origin);
    assert_eq!(bodies(&off, &asking_for("/page", "br", CREDENTIALS[0])).len(), 1, "off by default");
}

#[test]
fn a_route_may_leave_such_answers_uncompressed() {
    let origin = Origin::start();
    origin.serve("/account", Answer::html(page(LARGE)).fresh("private"));
    let coded = crate::harness::encode::as_app("gzip", &page(LARGE));
    origin.serve("/coded", Answer::html(coded).field("Content-Encoding", "gzip"));
    origin.serve("/kept", Answer::cacheable(page(LARGE)));
    let route = "[[route]]\nname = \"guarded\"\nmatch.path = \"/**\"\ncompression.breach = \"no-compression\"\n";
    let vacpack = Vacpack::with(&origin, route);
    for path in ["/account", "/coded"] {
        for credentials in CREDENTIALS {
            let response = vacpack.ask(&asking_for(path, "br, gzip", credentials));
            assert!(response.coding() == "identity" && response.body == page(LARGE), "{path}");
        }
    }
    assert_eq!(vacpack.metrics_after(4).sum("vacpack_compression_skipped_total", &["breach"]), 4.0);
    assert_eq!(vacpack.get_as("/account", "br").coding(), "br", "nobody in particular asks");
    assert_eq!(vacpack.ask(&asking_for("/kept", "br", CREDENTIALS[0])).coding(), "br", "the same for everybody");
}
