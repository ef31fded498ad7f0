//! Values that are right alone and wrong together.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::conflict::Conflict;
use super::form::glob;
use super::kind::Form;
use super::problem::{Problem, Why};
use super::source::Origin;
use super::tree::{Node, Table, Value};
use crate::admin::Token;
use crate::metrics::config::Buckets;
use crate::upstream::Address;

/// What stands in the way, over a completed table. `known` are the problems with single values: what they left out
/// is not missed a second time.
pub(super) fn problems(table: &Table, known: &[Problem]) -> Vec<Problem> {
    let mut found = Vec::new();
    routes(table, &mut found);
    queries(table, "cache.key", "cache.key", &mut found);
    found.retain(|problem| {
        !matches!(problem.why, Why::Conflict(Conflict::NothingToMatch))
            || !known.iter().any(|other| other.key.starts_with(&problem.key))
    });
    addresses(table, &mut found);
    upstream_tls(table, &mut found);
    buckets(table, &mut found);
    if let (Some(_), Some(node)) = (table.at("admin.token"), table.at("admin.token_file")) {
        found.push(conflict("admin.token_file", node, Conflict::TwoTokens));
    }
    found
}

/// The admin token, from wherever it is.
pub(super) fn token(table: &Table) -> Result<Option<Token>, Box<Problem>> {
    if let Some(text) = table.at("admin.token").and_then(Node::text) {
        return Ok(Token::new(text));
    }
    let Some(node) = table.at("admin.token_file") else {
        return Ok(None);
    };
    let path = node.text().unwrap_or_default();
    let refuse = |error: String| {
        let why = Conflict::TokenFile { path: path.into(), error };
        Box::new(conflict("admin.token_file", node, why))
    };
    let text = fs::read_to_string(Path::new(path)).map_err(|error| refuse(error.to_string()))?;
    let text = text.trim_end();
    match Form::Secret.check(text) {
        Ok(()) => Ok(Token::new(text)),
        Err(refusal) => Err(refuse(refusal.why.into())),
    }
}

fn routes(table: &Table, found: &mut Vec<Problem>) {
    let mut names: Vec<&Node> = Vec::new();
    for (index, (route, _)) in table.tables("route").into_iter().enumerate() {
        if let Some(node) = route.at("name") {
            let name = node.text().unwrap_or_default();
            match names.iter().find(|other| other.text() == Some(name)) {
                Some(first) => found.push(Problem {
                    key: format!("route[{index}].name"),
                    why: Why::Duplicate { got: name.into(), first: first.origin.to_string() },
                    origin: node.origin.clone(),
                }),
                None => names.push(node),
            }
        }
        if let Some(node @ Node { value: Value::Table(condition), .. }) = route.at("match")
            && condition.0.values().all(|node| matches!(&node.value, Value::List(list) if list.is_empty()))
        {
            found.push(conflict(&format!("route[{index}].match"), node, Conflict::NothingToMatch));
        }
        queries(route, "cache.key", &format!("route[{index}].cache.key"), found);
    }
}

/// A list of what counts and one of what does not, in one table. A route may have one and inherit the other.
fn queries(table: &Table, path: &str, key: &str, found: &mut Vec<Problem>) {
    let ignores = table.at(&format!("{path}.ignore_query"));
    let ignores = ignores.is_some_and(|node| matches!(&node.value, Value::List(list) if !list.is_empty()));
    if let (true, Some(node)) = (ignores, table.at(&format!("{path}.keep_query"))) {
        found.push(conflict(&format!("{key}.keep_query"), node, Conflict::KeepAndIgnore));
    }
}

