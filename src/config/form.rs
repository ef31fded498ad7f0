//! Which texts are well-formed: field names, globs, networks, addresses.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use globset::{Glob, GlobBuilder, GlobMatcher};
use http::{HeaderName, HeaderValue};
use ipnet::IpNet;

use super::kind::Form;
use super::problem::Refusal;
use crate::cdn::{is_settable, is_tag};
use crate::header::media_type;
use crate::header::token::is_token;
use crate::metrics::config::{ConstantLabels, LabelProblem};
use crate::policy::normalise::Mapping;
use crate::upstream::Address;

impl Form {
    /// In the words of a problem: "expected ...".
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Any => "a text",
            Self::CookieName => "a cookie name",
            Self::FieldName | Self::NormalisedField | Self::RemovableField | Self::SettableField => "a field name",
            Self::FieldValue => "a field value",
            Self::File => "a file path",
            Self::Host => "a host",
            Self::HostGlob => "a host pattern",
            Self::Label => "a label name",
            Self::Language => "a language tag",
            Self::Mapping => "a value, or `pattern -> value`",
            Self::MediaRange => "a media type",
            Self::Method => "a method",
            Self::NameGlob => "a name pattern",
            Self::Network => "a network",
            Self::PathGlob => "a path pattern",
            Self::RouteName => "a route name",
            Self::Secret => "a secret",
            Self::ServerName => "a server name",
            Self::Socket => "an address and port",
            Self::Status => "a status code",
            Self::Tag => "a tag",
            Self::Upstream => "an address",
        }
    }

    /// Whether `text` has this form. What passes here parses later without a second thought.
    pub(super) fn check(self, text: &str) -> Result<(), Refusal> {
        match self {
            Self::Any => Ok(()),
            Self::CookieName => token(text, "a name has no spaces or separators"),
            Self::FieldName => field_name(text),
            // RFC 9112, section 3.2: a request without it is a bad one.
            Self::RemovableField if text.eq_ignore_ascii_case("host") => refuse("a request needs it"),
            Self::SettableField | Self::RemovableField => settable(text),
            Self::FieldValue => match HeaderValue::from_bytes(text.as_bytes()) {
                Ok(_) => Ok(()),
                Err(_) => refuse("line breaks and control characters are not allowed"),
            },
            Self::File if text.is_empty() => refuse("empty"),
            Self::File => Ok(()),
            Self::Host => plain_host(text),
            Self::HostGlob => host(text),
            Self::Label => label(text),
            Self::Language => language(text),
            Self::Mapping => mapping(text),
            Self::MediaRange => media_range(text),
            Self::Method => method(text),
            Self::NameGlob => glob(text, false).map(drop),
            Self::Network => network(text),
            Self::NormalisedField => normalised(text),
            Self::PathGlob => path(text),
            Self::RouteName => route_name(text),
            Self::Secret => match text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
                true => refuse("empty, or with spaces or characters beyond ASCII"),
                false => Ok(()),
            },
            Self::ServerName => match rustls::pki_types::ServerName::try_from(text) {
                Ok(_) => Ok(()),
                Err(_) => refuse("a DNS name or an IP address, without a port"),
            },
            Self::Socket => socket(text),
            Self::Status => match text.parse() {
                Ok(300..=599) if text.len() == 3 => Ok(()),
                _ => refuse_with("from 300 to 599", "404 = \"10s\""),
            },
            Self::Tag if is_tag(text) => Ok(()),
            Self::Tag => refuse("a tag has no spaces and no commas"),
            Self::Upstream => text.parse::<Address>().map(drop),
        }
    }
}

/// A glob as we mean it: `*` stays within a segment of a path, `**` does not.
pub(super) fn glob(text: &str, separators: bool) -> Result<GlobMatcher, Refusal> {
    if text.is_empty() {
        return Err(Refusal { why: "empty", fix: None });
    }
    let glob: Result<Glob, _> = GlobBuilder::new(text).literal_separator(separators).backslash_escape(true).build();
    glob.map(|glob| glob.compile_matcher())
        .map_err(|error| Refusal { why: "not a valid pattern", fix: Some(error.kind().to_string()) })
}

fn path(text: &str) -> Result<(), Refusal> {
    glob(text, true)?;
    if text.starts_with(['/', '{', '[']) || text.starts_with("**/") {
        return Ok(());
    }
    match text.strip_prefix('*') {
        Some(rest) => refuse_with(
            "it would match no path, since they all start with `/`",
            &format!("**/*{}", rest.trim_start_matches('*')),
        ),
        None => refuse_with("a path starts with `/`", &format!("/{text}")),
    }
}

fn host(text: &str) -> Result<(), Refusal> {
    glob(text, false)?;
    match text.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() && !host.contains(':') => {
            refuse_with("the port is not part of it", host)
        }
        _ if text.contains('/') => refuse("a host, not a URL"),
        _ => Ok(()),
    }
}

