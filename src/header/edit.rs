//! Changes to a head, as data: decisions return them, whoever holds the head applies them.

use std::borrow::Borrow;

use http::{HeaderMap, HeaderName, HeaderValue};

/// One change to the fields of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// The field has this one line, whatever it had.
    Set(HeaderName, HeaderValue),
    /// One more line.
    Append(HeaderName, HeaderValue),
    /// No line of it is left.
    Remove(HeaderName),
}

impl Edit {
    /// The field this changes.
    pub const fn name(&self) -> &HeaderName {
        match self {
            Self::Set(name, _) | Self::Append(name, _) | Self::Remove(name) => name,
        }
    }
}

/// Applies `edits` in order. A map that is full (32,768 lines, far beyond what a parser lets in)
/// keeps what it has.
pub fn apply<E: Borrow<Edit>>(edits: impl IntoIterator<Item = E>, headers: &mut HeaderMap) {
    for edit in edits {
        match edit.borrow() {
            Edit::Set(name, value) => drop(headers.try_insert(name, value.clone())),
            Edit::Append(name, value) => drop(headers.try_append(name, value.clone())),
            Edit::Remove(name) => drop(headers.remove(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use http::header::{ETAG, SERVER, VARY};

    #[test]
    fn edits_apply_in_order() {
        let mut headers = testing::fields(&[("server", "a"), ("server", "b"), ("etag", "\"x\""), ("vary", "cookie")]);
        let value = HeaderValue::from_static;
        let edits = [
            Edit::Set(SERVER, value("one")),
            Edit::Append(VARY, value("accept-encoding")),
            Edit::Remove(ETAG),
            Edit::Append(ETAG, value("\"y\"")),
        ];
        apply(&edits, &mut headers);
        assert_eq!(
            headers,
            testing::fields(&[("server", "one"), ("vary", "cookie"), ("vary", "accept-encoding"), ("etag", "\"y\"")])
        );
    }
}
