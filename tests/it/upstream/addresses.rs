//! The app at several addresses, an app that goes and comes back, and its own word on whether it is ready.

use crate::harness::wait::until_past;
use crate::harness::{Answer, Call, Origin, Vacpack, together, until};
use std::time::{Duration, Instant};

fn app() -> Origin {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("page").fresh("no-store"));
    origin
}

/// Before several apps.
fn before(apps: &[&Origin], settings: &str) -> Vacpack {
    let also: Vec<_> = apps[1..].iter().map(|app| format!("\"{}\"", app.address())).collect();
    Vacpack::with(apps[0], &format!("upstream.also = [{}]\n{settings}", also.join(", ")))
}

fn asked(apps: &[&Origin]) -> Vec<usize> {
    apps.iter().map(|app| app.fetches("/page")).collect()
}

#[test]
fn addresses_of_one_app_are_asked_in_turn() {
    let (one, two, three) = (app(), app(), app());
    let vacpack = before(&[&one, &two, &three], "");
    for _turn in 0..30 {
        assert_eq!(vacpack.get("/page").status, 200);
    }
    assert_eq!(asked(&[&one, &two, &three]), [10, 10, 10]);
    assert_eq!(vacpack.metrics().sum("vacpack_upstream_addresses", &[]), 3.0);
}

#[test]
fn one_that_dies_is_not_missed_and_one_that_is_back_gets_its_share() {
    let (one, mut two) = (app(), app());
    let vacpack = before(&[&one, &two], "upstream.breaker.pause = \"100ms\"");
    assert!(together(8, |_| vacpack.get("/page").status).iter().all(|status| *status == 200));
    two.refuse();
    for turn in 0..20 {
        // Nothing was sent to the dead one, so that a POST goes to the other one as well.
        let call = if turn % 2 == 0 { Call::get("/page") } else { Call::post("/page", "order") };
        assert_eq!(vacpack.ask(&call).status, 200);
    }
    let metrics = vacpack.metrics_after(28);
    assert_eq!(metrics.sum("vacpack_upstream_ejected", &[]), 1.0);
    assert!(metrics.sum("vacpack_upstream_ejections_total", &[]) >= 1.0);
    let before = two.fetches("/page");
    two.accept_again();
    until("the second one to be asked again", || {
        assert_eq!(vacpack.get("/page").status, 200);
        (two.fetches("/page") > before + 5).then_some(())
    });
    assert_eq!(vacpack.metrics().sum("vacpack_upstream_ejected", &[]), 0.0);
}

#[test]
fn an_app_that_is_down_is_left_alone_and_noticed_when_it_is_back() {
    let mut origin = app();
    origin.serve("/stale", Answer::html("older").fresh("max-age=1, stale-if-error=600"));
    let vacpack = Vacpack::with(&origin, "upstream.breaker = { failures = 3, pause = \"300ms\" }");
    let start = Instant::now();
    assert_eq!(vacpack.get("/stale").text(), "older");
    until_past(start, Duration::from_millis(2100));
    origin.refuse();
    let refused: Vec<u16> = (0..3).map(|_| vacpack.get("/page").status).collect();
    assert_eq!(refused, [502, 502, 502]);
    let shed = vacpack.get("/page");
    // A machine that is slow may have let the pause pass.
    if shed.status == 503 {
        assert_eq!(shed.field("Retry-After"), Some("1"));
        assert!(shed.field("Cache-Status").is_some_and(|status| status.ends_with("detail=app_down")));
    }
    assert_eq!((vacpack.get("/stale").text().as_str(), vacpack.get("/stale").outcome()), ("older", "stale"));
    until("a request to be answered at once", || {
        vacpack.get("/page");
        (vacpack.metrics().sum("vacpack_requests_shed_total", &["normal", "app_down"]) > 0.0).then_some(())
    });
    origin.accept_again();
    let back = Instant::now();
    until("service again", || (vacpack.get("/page").status == 200).then_some(()));
    assert!(back.elapsed() < Duration::from_secs(10), "{:?}", back.elapsed());
    assert!(together(8, |_| vacpack.get("/page").status).iter().all(|status| *status == 200));
    assert_eq!(vacpack.get("/stale").outcome(), "expired");
}

/// Answers that are no HTTP come from an app that is there.
#[test]
fn an_app_that_answers_nonsense_is_asked_each_time() {
    let origin = app();
    origin.serve("/nonsense", Answer::raw("SSH-2.0-OpenSSH_9.2\r\n"));
    let vacpack = Vacpack::with(&origin, "upstream.breaker.failures = 1");
    for _turn in 0..5 {
        assert_eq!(vacpack.get("/nonsense").status, 502);
    }
    assert_eq!(vacpack.get("/page").status, 200);
}

#[test]
fn a_name_is_as_good_as_an_address() {
    let origin = app();
    let port = origin.address().rsplit(':').next().expect("a port").to_owned();
    // Of 127.0.0.1, where the origin does not listen, and of its own address.
    let vacpack =
        Vacpack::start(&format!("upstream.address = \"localhost:{port}\"\nupstream.also = [\"{}\"]", origin.address()));
    for _turn in 0..10 {
        assert_eq!(vacpack.get("/page").status, 200);
    }
}

#[test]
fn readiness_follows_the_app_where_it_is_asked_to() {
    let mut origin = app();
    origin.serve("/healthz", Answer::status(204));
    let vacpack = Vacpack::with(&origin, "upstream.ready_path = \"/healthz\"\nupstream.ready_interval = \"50ms\"");
    let ready = || vacpack.ask_admin(&Call::get("/readyz"));
    let until_it_says = |status: u16, word: &str| {
        until(word, || {
            let now = ready();
            (now.status == status && now.text().trim() == word).then_some(())
        });
    };
    until_it_says(200, "ready");
    origin.serve("/healthz", Answer::status(500));
    until_it_says(503, "app down");
    assert_eq!(vacpack.get("/page").status, 200, "it is the probe that says so, and there is no other address");
    origin.serve("/healthz", Answer::status(302).field("Location", "/login"));
    until_it_says(200, "ready");
    origin.refuse();
    until_it_says(503, "app down");
    origin.accept_again();
    until_it_says(200, "ready");
}

#[test]
fn an_address_that_says_it_is_not_ready_is_asked_last() {
    let (one, two) = (app(), app());
    one.serve("/healthz", Answer::status(200));
    two.serve("/healthz", Answer::status(503));
    let vacpack = before(&[&one, &two], "upstream.ready_path = \"/healthz\"\nupstream.ready_interval = \"50ms\"");
    until("the second one to be asked about itself", || (two.fetches("/healthz") > 1).then_some(()));
    for _turn in 0..10 {
        assert_eq!(vacpack.get("/page").status, 200);
    }
    assert_eq!(asked(&[&one, &two]), [10, 0]);
}