/// A host as it stands in a URL, with its port if it has one.
fn plain_host(text: &str) -> Result<(), Refusal> {
    match http::uri::Authority::try_from(text) {
        Ok(authority) if authority.as_str() == text && !text.contains('@') => Ok(()),
        _ if text.contains('/') => refuse("a host, not a URL"),
        _ => refuse("no host name"),
    }
}

fn token(text: &str, why: &'static str) -> Result<(), Refusal> {
    match is_token(text.as_bytes()) {
        true => Ok(()),
        false => refuse(why),
    }
}

fn field_name(text: &str) -> Result<(), Refusal> {
    match HeaderName::from_bytes(text.as_bytes()) {
        Ok(_) => Ok(()),
        Err(_) => refuse("letters, digits and `-` only"),
    }
}

fn settable(text: &str) -> Result<(), Refusal> {
    field_name(text)?;
    match text.parse().is_ok_and(|name: HeaderName| is_settable(&name)) {
        true => Ok(()),
        false => refuse("this field frames the message and is vacpack's to write"),
    }
}

/// RFC 5646, section 2.1: subtags of up to eight letters and digits, the language first.
fn language(text: &str) -> Result<(), Refusal> {
    let subtag = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    match text.split('-').all(subtag) && text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        true => Ok(()),
        false if text.contains('_') => refuse_with("its parts are joined by `-`", &text.replace('_', "-")),
        false => refuse("a tag such as \"de\" or \"pt-BR\""),
    }
}

fn mapping(text: &str) -> Result<(), Refusal> {
    Mapping::new([text])
        .map(drop)
        .map_err(|problem| Refusal { why: "not usable in a list of values", fix: Some(problem.to_string()) })
}

/// Fields that mean something to vacpack itself, or say who is asking, are not a list's to change.
fn normalised(text: &str) -> Result<(), Refusal> {
    const OURS: [&str; 5] = ["accept-encoding", "authorization", "cache-control", "host", "range"];
    settable(text)?;
    let lower = text.to_ascii_lowercase();
    match OURS.contains(&lower.as_str()) || lower.starts_with("if-") || lower.starts_with("x-forwarded-") {
        true => refuse("this field decides what is answered, to whom; it is passed on as it is"),
        false => Ok(()),
    }
}

fn method(text: &str) -> Result<(), Refusal> {
    token(text, "a method is one word")?;
    // RFC 9110, section 9.1: methods are case-sensitive, and all that are registered are upper-case.
    match text.bytes().any(|b| b.is_ascii_lowercase()) {
        true => refuse_with("methods are case-sensitive", &text.to_uppercase()),
        false => Ok(()),
    }
}

fn media_range(text: &str) -> Result<(), Refusal> {
    if text.parse::<media_type::Pattern>().is_ok() {
        return Ok(());
    }
    match text.split_once(';') {
        Some((range, _)) => refuse_with("parameters do not matter here", range.trim_end()),
        None => refuse("write \"type/subtype\", \"type/*\" or \"+suffix\""),
    }
}

fn network(text: &str) -> Result<(), Refusal> {
    match (text.parse::<IpNet>(), text.parse::<std::net::IpAddr>()) {
        (Ok(_), _) => Ok(()),
        (_, Ok(address)) => refuse_with("a single address needs its prefix length", &IpNet::from(address).to_string()),
        _ => refuse_with("not an address with a prefix length", "10.0.0.0/8"),
    }
}

fn socket(text: &str) -> Result<(), Refusal> {
    if text.parse::<SocketAddr>().is_ok() {
        return Ok(());
    }
    match text.rsplit_once(':').unwrap_or(("", text)) {
        (host, port) if port.parse::<u16>().is_ok() => {
            let host = if host == "localhost" { "127.0.0.1" } else { "0.0.0.0" };
            refuse_with("an IP address and a port are needed", &format!("{host}:{port}"))
        }
        _ => refuse_with("an IP address and a port are needed", "0.0.0.0:8080"),
    }
}

fn route_name(text: &str) -> Result<(), Refusal> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if text == "default" {
        return refuse("that is what requests are called that match no route");
    }
    match (1..=63).contains(&text.len()) && text.bytes().all(plain) {
        true => Ok(()),
        false => refuse("1 to 63 letters, digits, `-`, `_` and `.`: it becomes a metric label"),
    }
}

fn label(text: &str) -> Result<(), Refusal> {
    let alone = BTreeMap::from([(text.to_owned(), String::new())]);
    match ConstantLabels::new(alone) {
        Ok(_) => Ok(()),
        Err(LabelProblem::Malformed(_)) => refuse("letters, digits and `_`, not a digit first"),
        Err(LabelProblem::Reserved(_)) => {
            refuse_with("Prometheus keeps it for itself", &format!("app_{}", text.trim_start_matches('_')))
        }
        Err(LabelProblem::Ours(_)) => refuse_with("vacpack's own series use that label", &format!("app_{text}")),
    }
}

