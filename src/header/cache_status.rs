//! `Cache-Status` (RFC 9211): what this cache did with a request, for whoever reads the response.
//!
//! One member is written for vacpack and appended after those of the caches nearer to the app: the
//! first member is the cache closest to the origin (section 2).

use std::fmt::Write;

use http::{HeaderName, HeaderValue, StatusCode};

use super::token::is_tchar;

/// The field's name.
pub const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// How vacpack calls itself in the field.
pub const CACHE: &str = "vacpack";

/// The largest integer of a structured field has 15 digits (RFC 9651, section 3.3.1).
const LARGEST: i64 = 999_999_999_999_999;

/// Why a request went forward (RFC 9211, section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// The cache was configured to not handle this request.
    Bypass,
    /// The method requires it.
    Method,
    /// Nothing is stored for the URI.
    UriMiss,
    /// Something is stored for the URI, and nothing for these request fields.
    VaryMiss,
    /// Nothing stored could be used; which of the two it was is not known.
    Miss,
    /// A fresh response was stored and the request did not allow its use.
    Request,
    /// The stored response is stale.
    Stale,
    /// Only a part is stored, and not the part that was asked for.
    Partial,
}

impl Forward {
    pub const ALL: [Self; 8] = [
        Self::Bypass,
        Self::Method,
        Self::UriMiss,
        Self::VaryMiss,
        Self::Miss,
        Self::Request,
        Self::Stale,
        Self::Partial,
    ];

    /// The token of RFC 9211, section 2.2.
    pub const fn token(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Miss => "miss",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::Partial => "partial",
        }
    }
}

/// One member of the field, built up and written once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct CacheStatus {
    forward: Option<Forward>,
    forward_status: Option<StatusCode>,
    ttl: Option<i64>,
    stored: bool,
    collapsed: Option<bool>,
    key: Option<String>,
    detail: Option<String>,
}

impl CacheStatus {
    /// Answered from the cache, without going forward (section 2.1).
    pub const fn hit() -> Self {
        Self { forward: None, forward_status: None, ttl: None, stored: false, collapsed: None, key: None, detail: None }
    }

    /// Gone forward, and why. `hit` and `fwd` exclude each other (section 2.2).
    pub const fn fwd(reason: Forward) -> Self {
        let mut status = Self::hit();
        status.forward = Some(reason);
        status
    }

    /// What the next hop answered (section 2.3). Only said of a request that went forward.
    pub const fn fwd_status(mut self, status: StatusCode) -> Self {
        self.forward_status = Some(status);
        self
    }

    /// Seconds of freshness that are left; negative for a stale response (section 2.4).
    pub const fn ttl(mut self, seconds: i64) -> Self {
        self.ttl = Some(seconds);
        self
    }

    /// The response is being stored (section 2.5). Only said of a request that went forward.
    pub const fn stored(mut self) -> Self {
        self.stored = true;
        self
    }

    /// The request was to share another one's fetch (section 2.6), and did, or had to make its own.
    /// Only said of a request that went forward.
    pub const fn collapsed(mut self, did: bool) -> Self {
        self.collapsed = Some(did);
        self
    }

    /// The cache key (section 2.7).
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Something else worth knowing (section 2.8), such as the reason a response was not stored.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The member as a line to append.
    pub fn to_header(&self) -> HeaderValue {
        let mut line = String::from(CACHE);
        match self.forward {
            None => line.push_str("; hit"),
            Some(reason) => self.write_forward(reason, &mut line),
        }
        if let Some(seconds) = self.ttl {
            // `write!` to a String cannot fail.
            let _ = write!(line, "; ttl={}", seconds.clamp(-LARGEST, LARGEST));
        }
        if let Some(key) = &self.key {
            line.push_str("; key=");
            write_string(key, &mut line);
        }
        if let Some(detail) = &self.detail {
            line.push_str("; detail=");
            // Section 2.8: a String or a Token.
            if is_sf_token(detail) { line.push_str(detail) } else { write_string(detail, &mut line) }
        }
        HeaderValue::try_from(line).expect("every part is visible ASCII or space")
    }

