//! Fetches in flight: who waits for them, who leaves, and that nobody is harmed by it.

use crate::harness::payload::page;
use crate::harness::{Answer, Call, Gate, Origin, Part, Vacpack, together, until};
use std::thread;
use std::time::Duration;

const LENGTH: usize = 50_000;

/// An answer that stops at a gate half-way.
fn held(gate: &Gate) -> Answer {
    Answer::cacheable(page(LENGTH)).chunked().then_at(LENGTH / 2, Part::Wait(gate.clone()))
}

/// Runs `meanwhile` while a client of its own waits for the held answer; returns what that client got.
fn with_a_fill_in_flight(vacpack: &Vacpack, gate: &Gate, meanwhile: impl FnOnce() + Send) -> Vec<u8> {
    thread::scope(|scope| {
        let filler = scope.spawn(|| vacpack.get_as("/page", "br").content());
        gate.until_reached();
        meanwhile();
        gate.open();
        filler.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[test]
fn clients_that_come_during_a_fetch_share_it() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve("/page", held(&gate));
    let vacpack = Vacpack::before(&origin);
    let content = thread::scope(|scope| {
        let first = scope.spawn(|| vacpack.get_as("/page", "br").content());
        gate.until_reached();
        let others: Vec<_> =
            ["br", "gzip", "", "br"].map(|coding| scope.spawn(|| vacpack.get_as("/page", coding).content())).into();
        until("all of them to be in flight", || {
            (vacpack.metrics().sum("vacpack_requests_in_flight", &[]) >= 5.0).then_some(())
        });
        gate.open();
        let all = others.into_iter().chain([first]);
        all.map(|client| client.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect::<Vec<_>>()
    });
    assert!(content.iter().all(|content| *content == page(LENGTH)));
    assert_eq!(origin.fetches("/page"), 1);
}

#[test]
fn a_client_that_leaves_mid_fill_harms_nobody() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve_in_turn("/page", [held(&gate), Answer::cacheable(page(LENGTH))]);
    let vacpack = Vacpack::before(&origin);
    let mut leaver = vacpack.client();
    leaver.begin(&Call::get("/page").accepting("br")).next_piece().expect("the first half begins");
    gate.until_reached();
    drop(leaver);
    gate.open();
    for _turn in 0..2 {
        assert_eq!(vacpack.get_as("/page", "br").content(), page(LENGTH));
    }
    assert_eq!(vacpack.get_as("/page", "br").outcome(), "hit");
}

#[test]
fn those_who_wait_are_served_when_the_one_they_wait_for_leaves() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve_in_turn("/page", [held(&gate), Answer::cacheable(page(LENGTH))]);
    let vacpack = Vacpack::before(&origin);
    let mut leaver = vacpack.client();
    leaver.begin(&Call::get("/page").accepting("br")).next_piece().expect("the first half begins");
    gate.until_reached();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| together(4, |_| vacpack.get_as("/page", "gzip").content()));
        until("all of them to be in flight", || {
            (vacpack.metrics().sum("vacpack_requests_in_flight", &[]) >= 5.0).then_some(())
        });
        drop(leaver);
        gate.open();
        let served = waiting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        assert!(served.iter().all(|content| *content == page(LENGTH)));
    });
    assert!(origin.fetches("/page") <= 2, "{} fetches", origin.fetches("/page"));
}

#[test]
fn head_range_and_conditions_during_a_fill_do_not_break_it() {
    let origin = Origin::start();
    let gate = Gate::closed();
    let others = Answer::cacheable(page(LENGTH)).field("ETag", "\"v1\"");
    origin.serve_in_turn("/page", [held(&gate).field("ETag", "\"v1\""), others]);
    let vacpack = Vacpack::before(&origin);
    thread::scope(|scope| {
        let content = with_a_fill_in_flight(&vacpack, &gate, || {
            for call in [
                Call::head("/page").accepting("br"),
                Call::get("/page").accepting("br").field("Range", "bytes=0-9"),
                Call::get("/page").accepting("br").field("If-None-Match", "\"v1-br\""),
            ] {
                let vacpack = &vacpack;
                scope.spawn(move || assert!(vacpack.ask(&call).complete()));
            }
            until("all of them to be in flight", || {
                let answered = vacpack.metrics().sum("vacpack_http_requests_total", &[]);
                let waiting = vacpack.metrics().sum("vacpack_requests_in_flight", &[]);
                (answered + waiting >= 4.0).then_some(())
            });
        });
        assert_eq!(content, page(LENGTH));
    });
    assert_eq!(vacpack.get_as("/page", "br").outcome(), "hit");
}

#[test]
fn a_cold_head_leaves_the_way_free_for_the_next_get() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(LENGTH)));
    let vacpack = Vacpack::before(&origin);
    for _turn in 0..2 {
        assert_eq!(vacpack.ask(&Call::head("/page").accepting("br")).status, 200);
    }
    assert!(vacpack.metrics_after(2).sum("vacpack_cache_entries", &[]) <= 1.0);
    assert_eq!(vacpack.get_as("/page", "br").content(), page(LENGTH));
    assert_eq!(vacpack.get_as("/page", "br").outcome(), "hit");
}

#[test]
fn waiting_has_a_limit() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve_in_turn("/page", [held(&gate), Answer::cacheable(page(LENGTH))]);
    let vacpack = Vacpack::with(&origin, "cache.coalesce = \"300ms\"");
    let content = with_a_fill_in_flight(&vacpack, &gate, || {
        // The first fetch is stuck, and its coding is not for this client: it goes by itself after a while.
        assert_eq!(vacpack.get_as("/page", "gzip").content(), page(LENGTH));
    });
    assert_eq!(content, page(LENGTH));
    assert_eq!(origin.fetches("/page"), 2);
    assert_eq!(vacpack.metrics_after(2).sum("vacpack_cache_shared_fetches_total", &["late"]), 1.0);
}

#[test]
fn waiting_for_a_head_has_a_limit() {
    let origin = Origin::start();
    let gate = Gate::closed();
    let whole = Answer::cacheable(page(LENGTH));
    origin.serve_in_turn("/page", [whole.clone().first(Part::Wait(gate.clone())), whole]);
    let vacpack = Vacpack::with(&origin, "cache.coalesce = \"300ms\"");
    let content = with_a_fill_in_flight(&vacpack, &gate, || {
        assert_eq!(vacpack.get_as("/page", "br").content(), page(LENGTH));
    });
    assert_eq!(content, page(LENGTH));
    assert_eq!(origin.fetches("/page"), 2);
    assert_eq!(vacpack.metrics_after(2).sum("vacpack_cache_shared_fetches_total", &["late"]), 1.0);
}

#[test]
fn a_slow_client_does_not_hold_up_the_others() {
    const LARGE: usize = 3 << 20;
    let origin = Origin::start();
    origin.serve("/large", Answer::ok("image/png", page(LARGE)).fresh("max-age=60"));
    let vacpack = Vacpack::before(&origin);
    let mut slow = vacpack.client();
    slow.send(Call::get("/large").head_bytes());
    until("the slow one's fetch", || (origin.fetches("/large") == 1).then_some(()));
    // The fill of a client that does not read may be slow; the others wait for it no longer than they must.
    let response = vacpack.get("/large");
    assert!(response.body == page(LARGE));
    assert!(response.took() < Duration::from_secs(8), "{:?}", response.took());
    assert!(slow.response(false).body == page(LARGE));
}
