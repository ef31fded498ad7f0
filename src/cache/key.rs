//! What names a resource in the cache, and what splits it. Pure.
//!
//! Two requests share an entry only if the app could not tell them apart by scheme, host, path and query. Every part is
//! framed - its length before its bytes - so that no two different requests can be written to the same byte string,
//! and hashed to 128 bits, wide enough that nobody can search for two URLs that collide.
//!
//! Header fields and cookies that a rule adds to the key do not go into the [`ResourceKey`] but into a [`Partition`]
//! beside the app's `Vary`: a purge by URL then removes every one of them.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

use globset::GlobSet;
use http::{HeaderMap, HeaderName, header};

/// Framing changed: bump this, and everything stored under the old framing is simply never found.
const VERSION: u8 = 1;

/// A resource's name: 128 bits of BLAKE3 over its framed parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceKey(pub [u8; 16]);

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Hash for ResourceKey {
    /// One write of the 16 bytes, without the length prefix that a derived implementation adds.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

/// How a route builds its key. The default is the safe one: everything counts, in the order it came.
#[derive(Clone, Debug, Default)]
pub struct KeyRules {
    /// Stands for the host that the client asked for: several names of one site share what is stored.
    pub host: Option<String>,
    /// Names of query parameters that do not change the answer (`utm_*`). Matched against the name as sent: a
    /// percent-encoded spelling of it stays a different resource, which costs a fetch and never a wrong answer.
    pub ignore_query: GlobSet,
    /// Names of the only query parameters that change the answer; None if any may.
    pub keep_query: Option<GlobSet>,
    /// Order of parameters does not matter. Parameters of one name keep their order: `a=1&a=2` is a list.
    pub sort_query: bool,
    /// Request header fields whose values split the entry.
    pub headers: Vec<HeaderName>,
    /// Cookies whose values split the entry.
    pub cookies: Vec<String>,
}

/// Which part of a resource a request may see, by the header fields and cookies that the route's rules name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Partition([u8; 16]);

impl Partition {
    /// The only one there is when no rule names a header field or a cookie.
    pub const WHOLE: Self = Self([0; 16]);

    /// A part of this part: by something that the app is told and that neither URL nor rules say.
    pub fn split_by(self, told: &[u8]) -> Self {
        let mut framed = Framed::new();
        framed.part(&self.0);
        framed.part(told);
        Self(framed.finish())
    }
}

/// The URL as purges by host and prefix compare it: the authority in lower case and without a default port.
pub fn url(scheme: &str, host: &str, path_and_query: &str) -> String {
    let authority = without_default_port(scheme, host).to_ascii_lowercase();
    format!("{scheme}://{authority}{path_and_query}")
}

/// What a resource's key is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyParts<'a> {
    pub generation: &'a str,
    pub scheme: &'a str,
    /// Lower-case, without a port that says nothing.
    pub host: Cow<'a, str>,
    pub path: &'a str,
    /// What counts of the query; None where there is none, or nothing of it counts.
    pub query: Option<Cow<'a, str>>,
}

/// The key of `scheme://host path_and_query`.
pub fn resource_key(generation: &str, scheme: &str, host: &str, path_and_query: &str, rules: &KeyRules) -> ResourceKey {
    KeyParts::of(generation, scheme, host, path_and_query, rules).key()
}

impl<'a> KeyParts<'a> {
    /// `host` is the authority as received: its case and a default port do not count (RFC 9110, section 4.2.3). The path
    /// is taken as it is: nothing is normalised that the app would still see.
    pub fn of(
        generation: &'a str,
        scheme: &'a str,
        host: &'a str,
        path_and_query: &'a str,
        rules: &'a KeyRules,
    ) -> Self {
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path_and_query, None),
        };
        let host = lower_case(without_default_port(scheme, rules.host.as_deref().unwrap_or(host)));
        Self { generation, scheme, host, path, query: query.and_then(|query| rules.counting(query)) }
    }

    pub fn key(&self) -> ResourceKey {
        let mut framed = Framed::new();
        framed.part(self.generation.as_bytes());
        framed.part(self.scheme.as_bytes());
        framed.part(self.host.as_bytes());
        framed.part(self.path.as_bytes());
        match &self.query {
            None => framed.absent(),
            Some(query) => framed.part(query.as_bytes()),
        }
        ResourceKey(framed.finish())
    }
}

