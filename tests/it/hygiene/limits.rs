//! Each limit of `conf/limits.md` that is not met elsewhere: who meets it is told, and counted.

use crate::harness::payload::noise;
use crate::harness::tls::Authority;
use crate::harness::wait::{DEADLINE, until_past};
use crate::harness::{Answer, Call, Client, Gate, Origin, Part, Vacpack, until};
use rustls::{ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn before_an_app(settings: &str) -> (Origin, Vacpack) {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("page"));
    let vacpack = Vacpack::with(&origin, settings);
    (origin, vacpack)
}

/// How often a limit was met, once it was.
fn met(vacpack: &Vacpack, limit: &str) -> f64 {
    until(limit, || {
        let count = vacpack.metrics().sum("vacpack_limits_met_total", &[limit]);
        (count > 0.0).then_some(count)
    })
}

/// The status that a client hears who says nothing first.
fn turned_away(mut client: Client) -> (u16, String) {
    let (status, head) = client.next_head().expect("an answer");
    assert_eq!(head.fields.one("Connection"), Some("close"));
    (status, head.fields.one("Retry-After").unwrap_or_default().to_owned())
}

#[test]
fn a_connection_too_many_is_told_503() {
    let (_origin, vacpack) = before_an_app("listen.max_connections = 2");
    let mut first = vacpack.client();
    let mut second = vacpack.client();
    assert_eq!((first.ask(&Call::get("/page")).status, second.ask(&Call::get("/page")).status), (200, 200));
    assert_eq!(turned_away(vacpack.client()), (503, "1".to_owned()));
    assert_eq!(met(&vacpack, "connections"), 1.0);
    drop(first);
    until("a place", || (vacpack.client().ask(&Call::get("/page")).status == 200).then_some(()));
    assert_eq!(second.ask(&Call::get("/page")).status, 200, "who is inside stays");
}

#[test]
fn a_client_with_too_many_connections_is_told_429() {
    let (_origin, vacpack) = before_an_app("listen.max_connections_per_client = 1\nlisten.trusted_proxies = []");
    let mut first = vacpack.client();
    assert_eq!(first.ask(&Call::get("/page")).status, 200);
    assert_eq!(turned_away(vacpack.client()), (429, "1".to_owned()));
    assert_eq!(met(&vacpack, "client_connections"), 1.0);
    assert_eq!(first.ask(&Call::get("/page")).status, 200);
}

#[test]
fn a_proxy_that_is_trusted_has_as_many_connections_as_it_wants() {
    let (_origin, vacpack) = before_an_app("listen.max_connections_per_client = 1");
    let mut all: Vec<_> = (0..4).map(|_| vacpack.client()).collect();
    assert!(all.iter_mut().all(|client| client.ask(&Call::get("/page")).status == 200));
}

#[test]
fn a_connection_ends_after_so_many_requests() {
    let (_origin, vacpack) = before_an_app("listen.max_requests = 3");
    let mut client = vacpack.client();
    for last in [false, false, true] {
        let response = client.ask(&Call::get("/page"));
        assert_eq!(response.status, 200);
        assert_eq!(response.members("Connection").contains(&"close".to_owned()), last);
    }
    assert!(client.sees_the_end());
    assert_eq!(met(&vacpack, "connection_requests"), 1.0);
}

#[test]
fn one_request_a_connection_is_a_limit_too() {
    let (_origin, vacpack) = before_an_app("listen.max_requests = 1");
    let mut client = vacpack.client();
    assert_eq!(client.ask(&Call::get("/page")).status, 200);
    assert!(client.sees_the_end());
}

#[test]
fn a_url_that_is_too_long_is_414() {
    let (origin, vacpack) = before_an_app("listen.max_url = \"1KiB\"");
    let longest = format!("/page?{}", "x".repeat(1024 - 6));
    assert_eq!(vacpack.get(&longest).status, 200, "the limit itself fits");
    let response = vacpack.get(&format!("{longest}x"));
    assert_eq!(response.status, 414);
    assert!(response.text().contains("listen.max_url"));
    assert_eq!(origin.fetches("/page"), 1);
    assert_eq!(met(&vacpack, "url"), 1.0);
}

