//! The configuration changes while requests are served: what is noticed, what stays, what is said of it.

use crate::harness::binary::{ADMIN, Binary, LISTEN};
use crate::harness::payload::page;
use crate::harness::{Answer, Call, Client, Directory, Gate, Metrics, Origin, Part, until};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A directory as the kubelet mounts a ConfigMap: the file is a link into `..data`, which is a link to the version.
struct ConfigMap {
    directory: Directory,
    version: usize,
    settings: String,
}

impl ConfigMap {
    /// `settings` is the part that stays the same, as dotted keys.
    fn new(name: &str, origin: &Origin, settings: &str) -> Self {
        let settings = format!(
            "upstream.address = \"{}\"\nlisten.address = \"{LISTEN}\"\nadmin.address = \"{ADMIN}\"\nlog.access.enabled = false\n\
             runtime.drain_delay = \"0s\"\n{settings}",
            origin.address()
        );
        let mut map = Self { directory: Directory::new(name), version: 0, settings };
        map.swap("headers.set = { X-Version = \"1\" }");
        symlink("..data/vacpack.toml", map.file()).expect("a link");
        map
    }

    fn file(&self) -> PathBuf {
        self.directory.join("vacpack.toml")
    }

    /// As the kubelet does it: the new version beside the old one, one rename, the old one removed.
    fn swap(&mut self, more: &str) {
        let (old, new) = (format!("..{}", self.version), format!("..{}", self.version + 1));
        self.version += 1;
        std::fs::create_dir_all(self.directory.join(&new)).expect("a directory");
        self.directory.file(&format!("{new}/vacpack.toml"), &format!("{}\n{more}\n", self.settings));
        symlink(&new, self.directory.join("..data_tmp")).expect("a link");
        std::fs::rename(self.directory.join("..data_tmp"), self.directory.join("..data")).expect("one file system");
        let _first = std::fs::remove_dir_all(self.directory.join(&old));
    }

    fn swap_to(&mut self, version: usize) {
        self.swap(&format!("headers.set = {{ X-Version = \"{version}\" }}"));
    }

    fn start(&self) -> Binary {
        Binary::start(&["--config", self.file().to_str().expect("UTF-8")], &[])
    }
}

fn version(proxy: SocketAddr) -> usize {
    let response = Client::connect(proxy).ask(&Call::get("/page"));
    assert_eq!(response.status, 200);
    response.field("X-Version").and_then(|version| version.parse().ok()).expect("a version")
}

fn until_version(proxy: SocketAddr, wanted: usize) {
    until("the new configuration", || (version(proxy) == wanted).then_some(()));
}

fn metrics(admin: SocketAddr) -> Metrics {
    Metrics::parse(&Client::connect(admin).ask(&Call::get("/metrics")).text())
}

/// What a family says, once it says this.
fn until_metric(admin: SocketAddr, family: &str, values: &[&str], wanted: f64) {
    until(family, || (metrics(admin).sum(family, values) == wanted).then_some(()));
}

const RELOADS: &str = "vacpack_config_reloads_total";
const SUCCESSFUL: &str = "vacpack_config_last_reload_successful";
const RESTART: &str = "vacpack_config_restart_needed";

fn origin() -> Origin {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("page"));
    origin
}

#[test]
fn every_swap_of_a_config_map_is_noticed() {
    let origin = origin();
    let mut map = ConfigMap::new("swaps", &origin, "");
    let mut binary = map.start();
    let (proxy, admin) = (binary.listen(), binary.admin());
    assert_eq!(version(proxy), 1);
    // A watch on the file itself would miss the second one.
    for wanted in 2..5 {
        map.swap_to(wanted);
        until_version(proxy, wanted);
    }
    until_metric(admin, RELOADS, &["applied"], 3.0);
    let metrics = metrics(admin);
    assert_eq!((metrics.sum(RELOADS, &["refused"]), metrics.sum(SUCCESSFUL, &[])), (0.0, 1.0));
}

#[test]
fn a_plain_file_is_noticed_when_it_is_replaced_and_when_it_is_rewritten() {
    let origin = origin();
    let map = ConfigMap::new("plain", &origin, "");
    let text = |version: usize| format!("{}\nheaders.set = {{ X-Version = \"{version}\" }}\n", map.settings);
    let file = map.directory.file("plain.toml", &text(1));
    let mut binary = Binary::start(&["--config", file.to_str().expect("UTF-8")], &[]);
    let proxy = binary.listen();
    assert_eq!(version(proxy), 1);
    map.directory.file("plain.toml", &text(2));
    until_version(proxy, 2);
    let new = map.directory.file("plain.toml.new", &text(3));
    std::fs::rename(new, &file).expect("one file system");
    until_version(proxy, 3);
}

