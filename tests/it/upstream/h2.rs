//! HTTP/2 towards the app: every shape of an answer, for every client; what breaks off; whose requests go where.

use super::assert_prompt;
use crate::harness::h2_origin::{H2Origin, Step, head, owned};
use crate::harness::payload::page;
use crate::harness::tls::Authority;
use crate::harness::wait::{until_calm, until_past};
use crate::harness::{Answer, Call, Client, Gate, H2Client, Origin, Terminator, Vacpack, together, until};
use h2::Reason;
use std::time::{Duration, Instant};

const HTML: (&str, &str) = ("content-type", "text/html");
const FRESH: (&str, &str) = ("cache-control", "max-age=60");

fn before(app: &H2Origin, settings: &str) -> Vacpack {
    Vacpack::start(&format!("upstream.address = \"{}\"\nupstream.protocol = \"h2c\"\n{settings}", app.address()))
}

fn whole(body: &[u8]) -> Vec<Step> {
    vec![head(&[HTML, ("cache-control", "no-store")]), Step::Data(body.to_vec(), true)]
}

/// Every way in which an app may frame the same content.
fn shapes(content: &[u8]) -> Vec<(&'static str, Vec<Step>)> {
    let length = content.len().to_string();
    let pieces = |end: bool| {
        let last = content.chunks(7000).count() - 1;
        let piece = move |(index, piece): (usize, &[u8])| Step::Data(piece.to_vec(), end && index == last);
        content.chunks(7000).enumerate().map(piece).collect::<Vec<_>>()
    };
    let trailers = Step::Trailers(owned(&[("x-sum", "1")]));
    vec![
        ("length", [vec![head(&[HTML, FRESH, ("content-length", &length)])], pieces(true)].concat()),
        (
            "length, and an end apart",
            [vec![head(&[HTML, FRESH, ("content-length", &length)])], pieces(false), vec![Step::Data(vec![], true)]]
                .concat(),
        ),
        ("no length", [vec![head(&[HTML, FRESH])], pieces(true)].concat()),
        (
            "no length, and an end apart",
            [vec![head(&[HTML, FRESH])], pieces(false), vec![Step::Data(vec![], true)]].concat(),
        ),
        ("trailers", [vec![head(&[HTML, FRESH])], pieces(false), vec![trailers.clone()]].concat()),
        (
            "length and trailers",
            [vec![head(&[HTML, FRESH, ("content-length", &length)])], pieces(false), vec![trailers]].concat(),
        ),
    ]
}

#[test]
fn every_shape_is_stored_and_served_in_every_coding_to_every_client() {
    let app = H2Origin::start();
    let vacpack = before(&app, "");
    let mut h2 = H2Client::connect(vacpack.address());
    let content = page(40_000);
    for (number, (shape, steps)) in shapes(&content).into_iter().enumerate() {
        for coding in ["br", "gzip", ""] {
            for first in ["h1", "h2", "http/1.0"] {
                let path = format!("/{number}-{coding}-{}", first.replace('/', ""));
                app.serve(&path, steps.clone());
                let call = Call::get(&path).accepting(coding);
                let answer = match first {
                    "h1" => vacpack.ask(&call),
                    "h2" => h2.ask(&call),
                    _ => vacpack.ask(&call.clone().http10()),
                };
                let of = format!("{shape}, {coding:?}, {first}");
                assert_eq!((answer.status, answer.outcome()), (200, "miss"), "{of}");
                assert!(answer.content() == content, "{of}");
                if first == "http/1.0" {
                    assert!(answer.field("Transfer-Encoding").is_none(), "{of}");
                } else {
                    let hit = vacpack.ask(&call);
                    assert_eq!(hit.outcome(), "hit", "{of}");
                    assert!(hit.content() == content, "{of}");
                    assert_eq!(app.fetches(&path), 1, "{of}");
                }
            }
        }
    }
}

