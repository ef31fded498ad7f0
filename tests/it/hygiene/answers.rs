//! Answers that an app should not have given, or not like this.

use crate::harness::payload::page;
use crate::harness::{Answer, Call, Origin, Vacpack};

/// Before an app that sends these bytes and closes.
fn before_bytes(bytes: impl AsRef<[u8]>) -> (Origin, Vacpack) {
    let origin = Origin::start();
    origin.serve("/page", Answer::raw(bytes));
    let vacpack = Vacpack::before(&origin);
    (origin, vacpack)
}

#[test]
fn a_body_in_a_foreign_transfer_coding_is_never_passed_off_as_the_content() {
    for coding in ["gzip, chunked", "chunked, gzip", "gzip", "deflate\r\nTransfer-Encoding: chunked"] {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: max-age=60\r\n";
        let (origin, vacpack) =
            before_bytes(format!("{head}Transfer-Encoding: {coding}\r\n\r\n5\r\n\x1f\x08abc\r\n0\r\n\r\n"));
        for fetches in 1..=2 {
            assert_eq!(vacpack.get_as("/page", "br").status, 502, "{coding:?}");
            assert_eq!(origin.fetches("/page"), fetches, "{coding:?}: kept");
        }
    }
}

#[test]
fn the_transfer_coding_identity_is_none_and_the_end_is_unknown() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: max-age=60\r\n";
    let (origin, vacpack) = before_bytes(format!("{head}Transfer-Encoding: identity\r\n\r\nhello"));
    for fetches in 1..=2 {
        let response = vacpack.get("/page");
        assert_eq!((response.status, response.text().as_str()), (200, "hello"));
        // The connection may as well have been cut.
        assert_eq!((response.outcome(), origin.fetches("/page")), ("pass", fetches));
    }
}

#[test]
fn a_length_that_was_said_twice_is_said_once() {
    let body = String::from_utf8(page(3000)).expect("text");
    for lengths in ["3000\r\nContent-Length: 3000", "3000, 3000"] {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: max-age=60\r\n";
        let (_origin, vacpack) = before_bytes(format!("{head}Content-Length: {lengths}\r\n\r\n{body}"));
        for outcome in ["miss", "hit"] {
            let response = vacpack.get("/page");
            assert_eq!((response.outcome(), response.field("Content-Length")), (outcome, Some("3000")), "{lengths:?}");
            assert_eq!(response.text(), body);
        }
        let head = vacpack.ask(&Call::head("/page"));
        assert_eq!(head.field("Content-Length"), Some("3000"), "{lengths:?}");
    }
    // Lengths that differ are no length (RFC 9110, section 8.6).
    let (_origin, vacpack) = before_bytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!");
    assert_eq!(vacpack.get("/page").status, 502);
}

#[test]
fn a_204_has_no_length() {
    for length in [0, 5] {
        let head = "HTTP/1.1 204 No Content\r\nCache-Control: max-age=60\r\n";
        let (_origin, vacpack) = before_bytes(format!("{head}Content-Length: {length}\r\n\r\n"));
        for _turn in 0..2 {
            // The client asserts that there is no Content-Length.
            assert_eq!(vacpack.get("/page").status, 204);
        }
    }
}

#[test]
fn a_protocol_that_nobody_asked_for_is_not_switched_to() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: odd\r\nConnection: Upgrade\r\n\r\nHTTP/1.1 200 OK\r\n";
    let (_origin, vacpack) = before_bytes(switch);
    assert_eq!(vacpack.get("/page").status, 502);
}

#[test]
fn what_is_no_http_is_a_502() {
    for bytes in [
        "<html>HTTP/0.9</html>",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nX Bad: 1\r\nContent-Length: 0\r\n\r\n",
    ] {
        let (_origin, vacpack) = before_bytes(bytes);
        assert_eq!(vacpack.get("/page").status, 502, "{bytes:?}");
    }
}
