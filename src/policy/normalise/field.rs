//! Any field, cut down by the operator's own list: values, and patterns that stand for a value.
//!
//! An element is `value`, which keeps that value, or `pattern -> value`. Case does not count. A request that says one of
//! the values gets it; else the first pattern that matches decides; else the field goes, as if it had not been sent. A
//! request without the field is matched as an empty one, so that a last `* -> value` is the default of all.

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};
use http::{HeaderMap, HeaderName};

/// A list, as it is written.
#[derive(Clone, Debug)]
pub struct Mapping {
    written: Vec<String>,
    elements: Vec<Element>,
}

#[derive(Clone, Debug)]
struct Element {
    pattern: Option<GlobMatcher>,
    value: String,
}

/// Why an element is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MappingProblem {
    Empty,
    Pattern(String),
    /// The value holds bytes that a field cannot.
    Value,
}

impl fmt::Display for MappingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an empty value or pattern"),
            Self::Pattern(why) => write!(f, "not a valid pattern: {why}"),
            Self::Value => f.write_str("visible ASCII characters and single spaces only"),
        }
    }
}

impl PartialEq for Mapping {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Mapping {
    pub fn new<'a>(elements: impl IntoIterator<Item = &'a str>) -> Result<Self, MappingProblem> {
        let written: Vec<String> = elements.into_iter().map(str::to_owned).collect();
        let elements = written.iter().map(|text| Element::parse(text)).collect::<Result<_, _>>()?;
        Ok(Self { written, elements })
    }

    /// What the app is asked with; None without the field.
    pub fn value(&self, request: &HeaderMap, name: &HeaderName) -> Option<&str> {
        let lines: Vec<_> = request.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
        let said = lines.join(", ");
        let said = said.trim();
        let named = || self.elements.iter().find(|element| element.value.eq_ignore_ascii_case(said));
        let matched = || self.elements.iter().find(|element| element.matches(said));
        named().or_else(matched).map(|element| element.value.as_str())
    }
}

impl Element {
    fn parse(text: &str) -> Result<Self, MappingProblem> {
        let (pattern, value) = match text.split_once("->") {
            Some((pattern, value)) => (Some(pattern.trim()), value.trim()),
            None => (None, text.trim()),
        };
        if value.is_empty() || pattern == Some("") {
            return Err(MappingProblem::Empty);
        }
        // What is compared with a request is trimmed and joined; a value must come through that as it is.
        if !value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            return Err(MappingProblem::Value);
        }
        let glob = |pattern: &str| GlobBuilder::new(pattern).case_insensitive(true).backslash_escape(true).build();
        let pattern =
            pattern.map(glob).transpose().map_err(|error| MappingProblem::Pattern(error.kind().to_string()))?;
        Ok(Self { pattern: pattern.map(|glob| glob.compile_matcher()), value: value.to_owned() })
    }

    fn matches(&self, said: &str) -> bool {
        self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(said))
    }
}
