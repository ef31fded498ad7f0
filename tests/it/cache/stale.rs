//! Stale answers in the background of which the app is asked, and fails (RFC 5861): how often, and how stale at most.

use crate::harness::wait::until_past;
use crate::harness::{Answer, Call, H2Client, HOST, Origin, Vacpack, together, until};
use std::time::{Duration, Instant};

/// A lifetime of one second is over by then, also where seconds are counted whole.
const AFTER_A_SECOND: Duration = Duration::from_millis(2100);
const WINDOW: &str = "max-age=1, stale-while-revalidate=600";

/// A vacpack that holds a stale `/page` of this lifetime.
fn holding_a_stale_page(origin: &Origin, settings: &str) -> Vacpack {
    let vacpack = Vacpack::with(origin, settings);
    let start = Instant::now();
    assert_eq!(vacpack.get("/page").text(), "first");
    until_past(start, AFTER_A_SECOND);
    vacpack
}

/// Every request is answered from the store, and the app is left alone after its first failure for a while.
fn the_app_is_not_asked_with_each_request(failure: Answer, what: &str) {
    let origin = Origin::start();
    origin.serve_in_turn("/page", [Answer::html("first").fresh(WINDOW), failure]);
    let vacpack = holding_a_stale_page(&origin, "");
    let start = Instant::now();
    for _request in 0..40 {
        let response = vacpack.get("/page");
        assert_eq!((response.status, response.text().as_str(), response.outcome()), (200, "first", "stale"), "{what}");
    }
    let responses = together(10, |_| vacpack.get("/page").text());
    assert!(responses.iter().all(|text| text == "first"), "{what}");
    // After 1, 3, 7, 15 s at the earliest; an attempt that fails before an answer may be made once more.
    let most = 1 + 2 * (2 + start.elapsed().as_secs()) as usize;
    let fetches = origin.fetches("/page");
    assert!(fetches >= 2 && fetches <= most, "{what}: {fetches} fetches, {most} at most");
    let stale = vacpack.metrics_after(51).sum("vacpack_cache_requests_total", &["stale"])
        + vacpack.metrics().sum("vacpack_cache_requests_total", &["updating"]);
    assert_eq!(stale, 50.0, "{what}");
}

#[test]
fn an_app_that_answers_with_errors_is_left_alone_for_a_while() {
    the_app_is_not_asked_with_each_request(Answer::status(503).body("down"), "503");
}

#[test]
fn an_app_that_hangs_up_is_left_alone_for_a_while() {
    the_app_is_not_asked_with_each_request(Answer::hang_up(), "hang-up");
}

#[test]
fn an_app_whose_answer_cannot_be_stored_any_more_is_left_alone_for_a_while() {
    the_app_is_not_asked_with_each_request(Answer::html("second").fresh("no-store"), "no-store");
}

#[test]
fn an_app_that_is_back_is_noticed_and_begins_without_failures() {
    let origin = Origin::start();
    let failure = Answer::status(503).body("down");
    origin.serve_in_turn("/page", [Answer::html("first").fresh(WINDOW), failure, Answer::html("second").fresh(WINDOW)]);
    let vacpack = holding_a_stale_page(&origin, "");
    until("the app to be noticed", || (vacpack.get("/page").text() == "second").then_some(()));
    assert_eq!(origin.fetches("/page"), 3);
    let again = Instant::now();
    until_past(again, AFTER_A_SECOND);
    vacpack.get("/page");
    until("a refresh at once", || (origin.fetches("/page") == 4).then_some(()));
}

#[test]
fn a_client_of_http_2_has_it_refreshed_as_well() {
    let origin = Origin::start();
    origin.serve_in_turn("/page", [Answer::html("first").fresh(WINDOW), Answer::html("second").fresh(WINDOW)]);
    let vacpack = holding_a_stale_page(&origin, "");
    let mut client = H2Client::connect(vacpack.address());
    let stale = client.ask(&Call::get("/page"));
    assert_eq!((stale.text().as_str(), stale.outcome()), ("first", "stale"));
    until("the refresh", || (origin.fetches("/page") == 2).then_some(()));
    assert_eq!(origin.last("/page").field("Host"), Some(HOST));
    until("its answer", || (client.ask(&Call::get("/page")).text() == "second").then_some(()));
}

