//! How long an answer is fresh, who decides, and what stale answers are still good for (RFC 9111, 9213, 5861).

use crate::harness::payload::page;
use crate::harness::wait::until_past;
use crate::harness::{Answer, Call, Gate, Origin, Part, Vacpack, together, until};
use std::time::{Duration, Instant, SystemTime};

/// A lifetime of one second is over by then, also where seconds are counted whole.
const AFTER_A_SECOND: Duration = Duration::from_millis(2100);

/// What a hit says is left, in seconds.
fn ttl(answer: Answer, settings: &str) -> Option<i64> {
    let origin = Origin::start();
    origin.serve("/page", answer);
    let vacpack = Vacpack::with(&origin, settings);
    vacpack.get("/page");
    let status = vacpack.get("/page").cache();
    if status.hit { status.ttl } else { None }
}

fn lives(answer: Answer, settings: &str, seconds: i64, what: &str) {
    let ttl = ttl(answer, settings).unwrap_or_else(|| panic!("{what}: not a hit"));
    assert!((seconds - 8..=seconds).contains(&ttl), "{what}: {ttl} s, not {seconds}");
}

fn page_with(fields: &[(&str, &str)]) -> Answer {
    fields.iter().fold(Answer::html(page(2000)), |answer, (name, value)| answer.field(name, value))
}

const CC: &str = "Cache-Control";
const CDN: &str = "CDN-Cache-Control";
const SURROGATE: &str = "Surrogate-Control";

#[test]
fn the_most_specific_lifetime_wins() {
    for (fields, seconds) in [
        (&[(CC, "max-age=100")][..], 100),
        (&[(CC, "max-age=\"100\"")], 100),
        (&[(CC, "max-age=10, s-maxage=200")], 200),
        (&[(CC, "max-age=10"), (SURROGATE, "max-age=300")], 300),
        (&[(CC, "max-age=10, s-maxage=20"), (SURROGATE, "max-age=300"), (CDN, "max-age=400")], 400),
        (&[(CC, "no-store"), (CDN, "max-age=500")], 500),
        // RFC 9213, 2.2: a field that is no Dictionary is ignored as a whole.
        (&[(CC, "max-age=600"), (CDN, "max-age=;;")], 600),
        (&[(CC, "max-age=700"), ("Expires", "Sun, 06 Nov 1994 08:49:37 GMT")], 700),
    ] {
        lives(page_with(fields), "", seconds, &format!("{fields:?}"));
    }
}

#[test]
fn expires_counts_from_date() {
    let at = |seconds| httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(seconds));
    let answer = page_with(&[("Date", &at(0)), ("Expires", &at(300))]);
    lives(answer, "", 300, "Expires");
    let past = page_with(&[("Date", &at(300)), ("Expires", &at(200))]);
    assert_eq!(ttl(past, ""), None, "Expires before Date");
}

#[test]
fn a_targeted_field_can_refuse() {
    assert_eq!(ttl(page_with(&[(CC, "max-age=60"), (CDN, "no-store")]), ""), None);
    assert_eq!(ttl(page_with(&[(CC, "max-age=60"), (SURROGATE, "no-store")]), ""), None);
}

#[test]
fn time_that_passed_before_us_counts() {
    lives(page_with(&[(CC, "max-age=100"), ("Age", "60")]), "", 40, "Age: 60");
    assert_eq!(ttl(page_with(&[(CC, "max-age=100"), ("Age", "100")]), ""), None, "Age: 100");
    let origin = Origin::start();
    origin.serve("/page", page_with(&[(CC, "max-age=100"), ("Age", "60")]));
    let vacpack = Vacpack::before(&origin);
    assert_eq!(vacpack.get("/page").age(), Some(60));
    assert!(vacpack.get("/page").age().is_some_and(|age| (60..70).contains(&age)));
}

#[test]
fn the_operator_gives_what_the_app_leaves_out_or_overrides_it() {
    let route = |rest: &str| format!("[[route]]\nname = \"r\"\nmatch = {{ path = \"/page\" }}\ncache = {{ {rest} }}\n");
    lives(page_with(&[]), "cache.default_ttl = \"50s\"", 50, "default_ttl");
    lives(page_with(&[(CC, "max-age=100")]), "cache.default_ttl = \"50s\"", 100, "the app before default_ttl");
    lives(page_with(&[]), &route("ttl = \"1h\""), 3600, "ttl of the route");
    lives(page_with(&[(CC, "max-age=100")]), &route("ttl = \"1h\""), 100, "the app where it is stricter");
    lives(page_with(&[(CC, "max-age=100")]), &route("ttl = \"1h\", override = true"), 3600, "override");
    assert_eq!(ttl(page_with(&[(CC, "no-store")]), &route("ttl = \"1h\"")), None, "no-store is stricter");
}

