//! Requests for a part of what is not stored (RFC 9110, section 14): the whole is fetched for them, or they are passed on.

use crate::harness::payload::noise;
use crate::harness::{Answer, Call, Gate, H2Client, Origin, Part, Response, Seen, Vacpack, together};
use std::thread;

const LENGTH: usize = 400_000;
/// Further from the start than what is fetched on the chance that the whole fits.
const FAR: &str = "bytes=300000-300009";

/// An app that cuts by itself, as far as these tests ask it to.
fn cutting(request: &Seen, body: &[u8], directives: &str) -> Answer {
    let cut = |first: usize, last: usize| {
        let range = format!("bytes {first}-{last}/{}", body.len());
        Answer::status(206).field("Content-Range", &range).fresh(directives).body(&body[first..=last])
    };
    match request.field("range") {
        None => Answer::ok("image/png", body).fresh(directives).field("ETag", "\"v1\""),
        Some(FAR) => cut(300_000, 300_009),
        Some("bytes=0-9") => cut(0, 9),
        Some("bytes=-10") => cut(body.len() - 10, body.len() - 1),
        Some(other) => panic!("{other}"),
    }
}

fn app(length: usize, directives: &'static str) -> (Origin, Vec<u8>) {
    let origin = Origin::start();
    let body = noise(length);
    let served = body.clone();
    origin.on_path("/image", move |request| cutting(request, &served, directives));
    (origin, body)
}

fn call(range: &str) -> Call {
    Call::get("/image").field("Range", range)
}

fn part(vacpack: &Vacpack, range: &str) -> Response {
    vacpack.ask(&call(range))
}

fn asked_with(origin: &Origin) -> Option<String> {
    origin.last("/image").field("range").map(str::to_owned)
}

fn content_range(response: &Response) -> (u16, Option<&str>) {
    (response.status, response.field("Content-Range"))
}

#[test]
fn for_a_part_near_the_start_the_whole_is_fetched_and_stored() {
    for (range, first, last) in
        [("bytes=0-9", 0, 9), ("bytes=100000-100009", 100_000, 100_009), ("bytes=5-", 5, 399_999)]
    {
        let (origin, body) = app(LENGTH, "max-age=60");
        let vacpack = Vacpack::before(&origin);
        let cold = part(&vacpack, range);
        assert_eq!(content_range(&cold), (206, Some(format!("bytes {first}-{last}/400000").as_str())), "{range}");
        assert!(cold.body == body[first..=last] && cold.complete(), "{range}");
        assert_eq!((cold.outcome(), cold.cache().stored), ("miss", true), "{range}");
        assert_eq!(asked_with(&origin), None, "{range}");
        let far = part(&vacpack, "bytes=-10");
        assert!(far.status == 206 && ["hit", "joined"].contains(&far.outcome()), "{range}");
        assert!(far.body == body[LENGTH - 10..], "{range}");
        assert!(vacpack.get("/image").body == body, "{range}");
        assert_eq!(origin.fetches("/image"), 1, "{range}");
    }
}

#[test]
fn several_parts_and_one_beyond_the_end_are_cut_from_the_whole_too() {
    let (origin, body) = app(LENGTH, "max-age=60");
    let vacpack = Vacpack::before(&origin);
    let several = part(&vacpack, "bytes=0-9,100-109");
    assert!(several.status == 206 && several.complete());
    assert!(vacpack.get("/image").body == body);
    assert_eq!(origin.fetches("/image"), 1);
    let (origin, body) = app(1000, "max-age=60");
    let vacpack = Vacpack::before(&origin);
    let beyond = part(&vacpack, "bytes=1000-");
    assert_eq!((content_range(&beyond), beyond.body.len()), ((416, Some("bytes */1000")), 0));
    assert!(vacpack.get("/image").body == body);
    assert_eq!(origin.fetches("/image"), 1);
}

