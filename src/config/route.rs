//! Routes, resolved: what a `[[route]]` leaves out comes from the tables above it.
//!
//! Tables merge key by key, lists and the operator's own maps are replaced - but for response fields, where
//! `[headers]` holds for every response and a route adds to it.

use std::sync::Arc;

use globset::{Glob, GlobMatcher, GlobSet, GlobSetBuilder};
use http::{HeaderName, HeaderValue};

use super::form;
use super::keys::{Key, ROOT};
use super::settings::{Settings, parsed};
use super::source::Origin;
use super::tree::{Node, Table, Value};
use crate::cache::KeyRules;
use crate::cdn::HeaderRules;
use crate::encode::{Levels, Live};
use crate::header::Coding;
use crate::header::media_type::Pattern;
use crate::metrics::{Label, Priority};
use crate::negotiate::{Breach, Offer};
use crate::policy::normalise::{DeviceRule, Languages, Mapping, Normalise};
use crate::policy::{Rules, SetCookie};
use crate::proxy::{Matcher, RequestHeaderRules, Route, Routes};

/// The name of the route that takes what no other does.
pub const DEFAULT: &str = "default";

/// Every route of a completed table, the default one last.
pub(super) fn routes(table: &Table) -> Routes {
    let written = table.tables("route").into_iter();
    Routes {
        listed: written.map(|(route, _)| Arc::new(resolve(table, route))).collect(),
        fallback: Arc::new(resolve(table, &Table::default())),
    }
}

/// A route's tables with everything they inherit.
pub(super) fn effective(table: &Table, route: &Table) -> Table {
    let keys = ROOT.iter().find(|key| key.name == "route").and_then(|key| key.kind.keys()).unwrap_or_default();
    let mut whole = Table::default();
    for name in ["cache", "compression"] {
        whole.put(name, inherited(table, name, keys));
    }
    // Of [headers] only this one is a value; the fields themselves are added up below.
    let mut headers = Table::default();
    headers.put("strip_edge", Settings(table).section("headers").node("strip_edge").clone());
    whole.put("headers", Node { value: Value::Table(headers), origin: Origin::Default });
    whole.overlay(route, keys);
    whole.complete(keys);
    whole
}

fn inherited(table: &Table, name: &str, keys: &'static [Key]) -> Node {
    let node = Settings(table).node(name);
    let inner = keys.iter().find(|key| key.name == name).and_then(|key| key.kind.keys()).unwrap_or_default();
    let above = Settings(table).section(name).0.known(inner);
    Node { value: Value::Table(above), origin: node.origin.clone() }
}

fn resolve(table: &Table, route: &Table) -> Route {
    let whole = effective(table, route);
    let (all, own) = (Settings(table), Settings(&whole));
    let cache = own.section("cache");
    let offer = offer(own.section("compression"));
    Route {
        name: own.optional("name").and_then(Node::text).unwrap_or(DEFAULT).to_owned(),
        matcher: matcher(own.section("match")),
        priority: priority(own),
        codings: offer.codings.as_slice().into(),
        offer,
        live: live(own.section("compression")),
        cache: cache_rules(cache, all.section("cache").list("targets")),
        key: key_rules(cache.section("key")),
        normalise: normalise(cache.section("normalise")),
        headers: header_rules(all.section("headers"), own.section("headers")),
        request_headers: request_headers(own.section("request_headers")),
    }
}

/// One of the key table's words. The route that takes what no other does is not written, and has the default.
fn priority(own: Settings<'_>) -> Priority {
    let word = own.optional("priority").and_then(Node::text);
    Priority::ALL.iter().copied().find(|priority| Some(priority.label()) == word).unwrap_or(Priority::Normal)
}

fn matcher(condition: Settings<'_>) -> Matcher {
    Matcher {
        paths: condition.texts("path").filter_map(|path| form::glob(path, true).ok()).collect(),
        methods: condition.list("method"),
        hosts: condition.texts("host").filter_map(host).collect(),
    }
}

fn host(pattern: &str) -> Option<GlobMatcher> {
    form::glob(&pattern.to_ascii_lowercase(), false).ok()
}

fn offer(compression: Settings<'_>) -> Offer {
    let coding = |word: &str| match word {
        "br" => Coding::Brotli,
        "zstd" => Coding::Zstd,
        _ => Coding::Gzip,
    };
    Offer {
        enabled: compression.flag("enabled"),
        codings: compression.texts("algorithms").map(coding).collect(),
        min_size: compression.size("min_size"),
        types: compression.list::<Pattern>("types").into_iter().collect(),
        transcode: compression.flag("transcode"),
        breach: match compression.text("breach") {
            "pad" => Breach::Pad,
            "no-compression" => Breach::NoCompression,
            _ => Breach::Off,
        },
    }
}

