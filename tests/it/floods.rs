//! What one connection of HTTP/2 may cost: each flood ends its own connection and nobody else's.

use crate::frames::origin;
use crate::harness::frames::{ACK, END_STREAM, Frame, Frames, fields, frame, get, kind, request};
use crate::harness::{Answer, Gate, Origin, Part, Vacpack, until};

/// How often the connection of a flood was ended.
fn floods(vacpack: &Vacpack) -> f64 {
    vacpack.metrics().sum("vacpack_limits_met_total", &["floods"])
}

/// Floods until the connection is closed; how many rounds that took.
fn flood(vacpack: &Vacpack, most: usize, round: impl Fn(usize) -> Vec<u8>) -> usize {
    let mut frames = Frames::connect(vacpack.address());
    (0..most).find(|index| !frames.send(&round(*index))).unwrap_or(most)
}

fn id(index: usize) -> u32 {
    u32::try_from(2 * index + 1).expect("few streams")
}

fn reset(stream: u32) -> Vec<u8> {
    frame(kind::RST_STREAM, 0, stream, &8u32.to_be_bytes())
}

/// RFC 9113, section 6.9.1: no window is larger than this, so that with the first 65,535 it is a stream error.
fn break_rules(stream: u32) -> Vec<u8> {
    frame(kind::WINDOW_UPDATE, 0, stream, &0x7fff_ffffu32.to_be_bytes())
}

/// Far more than any of them takes.
const MOST: usize = 20_000;

fn before_a_hit() -> (Origin, Vacpack) {
    let origin = origin();
    origin.serve("/hit", Answer::cacheable("hit"));
    let vacpack = Vacpack::before(&origin);
    assert_eq!(vacpack.get("/hit").outcome(), "miss");
    (origin, vacpack)
}

/// It was ended and counted, nothing of it is left, and others are served.
fn is_over(vacpack: &Vacpack, rounds: usize) {
    assert!(rounds < MOST, "it went on for {rounds} rounds");
    until("it to be counted", || (floods(vacpack) == 1.0).then_some(()));
    until("its streams to end", || (vacpack.metrics().sum("vacpack_requests_in_flight", &[]) == 0.0).then_some(()));
    assert_eq!(vacpack.get("/hit").outcome(), "hit");
}

/// CVE-2023-44487.
#[test]
fn a_rapid_reset_ends_its_connection() {
    let (_origin, vacpack) = before_a_hit();
    let rounds = flood(&vacpack, MOST, |index| [get(id(index), "/hit"), reset(id(index))].concat());
    is_over(&vacpack, rounds);
}

/// The first streams have reached the app before they are reset: what h2 counts has nothing to do with it.
fn slow_rapid_reset(settings: &str) {
    let origin = origin();
    let vacpack = Vacpack::with(&origin, settings);
    let mut frames = Frames::connect(vacpack.address());
    let mut asked = 0;
    while floods(&vacpack) == 0.0 {
        assert!(asked < MOST, "it went on for {asked} requests");
        let live = || vacpack.metrics().sum("vacpack_requests_in_flight", &[]);
        until("room for more", || (live() < 100.0 || floods(&vacpack) > 0.0).then_some(()));
        let before = origin.fetches("/wait");
        let streams: Vec<u32> = (asked..asked + 90).map(id).collect();
        asked += streams.len();
        // No two the same: what one waits for, the others could share.
        let all: Vec<u8> = streams.iter().flat_map(|stream| get(*stream, &format!("/wait?{stream}"))).collect();
        let sent = frames.send(&all);
        until("the app to have one more, or an end", || {
            (origin.fetches("/wait") > before || floods(&vacpack) > 0.0).then_some(())
        });
        if !sent || !frames.send(&streams.into_iter().flat_map(reset).collect::<Vec<_>>()) {
            break;
        }
    }
    // RFC 9113, section 7: ENHANCE_YOUR_CALM.
    let told = std::iter::from_fn(|| frames.next()).find(|frame| frame.kind == kind::GOAWAY);
    assert!(told.is_none_or(|told| told.payload[7] == 11));
    until("it to be counted", || (floods(&vacpack) == 1.0).then_some(()));
    until("its streams to end", || (vacpack.metrics().sum("vacpack_requests_in_flight", &[]) == 0.0).then_some(()));
    assert_eq!(vacpack.get("/").status, 200);
}

