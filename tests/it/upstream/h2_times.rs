//! The times of an exchange over HTTP/2, where one connection has many: each ends alone, as it would over HTTP/1.1.

use crate::harness::h2_origin::{H2Origin, Step, head, owned};
use crate::harness::payload::page;
use crate::harness::wait::until_past;
use crate::harness::{Call, Client, Gate, H2Client, Response, Vacpack, until};
use std::time::{Duration, Instant};

const HTML: (&str, &str) = ("content-type", "text/html");
const FRESH: (&str, &str) = ("cache-control", "max-age=60");
const GRPC: (&str, &str) = ("content-type", "application/grpc");

/// Short, and no test asks how short.
const SOON: Duration = Duration::from_millis(300);
const FIRST: &str = "upstream.first_byte_timeout = \"300ms\"\n";
const TOTAL: &str = "upstream.total_timeout = \"300ms\"\n";

/// The platform's own timers are far away, and the app is asked whatever it does.
fn before(app: &H2Origin, settings: &str) -> Vacpack {
    let app = format!("upstream.address = \"{}\"\nupstream.protocol = \"h2c\"\n", app.address());
    Vacpack::start(&format!("{app}upstream.breaker.failures = 1_000_000\n{settings}"))
}

fn silence() -> Step {
    Step::Wait(Gate::closed())
}

fn met(vacpack: &Vacpack, limit: &str) -> f64 {
    vacpack.metrics().sum("vacpack_limits_met_total", &[limit])
}

fn until_met(vacpack: &Vacpack, limit: &str, times: f64) {
    until(&format!("{times} of {limit}"), || (met(vacpack, limit) >= times).then_some(()));
    assert_eq!(met(vacpack, limit), times);
}

/// What is fetched for the store, what is not stored, what has content, and what has none.
fn calls(path: &str) -> [Call; 4] {
    [
        Call::get(path).accepting("br"),
        Call::get(path).field("Authorization", "Basic eDp5"),
        Call::post(path, page(100_000)),
        Call::head(path),
    ]
}

fn was_in_time(answer: &Response) {
    assert!(answer.took() < Duration::from_secs(15), "{:?}", answer.took());
}

#[test]
fn an_app_that_does_not_begin_is_504_and_its_neighbours_go_on() {
    let app = H2Origin::start();
    let gate = Gate::closed();
    app.serve("/silent", vec![silence()]);
    app.serve("/slow", vec![head(&[HTML]), Step::Data(page(3000), false), Step::Wait(gate.clone()), whole_end()]);
    let vacpack = before(&app, FIRST);
    let mut slow = vacpack.client();
    let mut slow = slow.begin(&Call::get("/slow"));
    let mut h2 = H2Client::connect(vacpack.address());
    for call in calls("/silent") {
        for answer in [vacpack.ask(&call), h2.ask(&call)] {
            assert_eq!(answer.status, 504, "{}", call.method);
            was_in_time(&answer);
        }
    }
    assert_eq!(app.fetches("/silent"), 8, "none is asked twice");
    until_met(&vacpack, "upstream_first_byte", 8.0);
    assert_eq!(vacpack.metrics().sum("vacpack_upstream_errors_total", &["timeout"]), 8.0);
    // It had begun in time, and has been silent since.
    assert!(slow.next_piece().is_some());
    gate.open();
    assert_eq!(slow.read_to_end().content(), page(3000));
    assert_eq!(app.connections(), 1, "one connection, and it lives");
}

fn whole_end() -> Step {
    Step::Data(vec![], true)
}

#[test]
fn an_app_that_does_not_begin_is_covered_up_where_that_may_be() {
    let app = H2Origin::start();
    let fields = [HTML, ("cache-control", "max-age=1, stale-if-error=600")];
    let first = vec![head(&fields), Step::Data(page(3000), true)];
    app.serve_by("/page", move |nth| if nth == 0 { first.clone() } else { vec![silence()] });
    let vacpack = before(&app, FIRST);
    let mut h2 = H2Client::connect(vacpack.address());
    let start = Instant::now();
    assert_eq!(vacpack.get("/page").content(), page(3000));
    until_past(start, Duration::from_millis(2100));
    for answer in [vacpack.get("/page"), h2.ask(&Call::get("/page"))] {
        assert_eq!((answer.outcome(), answer.content()), ("stale", page(3000)));
    }
    assert!(met(&vacpack, "upstream_first_byte") >= 1.0);
}