fn live(compression: Settings<'_>) -> Live {
    if compression.node("live").text().is_some() {
        return Live::Auto;
    }
    let levels = compression.section("live");
    Live::Fixed(Levels { brotli: levels.integer("br"), zstd: levels.integer("zstd"), gzip: levels.integer("gzip") })
}

fn cache_rules(cache: Settings<'_>, targets: Vec<HeaderName>) -> Rules {
    let stale = cache.section("serve_stale");
    let negative = cache.entries("negative").into_iter();
    Rules {
        enabled: cache.flag("enabled"),
        default_ttl: cache.time("default_ttl"),
        ttl: cache.optional("ttl").and_then(Node::time),
        override_app: cache.flag("override"),
        set_cookie: set_cookie(cache.text("set_cookie")),
        stale_while_revalidate: stale.time("while_revalidating"),
        stale_if_error: stale.time("on_error"),
        stale_limit: stale.time("limit"),
        heuristic: cache.flag("heuristic"),
        negative: negative.filter_map(|(status, node)| Some((parsed(status), node.time()?))).collect(),
        targets,
    }
}

/// One of the key table's words.
fn set_cookie(word: &str) -> SetCookie {
    match word {
        "strip" => SetCookie::Strip,
        "keep" => SetCookie::Keep,
        _ => SetCookie::Refuse,
    }
}

fn key_rules(key: Settings<'_>) -> KeyRules {
    KeyRules {
        host: key.optional("host").and_then(Node::text).map(str::to_owned),
        ignore_query: globs(key, "ignore_query"),
        keep_query: key.optional("keep_query").map(|_| globs(key, "keep_query")),
        sort_query: key.flag("sort_query"),
        headers: key.list("headers"),
        cookies: key.list("cookies"),
    }
}

/// Each list was checked, element by element, as what it becomes here.
fn normalise(rules: Settings<'_>) -> Normalise {
    let mut fields: Vec<(HeaderName, Vec<&str>)> = Vec::new();
    for (name, node) in rules.entries("fields") {
        let (name, value): (HeaderName, _) = (parsed(name), node.text().unwrap_or_default());
        match fields.last_mut().filter(|(last, _)| *last == name) {
            Some((_, values)) => values.push(value),
            None => fields.push((name, vec![value])),
        }
    }
    let fields = fields.into_iter().filter_map(|(name, values)| Some((name, Mapping::new(values).ok()?)));
    Normalise {
        languages: Languages::new(rules.texts("accept_language").map(str::to_owned).collect()),
        device: match rules.text("device_class") {
            "header" => DeviceRule::Header,
            "user-agent" => DeviceRule::UserAgent,
            _ => DeviceRule::Off,
        },
        fields: fields.collect(),
    }
}

fn globs(key: Settings<'_>, name: &str) -> GlobSet {
    let mut globs = GlobSetBuilder::new();
    for glob in key.list::<Glob>(name) {
        globs.add(glob);
    }
    globs.build().unwrap_or_else(|_| GlobSet::empty())
}

fn header_rules(all: Settings<'_>, own: Settings<'_>) -> HeaderRules {
    let (own_set, own_add) = (fields(own, "set"), fields(own, "add"));
    let mut set = fields(all, "set");
    set.retain(|(name, _)| !names(&own_set).any(|own| own == name));
    // A removal has the last word, but not that of [headers] over what the route itself writes.
    let mut remove: Vec<HeaderName> = all.list("remove");
    remove.retain(|name| !names(&own_set).chain(names(&own_add)).any(|own| own == name));
    remove.extend(own.list::<HeaderName>("remove"));
    set.extend(own_set);
    HeaderRules {
        browser: own.optional("browser").and_then(Node::time),
        cdn: own.optional("cdn").and_then(Node::time),
        cdn_field: own.parsed("cdn_field"),
        tags: own.list("tags"),
        tag_field: own.parsed("tag_field"),
        strip_edge: own.flag("strip_edge"),
        set,
        add: fields(all, "add").into_iter().chain(own_add).collect(),
        remove,
    }
}

fn request_headers(own: Settings<'_>) -> RequestHeaderRules {
    RequestHeaderRules { set: fields(own, "set"), remove: own.list("remove") }
}

fn fields(table: Settings<'_>, name: &str) -> Vec<(HeaderName, HeaderValue)> {
    let entries = table.entries(name).into_iter();
    entries.filter_map(|(name, node)| Some((parsed(name), value(node)?))).collect()
}

fn names(fields: &[(HeaderName, HeaderValue)]) -> impl Iterator<Item = &HeaderName> {
    fields.iter().map(|(name, _)| name)
}

fn value(node: &Node) -> Option<HeaderValue> {
    let Value::Text { text, written } = &node.value else {
        return None;
    };
    let mut value =
        HeaderValue::from_bytes(text.as_bytes()).expect("a field value's form was checked when it was read");
    // From the environment it is a credential more often than not: out of logs, out of HPACK's table.
    value.set_sensitive(written.is_some());
    Some(value)
}
