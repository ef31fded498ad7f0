//! More requests than the app can take: who waits, who goes first, who is told to come again, and who never notices.

use crate::harness::frames::{Frames, frame, get, kind};
use crate::harness::payload::page;
use crate::harness::wait::until_past;
use crate::harness::{Answer, Call, Gate, H2Client, Origin, Part, Response, Vacpack, until};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// An app whose `/slow` waits at a gate, and `/slow/...` as well.
fn before_a_slow_app(settings: &str) -> (Origin, Gate, Vacpack) {
    let origin = Origin::start();
    let gate = Gate::closed();
    for path in ["/slow", "/slow/low", "/slow/critical"] {
        let slow = Answer::html("slow").fresh("no-store").first(Part::Wait(gate.clone()));
        origin.serve(path, slow);
    }
    origin.serve("/page", Answer::html("page").fresh("no-store"));
    origin.serve("/kept", Answer::cacheable(page(3000)).field("ETag", "\"v1\""));
    let vacpack = Vacpack::with(&origin, settings);
    (origin, gate, vacpack)
}

/// Asks in the background, and returns once the app has as many requests, and the queue.
fn ask<'scope>(
    scope: &'scope Scope<'scope, '_>,
    vacpack: &'scope Vacpack,
    target: &'scope str,
    (in_flight, queued): (f64, f64),
) -> ScopedJoinHandle<'scope, Response> {
    let asking = scope.spawn(move || vacpack.get(target));
    until_there_are(vacpack, in_flight, queued);
    asking
}

fn until_there_are(vacpack: &Vacpack, in_flight: f64, queued: f64) {
    until("the app to have as many requests", || {
        let metrics = vacpack.metrics();
        let now = |family| metrics.sum(family, &[]);
        let there = (now("vacpack_upstream_requests_in_flight"), now("vacpack_upstream_requests_queued"));
        (there == (in_flight, queued)).then_some(())
    });
}

fn is_shed(response: &Response, reason: &str) {
    assert_eq!((response.status, response.field("Retry-After")), (503, Some("1")));
    let status = response.field("Cache-Status").unwrap_or_default();
    assert!(status.ends_with(&format!("detail={reason}")), "{status}");
}

#[test]
fn what_is_beyond_the_queue_is_told_to_come_again() {
    let (origin, gate, vacpack) =
        before_a_slow_app("upstream.max_requests = 2\nupstream.max_queued = 1\nupstream.queue_timeout = \"1m\"");
    std::thread::scope(|scope| {
        let first = ask(scope, &vacpack, "/slow", (1.0, 0.0));
        let second = ask(scope, &vacpack, "/slow", (2.0, 0.0));
        let queued = ask(scope, &vacpack, "/slow", (2.0, 1.0));
        let shed = vacpack.get("/page");
        is_shed(&shed, "queue_full");
        assert!(shed.took() < Duration::from_secs(10), "{:?}", shed.took());
        assert_eq!(origin.fetches("/page"), 0);
        gate.open();
        for response in [first, second, queued] {
            assert_eq!(response.join().expect("an answer").status, 200);
        }
    });
    until_there_are(&vacpack, 0.0, 0.0);
    assert_eq!(vacpack.metrics().sum("vacpack_requests_shed_total", &["normal", "queue_full"]), 1.0);
    assert_eq!(vacpack.get("/page").status, 200);
}

#[test]
fn nobody_waits_longer_than_the_deadline() {
    let (_origin, gate, vacpack) = before_a_slow_app("upstream.max_requests = 1\nupstream.queue_timeout = \"200ms\"");
    std::thread::scope(|scope| {
        let slow = ask(scope, &vacpack, "/slow", (1.0, 0.0));
        let late = vacpack.get("/page");
        is_shed(&late, "queue_timeout");
        assert!(late.took() >= Duration::from_millis(200), "{:?}", late.took());
        gate.open();
        assert_eq!(slow.join().expect("an answer").status, 200);
    });
}

#[test]
fn what_the_store_answers_never_waits() {
    let (origin, gate, vacpack) = before_a_slow_app("upstream.max_requests = 1\nupstream.max_queued = 0");
    assert_eq!(vacpack.get("/kept").status, 200);
    // A client has its answer a moment before the place is free.
    until_there_are(&vacpack, 0.0, 0.0);
    std::thread::scope(|scope| {
        let slow = ask(scope, &vacpack, "/slow", (1.0, 0.0));
        assert_eq!(vacpack.get("/kept").outcome(), "hit");
        assert_eq!(vacpack.get_as("/kept", "br").content(), page(3000), "also in a coding that is still to be made");
        let etag = vacpack.get("/kept").field("ETag").expect("a tag").to_owned();
        assert_eq!(vacpack.ask(&Call::get("/kept").field("If-None-Match", &etag)).status, 304);
        assert_eq!(vacpack.ask(&Call::get("/kept").field("Range", "bytes=0-9")).status, 206);
        assert_eq!(vacpack.ask(&Call::head("/kept")).status, 200);
        is_shed(&vacpack.get("/page"), "queue_full");
        gate.open();
        assert_eq!(slow.join().expect("an answer").status, 200);
    });
    assert_eq!(origin.fetches("/kept"), 1);
}

