//! TLS towards the app: whom it is taken for, what goes through it, and what comes of it when it fails.

use super::assert_prompt;
use crate::harness::payload::page;
use crate::harness::tls::Authority;
use crate::harness::wait::until_past;
use crate::harness::{Answer, Call, Gate, Origin, Part, Terminator, Vacpack, until};
use std::net::TcpListener;
use std::time::{Duration, Instant};

const NAME: &str = "app.test";

fn app() -> Origin {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("page").fresh("no-store"));
    origin
}

/// The origin behind TLS, with a certificate for these names.
fn secured(origin: &Origin, authority: &Authority, names: &[&str]) -> Terminator {
    Terminator::before(origin, authority.server(names, &[], false))
}

/// What trusts this authority, and asks for this name.
fn trusting(authority: &Authority, name: &str) -> String {
    format!("upstream.tls.ca = {:?}\nupstream.tls.server_name = \"{name}\"\n", authority.file())
}

fn before(app: &Terminator, settings: &str) -> Vacpack {
    Vacpack::start(&format!("upstream.address = \"{}\"\n{settings}", app.address()))
}

#[test]
fn everything_goes_as_it_does_without() {
    let origin = app();
    origin.serve("/asset", Answer::cacheable(page(60_000)));
    origin.serve("/ws", Answer::websocket_echo());
    let authority = Authority::new("app-tls");
    let app = secured(&origin, &authority, &[NAME]);
    let vacpack = before(&app, &trusting(&authority, NAME));
    let call = Call::get("/asset").accepting("br");
    for outcome in ["miss", "hit"] {
        let answer = vacpack.ask(&call);
        assert_eq!((answer.outcome(), answer.content()), (outcome, page(60_000)));
    }
    assert_eq!(vacpack.ask(&Call::post("/page", page(200_000))).text(), "page");
    assert_eq!(origin.last("/page").body, page(200_000));
    // It is the client's connection that this speaks of.
    assert_eq!(origin.last("/page").field("X-Forwarded-Proto"), Some("http"));
    for number in 0..20 {
        let handshake = Call::get("/ws").field("Connection", "Upgrade").field("Upgrade", "websocket");
        let mut client = vacpack.client();
        assert_eq!(client.begin(&handshake).response.status, 101, "{number}");
        client.send(b"hello");
        assert_eq!(client.exactly(5).expect("the tunnel lives"), b"hello", "{number}");
    }
    assert!(app.names().iter().all(|name| name.as_deref() == Some(NAME)), "{:?}", app.names());
    assert_eq!(app.names().len(), 21, "one kept connection, and one for each tunnel");
}

#[test]
fn an_address_is_a_name_as_well() {
    let origin = app();
    let authority = Authority::new("app-tls-address");
    // Of the loopback network each has an address of its own.
    let app = secured(&origin, &authority, &["127.0.0.1"]);
    let port = app.address().rsplit(':').next().expect("a port").to_owned();
    let host = app.address().trim_start_matches("https://").trim_end_matches(&format!(":{port}")).to_owned();
    let (ca, other) =
        (format!("upstream.tls.ca = {:?}\n", authority.file()), "upstream.tls.server_name = \"127.0.0.1\"");
    assert_eq!(before(&app, &ca).get("/page").status, 502, "{host} is not in it");
    assert_eq!(before(&app, &format!("{ca}{other}")).get("/page").status, 200);
    assert_eq!(app.names(), [None], "RFC 6066, section 3: no literal addresses");
}

