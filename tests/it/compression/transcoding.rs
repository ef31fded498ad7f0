//! Apps that compress whatever they are asked for: clients get what they accept, caches what they can serve to all.

use crate::harness::binary::{ADMIN, Binary, LISTEN};
use crate::harness::encode::as_app;
use crate::harness::payload::{json, page};
use crate::harness::{Answer, Call, Client, Framing, Origin, Part, Response, Vacpack, decode};
use std::sync::atomic::{AtomicBool, Ordering};

const CODINGS: [&str; 4] = ["br", "zstd", "gzip", "identity"];
const LARGE: usize = 60_000;
const MIB: usize = 1 << 20;

fn accepting(coding: &str) -> Call {
    Call::get("/page").accepting(if coding == "identity" { "" } else { coding })
}

/// A page that the app sends so, whoever asks; `raw` is `deflate` without its wrapper.
fn coded(coding: &str) -> Answer {
    let token = if coding == "raw" { "deflate" } else { coding };
    Answer::html(as_app(coding, &page(LARGE))).field("Content-Encoding", token).field("ETag", "\"v1\"")
}

#[test]
fn one_fetch_of_what_the_app_coded_serves_every_client() {
    for app in ["gzip", "x-gzip", "br", "zstd", "deflate", "raw"] {
        for first in CODINGS {
            let what = format!("{app} from the app, {first} first");
            let origin = Origin::start();
            origin.serve("/page", coded(app).fresh("max-age=60").chunked().in_pieces(7_000));
            let vacpack = Vacpack::before(&origin);
            let others = CODINGS.into_iter().chain([first]);
            for (coding, outcome) in std::iter::once((first, "miss")).chain(others.map(|other| (other, "hit"))) {
                let response = vacpack.ask(&accepting(coding));
                let got = response.coding().trim_start_matches("x-");
                assert_eq!((response.outcome(), got), (outcome, coding), "{what}");
                assert!(decode::by_all(coding, &response.body) == page(LARGE), "{what}: {coding}");
                assert!(response.is_tagged("v1"), "{what}: {:?}", response.field("ETag"));
                assert!(response.varies_on("Accept-Encoding"), "{what}");
                let again = vacpack.ask(&accepting(coding).field("If-None-Match", &format!("\"v1-{coding}\"")));
                assert_eq!((again.status, again.outcome()), (304, "hit"), "{what}: {coding}");
            }
            assert_eq!(origin.fetches("/page"), 1, "{what}");
        }
    }
}

#[test]
fn what_the_first_client_wants_as_it_is_costs_no_encoder() {
    let origin = Origin::start();
    let digest = ("Content-Digest", "sha-256=:of the coded bytes:");
    origin.serve("/page", coded("gzip").fresh("max-age=60").field(digest.0, digest.1));
    let vacpack = Vacpack::before(&origin);
    let sent = as_app("gzip", &page(LARGE));
    let miss = vacpack.ask(&accepting("gzip"));
    assert_eq!((&miss.body, miss.framing), (&sent, Framing::Length(sent.len() as u64)));
    assert_eq!(miss.field(digest.0), Some(digest.1), "these are the bytes it is about");
    assert_eq!(vacpack.ask(&accepting("gzip")).body, sent);
    let metrics = vacpack.metrics_after(2);
    assert_eq!(metrics.encoded_bytes(), 0.0);
    assert_eq!(metrics.sum("vacpack_compression_transcoded_total", &["gzip", "whole"]), 1.0);
    assert_eq!(metrics.sum("vacpack_compression_skipped_total", &["already_encoded"]), 1.0);
    let identity = vacpack.ask(&accepting("identity"));
    assert_eq!((identity.body, identity.fields.all(digest.0).len()), (page(LARGE), 0));
}

