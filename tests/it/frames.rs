//! HTTP/2 frame by frame, over TLS and without: what RFC 9113 and RFC 7541 want refused is, and what they want borne is.
//!
//! The rows follow the sections. The library below us, h2, and the platform decide all of it; where they do something else
//! than the RFC asks for, [`KNOWN`] says what and why.

use crate::harness::frames::{
    ACK, END_HEADERS, END_STREAM, Frame, Frames, PADDED, PRIORITY, fields, frame, get, kind, request,
};
use crate::harness::tls::Authority;
use crate::harness::{Answer, Call, Origin, Part, Vacpack};

/// What the peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It goes on: a PING behind it is answered.
    Bears,
    /// It ends the connection, for this reason.
    Ends(u8),
    /// It refuses the stream: resets it, answers with an error, or ends the connection (section 5.4.2 allows that).
    Refuses,
    /// It answers the request on stream 1 as if nothing were wrong.
    Serves,
}
use Then::{Bears, Ends, Refuses, Serves};

// RFC 9113, section 7.
const PROTOCOL: u8 = 1;
const FLOW_CONTROL: u8 = 3;
const STREAM_CLOSED: u8 = 5;
const FRAME_SIZE: u8 = 6;
const COMPRESSION: u8 = 9;

const PING: [u8; 8] = *b"vacpack!";

/// A request that will have content.
fn open(stream: u32, more: &[(&str, &str)]) -> Vec<u8> {
    frame(kind::HEADERS, END_HEADERS, stream, &request("POST", "/", more))
}