#[test]
fn a_head_without_end_is_not_kept() {
    let (_origin, vacpack) = before_an_app("listen.max_header_size = \"4KiB\"");
    let mut client = vacpack.client();
    client.send("GET /page HTTP/1.1\r\nHost: site.test\r\n");
    let line = format!("X-Long: {}\r\n", "x".repeat(8000));
    let mut sent = 0;
    // Far below the megabyte that the platform would keep; the kernel's buffers take some more.
    until("the end of it", || {
        sent += line.len();
        (!client.try_send(&line)).then_some(())
    });
    assert!(sent < 16 << 20, "{sent} bytes");
    assert_eq!(met(&vacpack, "header_size"), 1.0);
    assert_eq!(vacpack.get("/page").status, 200);
}

#[test]
fn limits_of_a_head_are_counted_apart() {
    let (_origin, vacpack) = before_an_app("listen.max_header_size = \"4KiB\"\nlisten.max_header_count = 5");
    assert_eq!(vacpack.ask(&Call::get("/page").field("X-Large", &"x".repeat(5000))).status, 431);
    let many = (0..6).fold(Call::get("/page"), |call, number| call.field(&format!("X-{number}"), "1"));
    assert_eq!(vacpack.ask(&many).status, 431);
    assert_eq!((met(&vacpack, "header_size"), met(&vacpack, "header_count")), (1.0, 1.0));
}

#[test]
fn connections_that_take_their_time_are_counted() {
    let (_origin, vacpack) = before_an_app("listen.header_timeout = \"1s\"\nlisten.idle_timeout = \"1s\"");
    let mut silent = vacpack.client();
    let mut idle = vacpack.client();
    let mut half = vacpack.client();
    half.send("GET /page HTTP/1.1\r\nHost: site.test\r\n");
    assert_eq!(idle.ask(&Call::get("/page")).status, 200);
    assert!(idle.sees_the_end());
    assert_eq!(silent.rest().expect("an end"), b"", "who has said nothing is not answered");
    assert!(half.rest().expect("an end").starts_with(b"HTTP/1.1 408 "));
    until("both to be counted", || (met(&vacpack, "header_time") == 2.0).then_some(()));
    assert_eq!(met(&vacpack, "idle_time"), 1.0);
}

/// However it trickles, on a new connection or a kept one, and whichever version its first bytes could be of.
#[test]
fn a_head_that_trickles_is_408() {
    let (_origin, vacpack) = before_an_app("listen.header_timeout = \"1s\"");
    for (asks_first, start, then) in [
        (false, "P", "RI * HTTP/1.1\r\nX-Slow: "),
        (false, "GET / HTTP/1.1\r\n", "X-Slow: "),
        (true, "G", "ET / HTTP/1.1\r\nX-Slow: "),
    ] {
        let mut client = vacpack.client();
        if asks_first {
            assert_eq!(client.ask(&Call::get("/page")).status, 200);
        }
        client.send(start);
        let mut trickler = client.another_writer();
        let (start, trickle) = (
            Instant::now(),
            std::thread::spawn(move || {
                let mut bytes = then.chars().chain(std::iter::repeat('x'));
                while bytes.next().is_some_and(|byte| trickler.try_send(byte.to_string())) {
                    std::thread::sleep(Duration::from_millis(100));
                }
            }),
        );
        let response = client.response(false);
        assert_eq!((response.status, response.field("Connection")), (408, Some("close")));
        assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
        assert!(client.sees_the_end());
        trickle.join().expect("no panic");
    }
    assert_eq!(met(&vacpack, "header_time"), 3.0);
}