#[test]
fn only_the_app_is_taken_for_the_app() {
    let origin = app();
    let (authority, stranger) = (Authority::new("app-tls-known"), Authority::new("app-tls-unknown"));
    let (known, other) = (secured(&origin, &authority, &[NAME]), secured(&origin, &authority, &["other.test"]));
    let unknown = secured(&origin, &stranger, &[NAME]);
    let trusting = trusting(&authority, NAME);
    for (of, app, settings, status) in [
        ("known", &known, "", 200),
        ("another name", &other, "", 502),
        ("another signer", &unknown, "", 502),
        ("any name", &other, "upstream.tls.dangerously_accept_any_name = true", 200),
        ("any name, another signer", &unknown, "upstream.tls.dangerously_accept_any_name = true", 502),
        ("any certificate", &unknown, "upstream.tls.dangerously_accept_any_certificate = true", 200),
    ] {
        let vacpack = before(app, &format!("{trusting}{settings}"));
        let answer = vacpack.get("/page");
        assert_eq!(answer.status, status, "{of}");
        if status == 502 {
            assert_eq!(answer.text(), "vacpack and the app do not agree on TLS.\n", "{of}");
            // Two attempts: nothing was sent.
            assert_eq!(vacpack.metrics_after(1).sum("vacpack_upstream_errors_total", &["tls"]), 2.0, "{of}");
        }
    }
    // The system knows neither.
    let vacpack = before(&known, &format!("upstream.tls.server_name = \"{NAME}\""));
    assert_eq!(vacpack.get("/page").status, 502);
}

#[test]
fn an_app_that_asks_is_shown_a_certificate() {
    let origin = app();
    let authority = Authority::new("app-tls-client");
    let app = Terminator::before(&origin, authority.server(&[NAME], &[], true));
    let own = authority.directory("own", &["vacpack.test"]);
    let trusting = trusting(&authority, NAME);
    let vacpack = before(&app, &format!("{trusting}upstream.tls.client_certificate = {own:?}"));
    assert_eq!(vacpack.get("/page").text(), "page");
    let without = before(&app, &trusting);
    let refused = without.get("/page");
    assert_eq!((refused.status, refused.text().as_str()), (502, "vacpack and the app do not agree on TLS.\n"));
    assert!(without.metrics_after(1).sum("vacpack_upstream_errors_total", &["tls"]) >= 1.0);
}

#[test]
fn new_files_are_used_and_stale_answers_stand_in_for_wrong_ones() {
    let origin = app();
    origin.serve("/stale", Answer::html("older").fresh("max-age=1, stale-if-error=600"));
    let (authority, stranger) = (Authority::new("app-tls-files"), Authority::new("app-tls-other-files"));
    let app = secured(&origin, &authority, &[NAME]);
    let ca = authority.join("followed.pem");
    let trust = |other: &Authority| {
        let swap = authority.join("swap.pem");
        std::fs::copy(other.file(), &swap).expect("copied");
        std::fs::rename(&swap, &ca).expect("renamed");
    };
    trust(&authority);
    let settings = format!(
        "upstream.tls.ca = {ca:?}\nupstream.tls.server_name = \"{NAME}\"\nupstream.breaker.failures = 1_000_000\n"
    );
    let vacpack = before(&app, &settings);
    let start = Instant::now();
    assert_eq!(vacpack.get("/stale").text(), "older");
    std::fs::write(&ca, "no PEM").expect("written");
    until_past(start, Duration::from_secs(3));
    assert_eq!(vacpack.get("/page").status, 200, "the former ones are kept");
    trust(&stranger);
    until("the new file to be used", || (vacpack.get("/page").status == 502).then_some(()));
    assert_eq!((vacpack.get("/stale").outcome(), vacpack.get("/stale").text().as_str()), ("stale", "older"));
    trust(&authority);
    until("the first one to be used again", || (vacpack.get("/page").status == 200).then_some(()));
}

#[test]
fn of_several_addresses_the_one_that_fails_its_handshakes_is_left_alone() {
    let origin = app();
    let authority = Authority::new("app-tls-several");
    let (good, bad) = (secured(&origin, &authority, &[NAME]), secured(&origin, &authority, &["other.test"]));
    let also = format!("upstream.also = [\"{}\"]\nupstream.breaker.pause = \"10m\"\n", bad.address());
    let vacpack = before(&good, &format!("{also}{}", trusting(&authority, NAME)));
    for _turn in 0..20 {
        assert_eq!(vacpack.get("/page").status, 200);
    }
    assert_eq!(vacpack.metrics_after(20).sum("vacpack_upstream_ejected", &[]), 1.0);
}

