//! The client whose request fills the cache: it may be slow, it may leave, and the fill goes on without it.

use crate::harness::binary::{ADMIN, Binary, LISTEN};
use crate::harness::payload::{noise, page};
use crate::harness::wait::until_calm;
use crate::harness::{Answer, Call, Client, Directory, Gate, H2Client, Origin, Part, Vacpack, until};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

const LENGTH: usize = 200_000;
const LARGE: usize = 8 << 20;
/// Keeps a body of that length.
const ROOMY: &str = "memory.budget = \"256MiB\"\ncache.max_object = \"16MiB\"\n";
const MIB: u64 = 1 << 20;

/// An answer that stops at a gate half-way.
fn held(gate: &Gate) -> Answer {
    Answer::cacheable(page(LENGTH)).chunked().then_at(LENGTH / 2, Part::Wait(gate.clone()))
}

/// An answer that stops at a gate before its head.
fn held_back(gate: &Gate) -> Answer {
    Answer::cacheable(page(LENGTH)).chunked().first(Part::Wait(gate.clone()))
}

/// A large one that stops before its last byte.
fn held_large(noise: &[u8], gate: &Gate) -> Answer {
    let answer = Answer::ok("image/png", noise).fresh("max-age=60").chunked();
    answer.then_at(noise.len() - 1, Part::Wait(gate.clone()))
}

fn until_in_flight(vacpack: &Vacpack, count: f64) {
    until("all of them to be in flight", || {
        (vacpack.metrics().sum("vacpack_requests_in_flight", &[]) >= count).then_some(())
    });
}

fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Lets `leave` begin a fetch of `/page`, whose answer waits at a gate, and go, while others wait for it.
fn the_others_get_all_of_it(answer: impl FnOnce(&Gate) -> Answer, leave: impl FnOnce(&Vacpack, &Gate)) {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve("/page", answer(&gate));
    let vacpack = Vacpack::before(&origin);
    leave(&vacpack, &gate);
    thread::scope(|scope| {
        let waiting: Vec<_> =
            ["br", "gzip", "", "br"].map(|coding| scope.spawn(|| vacpack.get_as("/page", coding).content())).into();
        until_in_flight(&vacpack, 5.0);
        gate.open();
        assert!(waiting.into_iter().map(joined).all(|content| content == page(LENGTH)));
    });
    assert_eq!(vacpack.get_as("/page", "br").outcome(), "hit");
    assert_eq!(origin.fetches("/page"), 1);
    let metrics = vacpack.metrics_after(6);
    assert_eq!(metrics.sum("vacpack_requests_in_flight", &[]), 0.0);
    assert_eq!(metrics.sum("vacpack_cache_fills_in_flight_bytes", &[]), 0.0);
}

#[test]
fn when_it_leaves_the_others_get_all_of_it_by_the_same_fetch() {
    the_others_get_all_of_it(held, |vacpack, gate| {
        let mut leaver = vacpack.client();
        leaver.begin(&Call::get("/page").accepting("br")).next_piece().expect("the first half begins");
        gate.until_reached();
    });
}

#[test]
fn over_http_2_too() {
    the_others_get_all_of_it(held, |vacpack, gate| {
        let leaver = H2Client::connect(vacpack.address());
        leaver.leave(&Call::get("/page").accepting("br"));
        gate.until_reached();
    });
}

#[test]
fn a_reset_is_no_different() {
    the_others_get_all_of_it(held, |vacpack, gate| {
        let mut leaver = vacpack.client();
        leaver.begin(&Call::get("/page").accepting("br")).next_piece().expect("the first half begins");
        gate.until_reached();
        leaver.reset();
    });
}

#[test]
fn it_may_leave_before_the_app_answers() {
    the_others_get_all_of_it(held_back, |vacpack, gate| {
        let mut leaver = vacpack.client();
        leaver.send(Call::get("/page").head_bytes());
        gate.until_reached();
    });
}

#[test]
fn it_may_leave_before_the_app_answers_over_http_2() {
    the_others_get_all_of_it(held_back, |vacpack, gate| {
        let leaver = H2Client::connect(vacpack.address());
        leaver.leave_unanswered(&Call::get("/page"), || gate.waiting() > 0);
    });
}