#[test]
fn a_part_that_may_be_far_from_the_start_is_passed_on_until_the_length_is_known() {
    for range in [FAR, "bytes=-10"] {
        let (origin, body) = app(LENGTH, "max-age=60");
        let vacpack = Vacpack::before(&origin);
        let first = part(&vacpack, range);
        assert_eq!((first.status, first.body.len(), first.cache().stored), (206, 10, false), "{range}");
        assert_eq!(asked_with(&origin).as_deref(), Some(range));
        let second = part(&vacpack, range);
        assert_eq!((second.status, second.cache().stored), (206, true), "{range}");
        assert!(second.body == first.body, "{range}");
        assert_eq!(asked_with(&origin), None, "{range}");
        assert!(vacpack.get("/image").body == body, "{range}");
        assert_eq!(origin.fetches("/image"), 2, "{range}");
    }
}

#[test]
fn what_is_too_long_to_keep_is_cut_once_and_passed_on_from_then_on() {
    let (origin, body) = app(LENGTH, "max-age=60");
    let vacpack = Vacpack::with(&origin, "cache.max_object = \"300KiB\"");
    let first = part(&vacpack, "bytes=0-9");
    assert_eq!(content_range(&first), (206, Some("bytes 0-9/400000")));
    assert!(first.body == body[..10] && !first.cache().stored);
    assert_eq!(first.cache().detail.as_deref(), Some("range"));
    assert_eq!(asked_with(&origin), None);
    for range in ["bytes=0-9", "bytes=-10", FAR] {
        assert_eq!(part(&vacpack, range).body.len(), 10);
        assert_eq!(asked_with(&origin).as_deref(), Some(range));
    }
    assert!(vacpack.get("/image").body == body);
}

/// As identity it is too long, coded it is not: that parts of it are passed on is nothing to those who want all of it.
#[test]
fn that_a_part_is_not_cut_here_does_not_keep_the_whole_out() {
    let origin = Origin::start();
    let text = "the same again and again, ".repeat(20_000);
    origin.serve("/text", Answer::cacheable(&text));
    let vacpack = Vacpack::with(&origin, "cache.max_object = \"100KiB\"");
    let cut = vacpack.ask(&Call::get("/text").field("Range", "bytes=0-9"));
    assert_eq!((cut.status, cut.body.as_slice()), (206, &text.as_bytes()[..10]));
    assert_eq!(vacpack.outcomes(&Call::get("/text").accepting("br")), ["miss", "hit"]);
}

#[test]
fn what_must_not_be_stored_is_cut_once_and_passed_on_from_then_on() {
    let (origin, body) = app(LENGTH, "no-store");
    let vacpack = Vacpack::before(&origin);
    assert!(part(&vacpack, "bytes=0-9").body == body[..10]);
    assert!(part(&vacpack, "bytes=0-9").body == body[..10]);
    assert_eq!(asked_with(&origin).as_deref(), Some("bytes=0-9"));
    // A request whose answer is not to be kept.
    let (origin, _) = app(LENGTH, "max-age=60");
    let vacpack = Vacpack::before(&origin);
    assert_eq!(vacpack.ask(&call("bytes=0-9").field("Cache-Control", "no-store")).status, 206);
    assert_eq!(asked_with(&origin).as_deref(), Some("bytes=0-9"));
}

/// The client has its part, and is free, while the rest comes in; others share that.
#[test]
fn the_client_is_not_kept_until_the_rest_has_come() {
    let origin = Origin::start();
    let gate = Gate::closed();
    let body = noise(LENGTH);
    let answer = Answer::ok("image/png", &body).fresh("max-age=60").then_at(LENGTH / 2, Part::Wait(gate.clone()));
    origin.serve("/image", answer);
    let vacpack = &Vacpack::before(&origin);
    let early = part(vacpack, "bytes=0-9");
    assert!(early.body == body[..10] && early.complete());
    gate.until_reached();
    thread::scope(|scope| {
        let rest = scope.spawn(|| part(vacpack, "bytes=-10"));
        let early = part(vacpack, "bytes=1000-1009");
        assert_eq!((early.outcome(), early.status), ("joined", 206));
        assert!(early.body == body[1000..1010]);
        gate.open();
        let rest = rest.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        assert!(rest.body == body[LENGTH - 10..]);
    });
    assert!(vacpack.get("/image").body == body);
    assert_eq!(origin.fetches("/image"), 1);
}