#[test]
fn what_is_not_stored_is_recoded_only_for_those_who_refuse_it() {
    for app in ["gzip", "br", "zstd"] {
        let origin = Origin::start();
        let answer =
            coded(app).fresh("no-store").field("Content-MD5", "of the coded bytes").field("Accept-Ranges", "bytes");
        origin.serve("/page", answer);
        let vacpack = Vacpack::before(&origin);
        for accept in [app, "br, zstd, gzip"] {
            let passed = vacpack.ask(&accepting(accept));
            assert!(passed.coding() == app && passed.body == as_app(app, &page(LARGE)), "{app} for {accept}");
            assert_eq!(passed.field("ETag"), Some("\"v1\""), "the app's own tag for its own bytes");
            assert_eq!(passed.field("Content-MD5"), Some("of the coded bytes"));
        }
        assert_eq!(vacpack.metrics_after(2).encoded_bytes(), 0.0);
        for coding in CODINGS.into_iter().filter(|coding| *coding != app) {
            let recoded = vacpack.ask(&accepting(coding));
            assert_eq!((recoded.coding(), recoded.framing), (coding, Framing::Chunked), "{app}");
            assert!(decode::by_all(coding, &recoded.body) == page(LARGE), "{coding} from {app}");
            assert_eq!(recoded.tag(), Some(format!("\"v1-{coding}\"")));
            assert_eq!((recoded.field("Content-MD5"), recoded.field("Accept-Ranges")), (None, None));
            // The app hears of its own tag.
            vacpack.ask(&accepting(coding).field("If-None-Match", &format!("\"v1-{coding}\"")));
            let asked = origin.last("/page").fields.members("If-None-Match");
            assert!(asked.contains(&"\"v1\"".to_owned()), "{asked:?}");
        }
    }
}

#[test]
fn a_validation_by_the_app_keeps_every_representation() {
    let origin = Origin::start();
    origin.on_path("/page", |request| match request.field("If-None-Match") {
        Some("\"v1\"") => Answer::status(304).field("ETag", "\"v1\"").fresh("max-age=0"),
        _ => coded("gzip").fresh("max-age=0"),
    });
    let vacpack = Vacpack::before(&origin);
    vacpack.ask(&accepting("br"));
    for coding in CODINGS {
        let response = vacpack.ask(&accepting(coding));
        assert_eq!((response.outcome(), response.coding()), ("revalidated", coding));
        assert!(response.is_tagged("v1"), "{coding}: {:?}", response.field("ETag"));
        assert!(response.content() == page(LARGE));
    }
}

#[test]
fn what_must_not_be_touched_is_not() {
    let origin = Origin::start();
    origin.serve("/page", coded("gzip").fresh("max-age=60"));
    origin.serve("/kept-whole", coded("gzip").fresh("max-age=60, no-transform"));
    origin.serve("/twice", coded("gzip").field("Content-Encoding", "br"));
    origin.serve(
        "/archive",
        Answer::ok("application/x-tar", as_app("gzip", &page(LARGE))).field("Content-Encoding", "gzip"),
    );
    let sent = as_app("gzip", &page(LARGE));
    let vacpack = Vacpack::before(&origin);
    for call in [
        Call::get("/kept-whole"),
        Call::get("/twice"),
        Call::get("/archive"),
        Call::get("/page").field("Cache-Control", "no-transform, no-store"),
        Call::get("/page").field("Range", "bytes=0-"),
        Call::get("/page").http10(),
    ] {
        let response = vacpack.ask(&call);
        assert!(response.body == sent && response.complete(), "{call:?}");
        assert_eq!(response.members("Content-Encoding")[0], "gzip", "{call:?}");
    }
    let head = vacpack.ask(&Call::head("/page?other"));
    assert_eq!((head.coding(), head.body.len()), ("gzip", 0));
}

#[test]
fn a_route_that_does_not_transcode_passes_the_apps_bytes() {
    let origin = Origin::start();
    origin.serve("/page", coded("gzip").fresh("max-age=60"));
    let vacpack = Vacpack::with(&origin, "compression.transcode = false");
    for coding in ["identity", "br", "gzip"] {
        let response = vacpack.ask(&accepting(coding));
        assert_eq!((response.coding(), response.field("ETag")), ("gzip", Some("\"v1\"")));
    }
}

#[test]
fn where_encoders_have_no_room_what_is_refused_is_undone_all_the_same() {
    let origin = Origin::start();
    origin.serve("/page", coded("br"));
    let vacpack = Vacpack::with(&origin, "memory.budget = \"1MiB\"");
    // Gzip has no smaller form, and no encoder gets more than half of what there is for all.
    let response = vacpack.ask(&accepting("gzip"));
    assert_eq!((response.coding(), response.field("ETag")), ("identity", Some("\"v1-identity\"")));
    assert!(response.body == page(LARGE));
    assert_eq!(vacpack.metrics_after(1).sum("vacpack_compression_skipped_total", &["over_budget"]), 1.0);
}

