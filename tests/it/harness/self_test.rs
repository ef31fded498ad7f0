//! The harness against itself: origin and client without a vacpack between them, decoders against what
//! their own encoders made.

use super::cache_status::CacheStatus;
use super::payload::{json, noise, page};
use super::socket::Socket;
use super::wire::{BodyReader, Framing};
use super::{Answer, Call, Client, Directory, Gate, Metrics, Origin, Part, decode, together};
use std::io::{BufReader, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn ask(origin: &Origin, call: &Call) -> super::Response {
    client(origin).ask(call)
}

fn client(origin: &Origin) -> Client {
    let address: SocketAddr = origin.address().parse().expect("TCP");
    Client::connect(address)
}

#[test]
fn every_framing_arrives_whole() {
    let origin = Origin::start();
    let body = page(5000);
    let answer = Answer::html(&body);
    let framings = [
        (answer.clone(), Framing::Length(5000)),
        (answer.clone().chunked(), Framing::Chunked),
        (answer.clone().in_pieces(1).chunked(), Framing::Chunked),
        (answer.clone().until_close(), Framing::Close),
        (answer.clone().http10(), Framing::Length(5000)),
        (answer.http10().until_close(), Framing::Close),
    ];
    for (answer, framing) in framings {
        origin.serve("/", answer);
        let response = ask(&origin, &Call::get("/"));
        assert_eq!((response.status, response.framing, response.complete()), (200, framing, true));
        assert_eq!(response.body, body);
    }
}

#[test]
fn accidents_are_seen() {
    let origin = Origin::start();
    let answer = Answer::html(page(5000));
    for accident in [Part::Cut, Part::Reset] {
        for answer in [answer.clone(), answer.clone().chunked()] {
            origin.serve("/", answer.then_at(2000, accident.clone()));
            let response = ask(&origin, &Call::get("/"));
            assert!(!response.complete(), "{accident:?} looked complete");
        }
    }
}

#[test]
fn the_origin_remembers_what_it_was_asked() {
    let origin = Origin::start();
    origin.serve("/a", Answer::html("x"));
    let mut client = client(&origin);
    client.ask(&Call::get("/a?q=1").field("X-Name", "value"));
    client.ask(&Call::post("/a", "content"));
    let [first, second] = origin.requests("/a").try_into().expect("two requests");
    assert_eq!((first.method.as_str(), first.target.as_str(), first.nth), ("GET", "/a?q=1", 1));
    assert_eq!(first.field("x-name"), Some("value"));
    assert_eq!((second.body.as_slice(), second.complete, second.nth), (b"content".as_slice(), true, 2));
    assert_eq!(ask(&origin, &Call::get("/other")).status, 404);
}

#[test]
fn interim_responses_trailers_and_bodyless_answers_are_read() {
    let origin = Origin::start();
    let hinted = Answer::html("page").chunked().trailer("X-Sum", "1").after_interim(103, "Link", "</style.css>");
    origin.serve("/hinted", hinted);
    origin.serve("/same", Answer::status(304).field("ETag", "\"1\""));
    let mut client = client(&origin);
    let response = client.ask(&Call::get("/hinted"));
    assert_eq!(response.interim[0].0, 103);
    assert_eq!(response.trailers.one("X-Sum"), Some("1"));
    assert_eq!(client.ask(&Call::get("/same")).framing, Framing::Empty);
    let head = client.ask(&Call::head("/hinted"));
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(client.ask(&Call::get("/hinted")).text(), "page");
}

#[test]
fn a_gate_holds_until_it_is_opened() {
    let origin = Origin::start();
    let gate = Gate::closed();
    origin.serve("/", Answer::html(page(2000)).then_at(1000, Part::Wait(gate.clone())));
    let mut client = client(&origin);
    let mut incoming = client.begin(&Call::get("/"));
    let mut read = 0;
    while read < 1000 {
        read += incoming.next_piece().expect("the first half").len();
    }
    assert_eq!(read, 1000);
    gate.until_reached();
    gate.open();
    assert_eq!(incoming.read_to_end().body, page(2000));
}

#[test]
fn a_gate_opens_when_enough_have_met_there() {
    let origin = Origin::start();
    origin.serve("/", Answer::html("met").first(Part::Wait(Gate::opening_at(8))));
    let answers = together(8, |_| ask(&origin, &Call::get("/")).text());
    assert!(answers.iter().all(|answer| answer == "met"));
}

#[test]
fn an_origin_refuses_and_comes_back() {
    let mut origin = Origin::start();
    origin.serve("/", Answer::html("here"));
    let address: SocketAddr = origin.address().parse().expect("TCP");
    origin.refuse();
    assert!(std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err());
    origin.accept_again();
    assert_eq!(ask(&origin, &Call::get("/")).text(), "here");
}

#[test]
fn a_unix_socket_serves_as_well() {
    let directory = Directory::new("self-test");
    let path = directory.join("app.sock");
    let origin = Origin::start_unix(&path);
    origin.serve("/", Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    let mut socket = Socket::Unix(std::os::unix::net::UnixStream::connect(&path).expect("it listens"));
    socket.write_all(&Call::get("/").head_bytes()).expect("it reads");
    let mut reader = BufReader::new(socket);
    super::wire::read_head(&mut reader).expect("a head");
    let body = BodyReader::new(Framing::Length(2)).next(&mut reader);
    assert_eq!(body.expect("a body").as_deref(), Some(b"ok".as_slice()));
}

#[test]
fn an_upgraded_connection_echoes() {
    let origin = Origin::start();
    origin.serve("/ws", Answer::websocket_echo());
    let mut client = client(&origin);
    let upgraded = client.begin(&Call::get("/ws").field("Connection", "Upgrade").field("Upgrade", "websocket"));
    assert_eq!(upgraded.response.status, 101);
    client.send(b"ping");
    assert_eq!(client.exactly(4).expect("an echo"), b"ping");
}

#[test]
#[should_panic(expected = "a test's own handler")]
fn a_panic_in_a_handler_reaches_the_test() {
    let origin = Origin::start();
    origin.on_path("/", |_| panic!("a test's own handler"));
    let nothing = client(&origin).try_begin(&Call::get("/")).is_err();
    assert!(nothing);
}

#[test]
fn foreign_decoders_read_what_their_encoders_wrote() {
    let content = page(20_000);
    for (coding, program, arguments) in [
        ("br", "brotli", &["--stdout"][..]),
        ("zstd", "zstd", &["--stdout", "--quiet"]),
        ("gzip", "gzip", &["--stdout"]),
    ] {
        let coded = filter(program, arguments, &content);
        assert!(coded.len() < content.len());
        assert_eq!(decode::by_all(coding, &coded), content);
        assert_eq!(decode::Prompt::new(coding).push(&coded), content);
        let truncated = std::panic::catch_unwind(|| decode::by_all(coding, &coded[..coded.len() - 1]));
        assert!(truncated.is_err(), "{coding} without its last byte passed");
    }
}

fn filter(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("`make setup` installs it");
    child.stdin.take().expect("piped").write_all(input).expect("it reads");
    child.wait_with_output().expect("a child of ours").stdout
}

#[test]
fn payloads_have_their_length_and_never_change() {
    assert_eq!((page(1000).len(), json(1_000_000).len(), noise(1000).len()), (1000, 1_000_000, 1000));
    assert_eq!(page(1000), page(1000));
    assert!(json(5000).starts_with(b"[{\"id\":0,") && json(5000).ends_with(b"\"]"));
}

#[test]
fn a_cache_status_is_one_word() {
    let words = [
        ("vacpack; hit; ttl=42", "hit"),
        ("vacpack; hit; ttl=-3", "stale"),
        ("vacpack; fwd=uri-miss; stored", "miss"),
        ("vacpack; fwd=bypass; detail=set-cookie", "pass"),
        ("vacpack; fwd=stale; fwd-status=304; stored", "revalidated"),
        ("origin; hit, vacpack; fwd=stale; fwd-status=200; stored", "expired"),
    ];
    for (field, word) in words {
        assert_eq!(CacheStatus::parse(&[field]).word(), word, "{field}");
    }
}

#[test]
fn samples_are_summed_by_label_values() {
    let text = "# TYPE a counter\na{x=\"1\",y=\"2\"} 3\na{x=\"1\",y=\"3\"} 4\nb 0.5\n";
    let metrics = Metrics::parse(text);
    assert_eq!((metrics.sum("a", &[]), metrics.sum("a", &["2"]), metrics.sum("b", &[])), (7.0, 3.0, 0.5));
}

#[test]
fn stamps_are_made_when_they_are_sent() {
    let origin = Origin::start();
    let start = Instant::now();
    let pause = Duration::from_millis(20);
    origin.serve("/", Answer::status(200).chunked().parts([Part::Pause(pause), Part::Stamp(start)]));
    let text = ask(&origin, &Call::get("/")).text();
    let micros: u128 = text.trim().trim_start_matches("data: ").parse().expect("a number");
    assert!((pause.as_micros()..start.elapsed().as_micros()).contains(&micros));
}