impl KeyRules {
    /// The request's partition: all values of the named fields and cookies, in the rules' order, absence included.
    pub fn partition(&self, headers: &HeaderMap) -> Partition {
        if self.headers.is_empty() && self.cookies.is_empty() {
            return Partition::WHOLE;
        }
        let mut framed = Framed::new();
        for name in &self.headers {
            framed.list(headers.get_all(name).iter().map(|value| value.as_bytes()));
        }
        for name in &self.cookies {
            framed.list(cookie_values(headers, name.as_bytes()));
        }
        Partition(framed.finish())
    }

    /// The query with the parameters gone that do not count and the others in order; `None` if nothing of it is left,
    /// which is then the same resource as without a query.
    fn counting<'a>(&self, query: &'a str) -> Option<Cow<'a, str>> {
        if self.ignore_query.is_empty() && self.keep_query.is_none() && !self.sort_query {
            return Some(Cow::Borrowed(query));
        }
        let mut kept: Vec<&str> = query.split('&').filter(|parameter| self.counts(name(parameter))).collect();
        if kept.is_empty() {
            return None;
        }
        if self.sort_query {
            kept.sort_by(|a, b| name(a).cmp(name(b)));
        }
        Some(Cow::Owned(kept.join("&")))
    }

    fn counts(&self, name: &str) -> bool {
        !self.ignore_query.is_match(name) && self.keep_query.as_ref().is_none_or(|kept| kept.is_match(name))
    }
}

fn name(parameter: &str) -> &str {
    parameter.split_once('=').map_or(parameter, |(name, _)| name)
}

fn lower_case(text: &str) -> Cow<'_, str> {
    match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => Cow::Borrowed(text),
    }
}

/// RFC 3986, section 6.2.3: an empty port and the scheme's default one are the same as none.
fn without_default_port<'a>(scheme: &str, host: &'a str) -> &'a str {
    let default = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => ":",
    };
    host.strip_suffix(default).or_else(|| host.strip_suffix(':')).unwrap_or(host)
}

/// Values of one cookie over all `Cookie` lines (HTTP/2 splits them: RFC 9113, section 8.2.3).
fn cookie_values<'a>(headers: &'a HeaderMap, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(header::COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).filter_map(
        move |pair| {
            let pair = pair.trim_ascii();
            let equals = pair.iter().position(|byte| *byte == b'=')?;
            (&pair[..equals] == name).then(|| &pair[equals + 1..])
        },
    )
}

/// Length before bytes, so that the parts cannot run into each other.
/// Gathered, then hashed in one call: a little faster than hashing part by part.
struct Framed(Vec<u8>);

impl Framed {
    /// No part is as long as this, so it can stand for "there is none".
    const ABSENT: u64 = u64::MAX;