#[test]
fn where_decoders_have_no_room_the_apps_bytes_pass_and_are_kept_as_they_came() {
    let origin = Origin::start();
    let sent = as_app("gzip", &page(LARGE));
    origin.serve("/page", coded("gzip").chunked());
    origin.serve("/kept", coded("gzip").chunked().fresh("max-age=60"));
    // A decoder of a body of unknown length, and what it hands out, take 560 KiB: more than all encoders may have.
    let vacpack = Vacpack::with(&origin, "memory.budget = \"1MiB\"");
    let passes = |response: &Response| {
        assert_eq!((response.coding(), response.field("ETag")), ("gzip", Some("\"v1\"")));
        assert!(response.body == sent);
    };
    passes(&vacpack.ask(&accepting("br")));
    let kept = |coding: &str| vacpack.ask(&Call::get("/kept").accepting(coding));
    passes(&kept("br"));
    assert_eq!(kept("gzip").outcome(), "hit");
    passes(&kept("gzip"));
    let metrics = vacpack.metrics_after(4);
    assert_eq!(metrics.sum("vacpack_compression_skipped_total", &["over_budget"]), 2.0);
    assert_eq!(metrics.sum("vacpack_compression_transcoded_total", &[]), 0.0);
}

#[test]
fn a_guard_against_breach_holds_where_memory_is_short() {
    let origin = Origin::start();
    origin.serve("/page", coded("gzip").chunked());
    let vacpack = Vacpack::with(&origin, "memory.budget = \"1MiB\"\ncompression.breach = \"no-compression\"");
    let response = vacpack.ask(&accepting("gzip").field("Cookie", "session=1"));
    assert!(response.coding() == "identity" && response.body == page(LARGE));
}

#[test]
fn an_app_that_pauses_is_not_waited_for() {
    let origin = Origin::start();
    let gate = crate::harness::Gate::closed();
    let mut app = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut app, &page(3_000)).expect("a Vec");
    std::io::Write::flush(&mut app).expect("a Vec");
    let first = app.get_ref().clone();
    std::io::Write::write_all(&mut app, &page(500)).expect("a Vec");
    let rest = app.finish().expect("a Vec")[first.len()..].to_vec();
    let parts = [Part::Data(first), Part::Wait(gate.clone()), Part::Data(rest)];
    let answer = Answer::status(200).field("Content-Type", "text/html").field("Content-Encoding", "gzip");
    origin.serve("/", answer.chunked().parts(parts));
    let vacpack = Vacpack::before(&origin);
    for coding in ["br", "zstd", "identity"] {
        let mut client = vacpack.client();
        let mut incoming = client.begin(&Call::get("/").accepting(if coding == "identity" { "" } else { coding }));
        let mut decoder = decode::Prompt::new(coding);
        while decoder.push(&[]).len() < 3_000 {
            let piece = incoming.next_piece().expect("the first part comes before the second is sent");
            decoder.push(&piece);
        }
        gate.open();
        assert_eq!(incoming.read_to_end().content(), [page(3_000), page(500)].concat(), "{coding}");
    }
}

/// A broken body is visibly cut, is not kept, and the next request gets what the app sends then.
fn is_cut(broken: Vec<u8>, app: &str, result: &str) {
    for chunked in [false, true] {
        for accept in CODINGS {
            let what = format!("{result} {app} for {accept}, chunked: {chunked}");
            let whole = coded(app).fresh("max-age=60");
            let answer = if chunked { whole.clone().chunked() } else { whole.clone() };
            let origin = Origin::start();
            origin.serve_in_turn("/page", [answer.body(&broken), whole]);
            let vacpack = Vacpack::before(&origin);
            let first = vacpack.client().try_begin(&accepting(accept)).map(|incoming| incoming.read_to_end());
            if let Ok(first) = first {
                assert!(!first.complete() || first.status == 502, "{what}: {} looked complete", first.status);
            }
            assert!(vacpack.ask(&accepting(accept)).content() == page(LARGE), "{what}");
            assert_eq!(origin.fetches("/page"), 2, "{what}: nothing was kept of the first");
            let metrics = vacpack.metrics_after(2);
            assert_eq!(metrics.sum("vacpack_compression_transcoded_total", &[result]), 1.0, "{what}");
            assert_eq!(metrics.sum("vacpack_upstream_errors_total", &["protocol"]), 1.0, "{what}");
        }
    }
}

