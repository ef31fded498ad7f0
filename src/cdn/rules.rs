//! What the operator says about response fields, resolved for one route. Reading the file is left
//! to `config`.

use std::time::Duration;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue};

use crate::header::hop_by_hop;

/// The header rules of one route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderRules {
    /// For how long browsers may keep a response, from when they get it.
    pub browser: Option<Duration>,
    /// For how long the CDN in front may.
    pub cdn: Option<Duration>,
    /// The field that CDN reads: `CDN-Cache-Control`, a vendor's own, or `Surrogate-Control`.
    pub cdn_field: HeaderName,
    /// Purge tags of every cacheable response, beside the app's own.
    pub tags: Vec<String>,
    /// The field in which tags leave: `Cache-Tag`, `Surrogate-Key`, `xkey`.
    pub tag_field: HeaderName,
    /// Nothing in front reads edge fields: none leaves, neither the app's nor ours.
    pub strip_edge: bool,
    /// Instead of every line of that name.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Beside the lines of that name.
    pub add: Vec<(HeaderName, HeaderValue)>,
    pub remove: Vec<HeaderName>,
}

impl Default for HeaderRules {
    /// Changes nothing.
    fn default() -> Self {
        Self {
            browser: None,
            cdn: None,
            cdn_field: HeaderName::from_static("cdn-cache-control"),
            tags: Vec::new(),
            tag_field: HeaderName::from_static("cache-tag"),
            strip_edge: false,
            set: Vec::new(),
            add: Vec::new(),
            remove: Vec::new(),
        }
    }
}

/// May a rule set, add or remove this field? Not those that frame the message or say how its bytes
/// are coded: they follow from the body, and a wrong one is a broken or smuggled response.
pub fn is_settable(name: &HeaderName) -> bool {
    let framing = [CONTENT_LENGTH, TRANSFER_ENCODING, CONTENT_ENCODING, CONTENT_RANGE];
    !framing.contains(name) && !hop_by_hop::FIXED.contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_is_not_for_rules() {
        // RFC 9110, §7.6.1; RFC 9112, §6.
        for name in [
            "connection",
            "keep-alive",
            "proxy-connection",
            "te",
            "transfer-encoding",
            "upgrade",
            "content-length",
            "content-encoding",
        ] {
            assert!(!is_settable(&HeaderName::from_static(name)), "{name}");
        }
        for name in ["x-powered-by", "server", "cache-control", "strict-transport-security", "content-type"] {
            assert!(is_settable(&HeaderName::from_static(name)), "{name}");
        }
    }
}
