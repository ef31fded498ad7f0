//! What a purge covers. Pure.
//!
//! A resource is named by its key; groups of them by what every stored answer says of itself: its URL, and the tags
//! that the app or the operator gave it. The same question - does this purge cover that answer? - is asked of what is
//! stored, and of what was under way when the purge came.

use std::fmt;
use std::sync::Arc;

use super::key::ResourceKey;

/// What a purge covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every variant of one resource.
    Resource(ResourceKey),
    /// What carries this tag.
    Tag(Arc<str>),
    /// URLs that begin so: text, not path segments. As [`super::url`] writes them.
    Prefix(Arc<str>),
    /// Every scheme of a host; every port too, unless it names one. In lower case.
    Host(Arc<str>),
    Everything,
}

/// What an answer says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub key: &'a ResourceKey,
    /// Scheme, authority, path and query, as [`super::url`] writes them.
    pub url: &'a str,
    pub tags: &'a [String],
}

impl Scope {
    pub fn covers(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::Resource(key) => key == subject.key,
            Self::Tag(tag) => subject.tags.iter().any(|one| **one == **tag),
            Self::Prefix(prefix) => subject.url.starts_with(&**prefix),
            Self::Host(host) => authority(subject.url).is_some_and(|authority| is_host(authority, host)),
            Self::Everything => true,
        }
    }
}

fn authority(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split(['/', '?']).next()
}

fn is_host(authority: &str, host: &str) -> bool {
    let rest = authority.strip_prefix(host);
    rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
}

/// Digits: in an IPv6 address a colon does not begin a port, `::1` is no port of the host `:`.
fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// As a metric label and in the log.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resource(_) => f.write_str("a resource"),
            Self::Tag(tag) => write!(f, "tag {tag}"),
            Self::Prefix(prefix) => write!(f, "prefix {prefix}"),
            Self::Host(host) => write!(f, "host {host}"),
            Self::Everything => f.write_str("everything"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ResourceKey = ResourceKey([1; 16]);

    fn covers(scope: &Scope, url: &str, tags: &[&str]) -> bool {
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        scope.covers(&Subject { key: &KEY, url, tags: &tags })
    }

    #[test]
    fn a_tag_is_the_whole_word() {
        let tag = Scope::Tag("product-1".into());
        assert!(covers(&tag, "http://h/", &["page", "product-1"]));
        assert!(!covers(&tag, "http://h/", &["product-11", "PRODUCT-1", "product"]));
        assert!(!covers(&tag, "http://h/product-1", &[]));
    }

    #[test]
    fn a_prefix_is_text() {
        let prefix = Scope::Prefix("http://h/blog".into());
        for (url, wanted) in [
            ("http://h/blog", true),
            ("http://h/blog/1?a=b", true),
            ("http://h/blogger", true),
            ("https://h/blog", false),
            ("http://h:81/blog", false),
            ("http://h/a?u=http://h/blog", false),
        ] {
            assert_eq!(covers(&prefix, url, &[]), wanted, "{url}");
        }
    }

    #[test]
    fn a_host_is_every_port_of_it_unless_one_is_named() {
        let table = [
            ("h.example", "http://h.example/", true),
            ("h.example", "https://h.example:8443/x", true),
            ("h.example", "http://h.example?q", true),
            ("h.example:8443", "https://h.example:8443/x", true),
            ("h.example:8443", "https://h.example/x", false),
            ("h.example", "http://www.h.example/", false),
            ("h.example", "http://h.example.org/", false),
            ("h", "http://x/?http://h/", false),
            ("[::1]", "http://[::1]:3000/", true),
            ("[::1]", "http://[::1]/", true),
            ("[:", "http://[::1]/", false),
        ];
        for (host, url, wanted) in table {
            assert_eq!(covers(&Scope::Host(host.into()), url, &[]), wanted, "{host} {url}");
        }
    }

    #[test]
    fn a_resource_is_its_key_and_everything_is_everything() {
        assert!(covers(&Scope::Resource(KEY), "http://h/", &[]));
        assert!(!covers(&Scope::Resource(ResourceKey([2; 16])), "http://h/", &[]));
        assert!(covers(&Scope::Everything, "", &[]));
    }
}
