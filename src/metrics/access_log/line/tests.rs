use std::net::IpAddr;

use http::{Method, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::header::Coding;
use crate::metrics::config::Config;
use crate::metrics::exchange::sample;
use crate::metrics::{BodyCoding, Build, Cause, Metrics, Phases, RouteMeters, Storing, UpstreamError};
use crate::negotiate::SkipReason;
use crate::policy::NotStored;
use std::sync::Arc;

fn route() -> Arc<RouteMeters> {
    Metrics::new(&Config::default(), Build { version: "0", revision: "0" }).route("static")
}

fn parsed(exchange: &Exchange) -> Value {
    let line = json(exchange);
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert_eq!(line.last(), Some(&b'\n'));
    serde_json::from_slice(&line).expect("a JSON object")
}

#[test]
fn a_line_has_the_names_that_collectors_know() {
    let route = route();
    let mut phases = Phases::default();
    phases.add(Phase::UpstreamWait, Duration::from_micros(9_876));
    phases.add(Phase::Compress, Duration::from_micros(2_000));
    let exchange = Exchange {
        phases,
        request_id: Some(b"req-1"),
        traceparent: Some(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ..sample::exchange(&route)
    };
    assert_eq!(
        parsed(&exchange),
        json!({
            "timestamp": "2026-09-10T00:26:40.123Z",
            "severity": "INFO",
            "http.request.method": "GET",
            "url.path": "/",
            "http.response.status_code": 200,
            "http.route": "static",
            "server.address": "shop.example",
            "client.address": "192.0.2.7",
            "user_agent.original": "curl/8.0",
            "network.protocol.version": "1.1",
            "http.response.body.size": 250,
            "http.request.id": "req-1",
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "cache.status": "miss",
            "cache.stored": true,
            "cache.detail": "max_age",
            "compression.algorithm": "br",
            "compression.ratio": 0.25,
            "duration_ms": 12.345,
            "ttfb_ms": 10.0,
            "upstream.wait_ms": 9.876,
            "compress_ms": 2.0,
        })
    );
}

#[test]
fn a_failure_says_what_failed_and_what_was_not_done() {
    let route = route();
    let exchange = Exchange {
        status: Some(StatusCode::BAD_GATEWAY),
        error: Some(ErrorType::Upstream(UpstreamError::Refused)),
        body: BodyCoding::Skipped(SkipReason::TooSmall),
        storing: Storing::Refused(NotStored::NoStore),
        ..sample::exchange(&route)
    };
    let line = parsed(&exchange);
    assert_eq!(line["severity"], "ERROR");
    assert_eq!(line["error.type"], "upstream_refused");
    assert_eq!(line["compression.skipped"], SkipReason::TooSmall.label());
    assert_eq!(line["cache.stored"], false);
    assert_eq!(line["cache.detail"], NotStored::NoStore.label());
    assert_eq!(line.get("compression.algorithm"), None);
}

#[test]
fn a_client_that_left_has_no_status_and_no_first_byte() {
    let route = route();
    let gone = Exchange { status: None, first_byte: None, error: Some(ErrorType::Client), ..sample::exchange(&route) };
    let line = parsed(&gone);
    assert_eq!(line.get("http.response.status_code"), None);
    assert_eq!(line.get("ttfb_ms"), None);
    assert_eq!(line["error.type"], "client");
    assert_eq!(line["severity"], "WARN");
}

#[test]
fn a_hit_shows_the_stored_coding_and_its_ratio() {
    let route = route();
    let stored =
        |coding, identity| Exchange { body: BodyCoding::Stored { coding, identity }, ..sample::exchange(&route) };
    let line = parsed(&stored(Coding::Zstd, Some(500)));
    assert_eq!((&line["compression.algorithm"], &line["compression.ratio"]), (&json!("zstd"), &json!(0.5)));
    let line = parsed(&stored(Coding::Zstd, None));
    assert_eq!(line.get("compression.ratio"), None);
    let line = parsed(&stored(Coding::Identity, Some(500)));
    assert_eq!((line.get("compression.algorithm"), line.get("compression.ratio")), (None, None));
}

#[test]
fn a_ratio_is_of_a_whole_body() {
    let route = route();
    let hit = || Exchange {
        body: BodyCoding::Stored { coding: Coding::Brotli, identity: Some(1000) },
        ..sample::exchange(&route)
    };
    assert_eq!(parsed(&hit())["compression.ratio"], 0.25);
    let none = parsed(&Exchange { method: &Method::HEAD, client_bytes: 0, ..hit() });
    let held = parsed(&Exchange { status: Some(StatusCode::NOT_MODIFIED), client_bytes: 0, ..hit() });
    let part = parsed(&Exchange { status: Some(StatusCode::PARTIAL_CONTENT), ..hit() });
    for line in [none, held, part] {
        assert_eq!((&line["compression.ratio"], &line["compression.algorithm"]), (&Value::Null, &json!("br")));
    }
}

#[test]
fn addresses_are_written_as_people_know_them() {
    let route = route();
    let mapped: IpAddr = "::ffff:192.0.2.7".parse().expect("an address");
    assert_eq!(parsed(&Exchange { client: Some(mapped), ..sample::exchange(&route) })["client.address"], "192.0.2.7");
}

#[test]
fn a_clock_before_1970_is_no_panic() {
    let route = route();
    let started = SystemTime::UNIX_EPOCH - Duration::from_secs(5);
    assert_eq!(parsed(&Exchange { started, ..sample::exchange(&route) })["timestamp"], "1970-01-01T00:00:00.000Z");
}

#[test]
fn what_a_peer_chose_is_cut() {
    let route = route();
    let long = "é".repeat(5000);
    let exchange = Exchange { path: &long, host: &long, user_agent: Some(long.as_bytes()), ..sample::exchange(&route) };
    // A byte takes at most six in JSON (\u0000).
    assert!(json(&exchange).len() < 6 * (LONGEST_PATH + 3 * LONGEST_FIELD));
    assert_eq!(parsed(&exchange)["url.path"].as_str().map(|path| path.chars().count()), Some(LONGEST_PATH / 2));
}

#[test]
fn a_trace_id_is_taken_only_from_a_valid_field() {
    let id = "0af7651916cd43dd8448eb211c80319c";
    let field = |text: &str| trace_id(text.as_bytes()).map(str::to_owned);
    assert_eq!(field(&format!("00-{id}-b7ad6b7169203331-01")).as_deref(), Some(id));
    for wrong in [
        String::new(),
        id.to_owned(),
        format!("ff-{id}-b7ad6b7169203331-01"),
        format!("00-{}-b7ad6b7169203331-01", id.to_uppercase()),
        format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)),
        format!("00-{}-b7ad6b7169203331-01", &id[1..]),
    ] {
        assert_eq!(field(&wrong), None, "{wrong}");
    }
}