/// The platform takes the time between requests for the time between two reads of a head.
#[test]
fn a_head_may_pause_for_longer_than_a_connection_may_be_idle() {
    let (_origin, vacpack) = before_an_app("listen.idle_timeout = \"100ms\"\nlisten.body_timeout = \"100ms\"");
    let mut client = vacpack.client();
    client.send("GET /page HTTP/1.1\r\n");
    // As long as the platform's least time, and half as long again.
    std::thread::sleep(Duration::from_millis(1500));
    client.send("Host: site.test\r\n\r\n");
    assert_eq!(client.response(false).status, 200);
}

#[test]
fn a_head_that_trickles_over_tls_is_408() {
    let origin = Origin::start();
    let authority = Authority::new("trickle");
    let certificate = authority.directory("tls", &["site.test"]);
    let settings = format!("listen.header_timeout = \"1s\"\nlisten.tls.certificates = {certificate:?}");
    let vacpack = Vacpack::with(&origin, &settings);
    let name = "site.test".try_into().expect("a name");
    let session = ClientConnection::new(Arc::new(authority.client(&["http/1.1"], None)), name).expect("a client");
    let socket = TcpStream::connect(vacpack.address()).expect("somebody listens");
    socket.set_read_timeout(Some(DEADLINE)).expect("connected");
    let mut client = StreamOwned::new(session, socket);
    client.write_all(b"GET / HTTP/1.1\r\n").expect("connected");
    let mut answer = [0; 13];
    client.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 408 ");
    assert_eq!(met(&vacpack, "header_time"), 1.0);
}

#[test]
fn content_that_stops_is_408() {
    let (_origin, vacpack) = before_an_app("listen.body_timeout = \"1s\"");
    let mut client = vacpack.client();
    client.send("POST /page HTTP/1.1\r\nHost: site.test\r\nContent-Length: 1000\r\n\r\nonly this");
    assert_eq!(client.response(false).status, 408);
    assert_eq!(met(&vacpack, "body_time"), 1.0);
}