fn rows() -> Vec<(&'static str, Vec<u8>, Then)> {
    let headers = |flags: u8, payload: &[u8]| frame(kind::HEADERS, flags, 1, payload);
    let whole = END_STREAM | END_HEADERS;
    let head = |list: &[(&str, &str)]| headers(whole, &fields(list));
    let base = request("GET", "/", &[]);
    let setting =
        |id: u16, value: u32| frame(kind::SETTINGS, 0, 0, &[&id.to_be_bytes()[..], &value.to_be_bytes()].concat());
    let window = |stream: u32, by: u32| frame(kind::WINDOW_UPDATE, 0, stream, &by.to_be_bytes());
    let reset = |stream: u32| frame(kind::RST_STREAM, 0, stream, &8u32.to_be_bytes());
    let m = (":method", "GET");
    let s = (":scheme", "http");
    let p = (":path", "/");
    let a = (":authority", "site.test");
    vec![
        ("a request", get(1, "/"), Serves),
        ("4.1 an unknown type", frame(0x16, 0, 0, &[0; 8]), Bears),
        ("4.1 undefined flags", frame(kind::PING, 0x16, 0, &[0; 8]), Bears),
        ("4.1 the reserved bit", frame(kind::PING, 0, 0x8000_0000, &[0; 8]), Bears),
        (
            "4.2 DATA larger than the limit",
            [open(1, &[]), frame(kind::DATA, 0, 1, &[0; 16_385])].concat(),
            Ends(FRAME_SIZE),
        ),
        ("4.2 HEADERS larger than the limit", headers(whole, &[0; 16_385]), Ends(FRAME_SIZE)),
        ("4.3 a field block that is none", headers(whole, &[0xff; 20]), Ends(COMPRESSION)),
        (
            "4.3 PRIORITY within a field block",
            [headers(END_STREAM, &base), frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0, 1])].concat(),
            Ends(PROTOCOL),
        ),
        ("4.3 another stream within a field block", [headers(END_STREAM, &base), get(3, "/")].concat(), Ends(PROTOCOL)),
        ("5.1 DATA on an idle stream", frame(kind::DATA, END_STREAM, 1, b"x"), Ends(PROTOCOL)),
        ("5.1 RST_STREAM on an idle stream", reset(1), Ends(PROTOCOL)),
        ("5.1 WINDOW_UPDATE on an idle stream", window(1, 100), Ends(PROTOCOL)),
        ("5.1 CONTINUATION on an idle stream", frame(kind::CONTINUATION, END_HEADERS, 1, &base), Ends(PROTOCOL)),
        (
            "5.1 DATA after the end",
            [get(1, "/wait"), frame(kind::DATA, END_STREAM, 1, b"x")].concat(),
            Ends(STREAM_CLOSED),
        ),
        ("5.1 HEADERS after the end", [get(1, "/wait"), get(1, "/wait")].concat(), Refuses),
        ("5.1 WINDOW_UPDATE after a reset", [open(1, &[]), reset(1), window(1, 1)].concat(), Bears),
        ("5.1.1 an even stream", frame(kind::HEADERS, whole, 2, &base), Ends(PROTOCOL)),
        ("5.1.1 a smaller stream", [get(5, "/"), get(3, "/")].concat(), Ends(PROTOCOL)),
        (
            "5.5 an unknown type within a field block",
            [headers(END_STREAM, &base), frame(0x16, 0, 1, &[])].concat(),
            Ends(PROTOCOL),
        ),
        ("6.1 DATA on the connection", frame(kind::DATA, 0, 0, b"x"), Ends(PROTOCOL)),
        (
            "6.1 padding longer than DATA",
            [open(1, &[]), frame(kind::DATA, PADDED | END_STREAM, 1, &[9, 0, 0])].concat(),
            Ends(PROTOCOL),
        ),
        (
            "6.1 padded DATA",
            [open(1, &[]), frame(kind::DATA, PADDED | END_STREAM, 1, &[2, b'x', 0, 0])].concat(),
            Serves,
        ),
        ("6.2 HEADERS on the connection", frame(kind::HEADERS, whole, 0, &base), Ends(PROTOCOL)),
        ("6.2 padding longer than HEADERS", headers(whole | PADDED, &[&[200][..], &base].concat()), Ends(PROTOCOL)),
        (
            "6.2 padded HEADERS with priority",
            headers(whole | PADDED | PRIORITY, &[&[1, 0, 0, 0, 0, 16][..], &base, &[0]].concat()),
            Serves,
        ),
        ("6.3 PRIORITY on the connection", frame(kind::PRIORITY, 0, 0, &[0, 0, 0, 0, 1]), Ends(PROTOCOL)),
        ("6.3 a short PRIORITY", [open(1, &[]), frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0])].concat(), Refuses),
        ("6.4 RST_STREAM on the connection", reset(0), Ends(PROTOCOL)),
        (
            "6.4 a short RST_STREAM",
            [open(1, &[]), frame(kind::RST_STREAM, 0, 1, &[0, 0, 0])].concat(),
            Ends(FRAME_SIZE),
        ),
        ("6.5 SETTINGS on a stream", frame(kind::SETTINGS, 0, 1, &[]), Ends(PROTOCOL)),
        ("6.5 an acknowledgement with content", frame(kind::SETTINGS, ACK, 0, &[0]), Ends(FRAME_SIZE)),
        ("6.5 half a setting", frame(kind::SETTINGS, 0, 0, &[0, 3, 0]), Ends(FRAME_SIZE)),
        ("6.5.2 ENABLE_PUSH neither 0 nor 1", setting(2, 2), Ends(PROTOCOL)),
        ("6.5.2 too large a window", setting(4, 0x8000_0000), Ends(FLOW_CONTROL)),
        ("6.5.2 too small frames", setting(5, 16_383), Ends(PROTOCOL)),
        ("6.5.2 too large frames", setting(5, 0x0100_0000), Ends(PROTOCOL)),
        ("6.5.2 an unknown setting", setting(0xff, 1), Bears),
        (
            "6.6 PUSH_PROMISE from a client",
            [open(1, &[]), frame(kind::PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2][..], &base].concat())].concat(),
            Ends(PROTOCOL),
        ),
        ("6.7 an answer to no PING", frame(kind::PING, ACK, 0, &[0; 8]), Bears),
        ("6.7 PING on a stream", frame(kind::PING, 0, 1, &[0; 8]), Ends(PROTOCOL)),
        ("6.7 a short PING", frame(kind::PING, 0, 0, &[0; 6]), Ends(FRAME_SIZE)),
        ("6.8 GOAWAY on a stream", frame(kind::GOAWAY, 0, 1, &[0; 8]), Ends(PROTOCOL)),
        ("6.9 no increment for the connection", window(0, 0), Ends(PROTOCOL)),
        ("6.9 no increment for a stream", [open(1, &[]), window(1, 0)].concat(), Refuses),
        ("6.9 a short WINDOW_UPDATE", frame(kind::WINDOW_UPDATE, 0, 0, &[0, 0, 1]), Ends(FRAME_SIZE)),
        (
            "6.9.1 too large a window for the connection",
            [window(0, 0x7fff_ffff), window(0, 0x7fff_ffff)].concat(),
            Ends(FLOW_CONTROL),
        ),
        (
            "6.9.1 too large a window for a stream",
            [open(1, &[]), window(1, 0x7fff_ffff), window(1, 0x7fff_ffff)].concat(),
            Refuses,
        ),
        (
            "6.10 CONTINUATION on the connection",
            [headers(END_STREAM, &base), frame(kind::CONTINUATION, END_HEADERS, 0, &[])].concat(),
            Ends(PROTOCOL),
        ),
        (
            "6.10 CONTINUATION of nothing",
            [open(1, &[]), frame(kind::CONTINUATION, END_HEADERS, 1, &base)].concat(),
            Ends(PROTOCOL),
        ),
        (
            "6.10 three parts of a field block",
            [
                headers(END_STREAM, &base[..9]),
                frame(kind::CONTINUATION, 0, 1, &base[9..20]),
                frame(kind::CONTINUATION, END_HEADERS, 1, &base[20..]),
            ]
            .concat(),
            Serves,
        ),
        (
            "8.1 a second field section without the end",
            [open(1, &[]), headers(END_HEADERS, &fields(&[("x", "1")]))].concat(),
            Refuses,
        ),
        ("8.2 an upper-case name", head(&[m, s, p, a, ("X-A", "1")]), Refuses),
        ("8.2.1 a line break in a value", head(&[m, s, p, a, ("x", "a\r\nb: c")]), Refuses),
        ("8.2.1 NUL in a value", head(&[m, s, p, a, ("x", "a\0b")]), Refuses),
        ("8.2.2 Connection", head(&[m, s, p, a, ("connection", "keep-alive")]), Refuses),
        ("8.2.2 Transfer-Encoding", head(&[m, s, p, a, ("transfer-encoding", "chunked")]), Refuses),
        ("8.2.2 TE that is not trailers", head(&[m, s, p, a, ("te", "trailers, deflate")]), Refuses),
        ("8.2.2 TE: trailers", head(&[m, s, p, a, ("te", "trailers")]), Serves),
        ("8.3 an unknown pseudo-field", head(&[m, s, p, a, (":x", "1")]), Refuses),
        ("8.3 a pseudo-field of responses", head(&[m, s, p, a, (":status", "200")]), Refuses),
        ("8.3 a pseudo-field behind a field", head(&[m, s, p, ("x", "1"), a]), Refuses),
        ("8.3 a pseudo-field in trailers", [open(1, &[]), headers(whole, &fields(&[m]))].concat(), Refuses),
        ("8.3.1 no method", head(&[s, p, a]), Refuses),
        ("8.3.1 no scheme", head(&[m, p, a]), Refuses),
        ("8.3.1 no path", head(&[m, s, a]), Refuses),
        ("8.3.1 an empty path", head(&[m, s, (":path", ""), a]), Refuses),
        ("8.3.1 two methods", head(&[m, m, s, p, a]), Refuses),
        ("8.3.1 two schemes", head(&[m, s, s, p, a]), Refuses),
        ("8.3.1 two paths", head(&[m, s, p, p, a]), Refuses),
        ("8.3.1 an authority and another Host", head(&[m, s, p, a, ("host", "other.test")]), Refuses),
        (
            "8.1.1 less content than was said",
            [open(1, &[("content-length", "2")]), frame(kind::DATA, END_STREAM, 1, b"x")].concat(),
            Refuses,
        ),
        (
            "8.1.1 more content than was said",
            [
                open(1, &[("content-length", "1")]),
                frame(kind::DATA, 0, 1, b"x"),
                frame(kind::DATA, END_STREAM, 1, b"x"),
            ]
            .concat(),
            Refuses,
        ),
        ("7541, 2.3.3 an index beyond both tables", headers(whole, &[&base[..], &[0xc6]].concat()), Ends(COMPRESSION)),
        (
            "7541, 4.2 a table size at the end of a block",
            headers(whole, &[&base[..], &[0x20]].concat()),
            Ends(COMPRESSION),
        ),
        (
            "7541, 5.2 padding of more than seven bits",
            headers(whole, &[&base[..], &[0, 1, b'x', 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0xff]].concat()),
            Ends(COMPRESSION),
        ),
        ("7541, 6.1 index 0", headers(whole, &[&base[..], &[0x80]].concat()), Ends(COMPRESSION)),
        (
            "7541, 6.3 a table size beyond the limit",
            headers(whole, &[&[0x3f, 0xe2, 0xff, 0x3f][..], &base].concat()),
            Ends(COMPRESSION),
        ),
    ]
}