#[test]
fn what_turns_out_to_be_for_it_alone_is_given_up_when_it_left() {
    let origin = Origin::start();
    let gate = Gate::closed();
    let script = std::iter::repeat_n(Part::Data(noise(64 * 1024)), 1024);
    let answer = Answer::status(200).field("Content-Type", "image/png").fresh("no-store").chunked().parts(script);
    origin.serve("/page", answer.first(Part::Wait(gate.clone())));
    let vacpack = Vacpack::before(&origin);
    let mut leaver = vacpack.client();
    leaver.send(Call::get("/page").head_bytes());
    gate.until_reached();
    drop(leaver);
    gate.open();
    vacpack.metrics_after(1);
    assert!(origin.body_bytes() < 32 * MIB, "{}", origin.body_bytes());
    // It is not remembered against the resource: the next one is answered.
    origin.serve("/page", Answer::cacheable("second"));
    assert_eq!(vacpack.get("/page").text(), "second");
}

#[test]
fn with_nobody_waiting_the_next_one_finds_it_stored() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve("/page", held(&gate));
    let vacpack = Vacpack::before(&origin);
    let mut leaver = vacpack.client();
    leaver.begin(&Call::get("/page")).next_piece().expect("the first half begins");
    gate.until_reached();
    drop(leaver);
    gate.open();
    vacpack.metrics_after(1);
    assert_eq!(vacpack.get("/page").outcome(), "hit");
    assert_eq!(origin.fetches("/page"), 1);
}

#[test]
fn while_it_reads_nothing_the_others_are_served() {
    let origin = Origin::start();
    let noise = noise(LARGE);
    origin.serve("/large", Answer::ok("image/png", &noise).fresh("max-age=60"));
    let vacpack = Vacpack::with(&origin, ROOMY);
    let mut slow = Client::connect_taking_little(vacpack.address());
    slow.send(Call::get("/large").head_bytes());
    until("the slow one's fetch", || (origin.fetches("/large") == 1).then_some(()));
    for _client in 0..3 {
        assert!(vacpack.get("/large").body == noise);
    }
    assert_eq!(vacpack.metrics().sum("vacpack_requests_in_flight", &[]), 1.0, "the slow one is still at it");
    assert_eq!(origin.fetches("/large"), 1);
    assert!(slow.response(false).body == noise, "and gets it all");
    let metrics = vacpack.metrics_after(4);
    assert_eq!(metrics.sum("vacpack_response_body_bytes_total", &["client"]), 4.0 * LARGE as f64);
}

#[test]
fn what_waits_for_it_is_in_the_budget_of_the_fills() {
    let origin = Origin::start();
    let gate = Gate::closed();
    let noise = noise(LARGE);
    origin.serve("/large", held_large(&noise, &gate));
    let vacpack = Vacpack::with(&origin, ROOMY);
    let mut slow = Client::connect_taking_little(vacpack.address());
    slow.send(Call::get("/large").head_bytes());
    gate.until_reached();
    // The body twice, less what the kernel has taken for the client.
    let held = until_calm("the fill", Duration::from_millis(200), || {
        vacpack.metrics().sum("vacpack_cache_fills_in_flight_bytes", &[])
    });
    assert!(held > 1.2 * LARGE as f64 && held < 2.5 * LARGE as f64, "{held}");
    gate.open();
    assert!(slow.response(false).body == noise);
    assert_eq!(vacpack.metrics_after(1).sum("vacpack_cache_fills_in_flight_bytes", &[]), 0.0);
}

#[test]
fn without_budget_the_app_waits_for_it_and_everything_arrives() {
    let origin = Origin::start();
    let noise = noise(LARGE);
    origin.serve("/large", Answer::ok("image/png", &noise).fresh("max-age=60").in_pieces(32 * 1024).chunked());
    // Room for the body, and for less than half of it again.
    let vacpack = Vacpack::with(&origin, "memory.budget = \"64MiB\"\ncache.max_object = \"9MiB\"");
    let mut slow = Client::connect_taking_little(vacpack.address());
    slow.send(Call::get("/large").head_bytes());
    until("the app to send", || (origin.body_bytes() > 4 * MIB).then_some(()));
    let held = until_calm("the app to be held back", Duration::from_millis(300), || {
        vacpack.metrics().sum("vacpack_cache_fills_in_flight_bytes", &[])
    });
    assert!(held <= (9 * MIB) as f64, "{held}");
    assert!(slow.response(false).body == noise);
    vacpack.metrics_after(1);
    assert!(vacpack.get("/large").body == noise);
}