#[test]
fn content_that_trickles_is_408() {
    let (_origin, vacpack) = before_an_app("listen.body_timeout = \"1s\"\nlisten.min_body_rate = \"1KiB\"");
    let mut client = vacpack.client();
    client.send("POST /page HTTP/1.1\r\nHost: site.test\r\nContent-Length: 100000\r\n\r\n");
    let start = Instant::now();
    let trickle = std::thread::spawn({
        let mut trickler = client.another_writer();
        move || {
            while start.elapsed() < Duration::from_secs(15) && trickler.try_send(b"x") {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    });
    assert_eq!(client.response(false).status, 408);
    assert_eq!(met(&vacpack, "body_rate"), 1.0);
    drop(client);
    trickle.join().expect("no panic");
}

#[test]
fn grpc_may_be_as_slow_as_it_likes() {
    let (origin, vacpack) = before_an_app("listen.body_timeout = \"1s\"\nlisten.min_body_rate = \"1KiB\"");
    let mut client = vacpack.client();
    client.send(
        "POST /page HTTP/1.1\r\nHost: site.test\r\nContent-Type: application/grpc+proto\r\nContent-Length: 15\r\n\r\n",
    );
    for _byte in 0..15 {
        std::thread::sleep(Duration::from_millis(150));
        client.send("x");
    }
    assert_eq!(client.response(false).status, 200);
    assert_eq!(origin.last("/page").body.len(), 15);
}

#[test]
fn a_client_that_reads_too_slowly_is_cut_off() {
    let (origin, vacpack) = before_an_app("listen.write_timeout = \"1s\"\ncache.enabled = false");
    origin.serve("/large", Answer::ok("application/zip", noise(16 << 20)));
    let mut slow = Client::connect_taking_little(vacpack.address());
    slow.send(Call::get("/large").head_bytes());
    let start = Instant::now();
    // A byte now and then does not help.
    until("an end", || {
        let served = vacpack.metrics().sum("vacpack_requests_in_flight", &[]);
        let _byte = slow.exactly(1);
        (start.elapsed() > Duration::from_millis(500) && served == 0.0).then_some(())
    });
    assert_eq!(met(&vacpack, "write_time"), 1.0);
}

#[test]
fn an_app_that_does_not_begin_is_504() {
    let (origin, vacpack) = before_an_app("upstream.first_byte_timeout = \"300ms\"");
    origin.serve("/silent", Answer::html("x").first(Part::Wait(Gate::closed())));
    assert_eq!(vacpack.get("/page").status, 200, "a connection to be kept");
    let silent = vacpack.get("/silent");
    assert_eq!(silent.status, 504);
    assert!(silent.took() < Duration::from_secs(10), "{:?}", silent.took());
    assert_eq!(origin.fetches("/silent"), 1, "not asked twice");
    assert_eq!(met(&vacpack, "upstream_first_byte"), 1.0);
}

/// A long request is no silence of the app's.
#[test]
fn a_request_may_take_longer_than_the_app_until_it_begins() {
    let (origin, vacpack) = before_an_app("upstream.first_byte_timeout = \"800ms\"");
    origin.serve("/upload", Answer::html("taken"));
    let mut client = vacpack.client();
    client.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 16\r\n\r\n");
    for _piece in 0..16 {
        until_past(Instant::now(), Duration::from_millis(100));
        client.send("x");
    }
    assert_eq!(client.response(false).text(), "taken");
}

#[test]
fn an_app_that_does_not_begin_within_a_read_is_counted_the_same() {
    let (origin, vacpack) = before_an_app("upstream.read_timeout = \"300ms\"");
    origin.serve("/silent", Answer::html("x").first(Part::Wait(Gate::closed())));
    origin.serve("/half", Answer::html("x".repeat(4000)).then_at(2000, Part::Wait(Gate::closed())));
    assert_eq!(vacpack.get("/silent").status, 504);
    assert_eq!(met(&vacpack, "upstream_first_byte"), 1.0);
    assert!(!vacpack.get("/half").complete());
    assert_eq!(met(&vacpack, "upstream_read"), 1.0);
}

#[test]
fn an_answer_that_takes_too_long_altogether_breaks_off() {
    let (origin, vacpack) = before_an_app("upstream.total_timeout = \"1s\"\nupstream.first_byte_timeout = \"500ms\"");
    let ticking = |answer: Answer| answer.parts((0..600).flat_map(|_| tick()));
    origin.serve("/length", ticking(Answer::html("")).chunked());
    origin.serve("/close", ticking(Answer::html("")).until_close());
    for (path, coding) in [("/length", ""), ("/length", "br"), ("/close", ""), ("/close", "gzip")] {
        let response = vacpack.get_as(path, coding);
        assert_eq!(response.status, 200);
        assert!(!response.complete(), "{path} {coding:?}: looked complete");
        assert!(response.took() < Duration::from_secs(15), "{path}: {:?}", response.took());
    }
    until("each to be counted", || (met(&vacpack, "upstream_total") == 4.0).then_some(()));
    assert_eq!(vacpack.get("/page").status, 200);
}

fn tick() -> [Part; 2] {
    [Part::Data(b"tick ".to_vec()), Part::Pause(Duration::from_millis(50))]
}

#[test]
fn an_answer_with_too_large_a_head_is_502() {
    let (origin, vacpack) = before_an_app("upstream.max_header_size = \"4KiB\"");
    origin.serve("/large", Answer::html("x").field("X-Large", &"x".repeat(5000)));
    origin.serve("/fair", Answer::html("x").field("X-Fair", &"x".repeat(3000)));
    assert_eq!(vacpack.get("/fair").status, 200);
    assert_eq!(vacpack.get("/large").status, 502);
    assert_eq!(met(&vacpack, "upstream_header"), 1.0);
}
