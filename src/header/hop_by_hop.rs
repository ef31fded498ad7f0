//! Fields that belong to one connection (RFC 9110, section 7.6.1): neither forwarded nor stored.

use http::HeaderMap;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName,
    PROXY_AUTHENTICATE, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VARY,
};

use super::list;

/// Response fields that end at the next hop, whether `Connection` names them or not.
///
/// RFC 9110, 7.6.1 lists the first five; `Trailer` announces what is not passed on; RFC 9111, 3.1
/// keeps the last two out of a cache. `Transfer-Encoding` is hop-by-hop too and left out on
/// purpose: it is how the platform knows the length of the body. A 101 keeps `Connection` and
/// `Upgrade`, which are its whole message.
pub const FIXED: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    UPGRADE,
    TRAILER,
    PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-authentication-info"),
];

/// Fields that `Connection` cannot take away. 7.6.1: a sender "MUST NOT send a connection option
/// corresponding to a field that is intended for all recipients of the content". Without one of
/// these a message means something else, or reaches somebody else: stripping `Cache-Control:
/// private` would publish.
const END_TO_END: [HeaderName; 8] =
    [CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, SET_COOKIE, TRANSFER_ENCODING, VARY];

/// The fields of a response that `Connection` takes away.
pub fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    let mut names = named(headers);
    names.retain(|name| !END_TO_END.contains(name));
    names
}

/// The fields that `Connection` names, on any of its lines, and that are present.
pub fn named(headers: &HeaderMap) -> Vec<HeaderName> {
    let mut names: Vec<HeaderName> = Vec::new();
    for option in list::members(headers, &CONNECTION) {
        // `close` and other options that name no field fall out here: they are not present.
        if let Ok(name) = HeaderName::from_bytes(option)
            && headers.contains_key(&name)
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nominated_fields_that_are_there() {
        let headers = testing::fields(&[
            ("connection", "close, X-Secret"),
            ("connection", "x-secret, X-Other,, Cache-Control, not here, absent"),
            ("x-secret", "1"),
            ("x-other", "2"),
            ("x-kept", "3"),
            ("cache-control", "private"),
        ]);
        assert_eq!(nominated(&headers), ["x-secret", "x-other"]);
        assert_eq!(named(&headers), ["x-secret", "x-other", "cache-control"]);
        assert!(nominated(&HeaderMap::new()).is_empty());
    }

    proptest! {
        #[test]
        fn any_lines_are_survived(headers in testing::any_field("connection")) {
            prop_assert!(nominated(&headers).len() <= headers.len());
        }
    }
}
