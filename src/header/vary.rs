//! `Vary` (RFC 9110, section 12.5.5): which request fields took part in choosing a representation.

use http::header::VARY;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Edit, list};

/// What a response varies by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Vary {
    /// `*`: by things that are not in the request; never reusable (RFC 9111, section 4.1).
    Any,
    /// These fields, sorted, each once. Empty if the field is absent.
    Fields(Vec<HeaderName>),
}

impl Vary {
    /// Reads all lines. One `*` anywhere makes it [`Vary::Any`] (RFC 9111, 4.1: "a stored response
    /// with a Vary header field value containing a member "*" always fails to match"), and so does
    /// a member that is no field name: a request cannot be compared by it.
    pub fn parse(headers: &HeaderMap) -> Self {
        let mut fields = Vec::new();
        for member in list::members(headers, &VARY) {
            match HeaderName::from_bytes(member) {
                Ok(name) if name != "*" => fields.push(name),
                _ => return Self::Any,
            }
        }
        fields.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        fields.dedup();
        Self::Fields(fields)
    }

    /// Whether `name` takes part; `*` covers every name.
    pub fn covers(&self, name: &HeaderName) -> bool {
        match self {
            Self::Any => true,
            Self::Fields(fields) => fields.contains(name),
        }
    }

    /// The line to append so that `name` takes part; `None` if it does already.
    pub fn add(&self, name: &HeaderName) -> Option<Edit> {
        let missing = !self.covers(name);
        missing.then(|| Edit::Append(VARY, HeaderValue::from_name(name.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use http::header::ACCEPT_ENCODING;
    use proptest::prelude::*;

    fn read(lines: &[&str]) -> Vary {
        Vary::parse(&testing::field("vary", lines))
    }

    #[test]
    fn a_star_anywhere_is_any() {
        let table: [&[&str]; 9] = [
            &["*"],
            &["*, *"],
            &["*", "*"],
            &[", *"],
            &["", "*"],
            &["*, Foo"],
            &["Foo, *"],
            &["Foo", "Bar, *"],
            &["a b"],
        ];
        for lines in table {
            assert_eq!(read(lines), Vary::Any, "{lines:?}");
        }
    }

    #[test]
    fn names_are_lowered_sorted_and_once() {
        let table: [(&[&str], &[&str]); 5] = [
            (&[], &[]),
            (&[""], &[]),
            (&["accept-encoding, accept-language"], &["accept-encoding", "accept-language"]),
            (&["X-B, Accept, x-b", "ACCEPT"], &["accept", "x-b"]),
            (&["Origin,,Cookie,"], &["cookie", "origin"]),
        ];
        for (lines, names) in table {
            let fields = names.iter().map(|name| HeaderName::from_static(name)).collect();
            assert_eq!(read(lines), Vary::Fields(fields), "{lines:?}");
        }
    }

    #[test]
    fn a_name_is_added_once() {
        let line = Edit::Append(VARY, HeaderValue::from_static("accept-encoding"));
        assert_eq!(read(&[]).add(&ACCEPT_ENCODING), Some(line.clone()));
        assert_eq!(read(&["Cookie"]).add(&ACCEPT_ENCODING), Some(line));
        assert_eq!(read(&["Cookie", "Accept-Encoding"]).add(&ACCEPT_ENCODING), None);
        assert_eq!(read(&["*"]).add(&ACCEPT_ENCODING), None);
    }

    proptest! {
        #[test]
        fn any_lines_are_survived_and_adding_is_enough(mut headers in testing::any_field("vary")) {
            let edit = Vary::parse(&headers).add(&ACCEPT_ENCODING);
            super::super::apply(edit, &mut headers);
            prop_assert!(Vary::parse(&headers).covers(&ACCEPT_ENCODING));
        }
    }
}
