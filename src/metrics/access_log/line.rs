//! One line of the access log, from one exchange.
//!
//! JSON for machines: OpenTelemetry's names as flat keys, of which absent ones are left out. Text for a terminal. What
//! a peer chose (path, host, user agent, identifiers) is cut to a limit in both, and can neither end a line nor send
//! a control character to a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use http::{StatusCode, Version};
use serde::Serialize;

use crate::metrics::exchange::{ErrorType, Exchange};
use crate::metrics::label::Phase;

/// Bytes of a path that are logged.
const LONGEST_PATH: usize = 2048;
/// Bytes of any other field of the request that are logged.
const LONGEST_FIELD: usize = 512;

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    severity: &'static str,
    #[serde(rename = "http.request.method")]
    method: Cow<'a, str>,
    #[serde(rename = "url.path")]
    path: Cow<'a, str>,
    #[serde(rename = "http.response.status_code", skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(rename = "http.route")]
    route: &'a str,
    #[serde(rename = "server.address")]
    host: Cow<'a, str>,
    #[serde(rename = "client.address", skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    #[serde(rename = "user_agent.original", skip_serializing_if = "Option::is_none")]
    user_agent: Option<Cow<'a, str>>,
    #[serde(rename = "network.protocol.version")]
    version: &'static str,
    #[serde(rename = "http.response.body.size")]
    body: u64,
    #[serde(rename = "http.request.id", skip_serializing_if = "Option::is_none")]
    request_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    #[serde(rename = "cache.status")]
    cache: &'static str,
    #[serde(rename = "cache.stored", skip_serializing_if = "Option::is_none")]
    stored: Option<bool>,
    #[serde(rename = "cache.detail", skip_serializing_if = "Option::is_none")]
    why_stored: Option<&'static str>,
    #[serde(rename = "compression.algorithm", skip_serializing_if = "Option::is_none")]
    coding: Option<&'static str>,
    #[serde(rename = "compression.ratio", skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    #[serde(rename = "compression.skipped", skip_serializing_if = "Option::is_none")]
    skipped: Option<&'static str>,
    duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttfb_ms: Option<f64>,
    #[serde(rename = "cache.wait_ms", skip_serializing_if = "Option::is_none")]
    lock_wait_ms: Option<f64>,
    #[serde(rename = "upstream.queue_ms", skip_serializing_if = "Option::is_none")]
    queue_ms: Option<f64>,
    #[serde(rename = "upstream.connect_ms", skip_serializing_if = "Option::is_none")]
    upstream_connect_ms: Option<f64>,
    #[serde(rename = "upstream.wait_ms", skip_serializing_if = "Option::is_none")]
    upstream_wait_ms: Option<f64>,
    #[serde(rename = "upstream.body_ms", skip_serializing_if = "Option::is_none")]
    upstream_body_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compress_ms: Option<f64>,
    #[serde(rename = "error.type", skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

/// The line as one JSON object, with its line end.
pub(super) fn json(exchange: &Exchange) -> Vec<u8> {
    let spent = |phase| exchange.phases.of(phase).map(millis);
    let line = Line {
        timestamp: timestamp(exchange.started),
        severity: exchange.severity().word(),
        method: field(exchange.method.as_str().as_bytes()),
        path: cut(exchange.path.as_bytes(), LONGEST_PATH),
        status: exchange.status.map(|status| status.as_u16()),
        route: exchange.route.name(),
        host: field(exchange.host.as_bytes()),
        client: exchange.client.map(|address| address.to_canonical().to_string()),
        user_agent: exchange.user_agent.map(field),
        version: version(exchange.version),
        body: exchange.client_bytes,
        request_id: exchange.request_id.map(field),
        trace_id: exchange.traceparent.and_then(trace_id),
        cache: exchange.cache.label(),
        stored: exchange.stored(),
        why_stored: exchange.why_stored(),
        coding: exchange.coding().map(|coding| coding.token()),
        ratio: exchange.ratio().map(|ratio| (ratio * 1000.0).round() / 1000.0),
        skipped: exchange.skipped(),
        duration_ms: millis(exchange.duration),
        ttfb_ms: exchange.first_byte.map(millis),
        lock_wait_ms: spent(Phase::LockWait),
        queue_ms: spent(Phase::Queue),
        upstream_connect_ms: spent(Phase::UpstreamConnect),
        upstream_wait_ms: spent(Phase::UpstreamWait),
        upstream_body_ms: spent(Phase::UpstreamBody),
        compress_ms: spent(Phase::Compress),
        error: exchange.error.map(ErrorType::label),
    };
    let mut bytes = serde_json::to_vec(&line).expect("strings and finite numbers always serialise");
    bytes.push(b'\n');
    bytes
}

