//! `Accept-Encoding` (RFC 9110, section 12.5.3), over the wire.

use crate::harness::payload::page;
use crate::harness::{Answer, Call, Framing, Origin, Vacpack};

/// Larger than `compression.min_size`.
const LARGE: usize = 8 * 1024;
/// Smaller than it.
const SMALL: usize = 500;

#[test]
fn the_coding_with_the_highest_weight_is_used() {
    let origin = Origin::start();
    origin.serve("/", Answer::html(page(LARGE)));
    let vacpack = Vacpack::before(&origin);
    let table = [
        ("", "identity"),
        ("identity", "identity"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("BR", "br"),
        // RFC 9110, 12.5.3: "*" is every coding not listed.
        ("*", "br"),
        ("br;q=0, *", "zstd"),
        ("br;q=0, zstd;q=0, *", "gzip"),
        ("*;q=0", "identity"),
        // Equal weights: our own order.
        ("gzip, br", "br"),
        ("gzip, zstd, br", "br"),
        ("gzip, zstd", "zstd"),
        ("gzip;q=0.5, br;q=0.5", "br"),
        // Unequal ones: the client's.
        ("gzip;q=1.0, br;q=0.9", "gzip"),
        ("gzip;q=0.001, br;q=0.000", "gzip"),
        ("br;q=0", "identity"),
        ("br;q=0.0, gzip;q=0", "identity"),
        ("identity;q=1, br;q=0.5", "identity"),
        ("identity;q=0, gzip", "gzip"),
        ("deflate, compress", "identity"),
        // A browser's.
        ("gzip, deflate, br, zstd", "br"),
    ];
    for (accept, coding) in table {
        let response = vacpack.get_as("/", accept);
        assert_eq!(response.coding(), coding, "Accept-Encoding: {accept}");
        assert_eq!(response.content(), page(LARGE), "Accept-Encoding: {accept}");
        assert!(response.varies_on("Accept-Encoding"), "Accept-Encoding: {accept}");
    }
}

#[test]
fn an_empty_accept_encoding_means_identity() {
    let origin = Origin::start();
    origin.serve("/", Answer::html(page(LARGE)));
    let vacpack = Vacpack::before(&origin);
    assert_eq!(vacpack.ask(&Call::get("/").field("Accept-Encoding", "")).coding(), "identity");
}

#[test]
fn every_line_of_accept_encoding_counts() {
    let origin = Origin::start();
    origin.serve("/", Answer::html(page(LARGE)));
    let vacpack = Vacpack::before(&origin);
    let call = Call::get("/").accepting("gzip;q=0.5").accepting("br;q=0").accepting("zstd");
    assert_eq!(vacpack.ask(&call).coding(), "zstd");
}

#[test]
fn a_malformed_member_does_not_hide_the_others() {
    let origin = Origin::start();
    origin.serve("/", Answer::html(page(LARGE)));
    let vacpack = Vacpack::before(&origin);
    for accept in ["br;q=banana, gzip", ",, ,gzip,", "br;q=2, gzip"] {
        assert_eq!(vacpack.get_as("/", accept).coding(), "gzip", "{accept}");
    }
}

#[test]
fn a_small_body_is_left_alone_unless_identity_is_refused() {
    let origin = Origin::start();
    origin.serve("/", Answer::html(page(SMALL)));
    let vacpack = Vacpack::before(&origin);
    let small = vacpack.get_as("/", "br");
    assert_eq!((small.coding(), small.framing), ("identity", Framing::Length(SMALL as u64)));
    let forced = vacpack.get_as("/", "identity;q=0, br");
    assert_eq!(forced.coding(), "br");
    assert_eq!(forced.content(), page(SMALL));
    // Coded bytes say that they are not for everybody; plain ones are.
    assert!(!small.varies_on("Accept-Encoding") && forced.varies_on("Accept-Encoding"));
}

#[test]
fn nothing_acceptable_is_answered_with_identity() {
    let origin = Origin::start();
    origin.serve("/", Answer::html(page(LARGE)));
    let vacpack = Vacpack::before(&origin);
    let response = vacpack.get_as("/", "identity;q=0, *;q=0");
    assert_eq!((response.status, response.coding()), (200, "identity"));
    assert_eq!(response.body, page(LARGE));
}

#[test]
fn the_smallest_compressed_size_is_the_configured_one() {
    let origin = Origin::start();
    origin.serve("/below", Answer::html(page(1023)));
    origin.serve("/at", Answer::html(page(1024)));
    let vacpack = Vacpack::before(&origin);
    assert_eq!(vacpack.get_as("/below", "br").coding(), "identity");
    assert_eq!(vacpack.get_as("/at", "br").coding(), "br");
}

#[test]
fn an_unknown_length_counts_as_large() {
    let origin = Origin::start();
    origin.serve("/", Answer::html(page(SMALL)).chunked());
    let vacpack = Vacpack::before(&origin);
    let response = vacpack.get_as("/", "gzip");
    assert_eq!(response.coding(), "gzip");
    assert_eq!(response.content(), page(SMALL));
}

#[test]
fn the_offer_is_the_operators() {
    let origin = Origin::start();
    origin.serve("/", Answer::html(page(LARGE)));
    let vacpack = Vacpack::with(&origin, "compression.algorithms = [\"gzip\", \"zstd\"]");
    assert_eq!(vacpack.get_as("/", "br, zstd, gzip").coding(), "gzip");
    assert_eq!(vacpack.get_as("/", "br").coding(), "identity");
}

#[test]
fn a_route_or_the_whole_site_can_go_without() {
    let origin = Origin::start();
    origin.serve("/plain/a", Answer::html(page(LARGE)));
    origin.serve("/b", Answer::html(page(LARGE)));
    let route = "[[route]]\nname = \"r\"\nmatch = { path = \"/plain/**\" }\ncompression = false\n";
    let vacpack = Vacpack::with(&origin, route);
    assert_eq!(vacpack.get_as("/plain/a", "br").coding(), "identity");
    assert_eq!(vacpack.get_as("/b", "br").coding(), "br");
    let vacpack = Vacpack::with(&origin, "compression.enabled = false");
    let response = vacpack.get_as("/b", "br");
    assert_eq!(response.coding(), "identity");
    assert!(!response.varies_on("Accept-Encoding"), "nothing here depends on it");
}

#[test]
fn the_app_is_asked_for_identity() {
    let origin = Origin::start();
    origin.serve("/", Answer::html(page(LARGE)));
    let vacpack = Vacpack::before(&origin);
    vacpack.get_as("/", "br, gzip");
    let asked = origin.last("/");
    let codings = asked.fields.members("Accept-Encoding");
    assert!(codings.is_empty() || codings == ["identity"], "the app was offered {codings:?}");
}

#[test]
fn a_client_of_http_1_0_gets_identity_and_no_chunks() {
    let origin = Origin::start();
    origin.serve("/length", Answer::html(page(LARGE)));
    origin.serve("/chunked", Answer::html(page(LARGE)).in_pieces(1000).chunked());
    origin.serve("/kept", Answer::cacheable(page(LARGE)).chunked());
    let vacpack = Vacpack::before(&origin);
    // The second one finds a compressed representation in the cache.
    vacpack.get_as("/kept", "br");
    for path in ["/length", "/chunked", "/kept"] {
        let response = vacpack.ask(&Call::get(path).http10().accepting("br, gzip"));
        assert_eq!(response.coding(), "identity", "{path}");
        // RFC 9112, 6.1: no Transfer-Encoding to a recipient of HTTP/1.0; the client asserts it of the field's absence.
        assert!(matches!(response.framing, Framing::Length(_) | Framing::Close), "{path}: {:?}", response.framing);
        assert!(response.fields.all("Transfer-Encoding").is_empty(), "{path}");
        assert_eq!(response.body, page(LARGE), "{path}");
    }
    assert_eq!(origin.fetches("/kept"), 1);
}
