//! Media types (RFC 9110, section 8.3.1) and the patterns an operator lists them with.
//!
//! Parameters never decide: `text/html; charset=utf-8` is `text/html`. Types compare without regard
//! to case.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::token::{is_token, trim};

/// The type and subtype of a `Content-Type`.
#[derive(Clone, Copy, Debug)]
pub struct MediaType<'a> {
    kind: &'a str,
    subtype: &'a str,
}

impl<'a> MediaType<'a> {
    /// The type of a message. `None` if it has none, an invalid one, or several lines that do not
    /// agree: then nobody can say what the body is.
    pub fn of(headers: &'a HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(CONTENT_TYPE).into_iter();
        let first = lines.next()?;
        lines.all(|line| line == first).then(|| Self::parse(first.as_bytes()))?
    }

    /// `type "/" subtype`, and whatever parameters follow.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let essence = trim(value.split(|byte| *byte == b';').next()?);
        let slash = essence.iter().position(|byte| *byte == b'/')?;
        let (kind, subtype) = (&essence[..slash], &essence[slash + 1..]);
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        Some(Self { kind: std::str::from_utf8(kind).ok()?, subtype: std::str::from_utf8(subtype).ok()? })
    }

    /// Whether this is `kind/subtype`.
    pub const fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// `application/grpc`, `application/grpc+proto`, `application/grpc-web` and their kin: they
    /// frame and compress by themselves, and a proxy that buffers a frame has broken the call.
    pub fn is_grpc(&self) -> bool {
        let grpc = self.subtype.as_bytes().first_chunk::<4>();
        self.kind.eq_ignore_ascii_case("application") && grpc.is_some_and(|start| start.eq_ignore_ascii_case(b"grpc"))
    }
}

impl fmt::Display for MediaType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.to_ascii_lowercase(), self.subtype.to_ascii_lowercase())
    }
}

/// One entry of a list of media types, kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// `*/*`
    Any,
    /// `text/*`
    Kind(String),
    /// `application/json`
    Exact(String, String),
    /// `+json`: the structured syntax suffix (RFC 6838, section 4.2.8).
    Suffix(String),
}

impl Pattern {
    fn matches(&self, media_type: &MediaType<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Kind(kind) => media_type.kind.eq_ignore_ascii_case(kind),
            Self::Exact(kind, subtype) => media_type.is(kind, subtype),
            Self::Suffix(suffix) => {
                media_type.subtype.rsplit_once('+').is_some_and(|(_, last)| last.eq_ignore_ascii_case(suffix))
            }
        }
    }
}

