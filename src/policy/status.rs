//! What a status code lets a shared cache do (RFC 9111, §3; RFC 9110, §15).

use http::StatusCode;

/// What storing is possible at all for a status; freshness is asked afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storable {
    /// A final status: explicit freshness lets it be stored, understood or not (§3).
    Yes,
    /// Part of a representation; storing it as if it were whole would truncate the resource for
    /// everybody.
    Partial,
    /// Not a final status, or an answer to this one request or connection rather than a state of
    /// the resource.
    No,
}

/// §3: may a response with this status be stored, its freshness aside?
pub fn storable(status: StatusCode) -> Storable {
    match status.as_u16() {
        // §3: "the response status code is final".
        100..=199 => Storable::No,
        // §3.3, §3.4: ranges are answered from whole responses, parts are not combined.
        206 => Storable::Partial,
        // RFC 9110, §15.4.5: it updates a stored response (§4.3.4) and is none itself.
        304 => Storable::No,
        // Answers to credentials, preconditions, ranges and timing of one request; RFC 9111 would
        // allow them with explicit freshness, and a blanket `Cache-Control: max-age` from a
        // middleware would then lock everybody else out.
        401 | 407 | 408 | 412 | 416 | 417 | 421 | 425 | 426 => Storable::No,
        // RFC 6585, §3 to §6: "MUST NOT be stored by a cache".
        428 | 429 | 431 | 511 => Storable::No,
        _ => Storable::Yes,
    }
}

/// §5.2.2.3, `must-understand`: the codes whose caching requirements are known here, those of RFC
/// 9110, §15 and RFC 7725.
pub fn understood(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200..=206 | 300..=305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 428 | 429 | 431 | 451 | 500..=505 | 511
    )
}

/// RFC 9110, §15.1: "heuristically cacheable" unless the app says otherwise. 206 is, too, and is
/// never stored here.
pub fn heuristically_cacheable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 451 | 501)
}

/// Statuses to which the operator's `ttl` and `default_ttl` apply. An error gets its lifetime from
/// `negative` or from the app alone: nobody who writes `ttl = "1h"` means an hour of 404s.
pub fn takes_ttl(status: StatusCode) -> bool {
    heuristically_cacheable(status) && !status.is_client_error() && !status.is_server_error()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(code: u16) -> StatusCode {
        StatusCode::from_u16(code).unwrap()
    }

    #[test]
    fn every_status_has_an_answer() {
        for status in (100..=999).map(code) {
            if heuristically_cacheable(status) {
                assert_eq!(storable(status), Storable::Yes, "{status}");
                assert!(understood(status), "{status}");
            }
            if takes_ttl(status) {
                assert!(!status.is_client_error() && !status.is_server_error(), "{status}");
            }
        }
    }

    #[test]
    fn by_clause() {
        for (status, expected) in [
            (103, Storable::No),      // §3: not final
            (200, Storable::Yes),     // RFC 9110, §15.3.1
            (206, Storable::Partial), // §3.3
            (299, Storable::Yes),     // §3: final, with explicit freshness
            (304, Storable::No),      // RFC 9110, §15.4.5
            (302, Storable::Yes),     // RFC 9110, §15.4.3: only with explicit freshness
            (400, Storable::Yes),     // as 302
            (401, Storable::No),      // an answer to missing credentials
            (404, Storable::Yes),     // RFC 9110, §15.5.5
            (412, Storable::No),      // an answer to a precondition
            (416, Storable::No),      // an answer to a range
            (428, Storable::No),      // RFC 6585, §3
            (429, Storable::No),      // RFC 6585, §4
            (431, Storable::No),      // RFC 6585, §5
            (503, Storable::Yes),     // §3
            (511, Storable::No),      // RFC 6585, §6
            (599, Storable::Yes),     // §3: unknown and final
        ] {
            assert_eq!(storable(code(status)), expected, "{status}");
        }
        assert!(!understood(code(599)) && !understood(code(299)) && !understood(code(499)));
        assert!(understood(code(200)) && understood(code(451)));
    }
}
