//! Fields that are written for a CDN or another surrogate in front and mean nothing to a browser.

use http::HeaderName;

/// Lifetimes: RFC 9213's `CDN-Cache-Control`, vendors' own targets by its convention, and the older
/// ones.
pub fn is_edge_control(name: &HeaderName) -> bool {
    let name = name.as_str();
    name == "cdn-cache-control"
        || name.ends_with("-cdn-cache-control")
        || matches!(name, "surrogate-control" | "edge-control")
}

/// Purge tags.
pub fn is_edge_tag(name: &HeaderName) -> bool {
    matches!(name.as_str(), "surrogate-key" | "cache-tag" | "edge-cache-tag" | "xkey")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_fields() {
        for name in [
            "cdn-cache-control",
            "cloudflare-cdn-cache-control",
            "vercel-cdn-cache-control",
            "surrogate-control",
            "edge-control",
        ] {
            assert!(is_edge_control(&HeaderName::from_static(name)), "{name}");
        }
        for name in ["surrogate-key", "cache-tag", "edge-cache-tag", "xkey"] {
            assert!(is_edge_tag(&HeaderName::from_static(name)), "{name}");
        }
        for name in ["cache-control", "xcdn-cache-control", "cache-status", "etag", "vary"] {
            let name = HeaderName::from_static(name);
            assert!(!is_edge_control(&name) && !is_edge_tag(&name), "{name}");
        }
    }
}
