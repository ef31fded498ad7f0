//! Invalidation (RFC 9111, §4.4): which stored responses an unsafe request makes invalid. Removing
//! them is left to `cache`.

use http::header::{CONTENT_LOCATION, LOCATION};
use http::{HeaderMap, HeaderName, Method, StatusCode};

/// §4.4: "when it receives a non-error status code in response to an unsafe request method
/// (including methods whose safety is unknown)"; non-error is 2xx and 3xx.
pub fn invalidates(method: &Method, status: StatusCode) -> bool {
    !is_safe(method) && (status.is_success() || status.is_redirection())
}

/// RFC 9110, §9.2.1. `Method::is_safe` would do, but a cache must not change its mind with a
/// dependency.
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// Whom the request was addressed to, as the cache key sees it.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub scheme: &'a str,
    /// Host and port, as in `Host` or `:authority`.
    pub authority: &'a str,
    pub path_and_query: &'a str,
}

/// The paths (with query) to invalidate on the request's own origin: the target itself (MUST), then
/// what `Location` and `Content-Location` name (MAY), unless they are on another origin: "this
/// helps prevent denial-of-service attacks".
pub fn invalidated_targets(request: &Target, response: &HeaderMap) -> Vec<String> {
    let mut targets = vec![request.path_and_query.to_owned()];
    for field in [LOCATION, CONTENT_LOCATION] {
        if let Some(path) = named_path(request, response, &field)
            && !targets.contains(&path)
        {
            targets.push(path);
        }
    }
    targets
}

fn named_path(request: &Target, response: &HeaderMap, field: &HeaderName) -> Option<String> {
    // Both are singletons (RFC 9110, §8.7 and §10.2.2): of several lines none can be trusted to be
    // the one.
    let mut lines = response.get_all(field).iter();
    let (value, None) = (lines.next()?, lines.next()) else {
        return None;
    };
    resolve(request, value.to_str().ok()?.trim())
}

/// RFC 3986, §5.2.2, as far as the answer is a path on the same origin; `None` for any other.
fn resolve(base: &Target, reference: &str) -> Option<String> {
    let reference = reference.split('#').next().unwrap_or_default();
    if let Some((scheme, rest)) = split_scheme(reference) {
        let rest = rest.strip_prefix("//")?;
        return on_origin(base, scheme, rest);
    }
    if let Some(rest) = reference.strip_prefix("//") {
        return on_origin(base, base.scheme, rest);
    }
    let (base_path, _) = split_query(base.path_and_query);
    match reference.as_bytes().first() {
        None => Some(base.path_and_query.to_owned()),
        Some(b'?') => Some(format!("{base_path}{reference}")),
        Some(b'/') => Some(without_dots(reference)),
        Some(_) => {
            let directory = base_path.rfind('/').map_or("/", |slash| &base_path[..=slash]);
            Some(without_dots(&format!("{directory}{reference}")))
        }
    }
}

/// RFC 3986, §3.1: a scheme ends at the first colon, and a colon after a `/` or `?` belongs to the
/// path or query.
fn split_scheme(reference: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = reference.split_once(':')?;
    let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    valid.then_some((scheme, rest))
}

fn on_origin(base: &Target, scheme: &str, rest: &str) -> Option<String> {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if !same_origin(base, scheme, authority) {
        return None;
    }
    Some(match path.as_bytes().first() {
        Some(b'/') => without_dots(path),
        _ => format!("/{path}"),
    })
}

/// RFC 9110, §4.3.1: same scheme, host and port. User information is part of no
/// authority of ours, and so never equals one.
fn same_origin(base: &Target, scheme: &str, authority: &str) -> bool {
    if !base.scheme.eq_ignore_ascii_case(scheme) {
        return false;
    }
    let port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    let host = |authority: &str| -> String {
        let authority = authority.strip_suffix(port).unwrap_or(authority);
        authority.strip_suffix(':').unwrap_or(authority).to_ascii_lowercase()
    };
    !authority.is_empty() && host(base.authority) == host(authority)
}

fn split_query(path_and_query: &str) -> (&str, &str) {
    let end = path_and_query.find('?').unwrap_or(path_and_query.len());
    path_and_query.split_at(end)
}

