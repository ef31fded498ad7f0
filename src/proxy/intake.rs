//! What a request must look like before anything else is decided.
//!
//! The platform refuses most of what could be read in two ways; this refuses the rest (RFC 9112, sections 3.2 and 6.1),
//! and what is larger than the operator allows.

use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Method, Version};
use pingora::http::RequestHeader;

use super::forward::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};
use crate::header::{hop_by_hop, list};
use crate::metrics::Limit;

/// Limits of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Bytes of the target.
    pub max_url: u64,
    /// Bytes of all field names and values together.
    pub max_header_size: u64,
    pub max_header_count: usize,
    /// Bytes of the request's content.
    pub max_body: u64,
    /// Between two reads of the content.
    pub body_timeout: Duration,
    /// Bytes a second of the content, on average.
    pub min_body_rate: u64,
    /// For one write of the response.
    pub write_timeout: Duration,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// RFC 9112, section 3.2: an HTTP/1.1 request without a Host, or with more than one.
    Host,
    /// RFC 9112, section 3.2: a target that names no path, so that there is nothing to ask an app for.
    Target,
    /// RFC 9112, section 6.1: a transfer coding that is not exactly one `chunked`.
    TransferCoding,
    TargetTooLong,
    HeaderTooLarge,
    TooManyFields,
    ContentTooLarge,
}

impl Refusal {
    pub fn status(self) -> u16 {
        match self {
            Self::Host | Self::Target => 400,
            Self::TransferCoding => 501,
            // RFC 9110, sections 15.5.15 and 15.5.14; RFC 6585, section 5.
            Self::TargetTooLong => 414,
            Self::HeaderTooLarge | Self::TooManyFields => 431,
            Self::ContentTooLarge => 413,
        }
    }

    /// The limit that it met, where it is not simply wrong.
    pub fn limit(self) -> Option<Limit> {
        match self {
            Self::Host | Self::Target | Self::TransferCoding => None,
            Self::TargetTooLong => Some(Limit::Url),
            Self::HeaderTooLarge => Some(Limit::HeaderSize),
            Self::TooManyFields => Some(Limit::HeaderCount),
            Self::ContentTooLarge => Some(Limit::BodySize),
        }
    }
}

/// Pure: the first reason to refuse this head, if there is one.
pub fn refuse(request: &RequestHeader, limits: &RequestLimits) -> Option<Refusal> {
    let headers = &request.headers;
    if request.raw_path().len() as u64 > limits.max_url {
        return Some(Refusal::TargetTooLong);
    }
    if headers.len() > limits.max_header_count {
        return Some(Refusal::TooManyFields);
    }
    if size(headers) > limits.max_header_size {
        return Some(Refusal::HeaderTooLarge);
    }
    if has_bad_host(request) {
        return Some(Refusal::Host);
    }
    if has_bad_target(request) {
        return Some(Refusal::Target);
    }
    if has_bad_transfer_coding(headers) {
        return Some(Refusal::TransferCoding);
    }
    if content_length(headers).is_some_and(|length| length > limits.max_body) {
        return Some(Refusal::ContentTooLarge);
    }
    None
}

/// A client may begin slowly: it is in no hurry for so long, or for as long as it may be silent.
const UNHURRIED: Duration = Duration::from_secs(10);

/// Pure: has the content come too slowly, after `bytes` in `elapsed`? An app that takes it slowly is not the client's
/// fault, but it does so behind buffers of some hundred KiB, which the average outlasts.
pub fn is_too_slow(bytes: u64, elapsed: Duration, limits: &RequestLimits) -> bool {
    let due = limits.min_body_rate.saturating_mul(elapsed.as_secs());
    elapsed > UNHURRIED.min(limits.body_timeout) && bytes < due
}

/// Bytes of all names and values together.
pub fn size(headers: &HeaderMap) -> u64 {
    let fields = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    fields.sum::<usize>() as u64
}