#[test]
fn a_directory_is_read_in_the_order_of_names_and_followed() {
    let origin = origin();
    let mut map = ConfigMap::new("directory", &origin, "");
    let mut binary = Binary::start(&["--config", map.directory.join("").to_str().expect("UTF-8")], &[]);
    let (proxy, admin) = (binary.listen(), binary.admin());
    assert_eq!(version(proxy), 1);
    for wanted in 2..4 {
        map.swap_to(wanted);
        until_version(proxy, wanted);
    }
    // One that comes later in the order wins, as soon as it is there.
    map.directory.file("x-more.toml", "headers.set = { X-Version = \"7\" }\n");
    until_version(proxy, 7);
    map.directory.file("y-wrong.toml", "nonsense = 1\n");
    until_metric(admin, RELOADS, &["refused"], 1.0);
    assert_eq!(version(proxy), 7);
    for name in ["x-more.toml", "y-wrong.toml"] {
        std::fs::remove_file(map.directory.join(name)).expect("it was there");
    }
    until_version(proxy, 3);
    until_metric(admin, SUCCESSFUL, &[], 1.0);
}

#[test]
fn a_request_in_flight_keeps_the_rules_it_began_with() {
    let origin = origin();
    let gate = Gate::closed();
    origin.serve("/slow", Answer::html(page(3000)).first(Part::Wait(gate.clone())));
    let mut map = ConfigMap::new("in-flight", &origin, "");
    let mut binary = map.start();
    let proxy = binary.listen();
    let mut client = Client::connect(proxy);
    client.send(Call::get("/slow").accepting("br").head_bytes());
    gate.until_reached();
    map.swap("headers.set = { X-Version = \"2\" }\ncompression.enabled = false");
    until_version(proxy, 2);
    gate.open();
    let old = client.response(false);
    assert_eq!((old.field("X-Version"), old.coding()), (Some("1"), "br"));
    assert_eq!(old.content(), page(3000));
    // The next one on the same connection goes by the new rules.
    let new = client.ask(&Call::get("/slow").accepting("br"));
    assert_eq!((new.field("X-Version"), new.coding()), (Some("2"), "identity"));
}

#[test]
fn a_wrong_file_changes_nothing_and_every_problem_is_told() {
    let origin = origin();
    let mut map = ConfigMap::new("wrong", &origin, "");
    let mut binary = map.start();
    let (proxy, admin) = (binary.listen(), binary.admin());
    assert_eq!(version(proxy), 1);
    map.swap("cache.max_objct = \"1MiB\"\ncache.coalesce = 5\nheaders.set = { X-Version = \"2\" }");
    until_metric(admin, RELOADS, &["refused"], 1.0);
    until_metric(admin, SUCCESSFUL, &[], 0.0);
    assert_eq!(version(proxy), 1);
    assert_eq!(Client::connect(admin).ask(&Call::get("/readyz")).status, 200, "it serves as before");
    map.swap("upstream.connect_timeout = \"2s\"\n[nonsense");
    until_metric(admin, RELOADS, &["refused"], 2.0);
    map.swap_to(3);
    until_version(proxy, 3);
    until_metric(admin, SUCCESSFUL, &[], 1.0);
    binary.signal("TERM");
    let told = binary.end().stderr;
    for part in ["max_objct", "max_object", "cache.coalesce", "the old one stays in force"] {
        assert!(told.contains(part), "{part} in\n{told}");
    }
}

#[test]
fn a_file_that_is_gone_for_a_while_changes_nothing() {
    let origin = origin();
    let mut map = ConfigMap::new("gone", &origin, "");
    let mut binary = map.start();
    let (proxy, admin) = (binary.listen(), binary.admin());
    std::fs::remove_file(map.directory.join("..data")).expect("it was there");
    until_metric(admin, RELOADS, &["refused"], 1.0);
    assert_eq!(version(proxy), 1);
    map.swap_to(2);
    until_version(proxy, 2);
}

#[test]
fn what_needs_a_restart_is_named_until_it_is_taken_back() {
    let origin = origin();
    let mut map = ConfigMap::new("restart", &origin, "");
    let mut binary = map.start();
    let (proxy, admin) = (binary.listen(), binary.admin());
    assert_eq!(metrics(admin).sum(RESTART, &[]), 0.0);
    map.swap("headers.set = { X-Version = \"2\" }\nruntime.workers = 7\nmetrics.labels = { team = \"shop\" }");
    until_version(proxy, 2);
    until_metric(admin, RESTART, &[], 1.0);
    let asked = Client::connect(admin).ask(&Call::post("/reload", ""));
    assert_eq!(asked.status, 200);
    for key in ["runtime.workers", "metrics.labels"] {
        assert!(asked.text().contains(key), "{}", asked.text());
    }
    map.swap_to(3);
    until_version(proxy, 3);
    until_metric(admin, RESTART, &[], 0.0);
}