/// RFC 3986, §5.2.4, on the path alone; the query is carried as it is.
fn without_dots(path_and_query: &str) -> String {
    let (path, query) = split_query(path_and_query);
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                // A dot segment at the end leaves its directory's slash.
                if last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn unsafe_and_unknown_methods_with_a_good_answer_invalidate() {
        let unknown = Method::from_bytes(b"M-SEARCH").unwrap();
        for (method, status, expected) in [
            (Method::GET, 200, false), // RFC 9110, §9.2.1: safe
            (Method::HEAD, 200, false),
            (Method::OPTIONS, 204, false),
            (Method::TRACE, 200, false),
            (Method::POST, 200, true), // §4.4: MUST
            (Method::POST, 303, true), // §4.4: 3xx is no error
            (Method::PUT, 201, true),
            (Method::PATCH, 204, true),
            (Method::DELETE, 204, true),
            (unknown, 200, true),       // "methods whose safety is unknown"
            (Method::POST, 404, false), // an error says nothing about the state
            (Method::POST, 500, false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(invalidates(&method, status), expected, "{method} {status}");
        }
    }

    fn named(reference: &str) -> Vec<String> {
        let base = Target { scheme: "https", authority: "shop.test", path_and_query: "/a/b/c?q=1" };
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_str(reference).unwrap());
        invalidated_targets(&base, &headers)
    }

    #[test]
    fn references_resolve_on_the_same_origin() {
        for (reference, path) in [
            ("https://shop.test/x", "/x"),
            ("HTTPS://SHOP.test:443/x?y#z", "/x?y"),
            ("https://shop.test", "/"),
            ("https://shop.test?x", "/?x"),
            ("//shop.test/x", "/x"),
            ("/x/./y/../z", "/x/z"),
            ("/..", "/"),
            ("/x/..", "/"),
            ("/x/y/.", "/x/y/"),
            ("d", "/a/b/d"),
            ("../d?e=../f", "/a/d?e=../f"),
            ("../../../d", "/d"),
            ("?x", "/a/b/c?x"),
            ("d:e/f", "/a/b/c?q=1"), // a scheme we do not speak: nothing beyond the target
        ] {
            let expected: Vec<String> =
                if path == "/a/b/c?q=1" { vec![path.into()] } else { vec!["/a/b/c?q=1".into(), path.into()] };
            assert_eq!(named(reference), expected, "{reference}");
        }
    }

    #[test]
    fn another_origin_is_left_alone() {
        for reference in [
            "https://other.test/x",
            "http://shop.test/x",
            "https://shop.test:8443/x",
            "https://shop.test.evil.test/x",
            "https://evil@shop.test/x",
            "https:/x",
            "https:x",
            "//other.test/x",
            "javascript:alert(1)",
        ] {
            assert_eq!(named(reference), ["/a/b/c?q=1"], "{reference}");
        }
    }

    #[test]
    fn two_locations_are_none_and_the_target_is_named_once() {
        let base = Target { scheme: "http", authority: "a:8080", path_and_query: "/x" };
        let mut headers = HeaderMap::new();
        headers.append(LOCATION, HeaderValue::from_static("/y"));
        headers.append(LOCATION, HeaderValue::from_static("/z"));
        headers.insert(CONTENT_LOCATION, HeaderValue::from_static("/x"));
        assert_eq!(invalidated_targets(&base, &headers), ["/x"]);
        headers.remove(LOCATION);
        headers.insert(CONTENT_LOCATION, HeaderValue::from_static("http://a:8080/y"));
        assert_eq!(invalidated_targets(&base, &headers), ["/x", "/y"]);
    }

    proptest! {
        #[test]
        fn any_reference_gives_absolute_paths(bytes in proptest::collection::vec(any::<u8>(), 0..64), path in "/[a-z./?]{0,12}") {
            let base = Target { scheme: "http", authority: "a", path_and_query: &path };
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                headers.insert(LOCATION, value.clone());
                headers.insert(CONTENT_LOCATION, value);
            }
            for target in invalidated_targets(&base, &headers) {
                prop_assert!(target.starts_with('/'));
            }
        }
    }
}