/// A body that is longer than what is kept, to a client that does not read: what the app was made to send.
fn taken_of_an_over_size_body(settings: &str) -> (Origin, Vacpack, Client) {
    let origin = Origin::start();
    let script = std::iter::repeat_n(Part::Data(noise(64 * 1024)), 1024);
    let answer = Answer::status(200).field("Content-Type", "image/png").fresh("max-age=60");
    origin.serve("/huge", answer.chunked().parts(script));
    let vacpack = Vacpack::with(&origin, settings);
    let mut slow = Client::connect_taking_little(vacpack.address());
    slow.send(Call::get("/huge").head_bytes());
    until("the app to send", || (origin.body_bytes() > 0).then_some(()));
    let taken = until_calm("the app to be held back", Duration::from_millis(500), || origin.body_bytes());
    assert!(taken > 0 && taken < 24 * MIB, "{taken} of 64 MiB were taken for a client that reads none");
    (origin, vacpack, slow)
}

#[test]
fn a_body_too_long_to_keep_is_read_as_fast_as_it_reads() {
    let (_origin, vacpack, mut slow) = taken_of_an_over_size_body("cache.max_object = \"1MiB\"");
    assert_eq!(vacpack.metrics().sum("vacpack_cache_not_stored_total", &["too_large"]), 0.0);
    assert!(slow.response(false).body == noise(64 * 1024).repeat(1024));
    let metrics = vacpack.metrics_after(1);
    assert_eq!(metrics.sum("vacpack_cache_not_stored_total", &["too_large"]), 1.0);
    assert_eq!(metrics.sum("vacpack_cache_fills_in_flight_bytes", &[]), 0.0);
}

#[test]
fn a_body_too_long_to_keep_is_given_up_when_it_leaves() {
    let (origin, vacpack, slow) = taken_of_an_over_size_body("cache.max_object = \"1MiB\"");
    drop(slow);
    // The request ends though the app has tens of MiB to send.
    vacpack.metrics_after(1);
    assert!(origin.body_bytes() < 32 * MIB, "{}", origin.body_bytes());
}

#[test]
fn it_sees_that_the_app_died() {
    let origin = Origin::start();
    let whole = Answer::cacheable(page(LENGTH));
    let vacpack = Vacpack::before(&origin);
    for (path, answer) in [("/chunked", whole.clone().chunked()), ("/length", whole.clone())] {
        for accident in [Part::Cut, Part::Reset] {
            let half = Part::Data(page(LENGTH)[..LENGTH / 2].to_vec());
            let rest = Part::Data(page(LENGTH)[LENGTH / 2..].to_vec());
            for coding in ["br", ""] {
                let gate = Gate::closed();
                let dying = [half.clone(), Part::Wait(gate.clone()), accident.clone(), rest.clone()];
                let dying = answer.clone().parts(dying);
                origin.serve(path, dying);
                let mut client = vacpack.client();
                client.send(Call::get(path).accepting(coding).head_bytes());
                gate.until_reached();
                gate.open();
                assert!(!client.response(false).complete(), "{path} {coding} looked complete");
            }
            let mut client = H2Client::connect(vacpack.address());
            assert!(!client.ask(&Call::get(path)).complete(), "{path} looked complete over HTTP/2");
        }
        origin.serve(path, answer);
        assert_eq!(vacpack.get(path).outcome(), "miss", "half a body was stored");
    }
}

#[test]
fn its_connection_is_used_again() {
    let origin = Origin::start();
    let vacpack = Vacpack::before(&origin);
    let mut client = vacpack.client();
    for number in 0..4 {
        let path = format!("/page{number}");
        let gate = Gate::closed();
        let answer = Answer::cacheable(page(LENGTH));
        let answer = if number % 2 == 0 { answer.chunked() } else { answer };
        origin.serve(&path, answer.then_at(LENGTH / 2, Part::Wait(gate.clone())));
        client.send(Call::get(&path).accepting(if number < 2 { "br" } else { "" }).head_bytes());
        gate.until_reached();
        gate.open();
        let response = client.response(false);
        assert_eq!(response.content(), page(LENGTH), "{path}");
        assert_eq!(response.field("Connection"), Some("keep-alive"));
        assert_eq!(client.ask(&Call::get(&path)).outcome(), "hit");
    }
    assert_eq!(vacpack.metrics().sum("vacpack_connections", &[]), 1.0);
}

