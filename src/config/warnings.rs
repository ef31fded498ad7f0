//! What works, though hardly as it was meant.

use std::time::Duration;

use super::checks::covers;
use super::conflict::Conflict;
use super::problem::{Problem, Why};
use super::route;
use super::settings::Settings;
use super::source::Origin;
use super::tree::{Node, Table, Value};
use super::typed::{BudgetSource, Config};
use crate::units::{ByteSize, Span};
use crate::upstream::Trust;

/// The end of a pod's grace, for what happens around us.
const AROUND: Duration = Duration::from_secs(5);

/// Fields of which almost every client sends its own value.
const PERSONAL: [&str; 4] = ["cookie", "authorization", "user-agent", "x-forwarded-for"];

pub(super) fn warnings(table: &Table, config: &Config) -> Vec<Problem> {
    let mut found = Vec::new();
    drain(table, config, &mut found);
    memory(table, config, &mut found);
    trust(table, config, &mut found);
    personal(Settings(table).section("cache"), "cache", &mut found);
    let routes = table.tables("route");
    for (index, (route, _)) in routes.iter().enumerate() {
        let path = format!("route[{index}]");
        caching(table, route, &path, &mut found);
        let earlier = routes[..index].iter().find(|(other, _)| shadows(other, route));
        if let (Some((other, _)), Some(node)) = (earlier, route.at("match")) {
            let by = other
                .at("name")
                .and_then(Node::text)
                .map_or("an earlier route".into(), |name| format!("route \"{name}\""));
            found.push(warn(&format!("{path}.match"), node, Conflict::Unreachable { by }));
        }
    }
    found
}

fn drain(table: &Table, config: &Config, found: &mut Vec<Problem>) {
    let (total, grace) = (config.runtime.drain_delay + config.runtime.drain_limit, config.runtime.grace);
    let written = ["runtime.drain_limit", "runtime.drain_delay", "runtime.grace"]
        .into_iter()
        .filter_map(|path| Some((path, table.at(path)?)))
        .find(|(_, node)| !matches!(node.origin, Origin::Default));
    if let (true, Some((path, node))) = (total + AROUND > grace, written) {
        let (total, grace) = (Span(total).to_string(), Span(grace).to_string());
        found.push(warn(path, node, Conflict::DrainBeyondGrace { total, grace }));
    }
}

fn memory(table: &Table, config: &Config, found: &mut Vec<Problem>) {
    let budget = config.memory.budget;
    if let (true, Some(node)) = (config.cache.max_object > budget, table.at("cache.max_object")) {
        let budget = ByteSize(budget).to_string();
        found.push(warn("cache.max_object", node, Conflict::ObjectBeyondBudget { budget }));
    }
    if let (BudgetSource::Fixed, Some(limit), Some(node)) =
        (config.memory.source, config.memory.limit, table.at("memory.budget"))
        && budget > limit / 10 * 9
    {
        let limit = ByteSize(limit).to_string();
        found.push(warn("memory.budget", node, Conflict::BudgetBeyondLimit { limit }));
    }
}

fn trust(table: &Table, config: &Config, found: &mut Vec<Problem>) {
    let without = ["server_name", "ca", "client_certificate"].iter().find_map(|name| {
        let key = format!("upstream.tls.{name}");
        table.at(&key).filter(|_| config.upstream.tls.is_none()).map(|node| (key, node))
    });
    if let Some((key, node)) = without {
        found.push(warn(&key, node, Conflict::TlsWithoutHttps));
    }
    let (key, danger) = match config.upstream.tls.as_ref().map(|tls| tls.trust) {
        Some(Trust::AnyCertificate) => ("upstream.tls.dangerously_accept_any_certificate", Conflict::AnyCertificate),
        Some(Trust::AnyName) => ("upstream.tls.dangerously_accept_any_name", Conflict::AnyName),
        Some(Trust::Verified) | None => return,
    };
    if let Some(node) = table.at(key) {
        found.push(warn(key, node, danger));
    }
}

fn caching(table: &Table, route: &Table, path: &str, found: &mut Vec<Problem>) {
    let whole = route::effective(table, route);
    let (cache, headers) = (Settings(&whole).section("cache"), Settings(&whole).section("headers"));
    if let Some(node) = route.at("cache.ttl") {
        let reads = Settings(&whole).section("match").texts("method").any(|method| matches!(method, "GET" | "HEAD"));
        let any = Settings(&whole).section("match").texts("method").next().is_none();
        if !cache.flag("enabled") {
            found.push(warn(&format!("{path}.cache.ttl"), node, Conflict::CacheDisabled));
        } else if !reads && !any {
            found.push(warn(&format!("{path}.cache.ttl"), node, Conflict::NeverReadMethod));
        }
    } else if let Some(node) = route.at("cache.override").filter(|node| matches!(node.value, Value::Bool(true))) {
        found.push(warn(&format!("{path}.cache.override"), node, Conflict::OverrideWithoutTtl));
    }
    if let (Some(node), true) = (headers.optional("cdn"), headers.flag("strip_edge")) {
        let field = headers.text("cdn_field").to_owned();
        found.push(warn(&format!("{path}.headers.cdn"), node, Conflict::StripsItsOwn { field }));
    }
    if let Some(Node { value: Value::Table(cache), .. }) = route.at("cache")
        && cache.at("key.headers").is_some()
    {
        personal(Settings(cache), &format!("{path}.cache"), found);
    }
}

fn personal(cache: Settings<'_>, path: &str, found: &mut Vec<Problem>) {
    let Some(Node { value: Value::List(fields), .. }) = cache.0.at("key.headers") else {
        return;
    };
    for node in fields {
        let field = node.text().unwrap_or_default();
        if PERSONAL.iter().any(|personal| personal.eq_ignore_ascii_case(field)) {
            found.push(warn(&format!("{path}.key.headers"), node, Conflict::PersonalKey { field: field.into() }));
        }
    }
}

/// Whether every request of `route` is one of `other`, which comes first.
fn shadows(other: &Table, route: &Table) -> bool {
    let conditions = |table: &Table, name: &str| -> Vec<String> {
        match table.at(&format!("match.{name}")) {
            Some(Node { value: Value::List(nodes), .. }) => {
                nodes.iter().filter_map(|node| node.text().map(str::to_owned)).collect()
            }
            _ => Vec::new(),
        }
    };
    let within = |name: &str, covers: &dyn Fn(&str, &str) -> bool| {
        let (wide, narrow) = (conditions(other, name), conditions(route, name));
        wide.is_empty() || (!narrow.is_empty() && narrow.iter().all(|n| wide.iter().any(|w| covers(w, n))))
    };
    within("path", &covers)
        && within("method", &|a, b| a == b)
        && within("host", &|a, b| a.eq_ignore_ascii_case(b) || a == "*")
}

fn warn(key: &str, node: &Node, conflict: Conflict) -> Problem {
    Problem { key: key.into(), why: Why::Conflict(conflict), origin: node.origin.clone() }
}
