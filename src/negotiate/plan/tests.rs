//! One table a question, one line a clause.

use proptest::prelude::*;

use super::*;
use crate::header::{MediaTypes, testing};
use Coding::{Brotli, Gzip, Zstd};

fn offer() -> Offer {
    let types = ["text/*", "application/json", "application/*", "+json"];
    Offer {
        enabled: true,
        codings: vec![Brotli, Zstd, Gzip],
        min_size: 1024,
        types: MediaTypes::parse(types).expect("patterns"),
        transcode: false,
        breach: Breach::Off,
    }
}

fn request(accept_encoding: &str) -> RequestFacts {
    let accept = AcceptEncoding::parse(&testing::field("accept-encoding", &[accept_encoding]));
    RequestFacts {
        head: false,
        http10: false,
        range: false,
        upgrade: false,
        accept,
        no_transform: false,
        credentials: false,
    }
}

/// A response of `length` with these fields, `text/html` unless they say otherwise.
fn with<T>(status: u16, lines: Lines<'_>, length: Option<u64>, decide: impl FnOnce(&ResponseFacts<'_>) -> T) -> T {
    let mut headers = testing::fields(lines);
    if !headers.contains_key("content-type") {
        headers.extend(testing::field("content-type", &["text/html"]));
    }
    let status = StatusCode::from_u16(status).expect("a status");
    decide(&ResponseFacts { status, headers: &headers, length, end_of_stream: false, stored: false })
}

/// The lines of some fields.
type Lines<'a> = &'a [(&'static str, &'a str)];

const LARGE: Option<u64> = Some(100_000);

#[test]
fn what_the_client_accepts() {
    use SkipReason::{IdentityPreferred, NoAccept, TooSmall};
    let table: [(&str, Option<u64>, Result<Coding, SkipReason>); 17] = [
        ("gzip, deflate, br, zstd", LARGE, Ok(Brotli)),
        ("gzip, deflate", LARGE, Ok(Gzip)),
        ("gzip, zstd", None, Ok(Zstd)),
        ("br;q=0.8, gzip", LARGE, Ok(Gzip)),
        ("br;q=0, *", LARGE, Ok(Zstd)),
        ("*", LARGE, Ok(Brotli)),
        ("br;q=0.001", LARGE, Ok(Brotli)),
        ("br;q=0.5, identity;q=0.5", LARGE, Ok(Brotli)),
        ("", LARGE, Err(NoAccept)),
        ("deflate, dcb", LARGE, Err(NoAccept)),
        ("identity", LARGE, Err(NoAccept)),
        ("*;q=0", LARGE, Err(NoAccept)),
        ("br;q=0.5, identity;q=1", LARGE, Err(IdentityPreferred)),
        ("br", Some(1024), Ok(Brotli)),
        ("br", Some(1023), Err(TooSmall)),
        ("identity;q=0, br", Some(1), Ok(Brotli)),
        ("*;q=0, gzip", Some(1), Ok(Gzip)),
    ];
    for (accept_encoding, length, wanted) in table {
        let wanted = wanted.map_or_else(BodyPlan::Pass, BodyPlan::Encode);
        let seen = with(200, &[], length, |response| plan(&request(accept_encoding), response, &offer()));
        assert_eq!(seen, wanted, "{accept_encoding} {length:?}");
    }
}

#[test]
fn our_order_breaks_ties() {
    let offer = Offer { codings: vec![Gzip, Brotli], ..offer() };
    let seen = |accept_encoding| with(200, &[], LARGE, |response| plan(&request(accept_encoding), response, &offer));
    assert_eq!(seen("br, gzip"), BodyPlan::Encode(Gzip));
    assert_eq!(seen("br, gzip;q=0.9"), BodyPlan::Encode(Brotli));
    assert_eq!(seen("zstd"), BodyPlan::Pass(SkipReason::NoAccept));
}