#[test]
fn a_slow_rapid_reset_ends_its_connection_too() {
    slow_rapid_reset("cache.enabled = false");
}

/// What is fetched for the store is fetched although the client has left: that is bounded too.
#[test]
fn a_slow_rapid_reset_of_what_is_kept_ends_its_connection_too() {
    slow_rapid_reset("");
}

#[test]
fn requests_at_work_are_bounded_although_their_clients_have_left() {
    let origin = origin();
    let gate = Gate::closed();
    origin.serve("/kept", Answer::cacheable("kept").first(Part::Wait(gate.clone())));
    let vacpack = Vacpack::with(&origin, "listen.max_streams = 5");
    let mut frames = Frames::connect(vacpack.address());
    for round in 1..=2 {
        let streams: Vec<u32> = (5 * (round - 1)..5 * round).map(id).collect();
        frames.send(&streams.iter().flat_map(|stream| get(*stream, &format!("/kept?{stream}"))).collect::<Vec<_>>());
        until("the app to have them", || (origin.fetches("/kept") == 5 * round).then_some(()));
        frames.send(&streams.into_iter().flat_map(reset).collect::<Vec<_>>());
    }
    frames.send(&get(id(10), "/"));
    let refused = std::iter::from_fn(|| frames.next()).find(|frame| frame.kind == kind::HEADERS).expect("an answer");
    // RFC 7541, section 6.2: `:status` has the index 8, and 503 none of its own.
    let says_503 = refused.payload.windows(3).any(|text| text == b"503");
    let huffman = refused.payload.windows(2).any(|text| text == [0x6c, 0x0c]);
    assert!(refused.stream == id(10) && (says_503 || huffman), "{refused:?}");
    assert_eq!(vacpack.metrics().sum("vacpack_limits_met_total", &["streams"]), 1.0);
    gate.open();
    until("their end", || (vacpack.metrics().sum("vacpack_requests_in_flight", &[]) == 0.0).then_some(()));
    frames.send(&get(id(11), "/"));
    let served = std::iter::from_fn(|| frames.next()).find(|frame| frame.kind == kind::HEADERS).expect("an answer");
    assert_eq!((served.stream, served.payload[0]), (id(11), 0x88));
}

#[test]
fn continuation_without_end_ends_its_connection() {
    let (_origin, vacpack) = before_a_hit();
    let first =
        |index| if index == 0 { frame(kind::HEADERS, END_STREAM, 1, &request("GET", "/", &[])) } else { Vec::new() };
    let more = fields(&[("x", &"y".repeat(1000))]);
    let rounds = flood(&vacpack, MOST, |index| [first(index), frame(kind::CONTINUATION, 0, 1, &more)].concat());
    is_over(&vacpack, rounds);
}

/// CVE-2025-8671.
#[test]
fn who_makes_us_reset_streams_is_ended() {
    let (_origin, vacpack) = before_a_hit();
    let rounds = flood(&vacpack, MOST, |index| [get(id(index), "/wait"), break_rules(id(index))].concat());
    is_over(&vacpack, rounds);
}

