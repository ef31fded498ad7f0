//! TLS towards clients: versions, names, new certificates under way, clients that have to show theirs.

use crate::harness::payload::page;
use crate::harness::tls::{self, Authority, curl};
use crate::harness::{Answer, Call, Client, Directory, H2Client, Origin, Vacpack, binary::Binary, until};
use std::process::{Command, Stdio};

const NAME: &str = "shop.test";

/// In front of an origin, with one certificate for [`NAME`].
fn secured(origin: &Origin, authority: &Authority, settings: &str) -> Vacpack {
    let certificate = authority.directory("tls", &[NAME]);
    Vacpack::with(origin, &format!("listen.tls.certificates = {certificate:?}\n{settings}"))
}

#[test]
fn every_version_of_http_and_tls_is_served() {
    let origin = Origin::start();
    let authority = Authority::new("tls-versions");
    let vacpack = secured(&origin, &authority, "");
    let (to, ca) = (vacpack.address(), authority.file());
    for (index, (flags, version)) in [
        (&["--http2"][..], "2"),
        (&["--http1.1"], "1.1"),
        // RFC 9112, section 2.3: the answer has the version of its sender.
        (&["--http1.0"], "1.1"),
        (&["--tls-max", "1.2", "--http2"], "2"),
        (&["--tlsv1.3", "--http1.1"], "1.1"),
        (&["--no-alpn"], "1.1"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/{index}");
        origin.serve(&path, Answer::cacheable(page(30_000)));
        let url = format!("https://{NAME}:{}{path}", to.port());
        for _ in 0..2 {
            let ca = ca.to_str().expect("UTF-8");
            let arguments = [flags, &["--cacert", ca, "--compressed", "-w", "%{stderr}%{http_version}", &url]].concat();
            let answer = curl(to, NAME, &arguments);
            assert_eq!(String::from_utf8_lossy(&answer.stderr), version, "{flags:?}");
            assert_eq!(answer.stdout, page(30_000).as_slice(), "{flags:?}");
        }
        assert_eq!(origin.fetches(&path), 1, "{flags:?}");
        assert_eq!(origin.last(&path).fields.one("X-Forwarded-Proto"), Some("https"));
    }
    let metrics = vacpack.metrics();
    assert_eq!(metrics.sum("vacpack_tls_handshakes_total", &["done"]), 12.0);
    assert_eq!(metrics.sum("vacpack_tls_certificates_current", &[]), 1.0);
    assert!(metrics.sum("vacpack_tls_certificate_expiry_timestamp_seconds", &[]) > 1e9);
}

#[test]
fn the_name_that_a_client_asks_for_chooses_its_certificate() {
    let origin = Origin::start();
    let authority = Authority::new("tls-names");
    let [one, other] = [("one", "one.test"), ("other", "*.other.test")];
    let [one, other] = [one, other].map(|(of, name)| authority.directory(of, &[name]));
    let vacpack = Vacpack::with(&origin, &format!("listen.tls.certificates = [{one:?}, {other:?}]"));
    let config = || authority.client(&["h2"], None);
    let read = |directory: &std::path::Path| std::fs::read_to_string(directory.join("tls.crt")).expect("written");
    let pem = |shown| {
        let found = [&one, &other].into_iter().position(|each| {
            let pair = tls::Pair { chain: read(each), key: String::new() };
            pair.der() == shown
        });
        found.expect("one of ours")
    };
    assert_eq!(pem(tls::shown(vacpack.address(), "one.test", config())), 0);
    assert_eq!(pem(tls::shown(vacpack.address(), "a.other.test", config())), 1);
    // To a name that nobody knows the first is shown, which its client then refuses.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let refused = runtime.block_on(tls::secure(vacpack.address(), "third.test", config()));
    assert!(refused.is_err_and(|error| error.to_string().contains("not valid for name")));
}

#[test]
fn new_certificates_are_used_and_wrong_ones_are_not() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(9000)));
    let authority = Authority::new("tls-reload");
    // As a secret is mounted: a link to a directory, swapped as a whole.
    let old = authority.directory("old", &[NAME]);
    let (link, swap) = (authority.join("mounted"), authority.join("swap"));
    let mount = |target: &std::path::Path| {
        std::os::unix::fs::symlink(target, &swap).expect("a link");
        std::fs::rename(&swap, &link).expect("renamed");
    };
    mount(&old);
    let vacpack = Vacpack::with(&origin, &format!("listen.tls.certificates = {link:?}"));
    let shown = || tls::shown(vacpack.address(), NAME, authority.client(&["h2"], None));
    let mut held = H2Client::secured(vacpack.address(), NAME, authority.client(&["h2"], None));
    let first = shown();

    let torn = authority.directory("torn", &[NAME]);
    std::fs::write(torn.join("tls.key"), authority.issue(&[NAME]).key).expect("written");
    mount(&torn);
    let current = || vacpack.metrics().sum("vacpack_tls_certificates_current", &[]);
    until("the torn pair to be seen", || (current() == 0.0).then_some(()));
    assert_eq!(shown(), first);

    let new = authority.directory("new", &[NAME]);
    mount(&new);
    until("the new pair to be used", || (current() == 1.0).then_some(()));
    let chain = std::fs::read_to_string(new.join("tls.crt")).expect("written");
    assert_eq!(shown(), tls::Pair { chain, key: String::new() }.der());
    assert_eq!(held.ask(&Call::get("/page").host(NAME)).status, 200, "a connection from before lives on");
}