#[test]
fn whatever_a_client_wants_for_itself_is_no_part_of_the_refresh() {
    for (name, value) in [("Cache-Control", "only-if-cached"), ("If-None-Match", "\"v0\""), ("Pragma", "x")] {
        let call = Call::get("/page").field(name, value);
        let origin = Origin::start();
        let answers = ["first", "second"].map(|text| Answer::html(text).fresh(WINDOW).field("ETag", "\"v1\""));
        origin.serve_in_turn("/page", answers);
        let vacpack = holding_a_stale_page(&origin, "");
        assert_eq!(vacpack.ask(&call).outcome(), "stale", "{call:?}");
        until("the refresh", || (origin.fetches("/page") == 2).then_some(()));
        let seen = origin.last("/page");
        assert_eq!((seen.field("If-None-Match"), seen.field("Pragma")), (Some("\"v1\""), None), "{call:?}");
        until("its answer", || (vacpack.get("/page").text() == "second").then_some(()));
        assert_eq!(origin.fetches("/page"), 2, "{call:?}");
    }
}

#[test]
fn an_app_that_wants_each_use_validated_is_asked_each_time() {
    for directive in ["must-revalidate", "proxy-revalidate", "no-cache"] {
        let origin = Origin::start();
        let first = Answer::html("first").field("ETag", "\"v1\"").fresh(&format!("{WINDOW}, {directive}"));
        origin.serve_in_turn("/page", [first, Answer::status(503).body("down")]);
        let vacpack =
            holding_a_stale_page(&origin, "cache.serve_stale = { while_revalidating = \"1h\", on_error = \"1h\" }");
        for _request in 0..3 {
            assert_eq!(vacpack.get("/page").status, 503, "{directive}");
        }
        assert_eq!(origin.fetches("/page"), 4, "{directive}");
    }
}

#[test]
fn nobody_can_allow_more_than_the_limit() {
    let everything = "max-age=1, stale-while-revalidate=600, stale-if-error=600";
    let patient = Call::get("/page").field("Cache-Control", "max-stale, stale-if-error=600");
    for (limit, status) in [("1h", 200), ("0s", 503)] {
        let origin = Origin::start();
        origin.serve_in_turn("/page", [Answer::html("first").fresh(everything), Answer::status(503).body("down")]);
        let settings = "while_revalidating = \"1h\", on_error = \"1h\"";
        let settings = format!("cache.serve_stale = {{ {settings}, limit = \"{limit}\" }}");
        let vacpack = holding_a_stale_page(&origin, &settings);
        assert_eq!(vacpack.get("/page").status, status, "{limit}");
        assert_eq!(vacpack.ask(&patient).status, status, "{limit}, max-stale");
    }
}

/// What it waits for then is itself, and so does everybody else.
#[test]
fn a_refresh_that_finds_nothing_stale_waits_for_nobody() {
    let origin = Origin::start();
    let varied = |body: &str| Answer::html(body).fresh(WINDOW).field("Vary", "Pragma");
    origin.serve_in_turn("/page", [varied("first"), varied("second")]);
    let vacpack = Vacpack::with(&origin, "cache.coalesce = \"60s\"");
    // It is no part of the refresh, so that the answer to it is not found there.
    let personal = Call::get("/page").field("Pragma", "mine");
    let start = Instant::now();
    assert_eq!(vacpack.ask(&personal).text(), "first");
    until_past(start, AFTER_A_SECOND);
    assert_eq!(vacpack.ask(&personal).text(), "first");
    assert_eq!(vacpack.get("/page").text(), "second");
    assert_eq!(origin.fetches("/page"), 2, "by the refresh, and for everybody");
}

/// The same, where a purge comes between the beginning of a refresh and its look at what is stored: now and then.
#[test]
fn a_purge_does_not_hold_up_the_refresh_that_it_meets_nor_who_comes_then() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("page").fresh("max-age=600, stale-while-revalidate=600"));
    let vacpack = Vacpack::with(&origin, "cache.coalesce = \"60s\"");
    for _round in 0..100 {
        vacpack.get("/page");
        assert_eq!(vacpack.ask_admin(&Call::post(&format!("/purge?url=http://{HOST}/page&soft=true"), "")).status, 200);
        let met = together(3, |index| match index {
            0 => vacpack.get("/page"),
            _ => vacpack.purge(HOST, "/page"),
        });
        assert!(met.iter().all(|answer| answer.status == 200));
        assert_eq!(vacpack.get("/page").text(), "page");
    }
}