/// The line for a person: time, outcome, figures, and what was asked for.
pub(super) fn text(exchange: &Exchange) -> Vec<u8> {
    let stamp = timestamp(exchange.started);
    let clock = stamp.get(11..23).unwrap_or(&stamp);
    let mut line = format!("{clock} {} ", exchange.status.as_ref().map_or("---", StatusCode::as_str));
    // Writing into a String cannot fail.
    let _ = write!(line, "{:>9} ", format!("{:.1}ms", millis(exchange.duration)));
    let _ = write!(line, "{:<11} ", exchange.cache.label());
    let _ = write!(line, "{:<8} ", exchange.coding().map_or("identity", |coding| coding.token()));
    let _ = write!(line, "{:>9} {:>5} ", size(exchange.client_bytes), saved(exchange.ratio()));
    let _ = write!(line, "{} ", printable(&field(exchange.method.as_str().as_bytes())));
    let _ = write!(line, "{}", printable(&cut(exchange.path.as_bytes(), LONGEST_PATH)));
    let reasons = [exchange.why_stored(), exchange.skipped(), exchange.error.map(ErrorType::label)];
    for reason in reasons.into_iter().flatten() {
        let _ = write!(line, " {reason}");
    }
    line.push('\n');
    line.into_bytes()
}

/// RFC 3339 in UTC with milliseconds. A clock before 1970 reads as 1970.
fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time.max(SystemTime::UNIX_EPOCH)).to_string()
}

/// Milliseconds with microseconds behind the point; more would be noise in a log.
fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

fn field(bytes: &[u8]) -> Cow<'_, str> {
    cut(bytes, LONGEST_FIELD)
}

/// At most `limit` bytes, as text: what is not UTF-8 becomes U+FFFD.
fn cut(bytes: &[u8], limit: usize) -> Cow<'_, str> {
    String::from_utf8_lossy(&bytes[..bytes.len().min(limit)])
}

/// Control characters as escapes, or a path could move the cursor, and text that is written right to left could hide
/// what follows it.
fn printable(text: &str) -> String {
    let directs =
        |each: char| matches!(each, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut shown = String::with_capacity(text.len());
    for each in text.chars() {
        if each.is_control() || directs(each) {
            shown.extend(each.escape_default());
        } else {
            shown.push(each);
        }
    }
    shown
}

/// W3C Trace Context, section 3.2: version, trace-id, parent-id, flags; the trace-id is 32 lower-case hex digits, not
/// all zero.
fn trace_id(traceparent: &[u8]) -> Option<&str> {
    let mut parts = traceparent.split(|byte| *byte == b'-');
    let version = parts.next().filter(|version| version.len() == 2)?;
    let id = parts.next().filter(|id| id.len() == 32)?;
    let hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let valid = version != b"ff" && id.iter().all(hex) && id.iter().any(|byte| *byte != b'0');
    valid.then_some(id).and_then(|id| std::str::from_utf8(id).ok())
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

fn saved(ratio: Option<f64>) -> String {
    ratio.map_or_else(String::new, |ratio| format!("{:+.0}%", (ratio - 1.0) * 100.0))
}

#[cfg(test)]
mod tests;