#[test]
fn whoever_asks_for_a_reload_hears_what_came_of_it() {
    let origin = origin();
    let mut map = ConfigMap::new("asked", &origin, "");
    let mut binary = map.start();
    let (proxy, admin) = (binary.listen(), binary.admin());
    let command = |binary: &str| Binary::run(&["reload", "--admin", binary]);
    let address = admin.to_string();
    let asked = command(&address);
    assert_eq!((asked.code, asked.stdout.contains("in force")), (Some(0), true), "{}", asked.stderr);
    map.swap("cache.coalesce = 5\nheaders.set = { X-Version = \"2\" }");
    let asked = command(&address);
    assert_eq!(asked.code, Some(78), "{}", asked.stderr);
    assert!(asked.stderr.contains("cache.coalesce"), "{}", asked.stderr);
    let asked = Client::connect(admin).ask(&Call::post("/reload", ""));
    assert_eq!(asked.status, 422);
    assert_eq!(Client::connect(admin).ask(&Call::get("/reload")).status, 405);
    let forwarded = Call::post("/reload", "").field("X-Forwarded-For", "203.0.113.9");
    assert_eq!(Client::connect(admin).ask(&forwarded).status, 403);
    map.swap_to(3);
    assert_eq!(command(&address).code, Some(0));
    assert_eq!(version(proxy), 3, "in force once it was answered");
}

#[test]
fn a_hangup_reads_the_file_again() {
    let origin = origin();
    let map = ConfigMap::new("hangup", &origin, "");
    let mut binary = map.start();
    let admin = binary.admin();
    binary.listen();
    for count in [1.0, 2.0] {
        binary.signal("HUP");
        until_metric(admin, RELOADS, &["applied"], count);
    }
    assert!(binary.running());
}

#[test]
fn the_log_takes_its_new_level_at_once() {
    let origin = origin();
    let mut map = ConfigMap::new("level", &origin, "");
    let mut binary = map.start();
    let proxy = binary.listen();
    map.swap("headers.set = { X-Version = \"2\" }\nlog.level = \"error\"");
    until_version(proxy, 2);
    map.swap("headers.set = { X-Version = \"3\" }\nlog.level = \"info\"");
    until_version(proxy, 3);
    binary.signal("TERM");
    let told = binary.end().stderr;
    assert_eq!(told.matches("the new configuration is in force").count(), 1, "{told}");
}

#[test]
fn another_budget_moves_what_is_stored_and_drops_what_does_not_fit() {
    let origin = origin();
    let pages = 0..60_usize;
    for number in pages.clone() {
        origin.serve(&format!("/{number}"), Answer::cacheable(page(100_000 + number)));
    }
    let mut map = ConfigMap::new("budget", &origin, "compression.improve = false");
    let mut binary = map.start();
    let (proxy, admin) = (binary.listen(), binary.admin());
    let mut client = Client::connect(proxy);
    // Identity is stored as it is asked for: six megabytes.
    let mut outcomes = |asked: std::ops::Range<usize>| -> Vec<String> {
        let mut ask = |number: usize| {
            let response = client.ask(&Call::get(&format!("/{number}")));
            assert!(response.content() == page(100_000 + number), "{number}");
            response.outcome().to_owned()
        };
        asked.map(&mut ask).collect()
    };
    outcomes(pages.clone());
    map.swap("headers.set = { X-Version = \"2\" }\nmemory.budget = \"128MiB\"\ncache.max_object = \"8MiB\"");
    until_metric(admin, "vacpack_memory_budget_bytes", &[], 128.0 * 1024.0 * 1024.0);
    until_version(proxy, 2);
    assert_eq!(outcomes(pages.clone()), vec!["hit"; 60], "everything has moved");
    for _hit in 0..3 {
        outcomes(20..25);
    }
    map.swap("headers.set = { X-Version = \"3\" }\nmemory.budget = \"4MiB\"\ncache.max_object = \"200KiB\"");
    until_metric(admin, RELOADS, &["applied"], 2.0);
    let seen = metrics(admin);
    let (held, capacity) = (seen.sum("vacpack_cache_size_bytes", &[]), seen.sum("vacpack_cache_capacity_bytes", &[]));
    assert!(held > 0.0 && held <= capacity && capacity < 2.0 * 1024.0 * 1024.0, "{held} of {capacity}");
    assert_eq!(seen.sum(RESTART, &[]), 0.0);
    assert_eq!(outcomes(20..25), vec!["hit"; 5], "what is asked for most has stayed");
    assert!(outcomes(pages).contains(&"miss".to_owned()));
}