#[test]
fn an_answer_expires() {
    let origin = Origin::start();
    let answer = |text: &str| Answer::html(text).fresh("max-age=1");
    origin.serve_in_turn("/page", [answer("first"), answer("second")]);
    let vacpack = Vacpack::before(&origin);
    let start = Instant::now();
    assert_eq!(vacpack.get("/page").text(), "first");
    let second = until("the first answer to expire", || {
        let response = vacpack.get("/page");
        (response.text() == "second").then_some(response)
    });
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?} is early", start.elapsed());
    // Without a validator there was nothing to keep it for.
    assert_eq!(second.outcome(), "miss");
}

#[test]
fn a_client_can_ask_past_the_cache() {
    for directives in ["no-cache", "max-age=0", "min-fresh=3600"] {
        let origin = Origin::start();
        origin.serve_in_turn("/page", [Answer::cacheable("first"), Answer::cacheable("second")]);
        let vacpack = Vacpack::before(&origin);
        vacpack.get("/page");
        let asked = vacpack.ask(&Call::get("/page").field("Cache-Control", directives));
        assert_eq!(asked.text(), "second", "{directives}");
        let after = vacpack.get("/page");
        assert_eq!((after.outcome(), after.text().as_str()), ("hit", "second"), "{directives}: it was kept");
    }
}

#[test]
fn a_stale_answer_is_sent_while_one_fetch_refreshes_it() {
    let origin = Origin::start();
    let gate = Gate::closed();
    let fresh = "max-age=1, stale-while-revalidate=60";
    let second = Answer::html("second").fresh("max-age=60").first(Part::Wait(gate.clone()));
    origin.serve_in_turn("/page", [Answer::html("first").fresh(fresh), second]);
    let vacpack = Vacpack::before(&origin);
    let start = Instant::now();
    vacpack.get("/page");
    until_past(start, AFTER_A_SECOND);
    for response in together(10, |_| vacpack.get("/page")) {
        assert_eq!((response.outcome(), response.text().as_str()), ("stale", "first"));
    }
    gate.until_reached();
    gate.open();
    until("the refresh", || (vacpack.get("/page").text() == "second").then_some(()));
    assert_eq!(vacpack.get("/page").outcome(), "hit");
    assert_eq!(origin.fetches("/page"), 2, "one refresh for all of them");
}

#[test]
fn the_operator_can_allow_stale_answers_too() {
    let origin = Origin::start();
    origin.serve_in_turn("/page", [Answer::html("first").fresh("max-age=1"), Answer::cacheable("second")]);
    let vacpack = Vacpack::with(&origin, "cache.serve_stale = { while_revalidating = \"1m\", on_error = \"1m\" }");
    let start = Instant::now();
    vacpack.get("/page");
    until_past(start, AFTER_A_SECOND);
    assert_eq!(vacpack.get("/page").outcome(), "stale");
    until("the refresh", || (vacpack.get("/page").text() == "second").then_some(()));
}

#[test]
fn a_stale_answer_is_better_than_an_error() {
    for (what, failure) in [
        ("503", Answer::status(503).body("down")),
        ("hang-up", Answer::hang_up()),
        ("garbage", Answer::raw("SSH-2.0\r\n\r\n")),
    ] {
        let origin = Origin::start();
        let first = Answer::html("first").fresh("max-age=1, stale-if-error=60");
        origin.serve_in_turn("/page", [first, failure]);
        let vacpack = Vacpack::before(&origin);
        let start = Instant::now();
        assert_eq!(vacpack.get("/page").field("Connection"), Some("keep-alive"));
        until_past(start, AFTER_A_SECOND);
        let response = vacpack.get("/page");
        assert_eq!((response.status, response.text().as_str()), (200, "first"), "{what}");
        assert_eq!(response.outcome(), "stale", "{what}");
        // The platform closes after a failure: a client that is not told loses its next request.
        assert_eq!(response.field("Connection"), Some("close"), "{what}");
    }
}

#[test]
fn a_stale_answer_bridges_an_app_that_is_gone() {
    let mut origin = Origin::start();
    origin.serve("/page", Answer::html("first").fresh("max-age=1, stale-if-error=60"));
    let vacpack = Vacpack::before(&origin);
    let start = Instant::now();
    vacpack.get("/page");
    until_past(start, AFTER_A_SECOND);
    origin.refuse();
    let response = vacpack.get("/page");
    assert_eq!((response.status, response.text().as_str()), (200, "first"));
    origin.accept_again();
}

#[test]
fn must_revalidate_forbids_stale_answers() {
    let origin = Origin::start();
    let first = Answer::html("first").fresh("max-age=1, must-revalidate, stale-if-error=60");
    origin.serve_in_turn("/page", [first, Answer::status(503).body("down")]);
    let vacpack = Vacpack::with(&origin, "cache.serve_stale = { while_revalidating = \"1m\", on_error = \"1m\" }");
    let start = Instant::now();
    vacpack.get("/page");
    until_past(start, AFTER_A_SECOND);
    assert_eq!(vacpack.get("/page").status, 503);
}