#[test]
fn what_the_response_is() {
    use SkipReason::*;
    let table: [(u16, Lines<'_>, Option<SkipReason>); 32] = [
        (200, &[], None),
        (404, &[], None),
        (500, &[], None),
        (201, &[("content-type", "application/problem+json; charset=utf-8")], None),
        (100, &[], Some(NoBody)),
        (101, &[], Some(NoBody)),
        (103, &[], Some(NoBody)),
        (204, &[], Some(NoBody)),
        (205, &[], Some(NoBody)),
        (304, &[], Some(NoBody)),
        (206, &[], Some(Partial)),
        (206, &[("content-range", "bytes 0-9/100")], Some(Partial)),
        (416, &[("content-range", "bytes */100")], Some(Partial)),
        (200, &[("content-encoding", "gzip")], Some(AlreadyEncoded)),
        (200, &[("content-encoding", "deflate")], Some(AlreadyEncoded)),
        (200, &[("content-encoding", "")], None),
        (200, &[("content-encoding", "identity")], None),
        (200, &[("content-encoding", "identity"), ("content-encoding", "br")], Some(AlreadyEncoded)),
        (200, &[("cache-control", "no-transform")], Some(NoTransform)),
        (200, &[("cache-control", "max-age=1"), ("cache-control", "No-Transform")], Some(NoTransform)),
        (200, &[("cache-control", "ext=\"no-transform\"")], None),
        (200, &[("x-compress-hint", "off")], Some(Hint)),
        (200, &[("x-compress-hint", "OFF")], Some(Hint)),
        (200, &[("x-compress-hint", "on")], None),
        (200, &[("content-type", "image/png")], Some(TypeNotListed)),
        (200, &[("content-type", "")], Some(TypeNotListed)),
        (200, &[("content-type", "text/html"), ("content-type", "image/png")], Some(TypeNotListed)),
        (200, &[("content-type", "TEXT/Event-Stream")], None),
        (200, &[("content-type", "application/grpc")], Some(Grpc)),
        (200, &[("content-type", "application/grpc-web+proto")], Some(Grpc)),
        // The order: an operator reads the first thing that stands in the way.
        (204, &[("content-encoding", "gzip")], Some(NoBody)),
        (200, &[("content-encoding", "gzip"), ("content-type", "image/png")], Some(TypeNotListed)),
    ];
    for (status, lines, reason) in table {
        let wanted = reason.map_or(BodyPlan::Encode(Brotli), BodyPlan::Pass);
        let seen = with(status, lines, LARGE, |response| plan(&request("br"), response, &offer()));
        assert_eq!(seen, wanted, "{status} {lines:?}");
        // A client that insists on a coding changes nothing about that.
        let forced = with(status, lines, LARGE, |response| plan(&request("identity;q=0, br"), response, &offer()));
        assert_eq!(forced, wanted, "{status} {lines:?}");
    }
}

#[test]
fn a_response_without_a_type_or_a_body() {
    let headers = http::HeaderMap::new();
    let response =
        ResponseFacts { status: StatusCode::OK, headers: &headers, length: None, end_of_stream: false, stored: false };
    let seen = |response| plan(&request("br"), &response, &offer());
    assert_eq!(seen(response), BodyPlan::Pass(SkipReason::TypeNotListed));
    let ended = ResponseFacts { end_of_stream: true, ..response };
    assert_eq!(seen(ended), BodyPlan::Pass(SkipReason::NoBody));
    let empty = ResponseFacts { length: Some(0), ..response };
    assert_eq!(seen(empty), BodyPlan::Pass(SkipReason::NoBody));
}

#[test]
fn what_the_request_is() {
    let plain = request("br");
    let table = [
        (plain, None),
        (RequestFacts { head: true, ..plain }, Some(SkipReason::Head)),
        (RequestFacts { http10: true, ..plain }, Some(SkipReason::Http10)),
        (RequestFacts { range: true, ..plain }, Some(SkipReason::Partial)),
        (RequestFacts { upgrade: true, ..plain }, Some(SkipReason::Upgrade)),
        (RequestFacts { no_transform: true, ..plain }, Some(SkipReason::NoTransform)),
    ];
    for (request, reason) in table {
        let seen = with(200, &[], LARGE, |response| plan(&request, response, &offer()));
        assert_eq!(seen, reason.map_or(BodyPlan::Encode(Brotli), BodyPlan::Pass), "{request:?}");
    }
}

#[test]
fn an_offer_of_nothing_is_none() {
    let offers = [
        Offer { enabled: false, ..offer() },
        Offer { codings: vec![], ..offer() },
        Offer { codings: vec![Coding::Identity], ..offer() },
    ];
    for offer in offers {
        with(200, &[], LARGE, |response| {
            let wanted = BodyPlan::Pass(SkipReason::Disabled);
            assert_eq!(plan(&request("br"), response, &offer), wanted);
            assert!(!varies(response, &offer, &request("br").accept));
            assert!(!codable(response, &offer, &request("br").accept));
        });
    }
}

#[test]
fn vary_is_due_where_the_coding_could_have_differed() {
    let table: [(u16, Lines<'_>, Option<u64>, bool); 23] = [
        (200, &[], LARGE, true),
        (404, &[], None, true),
        (200, &[], Some(1024), true),
        // Too small: nobody who takes identity gets another coding.
        (200, &[], Some(1023), false),
        (304, &[], Some(1023), false),
        (206, &[("content-range", "bytes 0-9/100")], Some(10), true),
        (304, &[], None, true),
        (304, &[("content-type", "")], None, true),
        (304, &[("content-type", "image/png")], None, false),
        // The app's own coding: the cache may undo it, or make another.
        (200, &[("content-encoding", "gzip")], LARGE, true),
        (200, &[("content-encoding", "br")], LARGE, true),
        (200, &[("content-encoding", "br")], Some(1), true),
        // What we neither make nor undo is the same for all.
        (200, &[("content-encoding", "deflate")], LARGE, false),
        (200, &[("content-encoding", "gzip, br")], LARGE, false),
        (200, &[("content-type", "image/png")], LARGE, false),
        (200, &[("content-type", "")], LARGE, false),
        (200, &[("content-type", "application/grpc")], LARGE, false),
        (200, &[("cache-control", "no-transform")], LARGE, false),
        (200, &[("x-compress-hint", "off")], LARGE, false),
        (103, &[], None, false),
        (204, &[], None, false),
        (205, &[], None, false),
        (101, &[], None, false),
    ];
    for (status, lines, length, due) in table {
        let any = request("br").accept;
        let seen = with(status, lines, length, |response| varies(response, &offer(), &any));
        assert_eq!(seen, due, "{status} {lines:?} {length:?}");
    }
    // `identity;q=0` has any size coded, and what was coded says so.
    let insists = request("identity;q=0, br").accept;
    assert!(with(200, &[], Some(1), |response| varies(response, &offer(), &insists)));
}

#[test]
fn codable_is_what_a_hit_may_be_coded_into() {
    let (any, insists) = (request("gzip").accept, request("identity;q=0, gzip").accept);
    let table: [(u16, Lines<'_>, Option<u64>, bool, bool); 6] = [
        (200, &[], LARGE, true, true),
        (200, &[], Some(36), false, true),
        (200, &[("content-type", "image/png")], LARGE, false, false),
        (200, &[("content-encoding", "gzip")], LARGE, false, false),
        (200, &[("cache-control", "no-transform")], LARGE, false, false),
        (206, &[], LARGE, false, false),
    ];
    for (status, lines, length, for_any, for_who_insists) in table {
        with(status, lines, length, |response| {
            assert_eq!(codable(response, &offer(), &any), for_any, "{status} {lines:?}");
            assert_eq!(codable(response, &offer(), &insists), for_who_insists, "{status} {lines:?}");
        });
    }
}

proptest! {
    #[test]
    fn a_refused_coding_is_never_planned(
        headers in testing::any_field("accept-encoding"),
        stated in "((br|zstd|gzip|identity|\\*)(;q=(0|0\\.[0-9]{1,3}|1))?, ?){0,6}",
        length in proptest::option::of(0u64..3000),
    ) {
        for accept in [AcceptEncoding::parse(&headers), request(&stated).accept] {
            let request = RequestFacts { accept, ..request("") };
            let seen = with(200, &[], length, |response| plan(&request, response, &offer()));
            if let BodyPlan::Encode(coding) = seen {
                prop_assert!(accept.accepts(coding) && coding != Coding::Identity);
                prop_assert!(accept.quality(coding) >= accept.quality(Coding::Identity));
            }
        }
    }

    #[test]
    fn what_is_encoded_varies_and_is_codable(
        status in 100u16..600,
        content_type in testing::any_field("content-type"),
        encoding in testing::any_field("content-encoding"),
        plain: bool,
        accept in "(br|zstd|gzip|identity|\\*)(;q=(0|0\\.[0-9]|1))?, (br|gzip|identity;q=0)",
        length in proptest::option::of(0u64..3000),
    ) {
        let mut headers = testing::field("content-type", &["text/css"]);
        if !plain {
            headers = content_type;
            headers.extend(encoding);
        }
        let status = StatusCode::from_u16(status).expect("a status");
        let response = ResponseFacts { status, headers: &headers, length, end_of_stream: false, stored: false };
        let request = request(&accept);
        if let BodyPlan::Encode(_) = plan(&request, &response, &offer()) {
            prop_assert!(varies(&response, &offer(), &request.accept));
            prop_assert!(codable(&response, &offer(), &request.accept));
        }
    }
}