#[test]
fn a_refresh_that_does_not_begin_ends_and_another_one_may() {
    let app = H2Origin::start();
    app.serve_by("/page", move |nth| match nth {
        1 => vec![silence()],
        _ => {
            let fields = [HTML, ("cache-control", "max-age=1, stale-while-revalidate=600")];
            vec![head(&fields), Step::Data(format!("version {nth}").into_bytes(), true)]
        }
    });
    let vacpack = before(&app, FIRST);
    let start = Instant::now();
    assert_eq!(vacpack.get("/page").text(), "version 0");
    until_past(start, Duration::from_millis(2100));
    assert_eq!(vacpack.get("/page").text(), "version 0");
    until_met(&vacpack, "upstream_first_byte", 1.0);
    until("the next refresh", || (vacpack.get("/page").text() == "version 2").then_some(()));
}

#[test]
fn an_answer_that_takes_too_long_altogether_breaks_off_although_the_app_is_silent() {
    let app = H2Origin::start();
    let begun = |length: &[(&str, &str)]| {
        let fields = [&[HTML, FRESH], length].concat();
        vec![head(&fields), Step::Data(page(3000), false), silence()]
    };
    app.serve("/length", begun(&[("content-length", "9000")]));
    app.serve("/none", begun(&[]));
    app.serve("/silent", vec![silence()]);
    let vacpack = before(&app, TOTAL);
    let mut h2 = H2Client::connect(vacpack.address());
    let mut ended = 0.0;
    for path in ["/length", "/none"] {
        for call in &calls(path)[..3] {
            for answer in [vacpack.ask(call), h2.ask(call)] {
                assert!(answer.status == 504 || !answer.complete(), "{path} {}: looked complete", call.method);
                was_in_time(&answer);
                ended += 1.0;
            }
        }
        assert!(app.fetches(path) == 6, "{path}: nothing is kept");
    }
    for call in calls("/silent") {
        assert_eq!(vacpack.ask(&call).status, 504, "{}", call.method);
        ended += 1.0;
    }
    until_met(&vacpack, "upstream_total", ended);
    assert_eq!(app.connections(), 1);
}

/// The app is done, and how fast its client reads is not its time.
#[test]
fn a_client_may_take_longer_than_the_app_had() {
    let app = H2Origin::start();
    let large = page(4 << 20);
    let fields = [("content-type", "image/png"), ("etag", "\"1\""), ("cache-control", "max-age=1")];
    let first = vec![head(&fields), Step::Data(large.clone(), true)];
    let same = vec![Step::Head(304, owned(&fields), true)];
    app.serve_by("/large", move |nth| if nth == 0 { first.clone() } else { same.clone() });
    // The first answer may take its time, on a machine that is busy.
    let vacpack = before(&app, "upstream.total_timeout = \"5s\"\ncache.max_object = \"8MiB\"\n");
    let start = Instant::now();
    assert_eq!(vacpack.get("/large").content().len(), large.len());
    until_past(start, Duration::from_millis(2100));
    let mut slow = Client::connect_taking_little(vacpack.address());
    let slow = slow.begin(&Call::get("/large"));
    assert_eq!(app.fetches("/large"), 2);
    until_past(Instant::now(), Duration::from_secs(6));
    assert_eq!(slow.read_to_end().content(), large);
    assert_eq!(met(&vacpack, "upstream_total"), 0.0);
}

#[test]
fn a_call_of_grpc_has_to_begin_and_may_then_be_silent() {
    let app = H2Origin::start();
    let gate = Gate::closed();
    let trailers = Step::Trailers(owned(&[("grpc-status", "0")]));
    app.serve("/pkg.Service/Watch", vec![head(&[GRPC]), Step::Wait(gate.clone()), trailers]);
    app.serve("/pkg.Service/Hangs", vec![silence()]);
    let vacpack = before(&app, "upstream.read_timeout = \"400ms\"\nupstream.first_byte_timeout = \"300ms\"\n");
    let call = |path: &str| Call::post(path, [0; 5]).field("Content-Type", "application/grpc").field("TE", "trailers");
    let (path, opened) = ("/pkg.Service/Watch", gate);
    let watched = std::thread::scope(|scope| {
        let watched = scope.spawn(|| H2Client::connect(vacpack.address()).ask(&call(path)));
        opened.until_reached();
        let since = Instant::now();
        assert_eq!(H2Client::connect(vacpack.address()).ask(&call("/pkg.Service/Hangs")).status, 504);
        until_past(since, 4 * SOON);
        opened.open();
        watched.join().expect("an answer")
    });
    assert_eq!((watched.status, watched.trailers.one("grpc-status")), (200, Some("0")));
    until_met(&vacpack, "upstream_first_byte", 1.0);
}

