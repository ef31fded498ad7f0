//! What is never stored, and what permits it after all (RFC 9111, section 3).

use crate::harness::payload::page;
use crate::harness::{Answer, Call, Origin, Part, Vacpack, together};
use std::time::{Duration, Instant};

/// Each request reaches the app, and the cache says that it kept nothing.
fn is_not_stored(answer: Answer, call: &Call, settings: &str, what: &str) {
    let origin = Origin::start();
    origin.serve("/page", answer);
    let vacpack = Vacpack::with(&origin, settings);
    for turn in 1..=3 {
        let response = vacpack.ask(call);
        let status = response.cache();
        assert!(!status.hit && !status.stored, "{what}, turn {turn}: {status:?}");
        assert_eq!(origin.fetches("/page"), turn, "{what}");
    }
    assert_eq!(vacpack.metrics().sum("vacpack_cache_entries", &[]), 0.0, "{what}");
}

fn is_stored(answer: Answer, call: &Call, settings: &str, what: &str) {
    let origin = Origin::start();
    origin.serve("/page", answer);
    let vacpack = Vacpack::with(&origin, settings);
    assert_eq!(vacpack.outcomes(call), ["miss", "hit"], "{what}");
}

#[test]
fn answers_that_are_not_for_sharing_are_not_stored() {
    let call = Call::get("/page").accepting("br");
    let answer = || Answer::html(page(3000));
    for directives in ["no-store", "private", "private, max-age=60", "max-age=60, no-store", "PRIVATE, max-age=60"] {
        is_not_stored(answer().fresh(directives), &call, "", directives);
    }
    is_not_stored(answer().fresh("max-age=60").fresh("no-store"), &call, "", "no-store on a second line");
    is_not_stored(answer().fresh("max-age=60").field("Set-Cookie", "id=1"), &call, "", "Set-Cookie");
    is_not_stored(answer().fresh("max-age=60").field("Vary", "*"), &call, "", "Vary: *");
    is_not_stored(answer().fresh("max-age=60").field("Vary", "Accept, *"), &call, "", "Vary with * among others");
}

#[test]
fn answers_without_freshness_are_not_stored() {
    let call = Call::get("/page");
    let answer = || Answer::html(page(3000));
    is_not_stored(answer(), &call, "", "no freshness");
    is_not_stored(answer().fresh("public"), &call, "", "public alone");
    is_not_stored(answer().field("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"), &call, "", "no heuristic");
    // RFC 9111, 5.3: an invalid date, "0" above all, is in the past.
    is_not_stored(answer().field("Expires", "0"), &call, "", "Expires: 0");
}

#[test]
fn bodies_whose_end_is_unknown_are_not_stored() {
    let call = Call::get("/page");
    let answer = Answer::cacheable(page(3000));
    is_not_stored(answer.clone().until_close(), &call, "", "until close");
    is_not_stored(answer.clone().http10().until_close(), &call, "", "HTTP/1.0 until close");
    is_not_stored(answer.clone().until_close(), &call.clone().accepting("br"), "", "until close, encoded");
    // A length is a promise in HTTP/1.0 as well.
    is_stored(answer.http10(), &call, "", "HTTP/1.0 with a length");
}

#[test]
fn a_truncated_body_is_not_stored() {
    let origin = Origin::start();
    let whole = Answer::cacheable(page(30_000)).chunked();
    origin.serve_in_turn("/page", [whole.clone().then_at(9000, Part::Cut), whole]);
    let vacpack = Vacpack::before(&origin);
    assert!(!vacpack.get_as("/page", "br").complete());
    assert_eq!(vacpack.metrics_after(1).sum("vacpack_cache_entries", &[]), 0.0);
    assert_eq!(vacpack.outcomes(&Call::get("/page").accepting("br")), ["miss", "hit"]);
}

#[test]
fn a_request_with_authorization_is_not_shared_without_permission() {
    let call = Call::get("/page").field("Authorization", "Bearer secret");
    let answer = || Answer::html(page(3000));
    is_not_stored(answer().fresh("max-age=60"), &call, "", "Authorization");
    // RFC 9111, 3.5: each of these permits it.
    for directives in ["public, max-age=60", "s-maxage=60", "max-age=60, must-revalidate"] {
        is_stored(answer().fresh(directives), &call, "", directives);
    }
}

#[test]
fn what_was_stored_for_all_does_not_hide_what_authorization_asks_for() {
    let origin = Origin::start();
    origin.on_path("/page", |request| {
        let who = request.field("authorization").unwrap_or("anybody");
        Answer::html(who).fresh("max-age=60")
    });
    let vacpack = Vacpack::before(&origin);
    let secret = Call::get("/page").field("Authorization", "me");
    assert_eq!(vacpack.ask(&secret).text(), "me");
    assert_eq!(vacpack.get("/page").text(), "anybody", "nothing of a request with Authorization was kept");
}

