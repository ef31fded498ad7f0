//! Ways to the app and versions of HTTP: Unix sockets, HTTP/1.0, interim responses, kept connections.

use crate::harness::payload::page;
use crate::harness::{Answer, Call, Directory, Framing, Origin, Vacpack};
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn an_app_behind_a_unix_socket_is_served_as_any_other() {
    let directory = Directory::new("unix-app");
    let origin = Origin::start_unix(&directory.join("app.sock"));
    origin.serve("/page", Answer::cacheable(page(9000)));
    let vacpack = Vacpack::before(&origin);
    let call = Call::get("/page").accepting("br");
    assert_eq!(vacpack.ask(&call).content(), page(9000));
    assert_eq!(vacpack.ask(&call).outcome(), "hit");
    assert_eq!(vacpack.ask(&Call::post("/page", "x")).status, 200);
}

#[test]
fn early_hints_are_forwarded_and_not_stored() {
    let origin = Origin::start();
    let hinted = Answer::cacheable(page(3000)).after_interim(103, "Link", "</style.css>; rel=preload");
    origin.serve("/page", hinted);
    let vacpack = Vacpack::before(&origin);
    let miss = vacpack.get_as("/page", "br");
    let [(status, fields)] = miss.interim.as_slice() else { panic!("{} interim responses", miss.interim.len()) };
    assert_eq!((*status, fields.one("Link")), (103, Some("</style.css>; rel=preload")));
    // What is said of final responses is not said of this one.
    for name in ["Cache-Status", "Content-Encoding", "ETag", "Age"] {
        assert!(fields.all(name).is_empty(), "{name} on a 103");
    }
    assert_eq!(miss.content(), page(3000));
    let hit = vacpack.get_as("/page", "br");
    assert_eq!((hit.outcome(), hit.interim.len()), ("hit", 0));
}

#[test]
fn a_client_of_http_1_0_is_spared_interim_responses() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("page").after_interim(103, "Link", "</style.css>"));
    let vacpack = Vacpack::before(&origin);
    let response = vacpack.ask(&Call::get("/page").http10());
    // RFC 9110, 15.2: a server must not send 1xx to an HTTP/1.0 client.
    assert_eq!((response.interim.len(), response.text().as_str()), (0, "page"));
}

#[test]
fn connections_to_the_app_are_kept_and_shared() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("page"));
    let vacpack = Vacpack::before(&origin);
    for _turn in 0..10 {
        vacpack.get("/page");
    }
    assert!(origin.requests("/page").iter().any(|seen| seen.nth >= 5), "{} connections", origin.connections());
}

#[test]
fn a_kept_client_connection_serves_every_kind_of_answer() {
    let origin = Origin::start();
    origin.serve("/length", Answer::html(page(5000)));
    origin.serve("/chunked", Answer::html(page(5000)).in_pieces(700).chunked());
    origin.serve("/none", Answer::status(204));
    origin.serve("/kept", Answer::cacheable(page(5000)));
    let vacpack = Vacpack::before(&origin);
    let mut client = vacpack.client();
    for _turn in 0..3 {
        for coding in ["", "br"] {
            for path in ["/length", "/chunked", "/kept"] {
                assert_eq!(client.ask(&Call::get(path).accepting(coding)).content(), page(5000), "{path}");
                assert_eq!(client.ask(&Call::head(path).accepting(coding)).status, 200, "HEAD {path}");
            }
            assert_eq!(client.ask(&Call::get("/none").accepting(coding)).status, 204);
        }
    }
}

#[test]
fn a_coded_answer_whose_body_is_there_leaves_with_its_head_and_its_end() {
    let content = page(3000);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n", content.len());
    let origin = Origin::start();
    origin.serve("/", Answer::raw([head.as_bytes(), &content].concat()));
    let vacpack = Vacpack::before(&origin);
    for coding in ["br", "zstd", "gzip"] {
        let mut client = TcpStream::connect(vacpack.address()).expect("it listens");
        write!(client, "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\n\r\n").expect("sent");
        let mut piece = [0; 8192];
        let count = client.read(&mut piece).expect("an answer");
        assert!(piece.starts_with(b"HTTP/1.1 200 OK\r\n"), "{coding}");
        assert!(piece[..count].ends_with(b"\r\n0\r\n\r\n"), "{coding}: the first {count} bytes are all");
    }
}

#[test]
fn a_304_in_place_of_a_body_that_is_there_does_not_wait_for_it() {
    let content = page(3000);
    let fields = "Content-Type: text/html\r\nCache-Control: no-store\r\nETag: \"v1\"";
    let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\nContent-Length: {}\r\n\r\n", content.len());
    let origin = Origin::start();
    origin.serve("/", Answer::raw([head.as_bytes(), &content].concat()));
    for coding in ["identity", "br"] {
        let vacpack = Vacpack::before(&origin);
        let answer = vacpack.ask(&Call::get("/").accepting(coding).field("If-None-Match", "\"v1\""));
        assert_eq!(answer.status, 304, "{coding}");
    }
}

#[test]
fn connection_close_is_honoured() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable("page"));
    let vacpack = Vacpack::before(&origin);
    for _turn in ["miss", "hit"] {
        let mut client = vacpack.client();
        assert_eq!(client.ask(&Call::get("/page").field("Connection", "close")).text(), "page");
        assert!(client.sees_the_end());
        let mut client = vacpack.client();
        assert_eq!(client.ask(&Call::get("/page").http10()).text(), "page");
        assert!(client.sees_the_end(), "HTTP/1.0 without keep-alive");
    }
}

#[test]
fn a_connection_of_http_1_0_can_be_kept_where_lengths_are_known() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(3000)));
    let vacpack = Vacpack::before(&origin);
    let mut client = vacpack.client();
    let call = Call::get("/page").http10().field("Connection", "keep-alive");
    let first = client.ask(&call);
    assert_eq!(first.body, page(3000));
    // Keeping it is optional; saying so and not doing it is wrong.
    if first.members("Connection").contains(&"keep-alive".to_owned()) {
        assert_eq!(first.framing, Framing::Length(3000));
        assert_eq!(client.ask(&call).body, page(3000));
    } else {
        assert!(client.sees_the_end());
    }
}

#[test]
fn trailers_do_not_harm_the_body() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(9000)).in_pieces(2000).chunked().trailer("Server-Timing", "db;dur=3"));
    let vacpack = Vacpack::before(&origin);
    for coding in ["br", "gzip", ""] {
        for _turn in 0..2 {
            assert_eq!(vacpack.get_as("/page", coding).content(), page(9000), "{coding:?}");
        }
    }
    assert_eq!(origin.fetches("/page"), 1);
}