#[test]
fn text_is_one_line_for_a_person() {
    let route = route();
    let line = String::from_utf8(text(&sample::exchange(&route))).expect("text");
    assert_eq!(line, "00:26:40.123 200    12.3ms miss        br           250 B  -75% GET / max_age\n");
}

#[test]
fn text_cannot_move_the_cursor() {
    let route = route();
    let path = "/\u{1b}[2J\u{7f}\u{9b}\u{202e}gnp.\r\n";
    let line = String::from_utf8(text(&Exchange { path, ..sample::exchange(&route) })).expect("text");
    assert!(line.contains(r"/\u{1b}[2J\u{7f}\u{9b}\u{202e}gnp.\r\n"), "{line}");
}

proptest! {
    #[test]
    fn whatever_peers_send_is_one_json_object_and_one_line_of_text(
        path in any::<String>(),
        method in "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,700}",
        bytes in proptest::collection::vec(any::<u8>(), 0..3000),
    ) {
        let route = route();
        let method = Method::from_bytes(method.as_bytes()).expect("a token");
        let exchange = Exchange {
            cause: Cause::Client,
            method: &method,
            path: &path,
            host: &path,
            user_agent: Some(&bytes),
            request_id: Some(&bytes),
            traceparent: Some(&bytes),
            ..sample::exchange(&route)
        };
        let line = parsed(&exchange);
        prop_assert_eq!(line["url.path"].as_str(), Some(path.as_str()));
        let line = text(&exchange);
        let (end, rest) = line.split_last().expect("a line");
        prop_assert_eq!(*end, b'\n');
        prop_assert!(!std::str::from_utf8(rest).expect("UTF-8").chars().any(char::is_control));
    }
}
