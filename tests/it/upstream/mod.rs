//! The way to the app: its addresses, TLS, HTTP/2 and gRPC, and how many connections there are.

mod addresses;
mod connections;
mod early;
mod grpc;
mod h2;
mod h2_times;
mod tls;

use crate::harness::{Call, Gate, Vacpack, decode};

/// The app sends `/slow` in these parts, and waits at a gate behind each: what it has sent is with the client before it
/// goes on.
fn assert_prompt(vacpack: &Vacpack, parts: &[Vec<u8>], gates: &[Gate]) {
    let mut client = vacpack.client();
    let mut incoming = client.begin(&Call::get("/slow").accepting("br"));
    let mut decoder = decode::Prompt::new("br");
    let mut sent = 0;
    for (part, gate) in parts.iter().zip(gates) {
        sent += part.len();
        while decoder.push(&[]).len() < sent {
            decoder.push(&incoming.next_piece().expect("what the app has sent"));
        }
        gate.open();
    }
    assert_eq!(incoming.read_to_end().content(), parts.concat());
}