fn addresses(table: &Table, found: &mut Vec<Problem>) {
    let socket = |path| table.at(path).and_then(Node::text).and_then(|text| text.parse::<SocketAddr>().ok());
    let (Some(listen), Some(admin)) = (socket("listen.address"), socket("admin.address")) else {
        return;
    };
    // Port 0 is a new port each time.
    let overlap = |one: IpAddr, other: IpAddr| one == other || one.is_unspecified() || other.is_unspecified();
    if listen.port() != 0 && listen.port() == admin.port() && overlap(listen.ip(), admin.ip()) {
        found.push(at(table, "admin.address", "listen.address", |other| Conflict::SameListener { other }));
    }
    let Some(upstream) = table.at("upstream.address") else {
        return;
    };
    let Some(Ok(Address::Tcp { host, port, .. })) = upstream.text().map(str::parse) else {
        return;
    };
    let local = |own: IpAddr| match host.parse::<IpAddr>() {
        Ok(host) => host == own || (own.is_unspecified() && host.is_loopback()),
        Err(_) => host == "localhost" && (own.is_unspecified() || own.is_loopback()),
    };
    for (own, name) in [(listen, "listen.address"), (admin, "admin.address")] {
        if port == own.port() && local(own.ip()) {
            found.push(at(table, "upstream.address", name, |_| Conflict::Loop { own: name }));
        }
    }
}

/// All addresses are reached in the same way, and by one name.
fn upstream_tls(table: &Table, found: &mut Vec<Problem>) {
    let parsed = |node: &Node| node.text().and_then(|text| text.parse::<Address>().ok());
    let Some(address) = table.at("upstream.address").and_then(parsed) else {
        return;
    };
    if let Some(node) = table.at("upstream.protocol") {
        match (node.text(), address.is_secured()) {
            (Some("h2"), false) => found.push(conflict("upstream.protocol", node, Conflict::H2WithoutTls)),
            (Some("auto"), false) => found.push(conflict("upstream.protocol", node, Conflict::AutoWithoutTls)),
            (Some("h2c"), true) => found.push(conflict("upstream.protocol", node, Conflict::H2cWithTls)),
            _ => {}
        }
    }
    let Some(Node { value: Value::List(also), .. }) = table.at("upstream.also") else {
        return;
    };
    let host = |address: &Address| match address {
        Address::Tcp { host, .. } => host.clone(),
        Address::Unix(_) => String::new(),
    };
    let named = table.at("upstream.tls.server_name").is_some();
    for (node, other) in also.iter().filter_map(|node| Some((node, parsed(node)?))) {
        if other.is_secured() != address.is_secured() {
            found.push(conflict("upstream.also", node, Conflict::TlsForSome));
        } else if other.is_secured() && !named && host(&other) != host(&address) {
            found.push(conflict("upstream.also", node, Conflict::SeveralNames));
        }
    }
}

/// Blames whichever of the two was written: a default is nobody's mistake.
fn at(table: &Table, one: &str, other: &str, why: impl FnOnce(String) -> Conflict) -> Problem {
    let written = |path: &str| table.at(path).filter(|node| !matches!(node.origin, Origin::Default));
    let (path, counterpart) = if written(one).is_some() { (one, other) } else { (other, one) };
    let node = table.at(path).expect("both addresses have defaults");
    conflict(path, node, why(counterpart.into()))
}

fn buckets(table: &Table, found: &mut Vec<Problem>) {
    let Some(node @ Node { value: Value::List(buckets), .. }) = table.at("metrics.latency_buckets") else {
        return;
    };
    let times: Vec<_> = buckets.iter().filter_map(Node::time).collect();
    if let Err(problem) = Buckets::new(&times) {
        found.push(conflict("metrics.latency_buckets", node, Conflict::Buckets(problem)));
    }
}

fn conflict(key: &str, node: &Node, conflict: Conflict) -> Problem {
    Problem { key: key.into(), why: Why::Conflict(conflict), origin: node.origin.clone() }
}

/// Whether every path of `narrow` is one of `wide`, as far as a look at the patterns can tell.
pub(super) fn covers(wide: &str, narrow: &str) -> bool {
    let special = |text: &str| text.contains(['*', '?', '[', '{', '\\']);
    if wide == narrow || wide == "/**" || wide == "**/*" {
        return true;
    }
    match wide.strip_suffix("**") {
        Some(prefix) if prefix.ends_with('/') && !special(prefix) => narrow.starts_with(prefix) && narrow != prefix,
        _ if !special(narrow) => glob(wide, true).is_ok_and(|glob| glob.is_match(narrow)),
        _ => false,
    }
}
