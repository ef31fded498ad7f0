//! Requests that come while what they ask for is being fetched: they get it as it comes in, all of it or an end that shows.

use crate::harness::payload::{noise, page};
use crate::harness::{Answer, Call, Client, Gate, Origin, Part, Response, Vacpack, together, until};
use std::thread::{self, ScopedJoinHandle};

const LENGTH: usize = 100_000;
const HALF: usize = LENGTH / 2;

/// An answer that stops at a gate half-way.
fn held(gate: &Gate) -> Answer {
    Answer::cacheable(page(LENGTH)).chunked().then_at(HALF, Part::Wait(gate.clone()))
}

fn until_in_flight(vacpack: &Vacpack, count: f64) {
    until("all of them to be in flight", || {
        (vacpack.metrics().sum("vacpack_requests_in_flight", &[]) >= count).then_some(())
    });
}

/// What comes before that goes to the app.
fn until_it_can_be_joined(vacpack: &Vacpack) {
    until("a fill to be under way", || {
        (vacpack.metrics().sum("vacpack_cache_fills_in_flight_bytes", &[]) > 0.0).then_some(())
    });
}

fn shared(vacpack: &Vacpack, how: &str) -> f64 {
    vacpack.metrics().sum("vacpack_cache_shared_fetches_total", &[how])
}

/// Nothing is left of a fetch that has ended.
fn nothing_is_left(vacpack: &Vacpack) {
    until("what was held for a fetch to be given back", || {
        let metrics = vacpack.metrics();
        let left =
            ["vacpack_cache_fills_in_flight_bytes", "vacpack_cache_shareable_fetches", "vacpack_requests_in_flight"];
        left.iter().all(|family| metrics.sum(family, &[]) == 0.0).then_some(())
    });
}

fn ended<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A client that shows when it has `count` bytes of its answer, and then reads the rest.
fn shows(vacpack: &Vacpack, call: &Call, count: usize, gate: &Gate) -> Response {
    let mut client = vacpack.client();
    let mut incoming = client.begin(call);
    while incoming.response.body.len() < count {
        incoming.next_piece().expect("bytes of a fetch that goes on");
    }
    gate.pass(&false.into());
    incoming.read_to_end()
}

#[test]
fn they_get_what_has_come_before_the_rest_does() {
    let origin = Origin::start();
    let (head, rest) = (Gate::closed(), Gate::closed());
    origin.serve("/page", held(&rest).first(Part::Wait(head.clone())));
    let vacpack = Vacpack::before(&origin);
    // Opens when everyone has the first half: the app goes on only then.
    let halves = Gate::opening_at(6);
    let call = Call::get("/page");
    let got = thread::scope(|scope| {
        let ask = || scope.spawn(|| shows(&vacpack, &call, HALF, &halves));
        let first = ask();
        head.until_reached();
        let waiting: Vec<_> = (0..4).map(|_| ask()).collect();
        until_in_flight(&vacpack, 5.0);
        head.open();
        rest.until_reached();
        let late = ask();
        until("all to have the first half", || halves.is_open().then_some(()));
        rest.open();
        [first, late].into_iter().chain(waiting).map(ended).collect::<Vec<_>>()
    });
    assert!(got.iter().all(|response| response.content() == page(LENGTH)));
    assert_eq!(origin.fetches("/page"), 1);
    assert_eq!(got[0].outcome(), "miss");
    for joined in &got[1..] {
        assert_eq!((joined.outcome(), joined.cache().fwd_status), ("joined", Some(200)));
        assert!(joined.cache().ttl.is_some_and(|ttl| ttl > 50) && joined.age().is_some());
    }
    let metrics = vacpack.metrics_after(6);
    assert_eq!(metrics.sum("vacpack_cache_shared_fetches_total", &["joined"]), 5.0);
    assert_eq!(metrics.sum("vacpack_cache_requests_total", &["hit"]), 5.0);
    assert_eq!(vacpack.get("/page").outcome(), "hit");
    nothing_is_left(&vacpack);
}

#[test]
fn compressed_bytes_are_shared_as_they_are_and_other_codings_made_of_them_after() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve("/page", held(&gate));
    let vacpack = &Vacpack::before(&origin);
    // One byte of the coded form is there before the app goes on.
    let shown = Gate::opening_at(2);
    thread::scope(|scope| {
        let first = scope.spawn(|| vacpack.get_as("/page", "br"));
        gate.until_reached();
        let joined =
            [(); 2].map(|()| scope.spawn(|| shows(vacpack, &Call::get("/page").accepting("gzip, br"), 1, &shown)));
        let others = ["gzip", "", "zstd"].map(|coding| scope.spawn(move || vacpack.get_as("/page", coding)));
        until("what has come to be shown", || shown.is_open().then_some(()));
        until_in_flight(vacpack, 6.0);
        gate.open();
        let first = ended(first);
        for response in joined.map(ended) {
            assert_eq!((response.coding(), response.outcome()), ("br", "joined"));
            assert!(response.body == first.body, "the very same bytes");
        }
        for (response, coding) in others.map(ended).into_iter().zip(["gzip", "identity", "zstd"]) {
            assert_eq!((response.coding(), response.outcome()), (coding, "hit"));
            assert!(response.content() == page(LENGTH));
        }
    });
    assert_eq!(origin.fetches("/page"), 1);
    vacpack.metrics_after(6);
    assert_eq!((shared(vacpack, "joined"), shared(vacpack, "waited")), (2.0, 3.0));
}

