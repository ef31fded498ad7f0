//! Which fields of a response are not stored (RFC 9111, §3.1).

use http::header::{PROXY_AUTHORIZATION, SET_COOKIE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName};

use super::governing::Governing;
use super::rules::{Rules, SetCookie};
use crate::header::hop_by_hop;

/// The fields present in the response that must not be in the store. They were for the first client
/// alone.
pub fn unstored_fields(response: &HeaderMap, rules: &Rules) -> Vec<HeaderName> {
    let governing = Governing::new(response, &rules.targets);
    let cookie = (rules.set_cookie != SetCookie::Keep).then_some(SET_COOKIE);
    // §5.2.2.4: reuse is allowed "if the listed header fields are excluded from the subsequent
    // response"; what is not stored is excluded.
    let listed = governing.no_cache_fields().iter().cloned();
    let mut names: Vec<HeaderName> = hop_fields(response).chain(listed).chain(cookie).collect();
    names.retain(|name| response.contains_key(name));
    names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    names.dedup();
    names
}

/// §3.1: "The Connection header field and fields whose names are listed in it", those that are
/// about one hop anyway, and those "specific to the proxy that a cache uses when forwarding a
/// request".
pub(super) fn hop_fields(response: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    let fixed = hop_by_hop::FIXED.into_iter().chain([TRANSFER_ENCODING, PROXY_AUTHORIZATION]);
    fixed.chain(hop_by_hop::nominated(response))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn left_out(lines: &[(&'static str, &'static str)], set_cookie: SetCookie) -> Vec<HeaderName> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        unstored_fields(&headers, &Rules { set_cookie, ..Rules::default() })
    }

    #[rustfmt::skip]
    #[test]
    fn by_clause() {
        for (lines, expected) in [
            (&[("etag", "\"a\""), ("content-length", "3")][..], &[][..]),
            // §3.1, first item
            (&[("connection", "a, b"), ("a", "1"), ("b", "2"), ("c", "3")], &["a", "b", "connection"]),
            (&[("keep-alive", "x"), ("te", "x"), ("upgrade", "h2c"), ("transfer-encoding", "chunked"), ("proxy-connection", "x")],
             &["keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"]),
            // §3.1, last item
            (&[("proxy-authenticate", "x"), ("proxy-authentication-info", "x"), ("proxy-authorization", "x")],
             &["proxy-authenticate", "proxy-authentication-info", "proxy-authorization"]),
            // §5.2.2.4, the qualified form
            (&[("cache-control", "no-cache=\"a, B\", max-age=9"), ("a", "1"), ("b", "2"), ("c", "3")], &["a", "b"]),
            (&[("cache-control", "no-cache"), ("a", "1")], &[]),
            (&[("cache-control", "no-cache=\"a, vary\""), ("a", "1"), ("vary", "a")], &[]),
            (&[("set-cookie", "a=b"), ("x", "1")], &["set-cookie"]),
        ] {
            assert_eq!(left_out(lines, SetCookie::Strip), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_cookie_is_kept_only_where_both_sides_say_so() {
        assert!(left_out(&[("set-cookie", "a=b")], SetCookie::Keep).is_empty());
        let listed = [("set-cookie", "a=b"), ("cache-control", "no-cache=\"Set-Cookie\"")];
        assert_eq!(left_out(&listed, SetCookie::Keep), ["set-cookie"]);
    }
}