fn has_bad_host(request: &RequestHeader) -> bool {
    let mut hosts = request.headers.get_all(HOST).iter();
    let first = hosts.next();
    if hosts.next().is_some() {
        return true;
    }
    match first {
        Some(host) if host.is_empty() => request.version == Version::HTTP_11,
        Some(host) => !is_authority(host.as_bytes()),
        None => request.version == Version::HTTP_11 && request.uri.authority().is_none(),
    }
}

/// RFC 9110, section 7.2: `uri-host [ ":" port ]`, without user information.
fn is_authority(host: &[u8]) -> bool {
    !host.contains(&b'@') && http::uri::Authority::try_from(host).is_ok()
}

/// Section 3.2: the origin-form begins with a slash, the absolute-form names `http` or `https`, and the asterisk is for
/// `OPTIONS`. The platform shows any other word as `/`, under which its answer would be stored.
fn has_bad_target(request: &RequestHeader) -> bool {
    let target = request.raw_path();
    match target.first() {
        Some(b'/') => !request.raw_path_is_utf8(),
        Some(b'*') => target != b"*" || request.method != Method::OPTIONS,
        _ => !is_absolute(target) || !request.raw_path_is_utf8(),
    }
}

/// The absolute-form of a target that an HTTP server can be asked for.
pub fn is_absolute(target: &[u8]) -> bool {
    let begins = |scheme: &[u8]| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    begins(b"http://") || begins(b"https://")
}

/// Drops what `Connection` says is the client's connection's own (RFC 9110, section 7.6.1), before anything is decided.
///
/// The app is not sent these fields. Deciding by them all the same would let a client have an answer stored under a
/// field that the app never saw.
pub fn drop_nominated(request: &mut RequestHeader) {
    /// How the message is framed, and to whom it goes: the platform's to judge.
    const NEEDED: [HeaderName; 5] = [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE];
    /// Refused by the platform where they would be forwarded.
    const VOUCHED_FOR: [HeaderName; 3] = [X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO];
    for name in hop_by_hop::named(&request.headers) {
        if !NEEDED.contains(&name) && !VOUCHED_FOR.contains(&name) {
            request.remove_header(&name);
        }
    }
}

fn has_bad_transfer_coding(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(first) = codings.next() else {
        return false;
    };
    codings.next().is_some() || !first.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked")
}