#[test]
fn answers_without_content_end() {
    let app = H2Origin::start();
    let vacpack = before(&app, "");
    let mut h2 = H2Client::connect(vacpack.address());
    let length = [HTML, FRESH, ("content-length", "5000")];
    for (path, method, steps, status) in [
        ("/empty-head", "GET", vec![Step::Head(200, owned(&[HTML, FRESH]), true)], 200),
        ("/empty-data", "GET", vec![head(&[HTML, FRESH]), Step::Data(vec![], true)], 200),
        ("/empty-length", "GET", vec![Step::Head(200, owned(&[HTML, FRESH, ("content-length", "0")]), true)], 200),
        ("/head", "HEAD", vec![Step::Head(200, owned(&length), true)], 200),
        ("/head-apart", "HEAD", vec![head(&length), Step::Data(vec![], true)], 200),
        ("/none", "GET", vec![Step::Head(204, vec![], true)], 204),
        ("/same", "GET", vec![Step::Head(304, owned(&[("etag", "\"1\"")]), true)], 304),
        ("/error", "POST", vec![Step::Head(500, vec![], true)], 500),
    ] {
        app.serve(path, steps);
        let call = Call::new(method, path).field("If-None-Match", "\"1\"");
        for answer in [vacpack.ask(&call), h2.ask(&call)] {
            assert_eq!((answer.status, answer.body.len()), (status, 0), "{path}");
            assert!(answer.complete(), "{path}: {:?}", answer.cut);
        }
    }
    assert_eq!(app.fetches("/empty-head") + app.fetches("/empty-data") + app.fetches("/empty-length"), 3);
}

