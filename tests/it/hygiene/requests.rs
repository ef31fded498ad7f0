//! Requests: which are refused before the app sees them, and bodies on their way to it.

use crate::harness::payload::{noise, page};
use crate::harness::{Answer, Call, Client, Origin, Vacpack, until};
use std::time::{Duration, Instant};

fn before_an_app(settings: &str) -> (Origin, Vacpack) {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("page"));
    let vacpack = Vacpack::with(&origin, settings);
    (origin, vacpack)
}

/// The status of an answer to exact bytes; 0 when the connection was closed without one.
fn status_of(client: &mut Client, bytes: impl AsRef<[u8]>) -> u16 {
    client.send(bytes);
    let answered = client.next_head();
    answered.map_or(0, |(status, _)| status)
}

#[test]
fn a_request_names_its_host_exactly_once() {
    let (origin, vacpack) = before_an_app("");
    // RFC 9112, 3.2: 400 to each of these.
    for lines in [
        "GET /page HTTP/1.1\r\n\r\n",
        "GET /page HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n",
        "GET /page HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n",
        "GET /page HTTP/1.1\r\nHost: a b.test\r\n\r\n",
        "GET /page HTTP/1.1\r\nHost: a.test/path\r\n\r\n",
    ] {
        assert_eq!(status_of(&mut vacpack.client(), lines), 400, "{lines:?}");
    }
    assert_eq!(origin.fetches("/page"), 0);
    // HTTP/1.0 has no such rule.
    assert_eq!(vacpack.ask(&Call::get("/page").http10().without_host()).status, 200);
}

#[test]
fn a_body_with_two_lengths_is_refused() {
    let (origin, vacpack) = before_an_app("");
    origin.serve("/smuggled", Answer::html("x"));
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: site.test\r\n\r\n";
    for fields in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x5\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    ] {
        let mut client = vacpack.client();
        let head = format!("POST /page HTTP/1.1\r\nHost: site.test\r\n{fields}\r\n0\r\n\r\n{smuggled}");
        let status = status_of(&mut client, head);
        assert!(matches!(status, 0 | 400 | 411 | 501), "{fields:?}: {status}");
        assert!(client.rest().is_some(), "{fields:?}: the connection stays open");
    }
    assert_eq!(origin.fetches("/smuggled"), 0);
}

#[test]
fn a_length_beside_chunks_never_makes_a_second_request() {
    let (origin, vacpack) = before_an_app("");
    origin.serve("/smuggled", Answer::html("x"));
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: site.test\r\n\r\n";
    let both = format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", 5 + smuggled.len());
    let mut client = vacpack.client();
    client.send(format!("POST /page HTTP/1.1\r\nHost: site.test\r\n{both}\r\n0\r\n\r\n{smuggled}"));
    assert!(client.rest().is_some(), "RFC 9112, 6.1: the connection is closed after it");
    assert_eq!(origin.fetches("/smuggled"), 0);
    for seen in origin.requests("/page") {
        let lengths = (seen.fields.all("Content-Length").len(), seen.fields.all("Transfer-Encoding").len());
        assert!(lengths == (1, 0) || lengths == (0, 1), "forwarded with {lengths:?}");
    }
}

#[test]
fn a_head_beyond_its_limits_is_refused() {
    let (origin, vacpack) = before_an_app("listen.max_header_size = \"16KiB\"\nlisten.max_header_count = 50");
    let large = Call::get("/page").field("X-Large", &"x".repeat(20_000));
    assert_eq!(vacpack.ask(&large).status, 431);
    let many = (0..60).fold(Call::get("/page"), |call, number| call.field(&format!("X-{number}"), "1"));
    assert_eq!(vacpack.ask(&many).status, 431);
    assert_eq!(origin.fetches("/page"), 0);
    let fair = (0..40).fold(Call::get("/page"), |call, number| call.field(&format!("X-{number}"), &"x".repeat(100)));
    assert_eq!(vacpack.ask(&fair).status, 200);
}

#[test]
fn a_body_beyond_its_limit_is_refused() {
    let (origin, vacpack) = before_an_app("listen.max_body = \"64KiB\"");
    let told = vacpack.client().begin(&Call::post("/page", "").field("X-Said", "1").host("site.test")).response.status;
    assert_eq!(told, 200, "an empty one fits");
    assert_eq!(vacpack.ask(&Call::post("/page", noise(64 * 1024))).status, 200, "the limit itself fits");
    let seen = origin.fetches("/page");
    let head = "POST /page HTTP/1.1\r\nHost: site.test\r\nContent-Length: 65537\r\n\r\n";
    assert_eq!(status_of(&mut vacpack.client(), head), 413, "told beforehand");
    assert_eq!(origin.fetches("/page"), seen, "the app is not bothered with it");
    // Chunks tell nothing beforehand: the limit is met on the way.
    let mut client = vacpack.client();
    client.send("POST /page HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _chunk in 0..5 {
        client.send(format!("4000\r\n{}\r\n", "x".repeat(0x4000)));
    }
    client.send("0\r\n\r\n");
    let status = client.next_head().map_or(0, |(status, _)| status);
    assert_eq!(status, 413, "chunks beyond it");
    until("the app to be rid of it", || (origin.connections() <= 2).then_some(()));
    let halves: Vec<_> = origin.requests("/page").into_iter().skip(seen).collect();
    assert!(halves.iter().all(|half| !half.complete), "never delivered as a whole one");
}