    fn write_forward(&self, reason: Forward, line: &mut String) {
        line.push_str("; fwd=");
        line.push_str(reason.token());
        if let Some(status) = self.forward_status {
            line.push_str("; fwd-status=");
            line.push_str(status.as_str());
        }
        if self.stored {
            line.push_str("; stored");
        }
        match self.collapsed {
            Some(true) => line.push_str("; collapsed"),
            Some(false) => line.push_str("; collapsed=?0"),
            None => {}
        }
    }
}

/// `sf-token` (RFC 9651, section 3.3.4).
fn is_sf_token(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'*')
        && bytes.iter().all(|byte| is_tchar(*byte) || matches!(byte, b':' | b'/'))
}

/// `sf-string` (RFC 9651, section 4.1.6): quotes and backslashes escaped. It has no way to say a
/// byte outside visible ASCII; those are percent-encoded, as they are in a URI, so that a key stays
/// on one line and stays telling.
fn write_string(text: &str, line: &mut String) {
    line.push('"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => {
                line.push('\\');
                line.push(char::from(byte));
            }
            b' '..=b'~' => line.push(char::from(byte)),
            _ => drop(write!(line, "%{byte:02X}")),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::structured::{self, Member};
    use proptest::prelude::*;

    #[test]
    fn the_lines_of_rfc_9211() {
        let table = [
            // Section 3, in its order, with our name.
            (CacheStatus::hit(), "vacpack; hit"),
            (CacheStatus::hit().ttl(376), "vacpack; hit; ttl=376"),
            (CacheStatus::hit().ttl(-412), "vacpack; hit; ttl=-412"),
            (CacheStatus::fwd(Forward::UriMiss), "vacpack; fwd=uri-miss"),
            (CacheStatus::fwd(Forward::UriMiss).stored(), "vacpack; fwd=uri-miss; stored"),
            (
                CacheStatus::fwd(Forward::Stale).fwd_status(StatusCode::NOT_MODIFIED),
                "vacpack; fwd=stale; fwd-status=304",
            ),
            (CacheStatus::fwd(Forward::UriMiss).collapsed(true), "vacpack; fwd=uri-miss; collapsed"),
            (CacheStatus::fwd(Forward::UriMiss).collapsed(false), "vacpack; fwd=uri-miss; collapsed=?0"),
            (CacheStatus::fwd(Forward::Bypass).detail("set-cookie"), "vacpack; fwd=bypass; detail=set-cookie"),
            (CacheStatus::fwd(Forward::Bypass).detail("not a token"), r#"vacpack; fwd=bypass; detail="not a token""#),
            (CacheStatus::hit().key(r#"/a"b\c?é"#), r#"vacpack; hit; key="/a\"b\\c?%C3%A9""#),
            (CacheStatus::hit().detail("4xx"), r#"vacpack; hit; detail="4xx""#),
            (CacheStatus::hit().detail(""), r#"vacpack; hit; detail="""#),
            (CacheStatus::hit().ttl(i64::MIN), "vacpack; hit; ttl=-999999999999999"),
            // Sections 2.3, 2.5, 2.6: meaningful only when it went forward.
            (CacheStatus::hit().stored().collapsed(true).fwd_status(StatusCode::OK), "vacpack; hit"),
        ];
        for (status, line) in table {
            assert_eq!(status.to_header(), line);
        }
    }

    #[test]
    fn every_reason_has_a_token_of_its_own() {
        let tokens = Forward::ALL.map(Forward::token);
        for (at, token) in tokens.iter().enumerate() {
            assert!(is_sf_token(token) && !tokens[..at].contains(token));
        }
    }

    proptest! {
        #[test]
        fn any_text_makes_a_structured_field(key: String, detail: String, ttl: i64) {
            let status = CacheStatus::fwd(Forward::Miss).ttl(ttl).key(key).detail(detail);
            let line = status.to_header();
            // An item with parameters, of a list of one: the same text as a dictionary's member of
            // that name.
            let dictionary = structured::dictionary(line.as_bytes()).expect("a structured field");
            prop_assert_eq!(dictionary.get("vacpack"), Some(&Member::TRUE));
        }
    }
}
