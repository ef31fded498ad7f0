//! The PROXY protocol, and the fields that tell the app who asks, over it.

use crate::harness::payload::page;
use crate::harness::tls::Authority;
use crate::harness::{Answer, Call, Frames, Origin, Vacpack, until};

const SETTINGS: &str = "listen.proxy_protocol = [\"127.0.0.0/8\"]\n";
const LINE: &str = "PROXY TCP4 198.51.100.7 127.0.0.1 4711 80\r\n";

/// Version 2: the same client.
fn version2() -> Vec<u8> {
    let addresses = [198, 51, 100, 7, 127, 0, 0, 1, 0x12, 0x67, 0, 80];
    [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..], &addresses].concat()
}

#[test]
fn the_client_is_who_the_balancer_says() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("page"));
    let vacpack = Vacpack::with(&origin, SETTINGS);
    for header in [LINE.as_bytes().to_vec(), version2()] {
        let mut client = vacpack.client();
        client.send(&header);
        // The header is the balancer's word; what the client writes itself is its own.
        for _ in 0..2 {
            let call = Call::get("/page").field("X-Forwarded-For", "203.0.113.1");
            assert_eq!(client.ask(&call).text(), "page");
            assert_eq!(origin.last("/page").fields.one("X-Forwarded-For"), Some("198.51.100.7"));
        }
    }
    let mut health = vacpack.client();
    health.send("PROXY UNKNOWN\r\n");
    assert_eq!(health.ask(&Call::get("/page")).text(), "page");
    assert_eq!(origin.last("/page").fields.one("X-Forwarded-For"), Some("127.0.0.1"));
}

#[test]
fn a_named_peer_has_to_say_it_and_others_must_not() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("page"));
    let vacpack = Vacpack::with(&origin, &format!("{SETTINGS}listen.header_timeout = \"300ms\"\n"));
    let mut silent = vacpack.client();
    let mut without = vacpack.client();
    without.send("GET /page HTTP/1.1\r\nHost: site.test\r\n\r\n");
    let mut begun = vacpack.client();
    begun.send("PROXY TCP4 198.51");
    assert!(silent.sees_the_end() && without.sees_the_end() && begun.sees_the_end());

    let stranger = Vacpack::with(&origin, "listen.proxy_protocol = [\"192.0.2.0/24\"]");
    let mut client = stranger.client();
    client.send([LINE.as_bytes(), b"GET /page HTTP/1.1\r\nHost: site.test\r\n\r\n"].concat());
    let told = client.rest().expect("an end");
    assert!(told.is_empty() || told.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(&told));
    assert_eq!(origin.fetches("/page"), 0);
    assert_eq!(stranger.get("/page").text(), "page");
}

/// Each of the balancer's connections is one of the client that it speaks for.
#[test]
fn connections_are_counted_for_who_the_balancer_says() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("page"));
    let settings = format!("{SETTINGS}listen.max_connections_per_client = 1\n");
    let vacpack = Vacpack::with(&origin, &settings);
    let mut first = vacpack.client();
    first.send(LINE);
    assert_eq!(first.ask(&Call::get("/page")).status, 200);
    let mut second = vacpack.client();
    second.send(version2());
    assert_eq!(second.ask(&Call::get("/page")).status, 429);
    let mut other = vacpack.client();
    other.send(LINE.replace("198.51.100.7", "198.51.100.8"));
    assert_eq!(other.ask(&Call::get("/page")).status, 200);
    assert_eq!(vacpack.metrics().sum("vacpack_limits_met_total", &["client_connections"]), 1.0);
    drop(first);
    until("the first to be gone", || {
        let mut again = vacpack.client();
        again.send(LINE);
        (again.ask(&Call::get("/page")).status == 200).then_some(())
    });
}

#[test]
fn http_2_and_tls_follow_it_too() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html(page(2000)));
    let vacpack = Vacpack::with(&origin, SETTINGS);
    let asked = |frames: &mut Frames| {
        frames.send(&crate::harness::frames::get(1, "/page"));
        let data = std::iter::from_fn(|| frames.next()).find(|frame| frame.kind == 0);
        assert!(data.is_some_and(|data| data.stream == 1));
        assert_eq!(origin.last("/page").fields.one("X-Forwarded-For"), Some("198.51.100.7"));
    };
    asked(&mut Frames::connect_after(vacpack.address(), LINE.as_bytes()));
    let authority = Authority::new("proxy-protocol");
    let certificate = authority.directory("tls", &["site.test"]);
    let vacpack = Vacpack::with(&origin, &format!("{SETTINGS}listen.tls.certificates = {certificate:?}"));
    let config = authority.client(&["h2"], None);
    asked(&mut Frames::secured_after(vacpack.address(), &version2(), "site.test", config));
    assert_eq!(origin.last("/page").fields.one("X-Forwarded-Proto"), Some("https"));
}
