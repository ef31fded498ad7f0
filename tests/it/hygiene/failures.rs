//! The app refuses, is silent, talks nonsense or hangs up: what the client is told, and what is tried again.

use crate::harness::payload::page;
use crate::harness::{Answer, Call, Gate, Origin, Part, Vacpack, together, until};
use std::time::Duration;

#[test]
fn an_app_that_refuses_is_502_until_it_is_back() {
    let mut origin = Origin::start();
    origin.serve("/page", Answer::html("here"));
    let vacpack = Vacpack::before(&origin);
    origin.refuse();
    let refused = vacpack.get("/page");
    assert_eq!(refused.status, 502);
    assert!(refused.took() < Duration::from_secs(3), "{:?}", refused.took());
    assert!(vacpack.metrics_after(1).sum("vacpack_upstream_errors_total", &["refused"]) >= 1.0);
    origin.accept_again();
    until("service again", || (vacpack.get("/page").status == 200).then_some(()));
}

#[test]
fn an_app_that_is_silent_is_504_and_holds_up_nobody_else() {
    let origin = Origin::start();
    origin.serve("/silent", Answer::html("x").first(Part::Wait(Gate::closed())));
    origin.serve("/page", Answer::html("here"));
    let vacpack = Vacpack::with(&origin, "upstream.read_timeout = \"1s\"");
    std::thread::scope(|scope| {
        let silent = scope.spawn(|| vacpack.get("/silent"));
        assert_eq!(vacpack.get("/page").text(), "here");
        let silent = silent.join().expect("an answer");
        assert_eq!(silent.status, 504);
        assert!(silent.took() < Duration::from_secs(6), "{:?}", silent.took());
    });
    assert_eq!(origin.fetches("/silent"), 1, "a slow app is not asked twice");
}

#[test]
fn an_app_that_stops_in_a_body_is_cut_off() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(9000)).chunked().then_at(5000, Part::Wait(Gate::closed())));
    let vacpack = Vacpack::with(&origin, "upstream.read_timeout = \"1s\"");
    for coding in ["br", ""] {
        let response = vacpack.get_as("/page", coding);
        assert!(!response.complete(), "{coding:?}: looked complete");
    }
    assert_eq!(origin.fetches("/page"), 2, "and nothing was kept");
}

/// How an app that answers with this breaks off is seen in every coding; the statuses of that. `version`: the client's.
fn broken_off(answer: &Answer, version: &'static str) -> Vec<u16> {
    let origin = Origin::start();
    origin.serve("/page", answer.clone());
    let vacpack = Vacpack::before(&origin);
    let answers = (0..6).flat_map(|_turn| ["br", ""]).map(|coding| {
        let call = Call { version, ..Call::get("/page").accepting(coding) };
        let mut client = vacpack.client();
        let response = client.try_begin(&call).expect("an answer of some kind").read_to_end();
        (coding, response)
    });
    answers
        .map(|(coding, response)| {
            let is_told = response.status == 502 && response.complete();
            assert!(is_told || response.cut.is_some(), "{coding:?}: {response:?} looks as if it were all");
            response.status
        })
        .collect()
}

/// Found by random traffic: the head was still waiting for its body, and the client got no answer at all.
#[test]
fn an_app_that_stops_between_head_and_body_is_not_met_with_silence() {
    for accident in [Part::Cut, Part::Reset] {
        for answer in [Answer::cacheable(page(9000)), Answer::html(page(9000)), Answer::html(page(9000)).chunked()] {
            let statuses = broken_off(&answer.then_at(0, accident.clone()), "HTTP/1.1");
            assert!(statuses.iter().all(|status| matches!(status, 200 | 502)), "{statuses:?}");
        }
    }
}

/// RFC 9112, section 8: a body that ends with its connection is complete unless that ended in an error.
#[test]
fn a_body_without_a_length_that_breaks_off_is_not_taken_for_all_of_it() {
    for accident in [Part::Cut, Part::Reset] {
        for at in [0, 4000] {
            broken_off(&Answer::html(page(9000)).chunked().then_at(at, accident.clone()), "HTTP/1.0");
            broken_off(&Answer::cacheable(page(9000)).chunked().then_at(at, accident.clone()), "HTTP/1.0");
        }
    }
}