    fn new() -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.push(VERSION);
        Self(bytes)
    }

    fn part(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn absent(&mut self) {
        self.0.extend_from_slice(&Self::ABSENT.to_le_bytes());
    }

    /// Values, then a mark that there are no more: `["a"], []` and `[], ["a"]` differ.
    fn list<'a>(&mut self, values: impl Iterator<Item = &'a [u8]>) {
        values.for_each(|value| self.part(value));
        self.absent();
    }

    fn finish(self) -> [u8; 16] {
        let mut key = [0; 16];
        key.copy_from_slice(&blake3::hash(&self.0).as_bytes()[..16]);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use globset::{Glob, GlobSetBuilder};
    use http::HeaderValue;
    use proptest::prelude::*;

    fn key(scheme: &str, host: &str, target: &str) -> ResourceKey {
        resource_key("", scheme, host, target, &KeyRules::default())
    }

    fn globs(names: &[&str]) -> GlobSet {
        let mut globs = GlobSetBuilder::new();
        for glob in names {
            globs.add(Glob::new(glob).unwrap());
        }
        globs.build().unwrap()
    }

    fn rules(ignore: &[&str], sort_query: bool) -> KeyRules {
        KeyRules { ignore_query: globs(ignore), sort_query, ..KeyRules::default() }
    }

    fn keeping(names: &[&str]) -> KeyRules {
        KeyRules { keep_query: Some(globs(names)), ..KeyRules::default() }
    }

    #[test]
    fn equivalent_authorities_share_a_key() {
        let plain = key("http", "example.com", "/");
        assert_eq!(plain, key("http", "EXAMPLE.com", "/"));
        assert_eq!(plain, key("http", "example.com:80", "/"));
        assert_eq!(plain, key("http", "example.com:", "/"));
        assert_eq!(key("https", "a", "/"), key("https", "a:443", "/"));
        assert_eq!(key("http", "[::1]", "/"), key("http", "[::1]:80", "/"));
    }

    #[test]
    fn different_requests_do_not() {
        let plain = key("http", "example.com", "/a");
        for other in [
            key("https", "example.com", "/a"),
            key("http", "example.com:443", "/a"),
            key("http", "example.com:8080", "/a"),
            key("http", "example.net", "/a"),
            key("http", "example.com", "/A"),
            key("http", "example.com", "/a/"),
            key("http", "example.com", "/a?"),
            key("http", "example.com", "/%61"),
            resource_key("2", "http", "example.com", "/a", &KeyRules::default()),
        ] {
            assert_ne!(plain, other);
        }
    }

    #[test]
    fn ignored_parameters_leave_no_trace() {
        let rules = rules(&["utm_*", "fbclid"], false);
        let of = |target| resource_key("", "http", "h", target, &rules);
        assert_eq!(of("/p"), of("/p?utm_source=x&fbclid=1"));
        assert_eq!(of("/p?a=1&b=2"), of("/p?utm_source=x&a=1&fbclid&b=2"));
        assert_ne!(of("/p?a=1&b=2"), of("/p?b=2&a=1"));
        assert_ne!(of("/p"), of("/p?utm=1"));
        assert_ne!(of("/p"), of("/p?"), "an empty query names no parameter to ignore");
    }

    #[test]
    fn only_kept_parameters_leave_a_trace() {
        let rules = keeping(&["id", "page*"]);
        let of = |target| resource_key("", "http", "h", target, &rules);
        assert_eq!(of("/p"), of("/p?session=7&x"));
        assert_eq!(of("/p"), of("/p?"), "an empty parameter is not kept");
        assert_eq!(of("/p?id=1&page_no=2"), of("/p?a=b&id=1&c&page_no=2&ID=3"));
        assert_ne!(of("/p?id=1"), of("/p?id=2"));
        assert_ne!(of("/p?id=1&page=2"), of("/p?page=2&id=1"));
        let none = keeping(&[]);
        assert_eq!(
            resource_key("", "http", "h", "/p?a=1", &none),
            resource_key("", "http", "h", "/p", &KeyRules::default())
        );
    }

    #[test]
    fn a_host_of_the_rules_stands_for_any() {
        let rules = KeyRules { host: Some("Shop.Example:80".into()), ..KeyRules::default() };
        let of = |host| resource_key("", "http", host, "/p", &rules);
        assert_eq!(of("www.shop.example"), of("shop.example:8080"));
        assert_eq!(of("a"), key("http", "shop.example", "/p"));
        assert_ne!(of("a"), resource_key("", "https", "a", "/p", &rules));
    }

    #[test]
    fn the_parts_say_what_counts() {
        let rules = rules(&["utm_*"], true);
        let parts = KeyParts::of("7", "http", "Shop.Example:80", "/p?b=1&utm_x=2&a=3", &rules);
        assert_eq!((&*parts.host, parts.path, parts.query.as_deref()), ("shop.example", "/p", Some("a=3&b=1")));
        assert_eq!(parts.key(), resource_key("7", "http", "shop.example", "/p?a=3&b=1", &KeyRules::default()));
    }

    #[test]
    fn sorting_keeps_lists_in_order() {
        let rules = rules(&[], true);
        let of = |target| resource_key("", "http", "h", target, &rules);
        assert_eq!(of("/?b=1&a=2&a=1"), of("/?a=2&b=1&a=1"));
        assert_ne!(of("/?a=1&a=2"), of("/?a=2&a=1"));
    }

    #[test]
    fn rules_without_effect_do_not_change_the_key() {
        let rules = rules(&["x"], true);
        assert_eq!(
            resource_key("g", "http", "h", "/p?a=1&b=2", &rules),
            resource_key("g", "http", "h", "/p?a=1&b=2", &KeyRules::default())
        );
    }

    #[test]
    fn partitions_follow_the_named_fields_and_cookies_only() {
        let rules = KeyRules {
            headers: vec![HeaderName::from_static("x-tenant")],
            cookies: vec!["lang".into()],
            ..KeyRules::default()
        };
        let of = |fields: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, HeaderValue::from_static(value));
            }
            rules.partition(&headers)
        };
        let german = of(&[("x-tenant", "a"), ("cookie", "sid=1; lang=de")]);
        assert_eq!(german, of(&[("x-tenant", "a"), ("cookie", "sid=2"), ("cookie", "lang=de")]));
        assert_ne!(german, of(&[("x-tenant", "a"), ("cookie", "lang=en")]));
        assert_ne!(german, of(&[("x-tenant", "b"), ("cookie", "lang=de")]));
        assert_ne!(german, of(&[("x-tenant", "a")]));
        assert_ne!(of(&[]), of(&[("x-tenant", "")]), "empty is not absent");
        assert_eq!(KeyRules::default().partition(&HeaderMap::new()), Partition::WHOLE);
        assert_ne!(german.split_by(b"a"), german.split_by(b"b"));
        assert_ne!(german.split_by(b"a"), Partition::WHOLE.split_by(b"a"));
    }

    proptest! {
        /// Cut one string into parts in two ways: equal keys mean equal cuts.
        #[test]
        fn framing_is_injective(
            text in "[a-c/?&=]{0,12}",
            cuts in proptest::collection::vec(0usize..=12, 6),
        ) {
            let cut = |at: &[usize]| {
                let mut at: Vec<usize> = at.iter().map(|i| i % (text.len() + 1)).collect();
                at.sort_unstable();
                [&text[..at[0]], &text[at[0]..at[1]], &text[at[1]..at[2]], &text[at[2]..]].map(str::to_owned)
            };
            let (one, two) = (cut(&cuts[..3]), cut(&cuts[3..]));
            let of = |p: &[String; 4]| resource_key(&p[0], &p[1], &p[2], &p[3], &KeyRules::default());
            prop_assert_eq!(of(&one) == of(&two), one == two);
        }

        #[test]
        fn sorted_keys_ignore_order_of_distinct_names(
            mut pairs in proptest::collection::btree_map("[a-z]{1,4}", "[a-z0-9=]{0,4}", 1..6)
                .prop_map(|map| map.into_iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>()),
            seed in any::<u64>(),
        ) {
            let rules = rules(&[], true);
            let sorted = resource_key("", "http", "h", &format!("/?{}", pairs.join("&")), &rules);
            let turn = seed as usize % pairs.len();
            pairs.rotate_left(turn);
            prop_assert_eq!(sorted, resource_key("", "http", "h", &format!("/?{}", pairs.join("&")), &rules));
        }

        #[test]
        fn ignoring_equals_removing(
            parameters in proptest::collection::vec(("(utm_)?[a-z]{1,3}", "[a-z0-9]{0,3}"), 1..8),
        ) {
            let rules = rules(&["utm_*"], false);
            let join = |keep: &dyn Fn(&str) -> bool| parameters.iter()
                .filter(|(name, _)| keep(name))
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>().join("&");
            let without = join(&|name| !name.starts_with("utm_"));
            let plain = if without.is_empty() { "/p".to_owned() } else { format!("/p?{without}") };
            prop_assert_eq!(
                resource_key("", "http", "h", &format!("/p?{}", join(&|_| true)), &rules),
                resource_key("", "http", "h", &plain, &KeyRules::default())
            );
        }

        #[test]
        fn keeping_is_ignoring_the_others(
            parameters in proptest::collection::vec(("(keep_)?[a-z]{1,3}", "[a-z0-9]{0,3}"), 1..8),
        ) {
            let query = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
            let others = parameters.iter().map(|(name, _)| name.as_str()).filter(|name| !name.starts_with("keep_"));
            let ignoring = rules(&others.collect::<Vec<_>>(), false);
            let target = format!("/p?{query}");
            prop_assert_eq!(
                resource_key("", "http", "h", &target, &keeping(&["keep_*"])),
                resource_key("", "http", "h", &target, &ignoring)
            );
        }

        #[test]
        fn hosts_and_targets_of_any_shape_have_a_key(host in ".{0,40}", target in ".{0,80}") {
            let rules = rules(&["*"], true);
            let _ = resource_key("", "http", &host, &target, &rules);
        }
    }
}
