//! `POST /purge`: what is to go, how, and what came of it.
//!
//! Named by URL, by prefix of URLs, by tag, by host, or everything; several at a time. Removed, or left in place as stale
//! (`soft`), or only counted (`dry_run`). In the query for a command line, in a JSON body for a program.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use http::{StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::Peer;
use super::query::parameters;
use super::reply::{self, Reply};
use crate::cache::Effect;
use crate::metrics::label::Label;
use crate::metrics::{Metrics, PurgeResult, PurgeScope};

/// The part of the cache that purging needs; whoever owns the cache gives it at construction.
pub trait Purge: Send + Sync {
    /// Every representation of what `target` names. The error is for the operator.
    fn purge(&self, target: &Target, effect: Effect) -> Result<Purged, String>;
}

/// What was removed, expired or counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    pub objects: u64,
    pub bytes: u64,
}

/// What is to be purged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Absolute: the host is part of the key.
    Url(Uri),
    /// The first part of absolute URLs, as text; it names a host.
    Prefix {
        scheme: String,
        authority: String,
        rest: String,
    },
    Tag(String),
    Host(String),
    Everything,
}

/// A purge request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub targets: Vec<Target>,
    pub effect: Effect,
}

/// A thousand URLs of usual length; anything longer is none of ours.
pub const LONGEST_BODY: usize = 256 * 1024;
/// Of one request. Each is remembered for as long as a fetch may be under way.
const MOST_TARGETS: usize = 1000;
/// What no app sends as a tag.
const LONGEST_TAG: usize = 1024;

const HOW_TO_ASK: &str = "say what to purge: POST /purge?url=http://host/path, or tag=, prefix=http://host/path, host=, everything=true; \
                          soft=true leaves it in place as stale, dry_run=true only counts; or the same names in a JSON body";

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    url: Several,
    prefix: Several,
    tag: Several,
    host: Several,
    everything: bool,
    soft: bool,
    dry_run: bool,
}

/// One, or a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Several {
    One(String),
    Many(Vec<String>),
}

impl Default for Several {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Several {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }

    fn push(&mut self, more: String) {
        let mut all = std::mem::take(self).into_vec();
        all.push(more);
        *self = Self::Many(all);
    }
}

impl Order {
    /// The order in a request's query or body. The error says how to ask.
    pub fn read(query: &str, body: &[u8]) -> Result<Self, String> {
        let in_body = !body.trim_ascii().is_empty();
        match (query.is_empty(), in_body) {
            (false, true) => Err("half of it is in the query and half in the body: use one of the two".to_owned()),
            (_, false) => Body::of_query(query)?.order(),
            (true, true) => serde_json::from_slice::<Body>(body)
                .map_err(|error| format!("the body is not {{\"url\": \"http://host/path\"}} or alike: {error}"))?
                .order(),
        }
    }
}

impl Body {
    fn of_query(query: &str) -> Result<Self, String> {
        let known = ["url", "prefix", "tag", "host", "everything", "soft", "dry_run"];
        let mut body = Self::default();
        for (name, value) in parameters(query, &known).map_err(|problem| problem.to_string())? {
            match name.as_str() {
                "url" => body.url.push(value),
                "prefix" => body.prefix.push(value),
                "tag" => body.tag.push(value),
                "host" => body.host.push(value),
                "everything" => body.everything = flag(&name, &value)?,
                "soft" => body.soft = flag(&name, &value)?,
                _ => body.dry_run = flag(&name, &value)?,
            }
        }
        Ok(body)
    }

    fn order(self) -> Result<Order, String> {
        let mut targets = Vec::new();
        for url in self.url.into_vec() {
            targets.push(Target::Url(absolute(&url)?));
        }
        for prefix in self.prefix.into_vec() {
            targets.push(prefix_of(&prefix)?);
        }
        for tag in self.tag.into_vec() {
            targets.push(Target::Tag(tag_of(tag)?));
        }
        for host in self.host.into_vec() {
            targets.push(Target::Host(host_of(&host)?));
        }
        match (targets.len(), self.everything) {
            (0, true) => targets.push(Target::Everything),
            (0, false) => return Err(HOW_TO_ASK.to_owned()),
            (_, true) => return Err("`everything` covers the rest: ask for it alone".to_owned()),
            (many, false) if many > MOST_TARGETS => {
                return Err(format!("{many} at a time are too many: send at most {MOST_TARGETS}, or purge by tag"));
            }
            _ => {}
        }
        let effect = match (self.dry_run, self.soft) {
            (true, _) => Effect::Count,
            (false, true) => Effect::Expire,
            (false, false) => Effect::Remove,
        };
        Ok(Order { targets, effect })
    }
}