#[test]
fn an_app_that_does_not_speak_http_is_502() {
    let origin = Origin::start();
    let vacpack = Vacpack::before(&origin);
    for (number, nonsense) in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 OK\r\n\r\n",
        "\0\0\0\0\0\0\0\0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
        "",
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/{number}");
        origin.serve(&path, Answer::raw(nonsense));
        assert_eq!(vacpack.get(&path).status, 502, "{nonsense:?}");
    }
}

#[test]
fn an_error_of_ours_is_short_and_not_cacheable() {
    let mut origin = Origin::start();
    let vacpack = Vacpack::before(&origin);
    origin.refuse();
    let refused = vacpack.get_as("/page", "br");
    assert!(refused.complete() && refused.body.len() < 1000);
    assert!(!refused.cache().stored);
    assert!(refused.field("Content-Encoding").is_none());
    let directives = refused.members("Cache-Control");
    assert!(
        directives.iter().any(|directive| directive == "no-store" || directive == "private, no-store"),
        "{directives:?}"
    );
}

/// Hangs up when a request comes on a connection that was used before: an app whose idle timeout just passed.
fn app_that_closes_idle_connections() -> Origin {
    let origin = Origin::start();
    origin.on_path("/page", |request| if request.nth > 1 { Answer::hang_up() } else { Answer::html("page") });
    origin
}

#[test]
fn a_get_that_met_a_closing_connection_is_sent_again() {
    let origin = app_that_closes_idle_connections();
    let vacpack = Vacpack::before(&origin);
    for _turn in 0..3 {
        let response = vacpack.get("/page");
        assert_eq!((response.status, response.text().as_str()), (200, "page"));
    }
    assert!(origin.requests("/page").iter().any(|seen| seen.nth > 1), "connections are kept at all");
    assert!(vacpack.metrics_after(3).sum("vacpack_upstream_retries_total", &[]) >= 1.0);
}

/// An app that restarts closes every idle connection at once: the second try must not take another one of them.
#[test]
fn a_second_try_is_on_a_connection_of_its_own() {
    let origin = app_that_closes_idle_connections();
    let vacpack = Vacpack::before(&origin);
    together(8, |_| assert_eq!(vacpack.get("/page").status, 200));
    assert!(origin.connections() > 1, "several connections are kept");
    for _turn in 0..4 {
        assert_eq!(vacpack.get("/page").status, 200);
    }
}

#[test]
fn a_post_is_never_sent_twice() {
    let origin = app_that_closes_idle_connections();
    let vacpack = Vacpack::before(&origin);
    let mut posts = 0;
    for _turn in 0..4 {
        // Warms a connection, on which the POST may meet the hang-up.
        vacpack.get("/page");
        let response = vacpack.ask(&Call::post("/page", "order"));
        posts += 1;
        assert!(response.status == 200 || response.status == 502, "{}", response.status);
        let seen = origin.requests("/page").iter().filter(|seen| seen.method == "POST").count();
        assert_eq!(seen, posts, "each exactly once");
    }
    let reused = origin.requests("/page").iter().any(|seen| seen.method == "POST" && seen.nth > 1);
    assert!(reused, "no POST met the hang-up");
}

#[test]
fn a_request_that_kills_the_app_is_tried_at_most_once_more() {
    let origin = Origin::start();
    origin.serve("/poison", Answer::hang_up());
    let vacpack = Vacpack::before(&origin);
    assert_eq!(vacpack.get("/poison").status, 502);
    assert!(origin.fetches("/poison") <= 2, "{} attempts", origin.fetches("/poison"));
}

#[test]
fn retries_can_be_switched_off() {
    let origin = app_that_closes_idle_connections();
    let vacpack = Vacpack::with(&origin, "upstream.max_retries = 0");
    assert_eq!(vacpack.get("/page").status, 200);
    // The first connection may come back to the pool after the next request has left.
    until("a kept connection to be met", || (vacpack.get("/page").status == 502).then_some(()));
}
