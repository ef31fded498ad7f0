//! What a request must look like before anything else is decided.
//!
//! The platform refuses most of what could be read in two ways; this refuses the rest (RFC 9112, sections 3.2 and 6.1),
//! and what is larger than the operator allows.

use std::time::Duration;

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Version};
use pingora::http::RequestHeader;

/// Limits of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Bytes of all field names and values together.
    pub max_header_size: u64,
    pub max_header_count: usize,
    /// Bytes of the request's content.
    pub max_body: u64,
    /// Between two reads of the content.
    pub body_timeout: Duration,
    /// For one write of the response.
    pub write_timeout: Duration,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// RFC 9112, section 3.2: an HTTP/1.1 request without a Host, or with more than one.
    Host,
    /// RFC 9112, section 6.1: a transfer coding that is not exactly one `chunked`.
    TransferCoding,
    HeaderTooLarge,
    ContentTooLarge,
}

impl Refusal {
    pub fn status(self) -> u16 {
        match self {
            Self::Host => 400,
            Self::TransferCoding => 501,
            Self::HeaderTooLarge => 431,
            Self::ContentTooLarge => 413,
        }
    }
}

/// Pure: the first reason to refuse this head, if there is one.
pub fn refuse(request: &RequestHeader, limits: &RequestLimits) -> Option<Refusal> {
    let headers = &request.headers;
    if headers.len() > limits.max_header_count || size(headers) > limits.max_header_size {
        return Some(Refusal::HeaderTooLarge);
    }
    if has_bad_host(request) {
        return Some(Refusal::Host);
    }
    if has_bad_transfer_coding(headers) {
        return Some(Refusal::TransferCoding);
    }
    if content_length(headers).is_some_and(|length| length > limits.max_body) {
        return Some(Refusal::ContentTooLarge);
    }
    None
}

fn size(headers: &HeaderMap) -> u64 {
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

fn has_bad_transfer_coding(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(first) = codings.next() else {
        return false;
    };
    codings.next().is_some() || !first.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked")
}

pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(CONTENT_LENGTH)?.as_bytes();
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RequestLimits = RequestLimits {
        max_header_size: 64,
        max_header_count: 4,
        max_body: 10,
        body_timeout: Duration::from_secs(1),
        write_timeout: Duration::from_secs(1),
    };

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
                Some(Refusal::HeaderTooLarge),
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