#[test]
fn what_is_stale_stands_in_where_it_may() {
    let (origin, gate, vacpack) = before_a_slow_app("upstream.max_requests = 1\nupstream.max_queued = 0");
    origin.serve("/stale", Answer::html("older").fresh("max-age=1, stale-if-error=600"));
    let start = Instant::now();
    assert_eq!(vacpack.get("/stale").text(), "older");
    until_past(start, Duration::from_millis(2100));
    std::thread::scope(|scope| {
        let slow = ask(scope, &vacpack, "/slow", (1.0, 0.0));
        let stale = vacpack.get("/stale");
        assert_eq!((stale.status, stale.text().as_str(), stale.outcome()), (200, "older", "stale"));
        gate.open();
        assert_eq!(slow.join().expect("an answer").status, 200);
    });
    // A client has its answer a moment before the place is free.
    until_there_are(&vacpack, 0.0, 0.0);
    assert_eq!(vacpack.get("/stale").outcome(), "expired");
}

/// Found by a flood: clients asked, reset their streams, and what was fetched for the store without them had every place.
#[test]
fn clients_that_ask_and_leave_do_not_have_all_of_the_app() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve("/page", Answer::html("page"));
    let vacpack = Vacpack::with(&origin, "upstream.max_requests = 8\nupstream.max_queued = 0");
    for number in 1..=16 {
        let path = format!("/slow/{number}");
        origin.serve(&path, Answer::cacheable("slow").first(Part::Wait(gate.clone())));
        let leaver = H2Client::connect(vacpack.address());
        leaver.leave_unanswered(&Call::get(&path), || origin.fetches(&path) == 1);
        until("most of them to be given up", || {
            (vacpack.metrics().sum("vacpack_requests_in_flight", &[]) <= 1.0).then_some(())
        });
    }
    assert_eq!(vacpack.get("/page").text(), "page");
    gate.open();
    vacpack.metrics_after(17);
    let is_stored = |number: &i32| vacpack.get(&format!("/slow/{number}")).outcome() == "hit";
    assert_eq!((1..=16).filter(is_stored).count(), 1, "an eighth of the places is theirs");
}

fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|index| 2 * index + 1)
}

/// Found by a flood: what nobody waited for any more was in line before those who did.
#[test]
fn who_resets_its_streams_is_in_no_line_any_more() {
    let (origin, gate, vacpack) = before_a_slow_app("upstream.max_requests = 1\nupstream.queue_timeout = \"1m\"");
    std::thread::scope(|scope| {
        let slow = ask(scope, &vacpack, "/slow", (1.0, 0.0));
        let mut leaver = Frames::connect(vacpack.address());
        leaver.send(&streams(5).flat_map(|stream| get(stream, &format!("/page?{stream}"))).collect::<Vec<_>>());
        until_there_are(&vacpack, 1.0, 5.0);
        let reset = |stream| frame(kind::RST_STREAM, 0, stream, &8u32.to_be_bytes());
        leaver.send(&streams(5).flat_map(reset).collect::<Vec<_>>());
        until_there_are(&vacpack, 1.0, 0.0);
        gate.open();
        assert_eq!(slow.join().expect("an answer").status, 200);
    });
    assert_eq!(origin.fetches("/page"), 0);
}

#[test]
fn a_connection_with_many_requests_in_line_gives_way_to_the_others() {
    let (origin, gate, vacpack) =
        before_a_slow_app("upstream.max_requests = 1\nupstream.max_queued = 4\nupstream.queue_timeout = \"1m\"");
    let mut many = Frames::connect(vacpack.address());
    std::thread::scope(|scope| {
        let slow = ask(scope, &vacpack, "/slow", (1.0, 0.0));
        many.send(&streams(4).flat_map(|stream| get(stream, &format!("/page?{stream}"))).collect::<Vec<_>>());
        until_there_are(&vacpack, 1.0, 4.0);
        let one = scope.spawn(|| vacpack.get("/page"));
        let displaced = std::iter::from_fn(|| many.next()).find(|frame| frame.kind == kind::HEADERS);
        assert!(displaced.is_some(), "one of them is answered, although the app has no place");
        assert_eq!(vacpack.metrics().sum("vacpack_requests_shed_total", &["normal", "displaced"]), 1.0);
        gate.open();
        for response in [slow, one] {
            assert_eq!(response.join().expect("an answer").status, 200);
        }
    });
    until("the app to have had the others", || (origin.fetches("/page") == 4).then_some(()));
}