/// A receiver of a stream that needs time for what it has is no failure.
#[test]
fn a_call_of_grpc_waits_until_the_app_takes_more_of_it() {
    let app = H2Origin::start();
    let (path, gate) = ("/pkg.Service/Upload", Gate::closed());
    app.hold(path, gate.clone());
    app.serve(path, vec![head(&[GRPC]), Step::Trailers(owned(&[("grpc-status", "0")]))]);
    let vacpack = before(&app, "upstream.write_timeout = \"300ms\"\n");
    let call = Call::post(path, page(300_000)).field("Content-Type", "application/grpc").field("TE", "trailers");
    let answer = std::thread::scope(|scope| {
        let answer = scope.spawn(|| H2Client::connect(vacpack.address()).ask(&call));
        gate.until_reached();
        until_past(Instant::now(), 4 * SOON);
        gate.open();
        answer.join().expect("an answer")
    });
    assert_eq!((answer.status, answer.trailers.one("grpc-status")), (200, Some("0")));
    assert_eq!(app.last(path).body.len(), 300_000);
    // Unless nobody is left to wait.
    let gate = Gate::closed();
    app.hold(path, gate.clone());
    H2Client::connect(vacpack.address()).leave_unanswered(&call, || gate.waiting() > 0);
    let live = || vacpack.metrics().sum("vacpack_upstream_requests_in_flight", &[]);
    until("the call to end", || (live() == 0.0).then_some(()));
}

/// The platform waits for the answer then, which does not begin either.
#[test]
fn content_that_the_app_does_not_take_is_504_as_well() {
    let app = H2Origin::start();
    app.hold("/upload", Gate::closed());
    let times = "upstream.write_timeout = \"200ms\"\nupstream.read_timeout = \"600ms\"\n";
    for (settings, limit) in
        [(format!("{times}{FIRST}"), "upstream_first_byte"), (format!("{times}{TOTAL}"), "upstream_total")]
    {
        let vacpack = before(&app, &settings);
        // Little more than there is room for.
        let answer = vacpack.ask(&Call::post("/upload", page(70_000)));
        assert_eq!(answer.status, 504, "{limit}");
        until_met(&vacpack, limit, 1.0);
    }
}

/// A long request is no silence of the app's.
#[test]
fn a_request_may_take_longer_than_the_app_may_be_silent() {
    let app = H2Origin::start();
    app.serve("/upload", vec![head(&[HTML]), Step::Data(b"taken".to_vec(), true)]);
    for settings in ["upstream.read_timeout = \"800ms\"\n", "upstream.first_byte_timeout = \"800ms\"\n"] {
        let vacpack = before(&app, settings);
        let mut client = vacpack.client();
        client.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 160000\r\n\r\n");
        for _piece in 0..16 {
            until_past(Instant::now(), Duration::from_millis(100));
            client.send([b'x'; 10_000]);
        }
        assert_eq!(client.response(false).text(), "taken", "{settings}");
    }
}

#[test]
fn an_app_that_hangs_on_its_one_connection_is_left_alone() {
    let app = H2Origin::start();
    app.serve("/silent", vec![silence()]);
    app.serve("/page", vec![head(&[HTML]), Step::Data(page(300), true)]);
    let breaker = "upstream.breaker.failures = 2\nupstream.breaker.pause = \"1h\"\n";
    let address = format!("upstream.address = \"{}\"\nupstream.protocol = \"h2c\"\n", app.address());
    let vacpack = Vacpack::start(&format!("{address}{breaker}{FIRST}"));
    assert_eq!(vacpack.get("/page").status, 200);
    assert_eq!([vacpack.get("/silent").status, vacpack.get("/silent").status], [504, 504]);
    assert_eq!(vacpack.get("/page").status, 503);
}