/// RFC 9110, section 8.6: the same length said again, on a line of its own or in a list, is one length.
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    let mut lengths = list::members(headers, &CONTENT_LENGTH);
    let first = lengths.next()?;
    let agreed = lengths.all(|again| again == first);
    if agreed { std::str::from_utf8(first).ok()?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RequestLimits = RequestLimits {
        max_url: 32,
        max_header_size: 64,
        max_header_count: 4,
        max_body: 10,
        body_timeout: Duration::from_secs(60),
        min_body_rate: 100,
        write_timeout: Duration::from_secs(1),
    };

    #[test]
    fn only_a_path_can_be_asked_for() {
        let rows: &[(&str, &str, Option<Refusal>)] = &[
            ("GET", "/", None),
            ("GET", "/a?b", None),
            ("GET", "//a", None),
            ("GET", "http://a/b", None),
            ("GET", "https://a", None),
            ("OPTIONS", "*", None),
            ("GET", "*", Some(Refusal::Target)),
            ("GET", "a", Some(Refusal::Target)),
            ("GET", "a:80", Some(Refusal::Target)),
            ("GET", "?a", Some(Refusal::Target)),
            ("GET", "ftp://a/b", Some(Refusal::Target)),
        ];
        for (method, target, expected) in rows {
            let mut request = RequestHeader::build(*method, target.as_bytes(), None).expect("a request");
            request.insert_header(HOST, "a").expect("a field");
            assert_eq!(refuse(&request, &LIMITS), *expected, "{method} {target}");
        }
    }

    #[test]
    fn a_body_is_slow_by_its_average_and_not_before_its_time() {
        let seconds = Duration::from_secs;
        for (bytes, elapsed, slow) in [
            (0, seconds(10), false),
            (1099, seconds(11), true),
            (1100, seconds(11), false),
            (1 << 20, seconds(3600), false),
            (u64::MAX, seconds(u64::MAX), false),
        ] {
            assert_eq!(is_too_slow(bytes, elapsed, &LIMITS), slow, "{bytes} in {elapsed:?}");
        }
        let any = RequestLimits { min_body_rate: 0, ..LIMITS };
        assert!(!is_too_slow(1, seconds(3600), &any));
    }

    #[test]
    fn what_connection_names_is_dropped_but_for_the_framing() {
        let mut request = RequestHeader::build("POST", b"/", None).expect("a request");
        let fields = [
            ("connection", "X-Lang, range, close, Content-Length, upgrade, cache-control"),
            ("x-lang", "de"),
            ("range", "bytes=0-1"),
            ("content-length", "5"),
            ("upgrade", "websocket"),
            ("cache-control", "no-cache"),
            ("x-kept", "1"),
        ];
        for (name, value) in fields {
            request.append_header(name, value).expect("a field");
        }
        drop_nominated(&mut request);
        let mut left: Vec<_> = request.headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["connection", "content-length", "upgrade", "x-kept"]);
    }

    #[test]
    fn one_length_may_be_said_twice() {
        let rows: &[(&[&str], Option<u64>)] = &[
            (&["5"], Some(5)),
            (&["5", "5"], Some(5)),
            (&["5, 5"], Some(5)),
            (&["5", "6"], None),
            (&["-5"], None),
            (&[], None),
        ];
        for (lines, expected) in rows {
            let mut headers = HeaderMap::new();
            for line in *lines {
                headers.append(CONTENT_LENGTH, line.parse().expect("a value"));
            }
            assert_eq!(content_length(&headers), *expected, "{lines:?}");
        }
    }

    #[test]
    fn heads_that_can_be_read_in_two_ways_are_refused() {
        let long = "x".repeat(80);
        type Row<'a> = (&'a [(&'a str, &'a str)], Version, Option<Refusal>);
        let rows: &[Row] = &[
            (&[("host", "a")], Version::HTTP_11, None),
            (&[], Version::HTTP_11, Some(Refusal::Host)),
            (&[("host", "")], Version::HTTP_11, Some(Refusal::Host)),
            (&[("host", "a b")], Version::HTTP_11, Some(Refusal::Host)),
            (&[("host", "user@a")], Version::HTTP_11, Some(Refusal::Host)),
            (&[("host", "[::1]:8080")], Version::HTTP_11, None),
            (&[], Version::HTTP_10, None),
            (&[("host", "a"), ("host", "b")], Version::HTTP_10, Some(Refusal::Host)),
            (&[("host", "a"), ("transfer-encoding", "chunked")], Version::HTTP_11, None),
            (&[("host", "a"), ("transfer-encoding", " Chunked ")], Version::HTTP_11, None),
            (&[("host", "a"), ("transfer-encoding", "gzip, chunked")], Version::HTTP_11, Some(Refusal::TransferCoding)),
            (
                &[("host", "a"), ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
                Version::HTTP_11,
                Some(Refusal::TransferCoding),
            ),
            (&[("host", "a"), ("content-length", "10")], Version::HTTP_11, None),
            (&[("host", "a"), ("content-length", "11")], Version::HTTP_11, Some(Refusal::ContentTooLarge)),
            (&[("host", "a"), ("x-long", &long)], Version::HTTP_11, Some(Refusal::HeaderTooLarge)),
            (
                &[("host", "a"), ("a", ""), ("b", ""), ("c", ""), ("d", "")],
                Version::HTTP_11,
                Some(Refusal::TooManyFields),
            ),
        ];
        for (fields, version, expected) in rows {
            let mut request = RequestHeader::build("POST", b"/", None).expect("a request");
            request.set_version(*version);
            for (name, value) in *fields {
                request.append_header(name.to_string(), value.to_string()).expect("a field");
            }
            assert_eq!(refuse(&request, &LIMITS), *expected, "{fields:?}");
        }
    }
}