/// More than the app is given new connections for at once: the others come as it has had time to accept those.
#[test]
fn a_crowd_of_new_connections_gets_there_without_an_answer() {
    let (origin, gate, vacpack) = before_a_slow_app("upstream.max_requests = 90\nupstream.max_queued = 0");
    let mut crowd = Frames::connect(vacpack.address());
    crowd.send(&streams(90).flat_map(|stream| get(stream, &format!("/slow?{stream}"))).collect::<Vec<_>>());
    until("the app to have all of them", || (origin.fetches("/slow") == 90).then_some(()));
    assert_eq!(vacpack.metrics().sum("vacpack_requests_shed_total", &[]), 0.0);
    gate.open();
    until_there_are(&vacpack, 0.0, 0.0);
}

const PRIORITIES: &str = r#"
[[route]]
name = "low"
match = { path = "/slow/low" }
priority = "low"

[[route]]
name = "critical"
match = { path = "/slow/critical" }
priority = "critical"
"#;

#[test]
fn the_important_take_the_place_of_the_others_and_go_first() {
    let settings = "upstream.max_requests = 1\nupstream.max_queued = 2\nupstream.queue_timeout = \"1m\"\n";
    let (origin, gate, vacpack) = before_a_slow_app(&format!("{settings}{PRIORITIES}"));
    std::thread::scope(|scope| {
        let first = ask(scope, &vacpack, "/slow", (1.0, 0.0));
        let low = ask(scope, &vacpack, "/slow/low", (1.0, 1.0));
        let normal = ask(scope, &vacpack, "/slow", (1.0, 2.0));
        let critical = scope.spawn(|| vacpack.get("/slow/critical"));
        is_shed(&low.join().expect("an answer"), "displaced");
        until_there_are(&vacpack, 1.0, 2.0);
        is_shed(&vacpack.get("/slow/low"), "queue_full");
        gate.open();
        for response in [first, normal, critical] {
            assert_eq!(response.join().expect("an answer").status, 200);
        }
    });
    let asked: Vec<_> = ["/slow", "/slow/critical"].iter().map(|path| origin.fetches(path)).collect();
    assert_eq!((asked, origin.fetches("/slow/low")), (vec![2, 1], 0));
}

#[test]
fn streams_that_have_begun_hold_no_place() {
    let origin = Origin::start();
    let (events, rest) = (Gate::closed(), Gate::closed());
    let stream = [Part::Data(b"data: 1\n\n".to_vec()), Part::Wait(rest.clone())];
    origin.serve(
        "/events",
        Answer::ok("text/event-stream", "").parts(stream).chunked().first(Part::Wait(events.clone())),
    );
    origin.serve("/tunnel", Answer::websocket_echo());
    origin.serve("/page", Answer::html("page"));
    let vacpack = Vacpack::with(&origin, "upstream.max_requests = 1\nupstream.max_queued = 0");
    let mut listener = vacpack.client();
    listener.send(Call::get("/events").head_bytes());
    until_there_are(&vacpack, 1.0, 0.0);
    is_shed(&vacpack.get("/page"), "queue_full");
    events.open();
    assert_eq!(listener.next_head().expect("a head").0, 200);
    until_there_are(&vacpack, 0.0, 0.0);
    let mut tunnel = vacpack.client();
    let upgrade = Call::get("/tunnel").field("Connection", "Upgrade").field("Upgrade", "websocket");
    tunnel.send(
        upgrade
            .field("Sec-WebSocket-Version", "13")
            .field("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
            .head_bytes(),
    );
    assert_eq!(tunnel.next_head().expect("a head").0, 101);
    until_there_are(&vacpack, 0.0, 0.0);
    assert_eq!(vacpack.get("/page").status, 200);
    rest.open();
}

#[test]
fn a_client_that_leaves_gives_its_place_back() {
    let (_origin, gate, vacpack) = before_a_slow_app("upstream.max_requests = 1\nupstream.max_queued = 0");
    let mut client = vacpack.client();
    client.send(Call::post("/slow", "x").head_bytes());
    client.send("x");
    until_there_are(&vacpack, 1.0, 0.0);
    drop(client);
    until_there_are(&vacpack, 0.0, 0.0);
    assert_eq!(vacpack.get("/page").status, 200);
    gate.open();
}

#[test]
fn a_client_that_reads_slowly_holds_no_place_once_the_app_is_done() {
    let (origin, gate, vacpack) = before_a_slow_app("upstream.max_requests = 1\nupstream.max_queued = 0");
    origin.serve("/large", Answer::cacheable(page(2 << 20)));
    let mut slow = vacpack.client();
    slow.send(Call::get("/large").head_bytes());
    until("the app to be done", || (origin.body_bytes() >= 2 << 20).then_some(()));
    until_there_are(&vacpack, 0.0, 0.0);
    assert_eq!(vacpack.get("/page").status, 200);
    gate.open();
}