#[test]
fn a_stream_of_http_2_ends_with_its_part() {
    let origin = Origin::start();
    let gate = Gate::closed();
    let body = noise(LENGTH);
    let answer = Answer::ok("image/png", &body).fresh("max-age=60").then_at(LENGTH / 2, Part::Wait(gate.clone()));
    origin.serve("/image", answer);
    let vacpack = Vacpack::before(&origin);
    let early = H2Client::connect(vacpack.address()).ask(&call("bytes=0-9"));
    assert_eq!(early.status, 206);
    assert!(early.body == body[..10] && early.complete());
    gate.open();
    assert!(vacpack.get("/image").body == body);
    assert_eq!(origin.fetches("/image"), 1);
}

#[test]
fn many_parts_at_once_are_one_fetch() {
    let (origin, body) = app(LENGTH, "max-age=60");
    let vacpack = Vacpack::before(&origin);
    let parts = together(20, |number| {
        let first = number * 10_000;
        (first, part(&vacpack, &format!("bytes={first}-{}", first + 9)))
    });
    for (first, response) in parts {
        assert_eq!(response.status, 206);
        assert!(response.body == body[first..first + 10], "{first}");
    }
    assert_eq!(origin.fetches("/image"), 1);
}

#[test]
fn what_has_no_length_comes_whole_and_is_stored() {
    let origin = Origin::start();
    let body = noise(LENGTH);
    origin.serve("/image", Answer::ok("image/png", &body).fresh("max-age=60").chunked());
    let vacpack = Vacpack::before(&origin);
    let whole = part(&vacpack, "bytes=0-9");
    assert!(whole.status == 200 && whole.body == body);
    let stored = part(&vacpack, "bytes=0-9");
    assert_eq!((stored.status, stored.outcome(), stored.body.len()), (206, "hit", 10));
}

#[test]
fn a_part_of_another_version_is_not_given() {
    let (origin, body) = app(LENGTH, "max-age=60");
    let vacpack = Vacpack::before(&origin);
    let changed = vacpack.ask(&call("bytes=0-9").field("If-Range", "\"v0\""));
    assert!(changed.status == 200 && changed.body == body);
    let same = vacpack.ask(&call("bytes=0-9").field("If-Range", "\"v1\""));
    assert_eq!((same.status, same.outcome()), (206, "hit"));
}

#[test]
fn what_is_stale_is_validated_and_cut_from_what_is_stored() {
    let origin = Origin::start();
    let body = noise(LENGTH);
    let served = body.clone();
    origin.on_path("/image", move |request| match request.field("if-none-match") {
        Some("\"v1\"") => Answer::status(304).field("ETag", "\"v1\"").fresh("max-age=60"),
        _ => Answer::ok("image/png", &served).fresh("max-age=60").field("ETag", "\"v1\""),
    });
    let vacpack = Vacpack::before(&origin);
    vacpack.get("/image");
    vacpack.ask_admin(&Call::post("/purge?everything=true&soft=true", ""));
    let validated = part(&vacpack, FAR);
    assert_eq!((validated.status, validated.body.len()), (206, 10));
    assert!(validated.body == body[300_000..300_010]);
    let asked = origin.last("/image");
    assert_eq!((asked.field("if-none-match"), asked.field("range")), (Some("\"v1\""), None));
    assert_eq!(part(&vacpack, FAR).outcome(), "hit");
}