fn flag(name: &str, value: &str) -> Result<bool, String> {
    match value {
        "true" | "1" | "" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(format!("`{name}={value}`: write {name}=true or {name}=false")),
    }
}

/// The host is part of the key, so a path alone does not name a resource.
fn absolute(url: &str) -> Result<Uri, String> {
    let uri: Uri = url.parse().map_err(|error| format!("`{url}` is no URL: {error}"))?;
    match uri.scheme_str() {
        Some("http" | "https") if uri.authority().is_some() => Ok(uri),
        _ => Err(format!("`{url}` is not absolute: write http://host/path, with the host that clients ask for")),
    }
}

/// `http://host/path`, with or without a `*` at its end.
fn prefix_of(text: &str) -> Result<Target, String> {
    let wrong = || format!("`{text}` is no prefix of URLs: write http://host/path, with the host that clients ask for");
    let prefix = text.strip_suffix('*').unwrap_or(text);
    let (scheme, after) = prefix.split_once("://").ok_or_else(wrong)?;
    let (authority, rest) = after.find('/').map(|at| after.split_at(at)).ok_or_else(wrong)?;
    let scheme = scheme.to_ascii_lowercase();
    match scheme.as_str() {
        "http" | "https" if !authority.is_empty() && !rest.contains('*') => {
            Ok(Target::Prefix { scheme, authority: authority.to_owned(), rest: rest.to_owned() })
        }
        _ => Err(wrong()),
    }
}

fn tag_of(tag: String) -> Result<String, String> {
    match tag.trim() {
        "" => Err("a tag is empty".to_owned()),
        long if long.len() > LONGEST_TAG => Err(format!("a tag has more than {LONGEST_TAG} bytes")),
        trimmed => Ok(trimmed.to_owned()),
    }
}

fn host_of(host: &str) -> Result<String, String> {
    let ordinary = !host.is_empty() && !host.contains(['/', '*', '?', ' ']);
    if ordinary { Ok(host.to_ascii_lowercase()) } else { Err(format!("`{host}` is no host: write shop.example")) }
}

impl Target {
    fn scope(&self) -> PurgeScope {
        match self {
            Self::Url(_) => PurgeScope::Url,
            Self::Prefix { .. } => PurgeScope::Prefix,
            Self::Tag(_) => PurgeScope::Tag,
            Self::Host(_) => PurgeScope::Host,
            Self::Everything => PurgeScope::Everything,
        }
    }

    /// As it was asked for.
    fn to_json(&self) -> Value {
        match self {
            Self::Everything => json!({ "everything": true }),
            Self::Url(_) => json!({ "url": self.to_string() }),
            Self::Prefix { .. } => json!({ "prefix": self.to_string() }),
            Self::Tag(tag) => json!({ "tag": tag }),
            Self::Host(host) => json!({ "host": host }),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => url.fmt(f),
            Self::Prefix { scheme, authority, rest } => write!(f, "{scheme}://{authority}{rest}"),
            Self::Tag(name) | Self::Host(name) => f.write_str(name),
            Self::Everything => f.write_str("everything"),
        }
    }
}

/// Purges, counts and logs. May take a while: not for a thread that serves.
pub fn run(cache: &Arc<dyn Purge>, order: &Order, peer: Peer, metrics: &Metrics) -> Reply {
    let began = Instant::now();
    let mut sum = Purged::default();
    let mut each = Vec::new();
    for target in &order.targets {
        match cache.purge(target, order.effect) {
            Ok(purged) => {
                sum = Purged { objects: sum.objects + purged.objects, bytes: sum.bytes + purged.bytes };
                each.push(told(target, order.effect, purged, peer, metrics));
            }
            Err(error) => {
                metrics.cache.purge(PurgeResult::Failed);
                tracing::error!(%target, %peer, error, "purge failed");
                let message =
                    format!("purge of {target} failed, nothing is known of it or of what follows it: {error}");
                return reply::refusal(StatusCode::INTERNAL_SERVER_ERROR, message);
            }
        }
    }
    metrics.cache.purge(if sum.objects == 0 { PurgeResult::Nothing } else { PurgeResult::Purged });
    let body = json!({
        "purged": sum.objects,
        "bytes": sum.bytes,
        "mode": word(order.effect),
        "milliseconds": began.elapsed().as_secs_f64() * 1000.0,
        "targets": each,
    });
    reply::json(StatusCode::OK, &body)
}

