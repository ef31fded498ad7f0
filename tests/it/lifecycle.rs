//! The built program: what it refuses to start with, how it starts, and how it ends.

use crate::harness::binary::{ADMIN, Binary, LISTEN};
use crate::harness::payload::page;
use crate::harness::wait::until_past;
use crate::harness::{Answer, Call, Client, Directory, Gate, H2Client, Metrics, Origin, Part, until};
use std::net::TcpListener;
use std::time::{Duration, Instant};

const UNAVAILABLE: Option<i32> = Some(69);
const CONFIG: Option<i32> = Some(78);
const USAGE: Option<i32> = Some(64);

/// Starts before an origin, with a file that ends quickly when it is told to.
fn start(origin: &Origin, directory: &Directory, runtime: &str) -> Binary {
    let text = format!(
        "[upstream]\naddress = \"{}\"\n[listen]\naddress = \"{LISTEN}\"\n[admin]\naddress = \"{ADMIN}\"\n[runtime]\n{runtime}\n",
        origin.address()
    );
    let file = directory.file("vacpack.toml", &text);
    Binary::start(&["--config", file.to_str().expect("UTF-8")], &[])
}

#[test]
fn one_flag_is_enough() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html(page(3000)));
    let mut binary = Binary::start(&["--upstream", &origin.address(), "--listen", LISTEN, "--admin", ADMIN], &[]);
    let response = Client::connect(binary.listen()).ask(&Call::get("/page").accepting("br"));
    assert_eq!((response.coding(), response.content()), ("br", page(3000)));
    assert_eq!(Client::connect(binary.admin()).ask(&Call::get("/readyz")).status, 200);
}

#[test]
fn run_is_the_same_spelled_out_and_variables_do_as_well_as_flags() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("page"));
    let variables =
        [("VACPACK_UPSTREAM", origin.address()), ("VACPACK_LISTEN", LISTEN.into()), ("VACPACK_ADMIN", ADMIN.into())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut binary = Binary::start(&["run"], &variables);
    assert_eq!(Client::connect(binary.listen()).ask(&Call::get("/page")).text(), "page");
}

#[test]
fn a_taken_port_is_an_error_before_anything_is_served() {
    let origin = Origin::start();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().map(|address| (taken, address.to_string())).expect("bound");
    for (listen, admin) in [(taken.1.as_str(), ADMIN), (LISTEN, taken.1.as_str())] {
        let ended = Binary::run(&["--upstream", &origin.address(), "--listen", listen, "--admin", admin]);
        assert_eq!(ended.code, UNAVAILABLE, "{}", ended.stderr);
        assert!(ended.stderr.contains(&taken.1), "it names the address: {}", ended.stderr);
    }
}

#[test]
fn a_wrong_file_is_refused_with_every_problem_at_once() {
    let directory = Directory::new("wrong-file");
    let text = "[upstream]\naddress = \"127.0.0.1:3000\"\nread_timout = \"5s\"\n[cache]\nmax_object = \"lots\"\n";
    let file = directory.file("vacpack.toml", text);
    let file = file.to_str().expect("UTF-8");
    for arguments in [&["--config", file][..], &["run", "--config", file], &["check", file]] {
        let ended = Binary::run(arguments);
        assert_eq!(ended.code, CONFIG, "{arguments:?}: {}", ended.stderr);
        let told = format!("{}{}", ended.stdout, ended.stderr);
        for part in ["read_timout", "read_timeout", "max_object", "lots", ":3:", ":5:", "^"] {
            assert!(told.contains(part), "{arguments:?}: {part} in\n{told}");
        }
    }
}