#[test]
fn when_the_app_dies_nobody_takes_half_a_body_for_the_whole() {
    let whole = Answer::cacheable(page(LENGTH));
    for (delimiter, whole) in [("chunked", whole.clone().chunked()), ("length", whole)] {
        let origin = Origin::start();
        let gate = Gate::closed();
        let (half, rest) = (page(LENGTH)[..HALF].to_vec(), page(LENGTH)[HALF..].to_vec());
        let dying = whole.clone().parts([Part::Data(half), Part::Wait(gate.clone()), Part::Cut, Part::Data(rest)]);
        origin.serve_in_turn("/page", [dying, whole]);
        let vacpack = Vacpack::before(&origin);
        let shown = Gate::opening_at(3);
        thread::scope(|scope| {
            let first = scope.spawn(|| vacpack.get("/page").complete());
            gate.until_reached();
            let joined = [(); 3].map(|()| scope.spawn(|| shows(&vacpack, &Call::get("/page"), HALF, &shown)));
            let other = scope.spawn(|| vacpack.get_as("/page", "br").content());
            until("the first half to be shown", || shown.is_open().then_some(()));
            until_in_flight(&vacpack, 5.0);
            gate.open();
            assert!(!ended(first), "{delimiter}: the first one saw half a body");
            for response in joined.map(ended) {
                assert!(!response.complete() && response.body.len() == HALF, "{delimiter}: it was cut off");
            }
            assert!(ended(other) == page(LENGTH), "{delimiter}: who had nothing yet is served by another fetch");
        });
        assert_eq!(origin.fetches("/page"), 2);
        assert!(vacpack.get_as("/page", "br").content() == page(LENGTH));
        nothing_is_left(&vacpack);
    }
}

/// Longer than what is kept: it reaches those who share it, whatever their pace, and whether or not the first one stays.
fn an_over_size_body_reaches_them(first_leaves: bool) {
    const LARGE: usize = 12 << 20;
    let origin = Origin::start();
    let gate = Gate::closed();
    let body = noise(LARGE);
    let pieces = body[100_000..].chunks(64 * 1024).map(|piece| Part::Data(piece.to_vec()));
    let script = [Part::Data(body[..100_000].to_vec()), Part::Wait(gate.clone())].into_iter().chain(pieces);
    let answer = Answer::status(200).field("Content-Type", "image/png").fresh("max-age=60").chunked().parts(script);
    origin.serve("/large", answer);
    let vacpack = Vacpack::with(&origin, "cache.max_object = \"1MiB\"\nmemory.budget = \"128MiB\"");
    let call = &Call::get("/large");
    let shown = &Gate::opening_at(5);
    thread::scope(|scope| {
        let vacpack = &vacpack;
        let first = scope.spawn(move || {
            let mut client = vacpack.client();
            let mut incoming = client.begin(call);
            incoming.next_piece().expect("it begins");
            (!first_leaves).then(|| incoming.read_to_end().body)
        });
        gate.until_reached();
        let slow = scope.spawn(move || {
            let mut client = Client::connect_taking_little(vacpack.address());
            let mut incoming = client.begin(call);
            incoming.next_piece().expect("it begins");
            shown.pass(&false.into());
            incoming.read_to_end()
        });
        let fast = [(); 3].map(|()| scope.spawn(move || shows(vacpack, call, 100_000, shown)));
        scope.spawn(move || {
            vacpack.client().begin(call).next_piece().expect("it begins, and is left");
            shown.pass(&false.into());
        });
        until("all to share it", || shown.is_open().then_some(()));
        gate.open();
        assert!(fast.into_iter().chain([slow]).map(ended).all(|response| response.body == body));
        assert!(ended(first).is_none_or(|whole| whole == body));
    });
    assert_eq!(origin.fetches("/large"), 1);
    nothing_is_left(&vacpack);
    assert_eq!(vacpack.metrics().sum("vacpack_cache_entries", &[]), 0.0);
}

#[test]
fn a_body_too_long_to_keep_reaches_all_who_share_it() {
    an_over_size_body_reaches_them(false);
}

