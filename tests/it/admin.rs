//! The second listener: probes, metrics, purge.

use crate::harness::payload::page;
use crate::harness::{Answer, Call, HOST, Origin, Vacpack};

#[test]
fn the_probes_say_yes_once_it_serves() {
    let origin = Origin::start();
    let vacpack = Vacpack::before(&origin);
    for path in ["/startupz", "/livez", "/readyz"] {
        assert_eq!(vacpack.ask_admin(&Call::get(path)).status, 200, "{path}");
        let head = vacpack.ask_admin(&Call::head(path));
        assert_eq!((head.status, head.body.len()), (200, 0), "HEAD {path}");
    }
}

#[test]
fn a_path_or_method_that_is_not_there_is_told() {
    let origin = Origin::start();
    let vacpack = Vacpack::before(&origin);
    assert_eq!(vacpack.ask_admin(&Call::get("/no-such-thing")).status, 404);
    let wrong = vacpack.ask_admin(&Call::get("/purge?url=http://site.test/"));
    assert_eq!((wrong.status, wrong.field("Allow")), (405, Some("POST")));
    let wrong = vacpack.ask_admin(&Call::post("/metrics", ""));
    assert_eq!((wrong.status, wrong.field("Allow")), (405, Some("GET, HEAD")));
}

#[test]
fn what_is_for_operators_is_not_on_the_public_port() {
    let origin = Origin::start();
    let vacpack = Vacpack::before(&origin);
    for path in ["/metrics", "/livez", "/readyz"] {
        assert_eq!(vacpack.get(path).status, 404, "the app's own answer to {path}");
        assert_eq!(origin.fetches(path), 1, "{path}");
    }
}

#[test]
fn every_family_is_there_with_its_help() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(9000)));
    let vacpack = Vacpack::before(&origin);
    vacpack.get_as("/page", "br");
    vacpack.metrics_after(1);
    let response = vacpack.ask_admin(&Call::get("/metrics"));
    assert_eq!(
        response.field("Content-Type").map(|media_type| media_type.starts_with("text/plain; version=0.0.4")),
        Some(true)
    );
    let text = response.text();
    for family in [
        "http_requests_total",
        "request_duration_seconds",
        "time_to_first_byte_seconds",
        "requests_in_flight",
        "compression_input_bytes_total",
        "compression_output_bytes_total",
        "compression_seconds_total",
        "compression_ratio",
        "compression_skipped_total",
        "cache_requests_total",
        "cache_not_stored_total",
        "cache_entries",
        "cache_size_bytes",
        "cache_capacity_bytes",
        "cache_evictions_total",
        "upstream_errors_total",
        "response_body_bytes_total",
        "build_info",
    ] {
        assert!(text.contains(&format!("# HELP vacpack_{family} ")), "help for {family}");
        assert!(text.contains(&format!("# TYPE vacpack_{family} ")), "type of {family}");
    }
}

#[test]
fn no_traffic_makes_the_number_of_series_grow() {
    let origin = Origin::start();
    let vacpack = Vacpack::before(&origin);
    vacpack.get("/warm");
    vacpack.ask(&Call::new("BREW", "/warm"));
    let before = vacpack.metrics_after(2);
    for number in 0..200 {
        let method = ["GET", "POST", "BREW", "PROPFIND"][number % 4];
        let call = Call::new(method, &format!("/{number}?q={number}")).host(&format!("host{number}.test"));
        vacpack.ask(&call.field("User-Agent", &format!("agent {number}")));
    }
    let after = vacpack.metrics_after(202);
    assert!(after.series() <= before.series() + 40, "{} series, {} before", after.series(), before.series());
    assert!(after.families().iter().all(|name| name.starts_with("vacpack_") || name.starts_with("process_")));
}

#[test]
fn requests_are_counted_by_route_method_and_code() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(2000)));
    let vacpack = Vacpack::before(&origin);
    vacpack.get("/page");
    vacpack.get("/page");
    vacpack.get("/missing");
    vacpack.ask(&Call::new("BREW", "/page"));
    let metrics = vacpack.metrics_after(4);
    let requests = |values: &[&str]| metrics.sum("vacpack_http_requests_total", values);
    assert_eq!((requests(&["GET", "200"]), requests(&["GET", "404"]), requests(&["OTHER"])), (2.0, 1.0, 1.0));
    assert_eq!(metrics.sum("vacpack_request_duration_seconds_count", &[]), 4.0);
    assert_eq!(metrics.sum("vacpack_request_duration_seconds_count", &["hit"]), 1.0);
    assert_eq!(metrics.sum("vacpack_requests_in_flight", &[]), 0.0);
}

#[test]
fn a_purge_says_what_it_did_or_how_to_ask() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(2000)));
    let vacpack = Vacpack::before(&origin);
    vacpack.get("/page");
    let first = vacpack.purge(HOST, "/page");
    assert_eq!((first.status, first.text().contains("\"purged\":1")), (200, true), "{}", first.text());
    let second = vacpack.purge(HOST, "/page");
    assert_eq!((second.status, second.text().contains("\"purged\":0")), (200, true), "{}", second.text());
    for target in ["/purge", "/purge?url=", "/purge?url=/page", "/purge?link=http://site.test/page"] {
        let refused = vacpack.ask_admin(&Call::post(target, ""));
        assert_eq!(refused.status, 400, "{target}");
        assert!(!refused.body.is_empty(), "{target}: says how to ask");
    }
    let body = vacpack.ask_admin(&Call::post("/purge", "{\"url\": \"http://site.test/page\"}"));
    assert_eq!(body.status, 200);
}

#[test]
fn a_purge_that_others_cause_is_refused() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(2000)));
    let vacpack = Vacpack::before(&origin);
    vacpack.get("/page");
    let purge = || Call::post("/purge?url=http://site.test/page", "");
    for call in [
        purge().field("X-Forwarded-For", "203.0.113.9"),
        purge().field("Origin", "http://evil.test"),
        purge().field("Authorization", "Bearer guessed"),
    ] {
        let status = vacpack.ask_admin(&call).status;
        assert!(status == 401 || status == 403, "{status} to {:?}", call.fields);
    }
    assert_eq!(vacpack.get("/page").outcome(), "hit");
}

#[test]
fn the_token_opens_the_door() {
    let origin = Origin::start();
    let vacpack = Vacpack::with(&origin, "admin.token = \"s3cret-and-long\"");
    let purge = Call::post("/purge?url=http://site.test/page", "").field("X-Forwarded-For", "203.0.113.9");
    let right = purge.clone().field("Authorization", "Bearer s3cret-and-long");
    assert_eq!(vacpack.ask_admin(&right).status, 200);
    let wrong = vacpack.ask_admin(&purge.field("Authorization", "Bearer s3cret"));
    assert!(wrong.status == 401 || wrong.status == 403, "{}", wrong.status);
}