#[test]
fn a_coded_body_that_is_broken_is_cut_and_not_kept() {
    for app in ["gzip", "br", "zstd", "deflate"] {
        let sent = as_app(app, &page(LARGE));
        is_cut(sent[..sent.len() - 1].to_vec(), app, "truncated");
        is_cut(sent[..sent.len() / 2].to_vec(), app, "truncated");
        is_cut([&sent[..], b"<!-- served by -->"].concat(), app, "trailing");
        // Not what it says it is.
        is_cut([&[0xff, 0xfe], &page(LARGE)[..]].concat(), app, "corrupt");
    }
}

/// 10 MB that inflate to 10 GB: a thousand members of ten MB of zeros.
fn bomb() -> Vec<u8> {
    as_app("gzip", &vec![0; 10 * MIB]).repeat(1_000)
}

#[test]
fn a_bomb_is_refused_and_others_are_served_meanwhile() {
    let origin = Origin::start();
    let bomb = bomb();
    assert!((9 * MIB..12 * MIB).contains(&bomb.len()), "{}", bomb.len());
    let bomb = Answer::html(&bomb).field("Content-Encoding", "gzip");
    origin.serve("/dynamic", bomb.clone());
    origin.serve("/stored", bomb.fresh("max-age=60"));
    origin.serve("/page", Answer::html(page(LARGE)));
    let mut binary = Binary::start(&["--upstream", &origin.address(), "--listen", LISTEN, "--admin", ADMIN], &[]);
    let address = binary.listen();
    Client::connect(address).ask(&Call::get("/page").accepting("br"));
    let idle = binary.resident();
    let over = AtomicBool::new(false);
    let most = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = idle;
            while !over.load(Ordering::Relaxed) {
                most = most.max(binary.resident());
                let meanwhile = Client::connect(address).ask(&Call::get("/page").accepting("br"));
                assert!(meanwhile.content() == page(LARGE), "others are served");
            }
            most
        });
        for path in ["/dynamic", "/stored"] {
            for accept in ["", "br", "zstd"] {
                let mut client = Client::connect(address);
                let Ok(incoming) = client.try_begin(&Call::get(path).accepting(accept)) else { continue };
                let response = incoming.read_to_end();
                assert!(!response.complete() || response.status == 502, "{path} as {accept:?} looked complete");
                assert!(response.body.len() < 16 * MIB, "{path} as {accept:?}: {}", response.body.len());
            }
        }
        over.store(true, Ordering::Relaxed);
        watch.join().expect("others are served")
    });
    // One piece of identity, at the grace that any body has, and what the allocator keeps of it.
    let grown = (most - idle) / MIB as u64;
    assert!(grown < 48, "a bomb took {grown} MiB");
}

#[test]
fn a_long_coded_body_passes_in_little_memory() {
    let origin = Origin::start();
    let content = json(32 * MIB);
    origin.serve("/long", Answer::ok("application/json", as_app("gzip", &content)).field("Content-Encoding", "gzip"));
    origin.serve("/page", Answer::html(page(LARGE)));
    let mut binary = Binary::start(&["--upstream", &origin.address(), "--listen", LISTEN, "--admin", ADMIN], &[]);
    let address = binary.listen();
    Client::connect(address).ask(&Call::get("/page").accepting("br"));
    let idle = binary.resident();
    for accept in ["", "br"] {
        let mut client = Client::connect(address);
        let mut incoming = client.begin(&Call::get("/long").accepting(accept));
        let mut most = idle;
        while incoming.next_piece().is_some() {
            most = most.max(binary.resident());
        }
        assert!(incoming.read_to_end().content() == content, "{accept:?}");
        let grown = (most - idle) / MIB as u64;
        assert!(grown < 32, "{} MiB for {accept:?} took {grown} MiB", content.len() / MIB);
    }
}