#[test]
fn a_body_too_long_to_keep_reaches_the_others_when_the_first_one_leaves() {
    an_over_size_body_reaches_them(true);
}

#[test]
fn those_who_must_not_share_an_answer_are_let_go_together() {
    const ALL: usize = 60;
    let origin = Origin::start();
    let (first, others) = (Gate::closed(), Gate::opening_at(ALL - 1));
    let answer = Answer::html("for one").fresh("no-store");
    // The others' answers come only when all of them have been asked for: one after the other, none would.
    let later = answer.clone().first(Part::Wait(others.clone()));
    origin.serve_in_turn("/page", [answer.first(Part::Wait(first.clone())), later]);
    let vacpack = Vacpack::before(&origin);
    thread::scope(|scope| {
        let all = scope.spawn(|| together(ALL, |_| vacpack.get("/page").text()));
        until_in_flight(&vacpack, ALL as f64);
        assert_eq!(origin.fetches("/page"), 1, "they wait to see whether it can be shared");
        first.open();
        assert!(ended(all).iter().all(|text| text == "for one"));
    });
    assert_eq!(origin.fetches("/page"), ALL);
    vacpack.metrics_after(ALL as u32);
    assert_eq!(shared(&vacpack, "alone"), (ALL - 1) as f64);
    // It is remembered: the next ones do not wait for each other at all.
    let together_again = Gate::opening_at(5);
    origin.serve("/page", Answer::html("for one").fresh("no-store").first(Part::Wait(together_again)));
    let next = together(5, |_| vacpack.get("/page").cache().fwd);
    assert!(next.iter().all(|forward| forward.as_deref() == Some("bypass")), "{next:?}");
}

#[test]
fn as_many_wait_as_the_operator_allows() {
    let origin = Origin::start();
    let gate = Gate::closed();
    let answer = Answer::cacheable(page(LENGTH));
    origin.serve_in_turn("/page", [answer.clone().first(Part::Wait(gate.clone())), answer]);
    let vacpack = Vacpack::with(&origin, "cache.max_waiters = 2");
    let all = thread::scope(|scope| {
        let first = scope.spawn(|| vacpack.get("/page"));
        gate.until_reached();
        let others = scope.spawn(|| together(3, |_| vacpack.get("/page")));
        // Two of them wait: whoever comes last goes to the app at once.
        until("the last one to be answered", || {
            (vacpack.metrics().sum("vacpack_http_requests_total", &[]) == 1.0).then_some(())
        });
        assert_eq!(origin.fetches("/page"), 2);
        gate.open();
        let mut all = ended(others);
        all.push(ended(first));
        all
    });
    assert!(all.iter().all(|response| response.content() == page(LENGTH)));
    let alone: Vec<_> = all.iter().filter(|response| response.outcome() == "pass").collect();
    assert!(alone.len() == 1 && !alone[0].cache().collapsed);
    assert_eq!(origin.fetches("/page"), 2);
    vacpack.metrics_after(4);
    assert_eq!(shared(&vacpack, "crowded"), 1.0);
}

#[test]
fn a_purge_parts_those_before_from_those_after() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve_in_turn("/page", [held(&gate), Answer::cacheable("new")]);
    let vacpack = Vacpack::before(&origin);
    let shown = Gate::opening_at(1);
    thread::scope(|scope| {
        let first = scope.spawn(|| vacpack.get("/page").content());
        gate.until_reached();
        let before = scope.spawn(|| shows(&vacpack, &Call::get("/page"), HALF, &shown).content());
        until("the first half to be shown", || shown.is_open().then_some(()));
        vacpack.purge("site.test", "/page");
        assert_eq!(vacpack.get("/page").text(), "new", "it does not wait for what was purged");
        gate.open();
        assert!(ended(first) == page(LENGTH) && ended(before) == page(LENGTH));
    });
    assert_eq!(vacpack.get("/page").text(), "new", "what was purged was not stored over it");
    assert_eq!(origin.fetches("/page"), 2);
}

#[test]
fn heads_and_conditions_are_answered_at_once() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve("/page", held(&gate).field("ETag", "\"v1\""));
    let vacpack = Vacpack::before(&origin);
    thread::scope(|scope| {
        let first = scope.spawn(|| vacpack.get_as("/page", "br"));
        gate.until_reached();
        until_it_can_be_joined(&vacpack);
        let head = vacpack.ask(&Call::head("/page").accepting("br"));
        assert_eq!((head.status, head.coding()), (200, "br"));
        let tag = head.field("ETag").expect("the app has given one");
        assert!(tag.starts_with("\"v1-br"), "{tag}");
        for same in [tag, "\"v1\"", "\"v1-gzip\""] {
            let same = vacpack.ask(&Call::get("/page").accepting("br").field("If-None-Match", same));
            assert_eq!((same.status, same.body.len()), (304, 0));
        }
        let other = vacpack.ask(&Call::head("/page").accepting("br").field("If-None-Match", "\"v2\""));
        assert_eq!(other.status, 200);
        gate.open();
        assert_eq!(ended(first).field("ETag"), Some(tag), "the tag of the very bytes");
        assert_eq!(vacpack.get_as("/page", "br").field("ETag"), Some(tag));
    });
    assert_eq!(origin.fetches("/page"), 1);
}