fn refuse(why: &'static str) -> Result<(), Refusal> {
    Err(Refusal { why, fix: None })
}

fn refuse_with(why: &'static str, right: &str) -> Result<(), Refusal> {
    Err(Refusal { why, fix: Some(format!("write \"{right}\"")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let table: [(Form, &[&str], &[&str]); 20] = [
            (Form::CookieName, &["currency", "a.b"], &["", "a b", "a=b", "a;"]),
            (Form::FieldName, &["Accept-Language", "x"], &["", "a b", "a:", "\u{e9}"]),
            (
                Form::SettableField,
                &["Cache-Control", "Vary"],
                &["Content-Length", "transfer-encoding", "Content-Encoding"],
            ),
            (Form::RemovableField, &["X-A"], &["Host", "Connection", "Upgrade"]),
            (Form::FieldValue, &["", "a b", "caf\u{e9}"], &["a\r\nb", "a\0"]),
            (Form::Host, &["shop.example", "[::1]:80", "A.b"], &["", "http://a", "a/b", "a@b", "a b"]),
            (Form::HostGlob, &["*.example.com", "shop", "{a,b}.c"], &["", "a:80", "http://a", "[a"]),
            (Form::Language, &["en", "pt-BR", "zh-Hant-TW"], &["", "de_AT", "-", "en-", "1a", "toolonglanguage"]),
            (Form::Mapping, &["EUR", "*bot* -> bot", "two words"], &["", "->", "a ->", "[a -> b", "\u{e9}"]),
            (
                Form::NormalisedField,
                &["X-Currency", "Cookie", "User-Agent"],
                &["Host", "Authorization", "If-Match", "Accept-Encoding", "Content-Length", "a b"],
            ),
            (Form::Label, &["team", "_x1"], &["", "1a", "a-b", "__a", "le", "route"]),
            (
                Form::MediaRange,
                &["text/*", "application/json", "+json"],
                &["", "text", "text/", "text/html; charset=utf-8"],
            ),
            (Form::Method, &["GET", "PURGE"], &["", "get", "G T"]),
            (Form::NameGlob, &["utm_*", "q"], &["", "[a"]),
            (Form::Network, &["10.0.0.0/8", "::1/128"], &["10.0.0.1", "10.0.0.0/33", "all", ""]),
            (Form::PathGlob, &["/", "/a/**", "**/*.js", "{/a,/b}/*"], &["", "a", "*.js", "/a[", "/{a"]),
            (Form::RouteName, &["static", "a-1.b_c"], &["", "a b", "default", "\u{e9}"]),
            (
                Form::ServerName,
                &["app.shop.svc", "10.0.0.1", "::1", "my_app"],
                &["", "a:443", "https://a", "a b", "[::1]"],
            ),
            (Form::Status, &["404", "503"], &["200", "4xx", "0404", ""]),
            (Form::Socket, &["0.0.0.0:0", "[::]:8080"], &["8080", ":8080", "localhost:8080", ""]),
        ];
        for (form, good, bad) in table {
            for text in good {
                assert_eq!(form.check(text), Ok(()), "{form:?} {text}");
            }
            for text in bad {
                assert!(form.check(text).is_err(), "{form:?} {text}");
            }
        }
    }

    #[test]
    fn remedies() {
        let fix = |form: Form, text| form.check(text).expect_err(text).fix;
        assert_eq!(fix(Form::Socket, ":8080").as_deref(), Some("write \"0.0.0.0:8080\""));
        assert_eq!(fix(Form::Socket, "localhost:8080").as_deref(), Some("write \"127.0.0.1:8080\""));
        assert_eq!(fix(Form::PathGlob, "*.js").as_deref(), Some("write \"**/*.js\""));
        assert_eq!(fix(Form::PathGlob, "assets").as_deref(), Some("write \"/assets\""));
        assert_eq!(fix(Form::Network, "10.0.0.1").as_deref(), Some("write \"10.0.0.1/32\""));
        assert_eq!(fix(Form::Method, "get").as_deref(), Some("write \"GET\""));
        assert_eq!(fix(Form::HostGlob, "a.b:443").as_deref(), Some("write \"a.b\""));
    }

    #[test]
    fn one_star_stays_within_a_segment() {
        let matches = |pattern: &str, path: &str| glob(pattern, true).unwrap().is_match(path);
        assert!(matches("/assets/**", "/assets/a/b.js"));
        assert!(matches("/assets/**", "/assets/"));
        assert!(!matches("/assets/**", "/assets"));
        assert!(!matches("/assets/**", "/assetsx/a"));
        assert!(matches("/*.html", "/a.html"));
        assert!(!matches("/*.html", "/a/b.html"));
        assert!(matches("**/*.js", "/a/b.js") && matches("**/*.js", "/b.js"));
        assert!(matches("/**", "/") && matches("/**", "/a/b"));
        assert!(matches("/{a,b}/x", "/b/x"));
    }
}