#[test]
fn other_methods_are_passed_through() {
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let call = Call { method: method.to_owned(), ..Call::post("/page", "content") };
        is_not_stored(Answer::cacheable(page(3000)), &call, "", method);
    }
}

#[test]
fn parts_and_refusals_are_not_stored() {
    let part = Answer::status(206).field("Content-Range", "bytes 0-2999/9000").fresh("max-age=60").body(page(3000));
    is_not_stored(part, &Call::get("/page").field("Range", "bytes=0-2999"), "", "206");
    let call = Call::get("/page");
    is_not_stored(Answer::status(500).body("oops"), &call.clone(), "cache.default_ttl = \"1m\"", "500 without a word");
    is_not_stored(Answer::cacheable(page(3000)), &call.clone().field("Cache-Control", "no-store"), "", "asked not to");
    is_not_stored(Answer::cacheable(page(3000)), &call.clone(), "cache.enabled = false", "switched off");
    let route = "[[route]]\nname = \"r\"\nmatch = { path = \"/page\" }\ncache = false";
    is_not_stored(Answer::cacheable(page(3000)), &call, route, "switched off by the route");
}

#[test]
fn a_route_can_strip_cookies_and_keep_the_rest() {
    let origin = Origin::start();
    origin.serve("/asset", Answer::html(page(3000)).field("Set-Cookie", "id=1"));
    let route =
        "[[route]]\nname = \"r\"\nmatch = { path = \"/asset\" }\ncache = { ttl = \"1h\", set_cookie = \"strip\" }";
    let vacpack = Vacpack::with(&origin, route);
    for outcome in ["miss", "hit"] {
        let response = vacpack.get("/asset");
        assert_eq!((response.outcome(), response.field("Set-Cookie")), (outcome, None));
    }
}

#[test]
fn the_reason_is_said_and_counted() {
    let origin = Origin::start();
    origin.serve("/cookie", Answer::cacheable(page(3000)).field("Set-Cookie", "id=1"));
    origin.serve("/private", Answer::html(page(3000)).fresh("private"));
    let vacpack = Vacpack::before(&origin);
    for (number, path) in (1..).zip(["/cookie", "/private"]) {
        let detail = vacpack.get(path).cache().detail.unwrap_or_else(|| panic!("{path}: no detail"));
        let counted = vacpack.metrics_after(number);
        let label = detail.replace('-', "_");
        assert_eq!(counted.sum("vacpack_cache_not_stored_total", &[&label]), 1.0, "{path}: {detail}");
    }
}

#[test]
fn a_set_cookie_reaches_its_client_untouched() {
    let origin = Origin::start();
    let answer = Answer::cacheable(page(3000)).field("Set-Cookie", "id=1; Path=/").field("Set-Cookie", "b=2");
    origin.serve("/page", answer);
    let vacpack = Vacpack::before(&origin);
    for _turn in 0..2 {
        assert_eq!(vacpack.get_as("/page", "br").fields.all("Set-Cookie"), ["id=1; Path=/", "b=2"]);
    }
}

#[test]
fn a_burst_for_what_cannot_be_stored_does_not_stand_in_line() {
    let origin = Origin::start();
    let slow = Part::Pause(Duration::from_millis(100));
    origin.serve("/page", Answer::html(page(3000)).fresh("no-store").first(slow));
    let vacpack = Vacpack::before(&origin);
    for burst in ["cold", "known"] {
        let start = Instant::now();
        let all = together(20, |_| vacpack.get("/page"));
        assert!(all.iter().all(|response| response.content() == page(3000)), "{burst}");
        // One after the other would take two seconds.
        assert!(start.elapsed() < Duration::from_millis(1500), "{burst}: {:?}", start.elapsed());
    }
    assert_eq!(origin.fetches("/page"), 40);
}

#[test]
fn a_burst_for_what_is_known_not_to_be_stored_is_at_the_app_all_at_once() {
    let origin = Origin::start();
    let vacpack = Vacpack::before(&origin);
    let answer = Answer::html(page(3000)).fresh("private, max-age=60");
    origin.serve("/page", answer.clone());
    vacpack.get("/page");
    let all_of_them = crate::harness::Gate::opening_at(20);
    origin.serve("/page", answer.first(Part::Wait(all_of_them)));
    let all = together(20, |_| vacpack.get("/page").status);
    assert_eq!(all, [200; 20]);
}