#[test]
fn clients_have_to_show_a_certificate_where_one_is_asked_for() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("page"));
    let (authority, stranger) = (Authority::new("tls-clients"), Authority::new("tls-strangers"));
    let vacpack = secured(&origin, &authority, &format!("listen.tls.client_ca = {:?}", authority.file()));
    let known = authority.issue(&["client.test"]);
    let config = authority.client(&["h2"], Some(&known));
    let mut client = H2Client::secured(vacpack.address(), NAME, config);
    assert_eq!(client.ask(&Call::get("/page").host(NAME)).text(), "page");
    for own in [None, Some(stranger.issue(&["client.test"]))] {
        let config = authority.client(&["h2"], own.as_ref());
        assert!(!H2Client::is_served(vacpack.address(), NAME, config), "{}", own.is_some());
    }
    let failed = || vacpack.metrics().sum("vacpack_tls_handshakes_total", &["failed"]);
    until("both to be counted", || (failed() == 2.0).then_some(()));
    assert_eq!(origin.fetches("/page"), 1);
}

#[test]
fn nobody_is_waited_for_for_ever() {
    let origin = Origin::start();
    let authority = Authority::new("tls-silence");
    let vacpack = secured(&origin, &authority, "listen.header_timeout = \"300ms\"");
    let mut silent = vacpack.client();
    let mut begun = vacpack.client();
    begun.send(b"\x16\x03\x01\x02\x00\x01");
    assert!(silent.sees_the_end() && begun.sees_the_end());
    // It said that it would speak HTTP/2, and does not.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        use tokio::io::AsyncReadExt;
        let stream = tls::secure(vacpack.address(), NAME, authority.client(&["h2"], None)).await;
        let mut stream = stream.expect("a handshake");
        let mut bytes = Vec::new();
        let ended = tokio::time::timeout(crate::harness::wait::DEADLINE, stream.read_to_end(&mut bytes)).await;
        let _closed_without_goodbye = ended.expect("closed in time");
    });
    let mut plain = vacpack.client();
    plain.send("GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n");
    let told = plain.rest().expect("an end");
    assert!(!told.starts_with(b"HTTP/"), "no HTTP on this port without TLS: {told:?}");
    let count = |result| vacpack.metrics().sum("vacpack_tls_handshakes_total", &[result]);
    until("all to be counted", || (count("timeout") == 2.0 && count("failed") == 1.0).then_some(()));
}

#[test]
fn the_oldest_version_is_the_operators() {
    let origin = Origin::start();
    let authority = Authority::new("tls-oldest");
    let vacpack = secured(&origin, &authority, "listen.tls.min_version = \"1.3\"\nlisten.tls.h2 = false");
    let connect = |flags: &[&str]| {
        let to = vacpack.address().to_string();
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &to, "-servername", NAME, "-alpn", "h2,http/1.1", "-CAfile"]);
        command.arg(authority.file()).arg("-verify_return_error").args(flags);
        let output = command.stdin(Stdio::null()).output().expect("openssl: make setup installs it");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (refused, _) = connect(&["-tls1_2"]);
    assert!(!refused);
    let (served, said) = connect(&["-tls1_3"]);
    assert!(served && said.contains("ALPN protocol: http/1.1"), "{said}");
}

#[test]
fn a_certificate_that_does_not_work_is_an_error_before_anything_is_served() {
    let directory = Directory::new("tls-wrong");
    let missing = directory.join("missing");
    let file = directory.file("vacpack.toml", &format!("listen.tls.certificates = {missing:?}"));
    let ended = Binary::run(&["--config", file.to_str().expect("UTF-8")]);
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    assert!(ended.stderr.contains("listen.tls.certificates") && ended.stderr.contains("missing"), "{}", ended.stderr);
}

#[test]
fn without_certificates_there_is_no_tls() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("page"));
    let vacpack = Vacpack::before(&origin);
    assert_eq!(Client::connect(vacpack.address()).ask(&Call::get("/page")).text(), "page");
    assert_eq!(origin.last("/page").fields.one("X-Forwarded-Proto"), Some("http"));
    assert!(!vacpack.ask_admin(&Call::get("/metrics")).text().contains("vacpack_tls_certificate"));
}