#[test]
fn a_part_comes_as_soon_as_it_is_there_if_the_length_is_known() {
    let origin = Origin::start();
    let gate = Gate::closed();
    let body = noise(LENGTH);
    let answer = Answer::ok("image/png", &body).fresh("max-age=60").then_at(HALF, Part::Wait(gate.clone()));
    origin.serve("/image", answer);
    let vacpack = Vacpack::before(&origin);
    let part = |range: &str| vacpack.ask(&Call::get("/image").field("Range", range));
    thread::scope(|scope| {
        let first = scope.spawn(|| vacpack.get("/image").body);
        gate.until_reached();
        until_it_can_be_joined(&vacpack);
        let early = part("bytes=10-19");
        assert_eq!((early.status, early.field("Content-Range")), (206, Some("bytes 10-19/100000")));
        assert!(early.body == body[10..20]);
        let late = scope.spawn(|| part("bytes=99990-"));
        let several = scope.spawn(|| part("bytes=0-9,99990-99999"));
        until_in_flight(&vacpack, 3.0);
        gate.open();
        assert!(ended(first) == body);
        let late = ended(late);
        assert_eq!(late.status, 206);
        assert!(late.body == body[99_990..]);
        assert_eq!(ended(several).status, 206);
    });
    assert_eq!(origin.fetches("/image"), 1);
}

#[test]
fn a_part_of_what_has_no_length_yet_waits_for_it() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve("/page", held(&gate));
    let vacpack = Vacpack::before(&origin);
    thread::scope(|scope| {
        let first = scope.spawn(|| vacpack.get("/page").body);
        gate.until_reached();
        until_it_can_be_joined(&vacpack);
        let part = scope.spawn(|| vacpack.ask(&Call::get("/page").field("Range", "bytes=10-19")));
        until_in_flight(&vacpack, 2.0);
        gate.open();
        assert!(ended(first) == page(LENGTH));
        let part = ended(part);
        assert_eq!((part.status, part.body.as_slice()), (206, &page(LENGTH)[10..20]));
    });
    assert_eq!(origin.fetches("/page"), 1);
}

#[test]
fn who_asks_for_something_newer_than_that_goes_to_the_app() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve_in_turn("/page", [held(&gate), Answer::cacheable("newer")]);
    let vacpack = Vacpack::before(&origin);
    thread::scope(|scope| {
        let first = scope.spawn(|| vacpack.get("/page").content());
        gate.until_reached();
        let reload = vacpack.ask(&Call::get("/page").field("Cache-Control", "no-cache"));
        assert_eq!(reload.text(), "newer");
        gate.open();
        assert!(ended(first) == page(LENGTH));
    });
}

#[test]
fn answers_that_differ_are_fetched_side_by_side() {
    let origin = Origin::start();
    let gate = Gate::closed();
    let of_gate = gate.clone();
    origin.on_path("/page", move |seen| {
        let language = seen.fields.one("Accept-Language").unwrap_or_default().to_owned();
        let body = [language.as_bytes(), &page(LENGTH)].concat();
        let answer = Answer::cacheable(body).chunked().field("Vary", "Accept-Language");
        answer.then_at(HALF, Part::Wait(of_gate.clone()))
    });
    let vacpack = Vacpack::before(&origin);
    let ask = |language: &str| vacpack.ask(&Call::get("/page").field("Accept-Language", language)).content();
    thread::scope(|scope| {
        let german = [(); 3].map(|()| scope.spawn(|| ask("de")));
        gate.until_reached();
        let french = [(); 3].map(|()| scope.spawn(|| ask("fr")));
        until("both to be fetched", || (gate.waiting() == 2).then_some(()));
        gate.open();
        assert!(german.map(ended).iter().all(|content| content.starts_with(b"de")));
        assert!(french.map(ended).iter().all(|content| content.starts_with(b"fr")));
    });
    assert_eq!(origin.fetches("/page"), 2);
}

#[test]
fn nothing_is_shared_where_the_operator_says_so() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve_in_turn("/page", [held(&gate), Answer::cacheable("by itself")]);
    let vacpack = Vacpack::with(&origin, "cache.coalesce = \"0s\"");
    thread::scope(|scope| {
        let first = scope.spawn(|| vacpack.get("/page").content());
        gate.until_reached();
        assert_eq!(vacpack.get("/page").text(), "by itself");
        gate.open();
        assert!(ended(first) == page(LENGTH));
    });
}