/// Rows that come out otherwise: why, where that is talked about, and which.
const KNOWN: [(&str, &str, &[&str]); 3] = [
    (
        // It ends the connection all the same; the client is told a less exact reason.
        "h2 says PROTOCOL_ERROR of every frame that it cannot decode",
        "https://github.com/hyperium/h2/pull/900 tells each by its own reason; closed, and not part of 0.4.20",
        &[
            "4.3 a field block that is none",
            "6.4 a short RST_STREAM",
            "6.5 an acknowledgement with content",
            "6.5 half a setting",
            "6.5.2 too large a window",
            "6.7 a short PING",
            "6.9 a short WINDOW_UPDATE",
            "7541, 2.3.3 an index beyond both tables",
            "7541, 4.2 a table size at the end of a block",
            "7541, 5.2 padding of more than seven bits",
            "7541, 6.1 index 0",
            "7541, 6.3 a table size beyond the limit",
        ],
    ),
    (
        "h2 ends the connection with PROTOCOL_ERROR; STREAM_CLOSED is due, and for the stream would do",
        "no thread found; a comment in h2's recv_data says that it knows",
        &["5.1 DATA after the end"],
    ),
    (
        "the platform does not read the trailers of a request, nor forward them",
        "no thread found on those of HTTP/2; https://github.com/cloudflare/pingora/issues/696 asks for those of HTTP/1",
        &["8.3 a pseudo-field in trailers"],
    ),
];

