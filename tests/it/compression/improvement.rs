//! What keeps being hit is compressed again, as well as it can be, and nobody notices but by the size.

use crate::harness::payload::{json, page};
use crate::harness::{Answer, Call, Metrics, Origin, Response, Vacpack, decode, until};

const ON: &str = "compression.improve = { after_hits = 3 }";
const LENGTH: usize = 60_000;

fn tagged() -> Answer {
    Answer::cacheable(page(LENGTH)).field("ETag", "\"v1\"")
}

fn stage(answer: Answer, settings: &str) -> (Origin, Vacpack) {
    let origin = Origin::start();
    origin.serve("/page", answer);
    let vacpack = Vacpack::with(&origin, settings);
    (origin, vacpack)
}

/// Hits a page as often as it takes, and says what was sent before and after.
fn improved(vacpack: &Vacpack, coding: &str) -> (Response, Response) {
    vacpack.get_as("/page", coding);
    let before = vacpack.get_as("/page", coding);
    assert_eq!((before.outcome(), before.coding()), ("hit", coding));
    let after = until("the page to become smaller", || {
        let now = vacpack.get_as("/page", coding);
        (now.body.len() < before.body.len()).then_some(now)
    });
    (before, after)
}

fn given_up(metrics: &Metrics) -> f64 {
    metrics.sum("vacpack_improve_given_up_total", &[])
}

#[test]
fn a_hot_page_becomes_smaller_and_stays_what_it_is() {
    let (origin, vacpack) = stage(tagged(), ON);
    for coding in ["br", "zstd"] {
        let (before, after) = improved(&vacpack, coding);
        assert!(after.body.len() * 100 <= before.body.len() * 98, "{} to {}", before.body.len(), after.body.len());
        assert!(decode::by_all(coding, &after.body) == page(LENGTH), "{coding}");
        for name in ["Content-Type", "Content-Encoding", "Cache-Control", "Vary"] {
            assert_eq!(after.fields.all(name), before.fields.all(name), "{name}");
        }
        let saved = (before.body.len() - after.body.len()) as f64;
        let metrics = vacpack.metrics();
        assert_eq!(metrics.sum("vacpack_improve_improved_total", &[coding]), 1.0);
        assert_eq!(metrics.sum("vacpack_improve_saved_bytes_total", &[coding]), saved);
    }
    assert_eq!(origin.fetches("/page"), 1);
    assert_eq!(vacpack.get("/page").body, page(LENGTH), "identity is derived from it");
}

#[test]
fn afterwards_it_costs_nothing() {
    let (_origin, vacpack) = stage(tagged(), ON);
    let (_, after) = improved(&vacpack, "br");
    let cost = |metrics: &Metrics| metrics.sum("vacpack_improve_cpu_seconds_total", &[]);
    let done = vacpack.metrics();
    assert!(cost(&done) > 0.0);
    assert_eq!(done.sum("vacpack_improve_queued", &[]), 0.0);
    for _turn in 0..100 {
        assert_eq!(vacpack.get_as("/page", "br").body, after.body);
    }
    let later = vacpack.metrics();
    assert_eq!((cost(&later), given_up(&later)), (cost(&done), 0.0));
}

#[test]
fn who_holds_the_older_bytes_is_told_that_they_are_still_good() {
    let (origin, vacpack) = stage(tagged(), ON);
    let (before, after) = improved(&vacpack, "br");
    let tag = |of: &Response| of.field("ETag").expect("a tag").to_owned();
    assert_eq!(before.tag().as_deref(), Some("\"v1-br\""));
    // RFC 9110, 8.8.3: other bytes, another strong tag.
    assert_ne!(tag(&after), tag(&before));
    for (coding, held) in [
        ("br", tag(&before)),
        ("br", tag(&after)),
        ("br", "\"other\", \"v1-br\"".to_owned()),
        ("gzip", tag(&after)),
        ("", tag(&after)),
        // Made by another version, or with other settings.
        ("br", "\"v1-br.00000000\"".to_owned()),
    ] {
        let same = vacpack.ask(&Call::get("/page").accepting(coding).field("If-None-Match", &held));
        assert_eq!((same.status, same.outcome()), (304, "hit"), "{held} as {coding:?}");
        assert!(held.contains(&tag(&same)), "by the tag that the client knows: {held}");
    }
    for held in ["\"v2-br\"", "\"v1-br.0000000\"", "\"v2-br.00000000\""] {
        let other = vacpack.ask(&Call::get("/page").accepting("br").field("If-None-Match", held));
        assert_eq!(other.status, 200, "{held}");
    }
    assert_eq!(origin.fetches("/page"), 1);
}