#[test]
fn a_request_sent_ahead_is_answered_after_it_or_not_at_all() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve("/page", held(&gate));
    origin.serve("/next", Answer::html("next"));
    let vacpack = Vacpack::before(&origin);
    let mut client = vacpack.client();
    client.send([Call::get("/page").head_bytes(), Call::get("/next").head_bytes()].concat());
    gate.until_reached();
    gate.open();
    assert!(client.response(false).body == page(LENGTH));
    if let Ok(next) = client.incoming(false, Instant::now()) {
        assert_eq!(next.read_to_end().text(), "next");
    }
}

#[test]
fn over_http_1_0_the_end_is_the_end_of_the_connection() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve("/page", held(&gate));
    let vacpack = Vacpack::before(&origin);
    let mut client = vacpack.client();
    let mut incoming = client.begin(&Call::get("/page").http10());
    incoming.next_piece().expect("the first half begins");
    gate.open();
    let response = incoming.read_to_end();
    assert_eq!((response.complete(), response.field("Transfer-Encoding")), (true, None));
    assert!(response.body == page(LENGTH));
    assert_eq!(vacpack.get("/page").outcome(), "hit");
}

#[test]
fn one_that_does_not_read_is_given_up_and_the_fill_is_not() {
    let origin = Origin::start();
    let gate = Gate::closed();
    let noise = noise(LARGE);
    origin.serve("/large", held_large(&noise, &gate));
    let vacpack = Vacpack::with(&origin, &format!("{ROOMY}listen.write_timeout = \"500ms\""));
    let mut stuck = Client::connect_taking_little(vacpack.address());
    stuck.send(Call::get("/large").head_bytes());
    gate.until_reached();
    until("the client to be given up", || {
        // What waited for it is let go of with it.
        let held = vacpack.metrics().sum("vacpack_cache_fills_in_flight_bytes", &[]);
        (held < 1.2 * LARGE as f64).then_some(())
    });
    gate.open();
    vacpack.metrics_after(1);
    assert_eq!(vacpack.get("/large").outcome(), "hit");
    assert!(stuck.rest().is_some_and(|bytes| bytes.len() < LARGE), "its connection was closed");
}

/// The line of the access log about `/page`, whose client did as `read` does.
fn logged(name: &str, read: impl FnOnce(&mut Client, &Gate)) -> serde_json::Value {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve("/page", held(&gate));
    let directory = Directory::new(name);
    let file = directory.file("vacpack.toml", "runtime.drain_delay = \"0s\"\n");
    let file = file.to_str().expect("UTF-8");
    let mut binary =
        Binary::start(&["--config", file, "--upstream", &origin.address(), "--listen", LISTEN, "--admin", ADMIN], &[]);
    let mut client = Client::connect(binary.listen());
    read(&mut client, &gate);
    drop(client);
    // What is in flight is finished, with a client or without.
    binary.signal("TERM");
    gate.open();
    let ended = binary.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let line = ended.stdout.lines().find(|line| line.contains("/page"));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no line in {:?}", ended.stdout))).expect("JSON")
}

#[test]
fn the_log_tells_what_it_got_and_a_drain_waits_for_its_fill() {
    let whole = logged("first-client-whole", |client, gate| {
        let mut incoming = client.begin(&Call::get("/page"));
        incoming.next_piece().expect("the first half begins");
        gate.open();
        assert!(incoming.read_to_end().body == page(LENGTH));
    });
    let left = logged("first-client-left", |client, gate| {
        client.begin(&Call::get("/page")).next_piece().expect("the first half begins");
        gate.until_reached();
    });
    for line in [&whole, &left] {
        assert_eq!((&line["http.response.status_code"], &line["cache.stored"]), (&200.into(), &true.into()), "{line}");
    }
    assert_eq!((&whole["http.response.body.size"], whole.get("error.type")), (&LENGTH.into(), None), "{whole}");
    assert_eq!(left["error.type"], "client", "{left}");
    assert!(
        left["http.response.body.size"].as_u64().is_some_and(|size| size > 0 && size <= LENGTH as u64 / 2),
        "{left}"
    );
}