/// Found by that flood over many connections: each had some streams that were over as they came, and the app had them all.
#[test]
fn what_is_over_before_it_is_looked_at_is_not_begun() {
    let origin = origin();
    let vacpack = Vacpack::with(&origin, "cache.enabled = false");
    let mut frames = Frames::connect(vacpack.address());
    // Fewer of each than end a connection.
    let broken = (0..40).flat_map(|index| [get(id(index), "/wait"), break_rules(id(index))].concat());
    let left = (40..55).flat_map(|index| [get(id(index), "/wait"), reset(id(index))].concat());
    frames.send(&broken.chain(left).chain(get(id(55), "/")).collect::<Vec<_>>());
    let answered = std::iter::from_fn(|| frames.next()).find(|frame| frame.kind == kind::HEADERS);
    assert_eq!(answered.map(|frame| frame.stream), Some(id(55)));
    until("its streams to end", || (vacpack.metrics().sum("vacpack_requests_in_flight", &[]) == 0.0).then_some(()));
    assert_eq!((origin.fetches("/wait"), floods(&vacpack)), (0, 0.0));
}

/// A page that is left in the middle, again and again, by somebody who reads others: that is what browsers do.
#[test]
fn who_leaves_pages_and_reads_others_goes_on() {
    let origin = origin();
    let vacpack = Vacpack::with(&origin, "cache.enabled = false");
    origin.serve("/done", Answer::html("done").fresh("no-store"));
    let mut frames = Frames::connect(vacpack.address());
    let mut stream = id(0);
    for round in 1..=12 {
        for path in ["/done", "/wait"] {
            let all: Vec<u32> = (0..50).map(|index| stream + 2 * index).collect();
            stream += 100;
            frames.send(&all.iter().flat_map(|stream| get(*stream, &format!("{path}?{stream}"))).collect::<Vec<_>>());
            until("the app to have them", || (origin.fetches(path) >= 50 * round).then_some(()));
            if path == "/wait" {
                frames.send(&all.into_iter().flat_map(reset).collect::<Vec<_>>());
            } else {
                let ended = |frame: &Frame| frame.kind == kind::DATA && frame.flags & END_STREAM != 0;
                assert_eq!(std::iter::from_fn(|| frames.next()).filter(ended).take(50).count(), 50);
            }
        }
    }
    assert_eq!(floods(&vacpack), 0.0);
}

#[test]
fn after_so_many_requests_the_next_belong_elsewhere() {
    let origin = origin();
    let vacpack = Vacpack::with(&origin, "listen.max_requests = 3\nlisten.max_streams = 2");
    let mut frames = Frames::connect(vacpack.address());
    for index in 0..2 {
        frames.send(&get(id(index), "/"));
        let answered = std::iter::from_fn(|| frames.next()).find(|frame| frame.kind == kind::HEADERS);
        assert_eq!(answered.map(|frame| frame.stream), Some(id(index)));
    }
    frames.send(&get(id(2), "/"));
    // RFC 9113, section 6.8: first none is refused, so that none is lost on its way. The PING tells when that is over.
    let (mut said, mut answered) = (Vec::new(), false);
    while let Some(next) = frames.next() {
        match next.kind {
            kind::GOAWAY => said.push(next.payload[..8].to_vec()),
            kind::PING => _ = frames.send(&frame(kind::PING, ACK, 0, &next.payload)),
            kind::DATA => answered |= next.stream == id(2) && next.flags & END_STREAM != 0,
            _ => {}
        }
    }
    assert!(answered, "what is under way is finished");
    assert_eq!(said, [[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0], [0, 0, 0, 5, 0, 0, 0, 0]]);
    assert_eq!(vacpack.metrics().sum("vacpack_limits_met_total", &["connection_requests"]), 1.0);
}

/// Who does not listen to that is ended all the same.
#[test]
fn who_goes_on_after_goaway_is_ended() {
    let origin = origin();
    let vacpack = Vacpack::with(&origin, "listen.max_requests = 3\nlisten.max_streams = 2");
    let rounds = flood(&vacpack, MOST, |index| get(id(index), "/"));
    assert!(rounds < MOST, "it went on for {rounds} requests");
    assert!(origin.fetches("/") <= 3 + 4, "{} were served", origin.fetches("/"));
}