#[test]
fn uploads_arrive_to_the_byte() {
    let (origin, vacpack) = before_an_app("");
    let body = noise(2 << 20);
    assert_eq!(vacpack.ask(&Call::post("/page", &body)).status, 200);
    assert!(origin.last("/page").body == body, "by length");
    let mut client = vacpack.client();
    client.send("POST /page HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    for chunk in body.chunks(10_000) {
        client.send([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.response(false).status, 200);
    assert!(origin.last("/page").body == body, "by chunks");
}

#[test]
fn a_client_may_wait_for_100_before_it_sends_the_body() {
    let (origin, vacpack) = before_an_app("");
    let mut client = vacpack.client();
    client.send("POST /page HTTP/1.1\r\nHost: site.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    let (status, _) = client.next_head().expect("an interim response before any body");
    assert_eq!(status, 100);
    client.send("hello");
    assert_eq!(client.response(false).status, 200);
    assert_eq!(origin.last("/page").body, b"hello");
}

#[test]
fn half_an_upload_is_never_delivered_as_a_whole_one() {
    let (origin, vacpack) = before_an_app("");
    let mut client = vacpack.client();
    client.send("POST /page HTTP/1.1\r\nHost: site.test\r\nContent-Length: 1000\r\n\r\nonly this");
    // Somebody else is served meanwhile.
    assert_eq!(vacpack.get("/page").status, 200);
    drop(client);
    until("the app to see the end of it", || {
        let upload = origin.requests("/page").into_iter().find(|seen| seen.method == "POST");
        upload.map(|half| assert!(!half.complete))
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::start();
    origin.on_path("/page", |request| Answer::html(&request.target).fresh("no-store"));
    let vacpack = Vacpack::before(&origin);
    let mut client = vacpack.client();
    let calls: Vec<_> = (0..10).map(|number| Call::get(&format!("/page?{number}")).head_bytes()).collect();
    client.send(calls.concat());
    for number in 0..10 {
        let Ok(incoming) = client.incoming(false, Instant::now()) else {
            assert!(number > 0, "not even the first was answered");
            return;
        };
        let response = incoming.read_to_end();
        assert_eq!((response.status, response.text()), (200, format!("/page?{number}")));
    }
}

#[test]
fn a_head_that_never_ends_is_given_up() {
    let (_origin, vacpack) = before_an_app("listen.header_timeout = \"1s\"");
    let mut client = vacpack.client();
    let start = Instant::now();
    client.send("GET /page HTTP/1.1\r\nHost: site.test\r\n");
    // A byte now and then must not extend the time.
    let trickle = std::thread::spawn({
        let mut trickler = client.another_writer();
        move || {
            while start.elapsed() < Duration::from_secs(8) && trickler.try_send(b"X-Slow: 1\r\n") {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    });
    let told = client.rest().expect("an end");
    assert!(told.is_empty() || told.starts_with(b"HTTP/1.1 408 "), "{:?}", String::from_utf8_lossy(&told));
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    trickle.join().expect("no panic");
}

#[test]
fn a_silent_connection_is_given_up() {
    let (_origin, vacpack) = before_an_app("listen.header_timeout = \"1s\"\nlisten.idle_timeout = \"1s\"");
    let start = Instant::now();
    let mut silent = vacpack.client();
    let mut idle = vacpack.client();
    assert_eq!(idle.ask(&Call::get("/page")).status, 200);
    assert!(idle.sees_the_end(), "unused after a request");
    assert!(silent.rest().is_some(), "never used");
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

#[test]
fn an_unusual_method_is_the_apps_business_and_connect_is_not() {
    let (origin, vacpack) = before_an_app("");
    assert_eq!(vacpack.ask(&Call::new("PURGE", "/page")).status, 200);
    assert_eq!(origin.last("/page").method, "PURGE");
    let tunnel = "CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n";
    let status = status_of(&mut vacpack.client(), tunnel);
    assert!(matches!(status, 400 | 405 | 501), "{status}");
}

#[test]
fn targets_reach_the_app_as_they_were_written() {
    let origin = Origin::start();
    let vacpack = Vacpack::before(&origin);
    for target in ["/a//b", "/a/../b", "/a%2Fb", "/%7Euser", "/a;b=c", "/a?x=%20+y", "/a?", "/a?b?c"] {
        origin.on_path(target.split('?').next().expect("a path"), |_| Answer::html(page(10)));
        assert_eq!(vacpack.get(target).status, 200, "{target}");
        assert_eq!(origin.last(target.split('?').next().expect("a path")).target, target);
    }
}