#[test]
fn parts_of_the_older_bytes_are_never_joined_to_the_newer() {
    let (_origin, vacpack) = stage(tagged(), ON);
    let (before, after) = improved(&vacpack, "br");
    let resume = |of: &Response| {
        let tag = of.field("ETag").expect("a tag");
        vacpack.ask(&Call::get("/page").accepting("br").field("Range", "bytes=100-").field("If-Range", tag))
    };
    // RFC 9110, 13.1.5.
    let whole = resume(&before);
    assert_eq!((whole.status, &whole.body), (200, &after.body));
    let rest = resume(&after);
    assert_eq!((rest.status, &rest.body[..]), (206, &after.body[100..]));
    // RFC 9110, 13.1.1: strong comparison.
    let tag = before.field("ETag").expect("a tag");
    let failed = vacpack.ask(&Call::get("/page").accepting("br").field("If-Match", tag));
    assert_eq!(failed.status, 412);
}

#[test]
fn a_weak_tag_stays_as_it_is() {
    let (_origin, vacpack) = stage(Answer::cacheable(page(LENGTH)).field("ETag", "W/\"v1\""), ON);
    let (before, after) = improved(&vacpack, "br");
    assert_eq!((before.field("ETag"), after.field("ETag")), (Some("W/\"v1-br\""), Some("W/\"v1-br\"")));
    let same = vacpack.ask(&Call::get("/page").accepting("br").field("If-None-Match", "W/\"v1-br\""));
    assert_eq!((same.status, same.field("ETag")), (304, Some("W/\"v1-br\"")));
}

#[test]
fn what_the_app_is_asked_has_its_own_tag() {
    let origin = Origin::start();
    origin.on_path("/page", |request| match request.field("if-none-match") {
        Some(tags) if tags.contains("\"v1\"") => Answer::status(304).field("ETag", "\"v1\"").fresh("max-age=60"),
        _ => tagged().fresh("max-age=60"),
    });
    let vacpack = Vacpack::with(&origin, ON);
    let (_, after) = improved(&vacpack, "br");
    let validated = vacpack.ask(&Call::get("/page").accepting("br").field("Cache-Control", "no-cache"));
    assert_eq!(origin.last("/page").field("If-None-Match"), Some("\"v1\""));
    assert_eq!((validated.status, &validated.body), (200, &after.body));
    let next = vacpack.get_as("/page", "br");
    assert_eq!((next.field("ETag"), &next.body), (after.field("ETag"), &after.body), "a 304 keeps it");
}

#[test]
fn a_purge_during_the_work_wins() {
    let origin = Origin::start();
    let (old, new) = (json(900_000), json(901_000));
    let answer = |body: &[u8]| Answer::ok("application/json", body).fresh("max-age=60");
    origin.serve_in_turn("/data", [answer(&old), answer(&new)]);
    let vacpack = Vacpack::with(&origin, ON);
    for _hit in 0..4 {
        vacpack.get_as("/data", "br");
    }
    // Taken up, and a second or more from its end.
    until("the work to begin", || (vacpack.metrics().sum("vacpack_improve_queued", &[]) == 0.0).then_some(()));
    vacpack.purge(crate::harness::HOST, "/data");
    assert_eq!(vacpack.get_as("/data", "br").outcome(), "miss");
    until("the work to be given up", || (given_up(&vacpack.metrics()) == 1.0).then_some(()));
    assert_eq!(vacpack.metrics().sum("vacpack_improve_given_up_total", &["gone"]), 1.0);
    let hit = vacpack.get_as("/data", "br");
    assert_eq!(hit.outcome(), "hit");
    assert!(decode::by_all("br", &hit.body) == new, "the older content came back");
}