#[test]
fn who_connects_next_finds_the_new_limits() {
    let origin = origin();
    let mut map = ConfigMap::new("connections", &origin, "");
    let mut binary = map.start();
    let proxy = binary.listen();
    let status = |client: &mut Client| client.ask(&Call::get("/page")).status;
    let mut kept = [Client::connect(proxy), Client::connect(proxy)];
    assert_eq!(kept.each_mut().map(status), [200, 200]);
    // The test's own address is one of the proxies that are trusted by default.
    map.swap("listen.trusted_proxies = []\nlisten.max_connections_per_client = 1");
    until("a second connection to be one too many", || {
        let mut first = Client::connect(proxy);
        let one = status(&mut first);
        (one == 200 && status(&mut Client::connect(proxy)) == 429).then_some(())
    });
    assert_eq!(kept.each_mut().map(status), [200, 200], "nobody is put out");
    map.swap("listen.max_connections = 1");
    until("no other connection to be let in", || (status(&mut Client::connect(proxy)) == 503).then_some(()));
    assert_eq!(kept.each_mut().map(status), [200, 200]);
    map.swap("listen.max_connections = 100");
    until("others to be let in", || (status(&mut Client::connect(proxy)) == 200).then_some(()));
}

#[test]
fn improvement_begins_and_ends_with_the_file() {
    let origin = origin();
    origin.serve("/stored", Answer::cacheable(page(30_000)));
    let mut map = ConfigMap::new("improve", &origin, "");
    map.swap("headers.set = { X-Version = \"1\" }\ncompression.improve = false");
    let mut binary = map.start();
    let proxy = binary.listen();
    let mut client = Client::connect(proxy);
    let mut ask = || client.ask(&Call::get("/stored").accepting("br"));
    let live = ask().body.len();
    for _hit in 0..8 {
        assert_eq!(ask().body.len(), live);
    }
    map.swap("headers.set = { X-Version = \"2\" }\ncompression.improve = { after_hits = 1 }");
    until_version(proxy, 2);
    until("the page to become smaller", || (ask().body.len() < live).then_some(()));
}

#[test]
fn the_admin_token_is_the_one_of_the_file() {
    let origin = origin();
    let mut map = ConfigMap::new("token", &origin, "");
    let mut binary = map.start();
    let (proxy, admin) = (binary.listen(), binary.admin());
    let status = |token: &str| {
        let call = Call::post("/purge?tag=a", "").field("Authorization", &format!("Bearer {token}"));
        Client::connect(admin).ask(&call).status
    };
    assert_eq!(status("one"), 403);
    for (version, token) in [(2, "one"), (3, "two")] {
        map.swap(&format!("headers.set = {{ X-Version = \"{version}\" }}\nadmin.token = \"{token}\""));
        until_version(proxy, version);
        assert_eq!(status(token), 200);
    }
    assert_eq!(status("one"), 403);
}

#[test]
fn no_request_notices_a_reload() {
    const SWAPS: usize = 8;
    let origin = origin();
    origin.serve("/stored", Answer::cacheable(page(9000)));
    let mut map = ConfigMap::new("traffic", &origin, "");
    let mut binary = map.start();
    let (proxy, admin) = (binary.listen(), binary.admin());
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for (path, body) in [("/page", b"page".to_vec()), ("/stored", page(9000)), ("/page", b"page".to_vec())] {
            let over = &over;
            scope.spawn(move || {
                let (mut client, mut newest) = (Client::connect(proxy), 0);
                loop {
                    // Whoever asks once more after the last swap sees the last version.
                    let is_last = over.load(Ordering::Relaxed);
                    let response = client.ask(&Call::get(path).accepting("br"));
                    assert_eq!((response.status, response.content() == body), (200, true), "{path}");
                    let version = response.field("X-Version").and_then(|version| version.parse().ok()).expect("one");
                    assert!(newest <= version, "from {newest} back to {version}");
                    newest = version;
                    if is_last {
                        break;
                    }
                }
                assert_eq!(newest, SWAPS + 1);
            });
        }
        for wanted in 2..SWAPS + 2 {
            map.swap("cache.coalesce = 5");
            until_metric(admin, RELOADS, &["refused"], (wanted - 1) as f64);
            map.swap_to(wanted);
            until_version(proxy, wanted);
        }
        over.store(true, Ordering::Relaxed);
    });
}
