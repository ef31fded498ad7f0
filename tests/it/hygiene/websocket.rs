//! WebSocket (RFC 6455): the handshake passes, then bytes flow both ways until either side ends.

use crate::harness::{Answer, Call, Client, Origin, Vacpack, together};

fn handshake() -> Call {
    let call = Call::get("/ws").field("Connection", "Upgrade").field("Upgrade", "websocket");
    call.field("Sec-WebSocket-Version", "13").field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}

fn upgraded(vacpack: &Vacpack) -> Client {
    let mut client = vacpack.client();
    let answer = client.begin(&handshake()).response.clone();
    assert_eq!(answer.status, 101);
    assert_eq!(
        (answer.members("Upgrade"), answer.members("Connection")),
        (vec!["websocket".into()], vec!["upgrade".into()])
    );
    client
}

fn echoes(client: &mut Client, bytes: &[u8]) {
    client.send(bytes);
    let back = client.exactly(bytes.len()).unwrap_or_else(|end| panic!("the tunnel was torn down: {end}"));
    assert!(back == bytes, "other bytes came back");
}

#[test]
fn fifty_upgrades_all_survive() {
    let origin = Origin::start();
    origin.serve("/ws", Answer::websocket_echo());
    let vacpack = Vacpack::before(&origin);
    for number in 0..50 {
        let mut client = upgraded(&vacpack);
        echoes(&mut client, format!("hello {number}").as_bytes());
    }
}

#[test]
fn many_tunnels_are_open_at_once() {
    let origin = Origin::start();
    origin.serve("/ws", Answer::websocket_echo());
    let vacpack = Vacpack::before(&origin);
    together(20, |number| {
        let mut client = upgraded(&vacpack);
        for turn in 0..10 {
            echoes(&mut client, format!("{number} {turn}").as_bytes());
        }
    });
}

#[test]
fn a_tunnel_outlives_the_silence_that_ends_a_response() {
    let origin = Origin::start();
    origin.serve("/ws", Answer::websocket_echo());
    let vacpack = Vacpack::with(&origin, "upstream.read_timeout = \"500ms\"\nlisten.idle_timeout = \"1s\"");
    let mut client = upgraded(&vacpack);
    echoes(&mut client, b"before");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    echoes(&mut client, b"after");
}

#[test]
fn bytes_sent_with_the_handshake_are_not_lost() {
    let origin = Origin::start();
    origin.serve("/ws", Answer::websocket_echo());
    let vacpack = Vacpack::before(&origin);
    let mut client = vacpack.client();
    let answer = client.begin(&handshake()).response.status;
    assert_eq!(answer, 101);
    for size in [1, 125, 126, 65_535, 200_000] {
        echoes(&mut client, &vec![7; size]);
    }
}

#[test]
fn the_end_is_passed_on_in_both_directions() {
    let origin = Origin::start();
    origin.serve("/ws", Answer::websocket_echo());
    let vacpack = Vacpack::before(&origin);
    let mut client = upgraded(&vacpack);
    echoes(&mut client, b"x");
    drop(client);
    crate::harness::until("the app to see the end", || (origin.connections() == 0).then_some(()));
}

#[test]
fn a_refused_upgrade_is_an_ordinary_answer() {
    let origin = Origin::start();
    origin.serve("/ws", Answer::status(403).body("no"));
    let vacpack = Vacpack::before(&origin);
    let response = vacpack.ask(&handshake().accepting("br"));
    assert_eq!((response.status, response.text().as_str()), (403, "no"));
}

#[test]
fn an_upgrade_to_anything_else_is_not_offered_to_the_app() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("page"));
    let vacpack = Vacpack::before(&origin);
    let call = Call::get("/page").field("Connection", "Upgrade, HTTP2-Settings").field("Upgrade", "h2c");
    let response = vacpack.ask(&call.field("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA"));
    assert_eq!((response.status, response.text().as_str()), (200, "page"));
    let seen = origin.last("/page");
    assert_eq!((seen.field("Upgrade"), seen.field("HTTP2-Settings")), (None, None));
}