#[test]
fn the_app_is_asked_as_http_2_wants_it() {
    let app = H2Origin::start();
    app.serve("/page", whole(b"page"));
    let vacpack = before(&app, "");
    let call = Call::post("/page", page(100_000)).field("X-Own", "1").field("Keep-Alive", "timeout=5");
    let call = call.field("TE", "trailers, deflate").field("Proxy-Authorization", "Basic eDp5");
    assert_eq!(vacpack.ask(&call.clone().field("Connection", "X-Own")).text(), "page");
    let seen = app.last("/page");
    let host = call.host.clone().expect("one");
    assert_eq!((seen.method.as_str(), seen.scheme.as_str(), seen.authority), ("POST", "http", host));
    assert_eq!(seen.body, page(100_000));
    for name in ["host", "connection", "keep-alive", "te", "x-own", "transfer-encoding", "proxy-authorization"] {
        assert!(seen.fields.all(name).is_empty(), "{name}");
    }
    assert_eq!(seen.fields.one("via"), Some("1.1 vacpack"));
    let mut h2 = H2Client::connect(vacpack.address());
    let call = Call::post("/page", page(100_000)).field("TE", "trailers").field("Proxy-Authorization", "Basic eDp5");
    let answer = h2.ask(&call);
    assert_eq!((answer.text().as_str(), answer.field("Via")), ("page", Some("2 vacpack")));
    let seen = app.last("/page");
    assert_eq!((seen.fields.one("te"), seen.fields.one("via")), (Some("trailers"), Some("2 vacpack")));
    assert!(seen.fields.all("proxy-authorization").is_empty());
    assert_eq!(seen.body, page(100_000));
    // The client waits for it, and HTTP/2 has shown the platform none.
    let mut waiting = vacpack.client();
    waiting.send("POST /page HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(waiting.next_head().expect("a go-ahead").0, 100);
    waiting.send("body");
    assert_eq!(waiting.response(false).text(), "page");
    assert!(app.last("/page").fields.all("expect").is_empty());
}

#[test]
fn requests_share_connections_up_to_the_number_of_streams() {
    let app = H2Origin::start();
    let gate = Gate::opening_at(30);
    app.serve("/page", [vec![Step::Wait(gate)], whole(b"page")].concat());
    app.serve("/first", whole(b"first"));
    let vacpack = before(&app, "upstream.h2.max_streams = 10");
    assert_eq!(vacpack.get("/first").text(), "first");
    assert!(together(30, |_| vacpack.get("/page").text()).iter().all(|text| text == "page"));
    for connection in 0..app.connections() {
        let streams = app.requests("/page").iter().filter(|seen| seen.connection == connection).count();
        assert!(streams <= 10, "{streams} on one");
    }
    let made = app.connections();
    assert!((3..=30).contains(&made), "{made}");
    for _turn in 0..20 {
        assert_eq!(vacpack.get("/first").text(), "first");
    }
    assert_eq!(app.connections(), made, "one of them is kept");
}

#[test]
fn many_who_read_nothing_are_in_nobodys_way() {
    let app = H2Origin::start();
    let large = vec![head(&[("content-type", "application/octet-stream")]), Step::Data(vec![7; 8 << 20], true)];
    app.serve("/large", large);
    app.serve("/page", whole(&page(30_000)));
    let vacpack = before(&app, "cache.enabled = false");
    assert_eq!(vacpack.get("/page").content(), page(30_000));
    let mut slow = Vec::new();
    for number in 1..=30 {
        let mut client = Client::connect_taking_little(vacpack.address());
        client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
        client.next_head().expect("a head");
        slow.push(client);
        assert_eq!(app.fetches("/large"), number);
    }
    let held = until_calm("bytes on their way", Duration::from_millis(300), || app.body_bytes());
    assert!(held < 30 * (6 << 20), "the kernel takes some, and vacpack little: {held}");
    for _turn in 0..20 {
        assert_eq!(vacpack.get("/page").content(), page(30_000));
    }
    assert_eq!(app.connections(), 1, "they are on the same one");
}

#[test]
fn what_breaks_off_is_cut_and_not_stored() {
    let app = H2Origin::start();
    let half =
        || vec![head(&[HTML, FRESH, ("content-length", "9000")]), Step::Data(page(9000)[..5000].to_vec(), false)];
    let vacpack = before(&app, "upstream.breaker.failures = 1_000_000");
    let mut h2 = H2Client::connect(vacpack.address());
    for (path, end) in [
        ("/reset", Step::Reset(Reason::INTERNAL_ERROR)),
        ("/cancel", Step::Reset(Reason::CANCEL)),
        ("/cut", Step::Cut),
        ("/too-short", Step::Data(vec![], true)),
        ("/too-long", Step::Data(page(9000), true)),
        ("/trailers-too-soon", Step::Trailers(owned(&[("x-a", "1")]))),
    ] {
        let gate = Gate::opening_at(1);
        app.serve(path, [half(), vec![Step::Wait(gate), end]].concat());
        for coding in ["br", ""] {
            let call = Call::get(path).accepting(coding);
            for answer in [vacpack.ask(&call), h2.ask(&call)] {
                let refused = answer.status == 502;
                assert!(refused || !answer.complete(), "{path} {coding:?}: looked complete");
            }
        }
        assert!(app.fetches(path) >= 4, "{path}: nothing is kept");
    }
}

#[test]
fn a_failure_before_the_head_is_told_or_covered_up() {
    let app = H2Origin::start();
    let stale =
        vec![head(&[HTML, ("cache-control", "max-age=1, stale-if-error=600")]), Step::Data(b"older".to_vec(), true)];
    let broken = vec![Step::Reset(Reason::INTERNAL_ERROR)];
    app.serve_by("/stale", move |nth| if nth == 0 { stale.clone() } else { broken.clone() });
    app.serve("/reset", vec![Step::Reset(Reason::INTERNAL_ERROR)]);
    let vacpack = before(&app, "");
    let start = Instant::now();
    assert_eq!(vacpack.get("/stale").text(), "older");
    let told = vacpack.get("/reset");
    assert_eq!((told.status, told.text().as_str()), (502, "The app gave the request up before it answered.\n"));
    assert_eq!(app.fetches("/reset"), 1, "it may have been begun");
    assert_eq!(vacpack.metrics_after(2).sum("vacpack_upstream_errors_total", &["reset"]), 1.0);
    until_past(start, Duration::from_millis(2100));
    assert_eq!((vacpack.get("/stale").outcome(), vacpack.get("/stale").text().as_str()), ("stale", "older"));
}

/// RFC 9113, sections 6.8 and 8.7.
#[test]
fn what_the_app_has_not_begun_is_sent_again() {
    let app = H2Origin::start();
    app.serve_by("/refused", |nth| if nth == 0 { vec![Step::Reset(Reason::REFUSED_STREAM)] } else { whole(b"taken") });
    app.serve("/always", vec![Step::Reset(Reason::REFUSED_STREAM)]);
    app.serve("/page", whole(b"page"));
    let vacpack = before(&app, "");
    assert_eq!(vacpack.get("/page").text(), "page");
    // Also a POST, with its content.
    assert_eq!(vacpack.ask(&Call::post("/refused", page(30_000))).text(), "taken");
    assert_eq!(app.last("/refused").body, page(30_000));
    assert_eq!(vacpack.ask(&Call::post("/always", "x")).status, 502);
    assert_eq!(app.fetches("/always"), 2, "as often as upstream.max_retries says");
}

#[test]
fn an_app_that_says_goodbye_finishes_what_it_has() {
    let app = H2Origin::start();
    let gate = Gate::closed();
    let (slow, bye) = (gate.clone(), whole(b"bye"));
    app.serve("/slow", [vec![Step::Wait(slow)], whole(b"slow")].concat());
    app.serve("/bye", [vec![Step::GoAway], bye].concat());
    app.serve("/page", whole(b"page"));
    let vacpack = before(&app, "");
    assert_eq!(vacpack.get("/page").text(), "page");
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| vacpack.get("/slow").text());
        gate.until_reached();
        assert_eq!(vacpack.get("/bye").text(), "bye");
        for _turn in 0..20 {
            assert_eq!(vacpack.ask(&Call::post("/page", "x")).text(), "page");
        }
        gate.open();
        assert_eq!(slow.join().expect("an answer"), "slow");
    });
    assert!(app.connections() >= 2);
}