impl FromStr for Pattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let bad = || BadPattern(text.to_owned());
        let lower = text.trim().to_ascii_lowercase();
        let name = |part: &str| is_token(part.as_bytes()) && !part.contains('*');
        if let Some(suffix) = lower.strip_prefix('+') {
            return if name(suffix) { Ok(Self::Suffix(suffix.to_owned())) } else { Err(bad()) };
        }
        match lower.split_once('/').ok_or_else(bad)? {
            ("*", "*") => Ok(Self::Any),
            (kind, "*") if name(kind) => Ok(Self::Kind(kind.to_owned())),
            (kind, subtype) if name(kind) && name(subtype) => Ok(Self::Exact(kind.to_owned(), subtype.to_owned())),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*/*"),
            Self::Kind(kind) => write!(f, "{kind}/*"),
            Self::Exact(kind, subtype) => write!(f, "{kind}/{subtype}"),
            Self::Suffix(suffix) => write!(f, "+{suffix}"),
        }
    }
}

/// A pattern that matches no media type that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPattern(String);

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text) = self;
        write!(f, "`{text}` is not a media type: write one like \"text/*\", \"application/json\" or \"+json\"")
    }
}

impl Error for BadPattern {}

/// A list of media types; order does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaTypes(Vec<Pattern>);

impl MediaTypes {
    /// Reads every entry; the first bad one is the error. To report all of them, parse [`Pattern`]s
    /// and collect.
    pub fn parse<T: AsRef<str>>(entries: impl IntoIterator<Item = T>) -> Result<Self, BadPattern> {
        entries.into_iter().map(|entry| entry.as_ref().parse()).collect()
    }

    /// Whether an entry covers `media_type`.
    pub fn contains(&self, media_type: &MediaType<'_>) -> bool {
        self.0.iter().any(|pattern| pattern.matches(media_type))
    }

    /// The entries, as listed.
    pub fn patterns(&self) -> &[Pattern] {
        &self.0
    }
}

impl FromIterator<Pattern> for MediaTypes {
    fn from_iter<I: IntoIterator<Item = Pattern>>(patterns: I) -> Self {
        Self(patterns.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn types_as_they_are_sent() {
        // RFC 9110, 8.3.1: these four are equivalent.
        for value in [
            "text/html;charset=utf-8",
            "Text/HTML;Charset=\"utf-8\"",
            "text/html; charset=\"utf-8\"",
            "text/html;charset=UTF-8",
        ] {
            assert_eq!(MediaType::parse(value.as_bytes()).map(|it| it.to_string()).as_deref(), Some("text/html"));
        }
        for value in ["", "text", "text/", "/html", "text html", "te xt/html", "text/html, text/plain", "text/html/x"] {
            assert!(MediaType::parse(value.as_bytes()).is_none(), "{value}");
        }
    }

    #[test]
    fn lines_that_disagree_are_no_type() {
        let one = |lines| MediaType::of(&testing::field("content-type", lines)).map(|it| it.to_string());
        assert_eq!(one(&["text/css"]).as_deref(), Some("text/css"));
        assert_eq!(one(&["text/css", "text/css"]).as_deref(), Some("text/css"));
        assert_eq!(one(&["text/css", "image/png"]), None);
        assert_eq!(one(&[]), None);
    }

    #[test]
    fn a_list_covers() {
        let list = MediaTypes::parse(["text/*", "Application/JSON", "+xml"]).expect("patterns");
        let table = [
            ("text/html", true),
            ("TEXT/event-stream; charset=utf-8", true),
            ("application/json", true),
            ("application/JSON;odata=full", true),
            ("application/json5", false),
            ("application/ld+json", false),
            ("image/svg+xml", true),
            ("application/soap+XML", true),
            ("application/xml", false),
            ("image/png", false),
            ("text2/html", false),
        ];
        for (value, covered) in table {
            let media_type = MediaType::parse(value.as_bytes()).expect("a media type");
            assert_eq!(list.contains(&media_type), covered, "{value}");
        }
        assert!(!MediaTypes::default().contains(&MediaType::parse(b"text/html").expect("a media type")));
    }

    #[test]
    fn grpc_in_every_dress() {
        let table = [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/GRPC-web-text", true),
            ("application/grp", false),
            ("text/grpc", false),
        ];
        for (value, grpc) in table {
            assert_eq!(MediaType::parse(value.as_bytes()).expect("a media type").is_grpc(), grpc, "{value}");
        }
    }

    #[test]
    fn patterns_print_as_written_and_bad_ones_say_how() {
        for text in ["*/*", "text/*", "application/wasm", "+json"] {
            assert_eq!(text.parse::<Pattern>().expect("a pattern").to_string(), text);
        }
        for text in ["", "json", "*", "*/json", "text/", "+", "te*/html", "text/h*", "text/html; charset=utf-8"] {
            let error = text.parse::<Pattern>().expect_err(text).to_string();
            assert!(error.contains(&format!("`{text}`")) && error.contains("\"text/*\""), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_lines_are_survived(headers in testing::any_field("content-type"), pattern: String) {
            let list: MediaTypes = pattern.parse::<Pattern>().into_iter().collect();
            if let Some(media_type) = MediaType::of(&headers) {
                list.contains(&media_type);
                media_type.is_grpc();
            }
        }
    }
}