/// One line of the log, and its part of the answer.
fn told(target: &Target, effect: Effect, purged: Purged, peer: Peer, metrics: &Metrics) -> Value {
    let (scope, mode) = (target.scope(), word(effect));
    if effect != Effect::Count {
        metrics.cache.purged(scope, purged.objects);
    }
    let kind = scope.label();
    tracing::info!(%target, scope = kind, mode, %peer, objects = purged.objects, bytes = purged.bytes, "purged");
    let mut told = target.to_json();
    told["purged"] = json!(purged.objects);
    told["bytes"] = json!(purged.bytes);
    told
}

/// The mode, in the log and in the answer.
pub const fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Remove => "hard",
        Effect::Expire => "soft",
        Effect::Count => "dry-run",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(query: &str, body: &[u8]) -> Vec<String> {
        let order = Order::read(query, body).unwrap_or_else(|error| panic!("{query}: {error}"));
        order.targets.iter().map(|target| target.to_json().to_string()).collect()
    }

    #[test]
    fn what_to_purge_comes_from_the_query_or_the_body() {
        assert_eq!(targets("url=http://h.example/p?a=1", b""), [r#"{"url":"http://h.example/p?a=1"}"#]);
        assert_eq!(targets("", br#" {"url": "http://h.example/p"} "#), [r#"{"url":"http://h.example/p"}"#]);
        assert_eq!(targets("tag=a&tag=b&host=H", b""), [r#"{"tag":"a"}"#, r#"{"tag":"b"}"#, r#"{"host":"h"}"#]);
        assert_eq!(targets("", br#"{"tag": ["a", "b"]}"#), [r#"{"tag":"a"}"#, r#"{"tag":"b"}"#]);
        assert_eq!(targets("prefix=HTTP://h/blog/*", b""), [r#"{"prefix":"http://h/blog/"}"#]);
        assert_eq!(targets("everything=true", b""), [r#"{"everything":true}"#]);
        assert_eq!(targets("", br#"{"everything": true}"#), [r#"{"everything":true}"#]);
    }

    #[test]
    fn how_is_hard_unless_it_says_otherwise() {
        let effect = |query: &str| Order::read(query, b"").map(|order| order.effect);
        assert_eq!(effect("tag=a"), Ok(Effect::Remove));
        assert_eq!(effect("tag=a&soft=true"), Ok(Effect::Expire));
        assert_eq!(effect("tag=a&soft=false"), Ok(Effect::Remove));
        assert_eq!(effect("tag=a&soft&dry_run=1"), Ok(Effect::Count));
    }

    #[test]
    fn mistakes_are_explained() {
        let cases: [(&str, &[u8], &str); 16] = [
            ("", b"", "say what to purge"),
            ("soft=true", b"", "say what to purge"),
            ("url=http://h/p", br#"{"url":"http://h/p"}"#, "half of it"),
            ("url=/p", b"", "not absolute"),
            ("url=h.example/p", b"", "`h.example/p`"),
            ("url=ftp://h/p", b"", "not absolute"),
            ("url=", b"", "no URL"),
            ("link=x", b"", "unknown parameter `link`"),
            ("url=http://h/p?a=1&b=2", b"", "unknown parameter `b`"),
            ("", b"http://h/p", "the body is not"),
            ("", br#"{"url":"http://h/p","gentle":true}"#, "unknown field `gentle`"),
            ("tag=", b"", "empty"),
            ("prefix=/blog", b"", "no prefix"),
            ("prefix=http://h/*/x", b"", "no prefix"),
            ("host=http://h/", b"", "no host"),
            ("everything=true&tag=a", b"", "alone"),
        ];
        for (query, body, told) in cases {
            let message = Order::read(query, body).expect_err(query);
            assert!(message.contains(told), "{query}: {message}");
        }
        assert!(Order::read("soft=maybe&tag=a", b"").expect_err("no").contains("soft=true"));
        let many = format!("{{\"tag\": [{}]}}", vec!["\"a\""; MOST_TARGETS + 1].join(","));
        assert!(Order::read("", many.as_bytes()).expect_err("too many").contains("at most"));
    }
}