#[test]
fn five_mistakes_are_five_problems() {
    let directory = Directory::new("five-mistakes");
    let text = "[upstream]\naddress = \"127.0.0.1:3000\"\nmax_retries = \"two\"\n[cache]\ncoalesce = 5\nmax_objects = \"1MiB\"\n\
                [memory]\nbudget = \"140%\"\n[listn]\naddress = \"x\"\n";
    let file = directory.file("vacpack.toml", text);
    let ended = Binary::run(&["check", file.to_str().expect("UTF-8")]);
    assert_eq!(ended.code, CONFIG);
    let told = format!("{}{}", ended.stdout, ended.stderr);
    let carets = told.lines().filter(|line| line.contains('^')).count();
    assert_eq!(carets, 5, "{told}");
    for line in [3, 5, 6, 8, 9] {
        assert!(told.contains(&format!(":{line}:")), "line {line} in\n{told}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_refused() {
    let ended = Binary::run(&["--config", "/no/such/vacpack.toml"]);
    assert_eq!(ended.code, CONFIG, "{}", ended.stderr);
    assert!(ended.stderr.contains("/no/such/vacpack.toml"), "{}", ended.stderr);
}

#[test]
fn a_wrong_command_line_is_told() {
    for arguments in [&["--no-such-flag"][..], &["no-such-command"], &["--upstream"]] {
        let ended = Binary::run(arguments);
        assert_eq!(ended.code, USAGE, "{arguments:?}: {}", ended.stderr);
        assert!(!ended.stderr.is_empty(), "{arguments:?}");
    }
    let ended = Binary::run(&["--upstream", "nonsense address"]);
    assert!(ended.code == USAGE || ended.code == CONFIG, "{:?}: {}", ended.code, ended.stderr);
}

#[test]
fn help_and_version_are_printed() {
    for flag in ["--help", "--version"] {
        let ended = Binary::run(&[flag]);
        assert_eq!((ended.code, ended.stdout.contains("vacpack")), (Some(0), true), "{flag}");
    }
}

#[test]
fn on_sigterm_what_is_in_flight_finishes() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve("/slow", Answer::html(page(9000)).chunked().then_at(4000, Part::Wait(gate.clone())));
    let directory = Directory::new("drain");
    let mut binary = start(&origin, &directory, "drain_delay = \"0s\"\ndrain_limit = \"15s\"");
    let mut client = Client::connect(binary.listen());
    let incoming = client.begin(&Call::get("/slow").accepting("br"));
    gate.until_reached();
    let address = binary.listen();
    binary.signal("TERM");
    until("new connections to be refused", || std::net::TcpStream::connect(address).err());
    assert!(binary.running(), "it waits for the one in flight");
    gate.open();
    assert_eq!(incoming.read_to_end().content(), page(9000));
    let ended = binary.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn on_sigterm_an_idle_program_ends_at_once() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("page"));
    let directory = Directory::new("idle-drain");
    let mut binary = start(&origin, &directory, "drain_delay = \"0s\"\ndrain_limit = \"15s\"");
    let mut kept = Client::connect(binary.listen());
    assert_eq!(kept.ask(&Call::get("/page")).status, 200);
    let start = Instant::now();
    binary.signal("TERM");
    let ended = binary.end();
    assert_eq!(ended.code, Some(0));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let told = ["sized by the container", "vacpack serves", "a second signal ends it now", "stopped"];
    assert_eq!(ended.stderr.lines().count(), told.len(), "{}", ended.stderr);
    assert!(ended.stderr.lines().zip(told).all(|(line, words)| line.contains(words)), "{}", ended.stderr);
    assert!(kept.sees_the_end());
}

#[test]
fn before_it_ends_it_is_not_ready_and_still_serves() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("page"));
    let directory = Directory::new("delay");
    let mut binary = start(&origin, &directory, "drain_delay = \"2s\"\ndrain_limit = \"15s\"");
    let (proxy, admin) = (binary.listen(), binary.admin());
    assert_eq!(Client::connect(admin).ask(&Call::get("/readyz")).status, 200);
    let told = Instant::now();
    binary.signal("TERM");
    until("it to say that it is not ready", || {
        (Client::connect(admin).ask(&Call::get("/readyz")).status == 503).then_some(())
    });
    assert_eq!(Client::connect(admin).ask(&Call::get("/livez")).status, 200, "it is leaving, not ill");
    until_past(told, Duration::from_secs(1));
    assert_eq!(Client::connect(proxy).ask(&Call::get("/page")).text(), "page", "still serving");
    assert_eq!(binary.end().code, Some(0));
}

#[test]
fn a_drain_has_a_limit() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve("/stuck", Answer::html(page(9000)).chunked().then_at(4000, Part::Wait(gate.clone())));
    let directory = Directory::new("drain-limit");
    let mut binary = start(&origin, &directory, "drain_delay = \"0s\"\ndrain_limit = \"1s\"");
    let mut client = Client::connect(binary.listen());
    let incoming = client.begin(&Call::get("/stuck"));
    gate.until_reached();
    let told = Instant::now();
    binary.signal("TERM");
    assert!(!incoming.read_to_end().complete(), "the one that is stuck is cut off");
    binary.end();
    assert!(told.elapsed() < Duration::from_secs(8), "{:?}", told.elapsed());
}

