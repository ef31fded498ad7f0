//! Answers over HTTP/2 that end before their request does: with a reset without an error behind them (RFC 9113, section 8.1),
//! which must not be taken for the loss of what came before it.

use crate::harness::frames::{ACK, END_HEADERS, END_STREAM, PREFACE, fields, frame, kind};
use crate::harness::{Call, H2Client, Response, Vacpack};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

const CALLS: usize = 20;

/// A server whose answer to each request, and the reset, leave in one piece. Until its client is gone.
fn serve(mut client: TcpStream, answer: &impl Fn(u32) -> Vec<u8>) -> io::Result<()> {
    client.read_exact(&mut [0; PREFACE.len()])?;
    client.write_all(&frame(kind::SETTINGS, 0, 0, &[]))?;
    loop {
        let mut about = [0; 9];
        client.read_exact(&mut about)?;
        let [a, b, c, kind, flags, stream @ ..] = about;
        client.read_exact(&mut vec![0; u32::from_be_bytes([0, a, b, c]) as usize])?;
        match kind {
            kind::SETTINGS if flags & ACK == 0 => client.write_all(&frame(kind::SETTINGS, ACK, 0, &[]))?,
            // There is more to come of it, which nobody wants.
            kind::HEADERS if flags & END_STREAM == 0 => {
                let stream = u32::from_be_bytes(stream);
                client.write_all(&[answer(stream), frame(kind::RST_STREAM, 0, stream, &[0; 4])].concat())?;
            }
            _ => {}
        }
    }
}

/// Nobody else is let in: the one who waits at the door is called.
struct Closing<'a>(&'a AtomicBool, SocketAddr);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        let _called = TcpStream::connect(self.1);
    }
}

/// Before such a server, requests that do not end; each answer to them.
fn asked(call: &Call, answer: impl Fn(u32) -> Vec<u8> + Sync, judge: impl Fn(&Response)) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let is_closed = AtomicBool::new(false);
    let (answer, is_closed) = (&answer, &is_closed);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A connection may not be back in the pool when the next request comes: then there are two.
            for client in listener.incoming().take_while(|_| !is_closed.load(Ordering::Relaxed)).flatten() {
                scope.spawn(move || serve(client, answer));
            }
        });
        let _closing = Closing(is_closed, address);
        let vacpack = Vacpack::start(&format!("upstream.address = \"{address}\"\nupstream.protocol = \"h2c\""));
        for turn in 1..=CALLS {
            let answer = H2Client::connect(vacpack.address()).ask_endlessly(call);
            assert!(answer.complete(), "{turn}: {:?}", answer.cut);
            judge(&answer);
        }
    });
}

#[test]
fn a_call_that_fails_at_once_is_told_why_although_its_client_has_more_to_say() {
    let status = [("grpc-status", "16"), ("grpc-message", "who are you")];
    let head = fields(&[&[(":status", "200"), ("content-type", "application/grpc")], &status[..]].concat());
    let call = Call::post("/calls/Talk", "token").field("Content-Type", "application/grpc").field("TE", "trailers");
    let answer = |stream| frame(kind::HEADERS, END_HEADERS | END_STREAM, stream, &head);
    asked(&call, answer, |answer| {
        assert_eq!((answer.status, answer.field("grpc-status")), (200, Some("16")));
        assert_eq!(answer.field("grpc-message"), Some("who are you"));
    });
}

#[test]
fn an_upload_that_is_refused_is_told_why() {
    let head = fields(&[(":status", "413"), ("content-type", "text/plain")]);
    let answer = |stream| {
        let head = frame(kind::HEADERS, END_HEADERS, stream, &head);
        [head, frame(kind::DATA, END_STREAM, stream, b"too large")].concat()
    };
    asked(&Call::post("/upload", "part"), answer, |answer| {
        assert_eq!((answer.status, answer.text().as_str()), (413, "too large"));
    });
}
