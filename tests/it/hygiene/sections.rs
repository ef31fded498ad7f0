//! Heads of HTTP/2 that do not end: no request has begun that could be given up, and nothing else can come behind one.

use crate::harness::frames::{END_HEADERS, END_STREAM, Frames, PREFACE, fields, frame, get, kind, request};
use crate::harness::tls::Authority;
use crate::harness::{Answer, Client, Gate, Origin, Part, Vacpack, until};
use std::time::Duration;

/// With the idle time at its default, which is longer than anything here is waited for.
const SOON: &str = "listen.header_timeout = \"300ms\"\n";

fn met(vacpack: &Vacpack) -> f64 {
    vacpack.metrics().sum("vacpack_limits_met_total", &["header_time"])
}

/// Begun, in one way or another.
fn begun() -> [(&'static str, Vec<u8>); 5] {
    let head = request("GET", "/", &[]);
    let first = frame(kind::HEADERS, END_STREAM, 1, &head);
    let whole = frame(kind::HEADERS, END_STREAM | END_HEADERS, 1, &head);
    [
        ("a frame's own head", whole[..4].to_vec()),
        ("half a frame", whole[..20].to_vec()),
        ("more is to come", first.clone()),
        ("and more", [first, frame(kind::CONTINUATION, 0, 1, &fields(&[("x", "1")]))].concat()),
        ("behind one that is whole", [get(1, "/"), frame(kind::HEADERS, END_STREAM, 3, &head)].concat()),
    ]
}

/// How the connection ended: RFC 9113, section 7, ENHANCE_YOUR_CALM.
fn hears_why(frames: &mut Frames) -> bool {
    let said = std::iter::from_fn(|| frames.next()).filter(|frame| frame.kind == kind::GOAWAY).last();
    said.is_some_and(|said| said.payload[7] == 11)
}

/// Whatever is begun, on a connection of its own.
fn each_ends_its_connection(vacpack: &Vacpack, connect: impl Fn() -> Frames) {
    for (number, (name, bytes)) in (1u32..).zip(begun()) {
        let mut frames = connect();
        frames.send(&bytes);
        assert!(hears_why(&mut frames), "{name}");
        until(name, || (met(vacpack) == f64::from(number)).then_some(()));
    }
}

#[test]
fn a_head_that_is_left_unfinished_ends_its_connection() {
    let origin = Origin::start();
    origin.serve("/", Answer::html("page"));
    let vacpack = Vacpack::with(&origin, SOON);
    each_ends_its_connection(&vacpack, || Frames::connect(vacpack.address()));
}

#[test]
fn a_head_that_is_left_unfinished_over_tls_ends_its_connection() {
    let origin = Origin::start();
    origin.serve("/", Answer::html("page"));
    let authority = Authority::new("sections");
    let certificate = authority.directory("tls", &["site.test"]);
    let vacpack = Vacpack::with(&origin, &format!("{SOON}listen.tls.certificates = {certificate:?}"));
    each_ends_its_connection(&vacpack, || {
        Frames::secured(vacpack.address(), "site.test", authority.client(&["h2"], None))
    });
}

#[test]
fn a_head_that_trickles_ends_its_connection() {
    let origin = Origin::start();
    let vacpack = Vacpack::with(&origin, SOON);
    let long = request("GET", "/", &[("x-long", &"x".repeat(50))]);
    let within_a_frame = frame(kind::HEADERS, END_STREAM | END_HEADERS, 1, &long).into_iter().map(|byte| vec![byte]);
    let first = frame(kind::HEADERS, END_STREAM, 1, &long);
    let more = std::iter::repeat_n(frame(kind::CONTINUATION, 0, 1, &fields(&[("x", "1")])), 100);
    for (number, pieces) in (1u32..).zip([within_a_frame.collect::<Vec<_>>(), [vec![first], more.collect()].concat()]) {
        let mut frames = Frames::connect(vacpack.address());
        // Never as long as the limit, and altogether far longer.
        let sent = pieces.iter().take_while(|piece| {
            std::thread::sleep(Duration::from_millis(100));
            frames.send(piece)
        });
        assert!(sent.count() < pieces.len() / 2, "it went on");
        until("it to be counted", || (met(&vacpack) == f64::from(number)).then_some(()));
    }
}

/// RFC 9113, section 3.4.
#[test]
fn a_connection_has_to_begin() {
    let origin = Origin::start();
    origin.serve("/", Answer::html("page"));
    let vacpack = Vacpack::with(&origin, SOON);
    let settings = frame(kind::SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]);
    for (number, start) in (1u32..).zip([&PREFACE[..10], PREFACE, &[PREFACE, &settings[..10]].concat()]) {
        let mut client = Client::connect(vacpack.address());
        client.send(start);
        assert!(client.rest().is_some(), "{number}: an end");
        until("it to be counted", || (met(&vacpack) == f64::from(number)).then_some(()));
    }
    // One that has begun may wait for its first request, as browsers' do.
    let mut ready = Frames::connect(vacpack.address());
    let mut late = Frames::connect(vacpack.address());
    late.send(&frame(kind::HEADERS, END_STREAM, 1, &request("GET", "/", &[])));
    assert!(hears_why(&mut late));
    ready.send(&get(1, "/"));
    let answer = std::iter::from_fn(|| ready.next()).find(|frame| frame.kind == kind::HEADERS).expect("an answer");
    assert_eq!(answer.payload[0], 0x88);
}

#[test]
fn whoever_says_h2_in_the_handshake_has_to_begin_with_it() {
    let origin = Origin::start();
    let authority = Authority::new("no-preface");
    let certificate = authority.directory("tls", &["site.test"]);
    let vacpack = Vacpack::with(&origin, &format!("{SOON}listen.tls.certificates = {certificate:?}"));
    let mut silent = Frames::secured_in_silence(vacpack.address(), "site.test", authority.client(&["h2"], None));
    silent.send(&PREFACE[..10]);
    assert!(silent.next().is_none());
    until("it to be counted", || (met(&vacpack) == 1.0).then_some(()));
}

/// A head that is whole has had its time; what comes behind it has limits of its own.
#[test]
fn what_is_no_head_takes_its_time() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve("/slow", Answer::html("page").first(Part::Wait(gate.clone())));
    origin.serve("/", Answer::html("page"));
    let vacpack = Vacpack::with(&origin, SOON);
    let mut frames = Frames::connect(vacpack.address());
    let content = frame(kind::DATA, END_STREAM, 1, &[7; 100]);
    frames.send(&[&frame(kind::HEADERS, END_HEADERS, 1, &request("POST", "/slow", &[]))[..], &content[..50]].concat());
    let mut late = Frames::connect(vacpack.address());
    late.send(&frame(kind::HEADERS, END_STREAM, 1, &request("GET", "/", &[])));
    assert!(hears_why(&mut late), "as long as a head may take");
    frames.send(&content[50..]);
    gate.until_reached();
    gate.open();
    let answer = std::iter::from_fn(|| frames.next()).find(|frame| frame.kind == kind::HEADERS).expect("an answer");
    assert_eq!(answer.payload[0], 0x88);
    assert_eq!(origin.last("/slow").body.len(), 100);
}