#[test]
fn who_keeps_a_connection_is_told_to_take_another() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve("/page", Answer::html("page"));
    origin.serve("/slow", Answer::html("slow").first(Part::Wait(gate.clone())));
    let directory = Directory::new("told-to-go");
    // The listener does not close within this test.
    let mut binary = start(&origin, &directory, "drain_delay = \"60s\"\ndrain_limit = \"15s\"");
    let (proxy, admin) = (binary.listen(), binary.admin());
    let (mut kept, mut busy, mut h2) = (Client::connect(proxy), Client::connect(proxy), H2Client::connect(proxy));
    assert_ne!(kept.ask(&Call::get("/page")).field("Connection"), Some("close"));
    assert_eq!(h2.ask(&Call::get("/page")).status, 200);
    busy.send(Call::get("/slow").head_bytes());
    gate.until_reached();
    binary.signal("TERM");
    until("not ready", || (Client::connect(admin).ask(&Call::get("/readyz")).status == 503).then_some(()));
    // Asked before the drain, answered within it.
    gate.open();
    assert_eq!(busy.response(false).field("Connection"), Some("close"));
    assert!(busy.sees_the_end());
    // A kept connection is good for one more answer, and so is a new one.
    for mut client in [kept, Client::connect(proxy)] {
        let last = client.ask(&Call::get("/page"));
        assert_eq!((last.text().as_str(), last.field("Connection")), ("page", Some("close")));
        assert!(client.sees_the_end());
    }
    assert!(h2.hears_that_it_should_go());
    assert_eq!(H2Client::connect(proxy).ask(&Call::get("/page")).text(), "page");
    binary.signal("TERM");
    assert_eq!(binary.end().code, Some(0), "the second one ends it now");
}

#[test]
fn the_last_scrape_is_answered_while_requests_finish() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve("/slow", Answer::html(page(9000)).chunked().then_at(4000, Part::Wait(gate.clone())));
    let directory = Directory::new("last-scrape");
    let mut binary = start(&origin, &directory, "drain_delay = \"0s\"\ndrain_limit = \"15s\"");
    let (proxy, admin) = (binary.listen(), binary.admin());
    let mut client = Client::connect(proxy);
    let incoming = client.begin(&Call::get("/slow"));
    gate.until_reached();
    binary.signal("TERM");
    until("new connections to be refused", || std::net::TcpStream::connect(proxy).err());
    let metrics = Metrics::parse(&Client::connect(admin).ask(&Call::get("/metrics")).text());
    assert_eq!(metrics.sum("vacpack_requests_in_flight", &[]), 1.0);
    gate.open();
    assert!(incoming.read_to_end().complete());
    assert_eq!(binary.end().code, Some(0));
}

#[test]
fn a_prestop_hook_begins_the_drain_and_the_sigterm_after_it_does_not_cut_it_short() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve("/slow", Answer::html(page(9000)).chunked().then_at(4000, Part::Wait(gate.clone())));
    let directory = Directory::new("hook");
    let mut binary = start(&origin, &directory, "drain_delay = \"0s\"\ndrain_limit = \"15s\"");
    let (proxy, admin) = (binary.listen(), binary.admin().to_string());
    let mut client = Client::connect(proxy);
    let incoming = client.begin(&Call::get("/slow"));
    gate.until_reached();
    let forwarded = Call::post("/drain", "").field("X-Forwarded-For", "203.0.113.9");
    assert_eq!(Client::connect(binary.admin()).ask(&forwarded).status, 403);
    assert_eq!(Client::connect(binary.admin()).ask(&Call::get("/readyz")).status, 200);
    let asked = Binary::run(&["drain", "--admin", &admin]);
    assert_eq!((asked.code, asked.stdout.contains("draining")), (Some(0), true), "{}", asked.stderr);
    assert_eq!(Client::connect(binary.admin()).ask(&Call::get("/readyz")).status, 503, "at once");
    until("new connections to be refused", || std::net::TcpStream::connect(proxy).err());
    binary.signal("TERM");
    gate.open();
    assert_eq!(incoming.read_to_end().content(), page(9000));
    let ended = binary.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("ending now"), "{}", ended.stderr);
}

#[test]
fn every_request_leaves_one_line_of_json() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(9000)));
    let directory = Directory::new("access-log");
    let mut binary = start(&origin, &directory, "drain_delay = \"0s\"");
    let mut client = Client::connect(binary.listen());
    for _turn in 0..2 {
        client.ask(&Call::get("/page?secret=1").accepting("br"));
    }
    drop(client);
    binary.signal("TERM");
    let printed = binary.end().stdout;
    let lines = printed
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|_| panic!("not JSON: {line}")));
    let lines: Vec<_> = lines.filter(|line| line.to_string().contains("/page")).collect();
    assert_eq!(lines.len(), 2, "{printed}");
    assert!(lines[0].to_string().contains("\"miss\"") && lines[1].to_string().contains("\"hit\""), "{printed}");
    assert!(lines.iter().all(|line| line.to_string().contains("\"br\"")), "{printed}");
}

#[test]
fn the_demo_runs_to_its_end_and_shows_what_was_saved() {
    let ended = Binary::run(&["demo", "--once", "--listen", LISTEN, "--admin", ADMIN]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    // What the app coded itself comes recoded, and each thing that may be stored comes from the store the second time.
    let row = |path: &str| ended.stdout.lines().find(|line| line.trim_start().starts_with(path)).map(str::to_owned);
    for path in ["/help", "/products/1042"] {
        let row = row(path).unwrap_or_else(|| panic!("no row of {path}: {}", ended.stdout));
        assert!(row.contains(" br ") && row.contains("hit"), "{row}");
    }
}