#[test]
fn what_passes_as_the_app_compressed_it_is_left_alone_and_so_is_everything_when_it_is_off() {
    let coded = {
        let (_origin, vacpack) = stage(tagged(), "compression.improve = false");
        let first = vacpack.get_as("/page", "gzip");
        for _turn in 0..20 {
            assert_eq!(vacpack.get_as("/page", "gzip").body, first.body);
        }
        first.body
    };
    let apps = Answer::cacheable(&coded).field("Content-Encoding", "gzip").field("ETag", "\"v1\"");
    let (_origin, vacpack) = stage(apps, &format!("{ON}\ncompression.transcode = false"));
    for _turn in 0..20 {
        assert_eq!(vacpack.get_as("/page", "gzip").body, coded);
    }
    let metrics = vacpack.metrics();
    assert_eq!((metrics.sum("vacpack_improve_queued", &[]), given_up(&metrics)), (0.0, 0.0));
    assert_eq!(metrics.sum("vacpack_improve_cpu_seconds_total", &[]), 0.0);
}

#[test]
fn an_operator_holds_it_still_and_lets_it_go_on() {
    let (_origin, vacpack) = stage(tagged(), ON);
    let tell = |what: &str| vacpack.ask_admin(&Call::post(&format!("/improve/{what}"), ""));
    let seen = |family: &str| vacpack.metrics().sum(family, &[]);
    let paused = tell("pause");
    assert_eq!((paused.status, paused.text().as_str()), (200, "{\"paused\":true}\n"));
    let cold = vacpack.get_as("/page", "br").body;
    for _turn in 0..20 {
        assert_eq!(vacpack.get_as("/page", "br").body, cold);
    }
    assert_eq!((seen("vacpack_improve_paused"), seen("vacpack_improve_cpu_seconds_total")), (1.0, 0.0));
    assert_eq!(tell("resume").text(), "{\"paused\":false}\n");
    until("the page to become smaller", || (vacpack.get_as("/page", "br").body.len() < cold.len()).then_some(()));
    assert_eq!(seen("vacpack_improve_paused"), 0.0);

    let forwarded = vacpack.ask_admin(&Call::post("/improve/pause", "").field("X-Forwarded-For", "192.0.2.1"));
    assert_eq!((forwarded.status, seen("vacpack_improve_paused")), (403, 0.0));
    assert_eq!(vacpack.ask_admin(&Call::get("/improve/pause")).status, 405);
}

#[test]
fn a_crawler_that_came_first_does_not_decide_what_browsers_get() {
    const BROWSER: &str = "gzip, deflate, br, zstd";
    let (origin, vacpack) = stage(tagged(), ON);
    let crawled = vacpack.get_as("/page", "gzip");
    let first = vacpack.get_as("/page", BROWSER);
    assert_eq!((first.outcome(), first.coding(), &first.body), ("hit", "gzip", &crawled.body));
    let better = until("browsers to get brotli", || {
        let now = vacpack.get_as("/page", BROWSER);
        (now.coding() == "br").then_some(now)
    });
    assert!(better.body.len() < crawled.body.len(), "{} to {}", crawled.body.len(), better.body.len());
    assert!(decode::by_all("br", &better.body) == page(LENGTH));
    assert!(better.is_tagged("v1"), "{:?}", better.field("ETag"));
    let same = vacpack.get_as("/page", "gzip");
    assert_eq!((same.outcome(), &same.body), ("hit", &crawled.body));
    let held = crawled.field("ETag").expect("a tag");
    let known = vacpack.ask(&Call::get("/page").accepting(BROWSER).field("If-None-Match", held));
    assert_eq!((known.status, origin.fetches("/page")), (304, 1));
}