#[test]
fn the_probe_goes_the_same_way() {
    let origin = app();
    origin.serve("/healthz", Answer::status(204));
    let authority = Authority::new("app-tls-probe");
    let app = secured(&origin, &authority, &[NAME]);
    let settings = "upstream.ready_path = \"/healthz\"\nupstream.ready_interval = \"50ms\"\n";
    let vacpack = before(&app, &format!("{settings}{}", trusting(&authority, NAME)));
    let until_it_says = |status| {
        until("the probe", || (vacpack.ask_admin(&Call::get("/readyz")).status == status).then_some(()));
    };
    until_it_says(200);
    origin.serve("/healthz", Answer::status(500));
    until_it_says(503);
}

#[test]
fn an_app_without_tls_or_without_an_answer_is_told_apart() {
    let origin = app();
    let vacpack = Vacpack::start(&format!("upstream.address = \"https://{}\"", origin.address()));
    assert_eq!(vacpack.get("/page").status, 502);
    assert!(vacpack.metrics_after(1).sum("vacpack_upstream_errors_total", &["tls"]) >= 1.0);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("bound");
    let vacpack =
        Vacpack::start(&format!("upstream.address = \"https://{address}\"\nupstream.connect_timeout = \"200ms\""));
    assert_eq!(vacpack.get("/page").status, 504);
    assert_eq!(vacpack.metrics_after(1).sum("vacpack_limits_met_total", &["upstream_connect"]), 1.0);
}

#[test]
fn a_kept_connection_that_the_app_has_closed_is_tried_again() {
    let origin = app();
    origin.serve("/page", Answer::html("page"));
    let authority = Authority::new("app-tls-kept");
    let app = secured(&origin, &authority, &[NAME]);
    let vacpack = before(&app, &trusting(&authority, NAME));
    // A connection may come back to the pool a moment after its answer was read: then the next request makes another.
    until("a kept connection to be met", || {
        assert_eq!(vacpack.get("/page").text(), "page");
        origin.serve_in_turn("/once", [Answer::hang_up(), Answer::html("again")]);
        (vacpack.get("/once").text() == "again").then_some(())
    });
    assert_eq!(vacpack.metrics().sum("vacpack_upstream_retries_total", &[]), 1.0);
}

/// RFC 9112, section 9.8: an end without the alert that says so may be an attacker's.
#[test]
fn a_body_that_is_cut_off_is_no_whole_one() {
    let origin = app();
    origin.serve("/open", Answer::cacheable(page(9000)).until_close());
    let authority = Authority::new("app-tls-cut");
    let app = secured(&origin, &authority, &[NAME]);
    let vacpack = before(&app, &trusting(&authority, NAME));
    assert_eq!(vacpack.get("/open").content(), page(9000));
    app.be_rude();
    assert!(!vacpack.get("/open").complete());
}

#[test]
fn when_the_app_pauses_the_codec_holds_nothing_back() {
    let parts = [page(2000), page(30_000), page(100), page(70_000)];
    let gates: Vec<Gate> = parts.iter().map(|_| Gate::closed()).collect();
    let script = parts.iter().zip(&gates).flat_map(|(part, gate)| [Part::Data(part.clone()), Part::Wait(gate.clone())]);
    let origin = app();
    origin.serve("/slow", Answer::status(200).field("Content-Type", "text/html").chunked().parts(script));
    let authority = Authority::new("app-tls-pause");
    let app = secured(&origin, &authority, &[NAME]);
    let vacpack = before(&app, &trusting(&authority, NAME));
    assert_prompt(&vacpack, &parts, &gates);
}