#[test]
fn a_connection_that_dies_costs_no_idempotent_request() {
    let app = H2Origin::start();
    app.serve("/page", whole(b"page"));
    app.serve_by("/dies", |nth| if nth == 0 { vec![Step::Cut] } else { whole(b"lives") });
    let vacpack = before(&app, "");
    assert_eq!(vacpack.get("/page").text(), "page");
    assert_eq!(vacpack.get("/dies").text(), "lives");
    app.serve("/dies", vec![Step::Cut]);
    assert_eq!(vacpack.get("/page").text(), "page");
    let fetches = app.fetches("/dies");
    assert_eq!(vacpack.ask(&Call::post("/dies", "order")).status, 502);
    assert_eq!(app.fetches("/dies"), fetches + 1, "an order is not placed twice");
}

#[test]
fn waits_have_an_end() {
    let app = H2Origin::start();
    app.serve("/silent", vec![Step::Wait(Gate::closed())]);
    let begun = vec![head(&[HTML]), Step::Data(page(3000), false)];
    app.serve("/stops", [begun.clone(), vec![Step::Wait(Gate::closed())]].concat());
    let vacpack = before(&app, "upstream.read_timeout = \"500ms\"");
    assert_eq!(vacpack.get("/silent").status, 504);
    assert!(!vacpack.get("/stops").complete());
    assert_eq!(vacpack.metrics_after(2).sum("vacpack_limits_met_total", &["upstream_first_byte"]), 1.0);
    let trickle = (0..400).flat_map(|_| [Step::Data(b"drop ".to_vec(), false), Step::Wait(Gate::closed())]);
    app.serve("/trickles", [begun, trickle.take(2).collect()].concat());
    let vacpack = before(&app, "upstream.total_timeout = \"300ms\"");
    let begin = Instant::now();
    assert!(!vacpack.get("/trickles").complete());
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[test]
fn when_the_app_pauses_the_codec_holds_nothing_back() {
    let app = H2Origin::start();
    let parts = [page(2000), page(30_000), page(100), page(70_000)];
    let gates: Vec<Gate> = parts.iter().map(|_| Gate::closed()).collect();
    let script =
        parts.iter().zip(&gates).flat_map(|(part, gate)| [Step::Data(part.clone(), false), Step::Wait(gate.clone())]);
    app.serve("/slow", [vec![head(&[HTML])], script.collect(), vec![Step::Data(vec![], true)]].concat());
    let vacpack = before(&app, "");
    assert_prompt(&vacpack, &parts, &gates);
}

#[test]
fn what_is_stored_is_confirmed_and_refreshed() {
    let app = H2Origin::start();
    let tagged = [HTML, ("etag", "\"1\""), ("cache-control", "max-age=1")];
    let first = vec![head(&tagged), Step::Data(page(5000), true)];
    let same = vec![Step::Head(304, owned(&tagged), true)];
    app.serve_by("/confirmed", move |nth| if nth == 0 { first.clone() } else { same.clone() });
    let gate = Gate::closed();
    let end = gate.clone();
    app.serve_by("/refreshed", move |nth| {
        let body = format!("version {nth}");
        let length = body.len().to_string();
        let fields = [HTML, ("cache-control", "max-age=1, stale-while-revalidate=600"), ("content-length", &length)];
        // Its end comes apart, and after a while.
        let wait = Step::Wait(if nth == 1 { end.clone() } else { Gate::opening_at(1) });
        vec![head(&fields), Step::Data(body.into_bytes(), false), wait, Step::Data(vec![], true)]
    });
    app.serve("/page", whole(b"page"));
    let vacpack = before(&app, "");
    let start = Instant::now();
    assert_eq!(vacpack.get("/confirmed").content(), page(5000));
    assert_eq!(vacpack.get("/refreshed").text(), "version 0");
    until_past(start, Duration::from_millis(2100));
    let confirmed = vacpack.get("/confirmed");
    assert_eq!((confirmed.outcome(), confirmed.content()), ("revalidated", page(5000)));
    assert_eq!(vacpack.get("/refreshed").text(), "version 0");
    gate.until_reached();
    // What was sent before these has come as well: they are on the same connection.
    for _turn in 0..20 {
        assert_eq!(vacpack.get("/page").text(), "page");
    }
    assert_eq!(app.connections(), 1);
    gate.open();
    // Or the one after it, if what is asked here was looked up just before the first came to its end.
    until("a new version", || (vacpack.get("/refreshed").text() != "version 0").then_some(()));
}

#[test]
fn trailers_of_what_is_not_stored_reach_who_can_have_them() {
    let app = H2Origin::start();
    let trailers = Step::Trailers(owned(&[("x-sum", "42")]));
    app.serve("/sum", vec![head(&[("content-type", "image/png")]), Step::Data(b"1".to_vec(), false), trailers]);
    let vacpack = before(&app, "");
    let mut h2 = H2Client::connect(vacpack.address());
    let post = h2.ask(&Call::post("/sum", "x"));
    assert_eq!((post.text().as_str(), post.trailers.one("x-sum")), ("1", Some("42")));
    let get = h2.ask(&Call::get("/sum"));
    assert_eq!((get.text().as_str(), get.trailers.one("x-sum")), ("1", None));
    assert_eq!(vacpack.ask(&Call::post("/sum", "x")).text(), "1");
}

#[test]
fn several_addresses_and_the_probe_speak_it_too() {
    let (one, two) = (H2Origin::start(), H2Origin::start());
    for app in [&one, &two] {
        app.serve("/page", whole(b"page"));
        app.serve("/healthz", vec![Step::Head(200, vec![], true)]);
    }
    let also = format!("upstream.also = [\"{}\"]\n", two.address());
    let ready = "upstream.ready_path = \"/healthz\"\nupstream.ready_interval = \"50ms\"";
    let vacpack = before(&one, &format!("{also}{ready}"));
    until("readiness", || (vacpack.ask_admin(&Call::get("/readyz")).status == 200).then_some(()));
    for _turn in 0..20 {
        assert_eq!(vacpack.get("/page").text(), "page");
    }
    assert_eq!((one.fetches("/page"), two.fetches("/page")), (10, 10));
    drop(two);
    for _turn in 0..20 {
        assert_eq!(vacpack.get("/page").text(), "page");
    }
}

#[test]
fn the_app_chooses_by_its_handshake() {
    let authority = Authority::new("app-h2-tls");
    let names = ["app.test"];
    let trusting = format!("upstream.tls.ca = {:?}\nupstream.tls.server_name = \"app.test\"\n", authority.file());
    let begin = |address: String, protocol: &str| {
        Vacpack::start(&format!("upstream.address = \"{address}\"\nupstream.protocol = \"{protocol}\"\n{trusting}"))
    };
    let app = H2Origin::secured(authority.server(&names, &["h2", "http/1.1"], false));
    app.serve("/page", whole(b"over 2"));
    for protocol in ["h2", "auto"] {
        let vacpack = begin(app.address(), protocol);
        assert_eq!(vacpack.get("/page").text(), "over 2", "{protocol}");
        assert_eq!(app.last("/page").scheme, "https");
    }
    let origin = Origin::start();
    origin.serve("/page", Answer::html("over 1").fresh("no-store"));
    origin.serve("/ws", Answer::websocket_echo());
    let old = Terminator::before(&origin, authority.server(&names, &["http/1.1"], false));
    let vacpack = begin(old.address(), "auto");
    for _turn in 0..20 {
        assert_eq!(vacpack.get("/page").text(), "over 1");
    }
    assert!(old.names().len() < 10, "connections are kept: {}", old.names().len());
    // One that takes nothing but HTTP/2 meets one that has nothing but HTTP/1.1.
    assert_eq!(begin(old.address(), "h2").get("/page").status, 502);
    let both = Terminator::before(&origin, authority.server(&names, &["h2", "http/1.1"], false));
    let vacpack = begin(both.address(), "auto");
    let handshake = Call::get("/ws").field("Connection", "Upgrade").field("Upgrade", "websocket");
    assert_eq!(vacpack.client().begin(&handshake).response.status, 101, "WebSocket is HTTP/1.1");
}