/// What the peer did about it.
fn outcome(frames: &mut Frames, bytes: &[u8], expected: Then) -> Option<Then> {
    frames.send(&[bytes, &frame(kind::PING, 0, 0, &PING)].concat());
    loop {
        let Some(Frame { kind: kind_of, flags, stream, payload }) = frames.next() else {
            // Section 5.4.1: the reason may be lost with the connection.
            return match expected {
                Ends(_) | Refuses => Some(expected),
                _ => None,
            };
        };
        match kind_of {
            kind::GOAWAY if payload[7] != 0 => {
                return Some(if expected == Refuses { Refuses } else { Ends(payload[7]) });
            }
            kind::RST_STREAM => return Some(Refuses),
            // RFC 7541, appendix A: 8 is `:status: 200`.
            kind::HEADERS if stream == 1 => return Some(if payload[0] == 0x88 { Serves } else { Refuses }),
            kind::PING if expected == Bears && flags == ACK && payload == PING => return Some(Bears),
            _ => {}
        }
    }
}

/// Rows that are neither right nor known, and known ones that have become right.
fn all_rows(connect: impl Fn() -> Frames) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, bytes, expected) in rows() {
        let found = outcome(&mut connect(), &bytes, expected);
        let known = KNOWN.iter().any(|(_, _, rows)| rows.contains(&name));
        if (found != Some(expected)) != known {
            wrong.push(format!("{name}: {expected:?} is due, {found:?} came"));
        }
    }
    wrong
}

/// For rows whose stream must not be answered before what follows is read.
pub fn origin() -> Origin {
    let origin = Origin::start();
    origin.serve("/", Answer::html("page"));
    origin.serve("/wait", Answer::html("page").first(Part::Pause(std::time::Duration::from_secs(1))));
    origin
}

#[test]
fn frames_without_tls() {
    let origin = origin();
    let vacpack = Vacpack::before(&origin);
    let wrong = all_rows(|| Frames::connect(vacpack.address()));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn frames_over_tls() {
    let origin = origin();
    let authority = Authority::new("frames-tls");
    let certificate = authority.directory("tls", &["site.test"]);
    let vacpack = Vacpack::with(&origin, &format!("listen.tls.certificates = {certificate:?}"));
    let wrong = all_rows(|| Frames::secured(vacpack.address(), "site.test", authority.client(&["h2"], None)));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn streams_beyond_the_limit_are_refused_and_large_heads_too() {
    let origin = origin();
    let vacpack = Vacpack::with(&origin, "listen.max_streams = 3\nlisten.max_header_size = \"1KiB\"");
    let mut frames = Frames::connect(vacpack.address());
    let streams: Vec<u8> = [1, 3, 5, 7].into_iter().flat_map(|stream| get(stream, "/wait")).collect();
    frames.send(&streams);
    let refused = std::iter::from_fn(|| frames.next()).find(|frame| frame.kind == kind::RST_STREAM);
    let refused = refused.expect("one too many");
    // RFC 9113, section 5.1.2: REFUSED_STREAM, so that the client may ask again.
    assert_eq!((refused.stream, refused.payload.as_slice()), (7, &[0, 0, 0, 7][..]));

    for (size, status) in [(500, 200), (1100, 431), (9000, 431)] {
        let mut client = crate::harness::H2Client::connect(vacpack.address());
        let response = client.ask(&Call::get("/").field("X-Long", &"x".repeat(size)));
        assert_eq!(response.status, status, "{size}");
    }
}
