//! Which stored variant answers a request (RFC 9111, §4.1): the selecting fields of the request,
//! normalised.
//!
//! `Accept-Encoding` is never one of them. vacpack keeps codings of one content side by side and
//! picks among them by negotiation; as a selecting field, each browser's spelling of "gzip, br"
//! would fetch a variant of its own.
//!
//! Normalisation is what §4.1 allows and nothing that could change an answer: lines are joined,
//! whitespace around list members goes, `Accept-Language` loses its case (RFC 4647, §2). Order
//! stays: apps take the first of two languages with equal weight. Fields that are one value or have
//! commas of their own keep their inside untouched.

use http::header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, COOKIE, HOST, ORIGIN, REFERER, USER_AGENT};
use http::{HeaderMap, HeaderName};

use crate::header::{Vary, list};

/// The fields that select a variant, with what the request that stored it said in each. Equal
/// selectors, same variant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector {
    fields: Vec<HeaderName>,
    values: Vec<Option<Box<[u8]>>>,
}

impl Selector {
    /// The selector of a response to this request; `None` for `Vary: *`, which "always fails to
    /// match" (§4.1).
    pub fn new(vary: &Vary, request: &HeaderMap) -> Option<Self> {
        let Vary::Fields(named) = vary else {
            return None;
        };
        // `Vary` has them sorted and each once: the order in which the app lists them makes no
        // variant.
        let fields: Vec<HeaderName> = named.iter().filter(|name| **name != ACCEPT_ENCODING).cloned().collect();
        let values = fields.iter().map(|name| normalised(request, name)).collect();
        Some(Self { fields, values })
    }

    /// §4.1: "all the presented request header fields nominated by that Vary field value match
    /// those fields in the original request".
    pub fn matches(&self, request: &HeaderMap) -> bool {
        let mut said = self.fields.iter().zip(&self.values);
        said.all(|(name, value)| normalised(request, name) == *value)
    }

    /// The same fields with what another request says in them: the key under which its variant
    /// would be found.
    pub fn of(&self, request: &HeaderMap) -> Self {
        let values = self.fields.iter().map(|name| normalised(request, name)).collect();
        Self { fields: self.fields.clone(), values }
    }

    /// No field selects: one variant answers every request.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    pub fn fields(&self) -> &[HeaderName] {
        &self.fields
    }

    /// What the request said in each field, beside [`Self::fields`]; `None` where it was absent.
    pub fn values(&self) -> impl Iterator<Item = Option<&[u8]>> {
        self.values.iter().map(Option::as_deref)
    }

    /// Bytes held, for whoever accounts for memory: a client chooses how long a selecting field is.
    pub fn weight(&self) -> usize {
        let names: usize = self.fields.iter().map(|name| size_of::<HeaderName>() + name.as_str().len()).sum();
        let values: usize =
            self.values().map(|value| size_of::<Option<Box<[u8]>>>() + value.map_or(0, <[u8]>::len)).sum();
        size_of::<Self>() + names + values
    }
}

/// §4.1: "If (after any normalization that might take place) a header field is absent from a
/// request, it can only match another request if it is also absent there": absent is `None`, empty
/// is `Some(b"")`.
fn normalised(request: &HeaderMap, name: &HeaderName) -> Option<Box<[u8]>> {
    if !request.contains_key(name) {
        return None;
    }
    if is_opaque(name) {
        return Some(joined(request, name));
    }
    let members: Vec<&[u8]> = list::members(request, name).collect();
    let mut value = members.join(&b","[..]);
    if *name == ACCEPT_LANGUAGE {
        value.make_ascii_lowercase();
    }
    Some(value.into_boxed_slice())
}

/// Fields whose grammar is no comma-separated list; a comma inside them is theirs.
fn is_opaque(name: &HeaderName) -> bool {
    [COOKIE, USER_AGENT, AUTHORIZATION, HOST, ORIGIN, REFERER].contains(name)
}

/// The lines as they are, in order. RFC 9113, §8.2.3: `Cookie` may come in several and is joined by
/// "; ".
fn joined(request: &HeaderMap, name: &HeaderName) -> Box<[u8]> {
    let lines: Vec<&[u8]> = request.get_all(name).iter().map(|line| line.as_bytes().trim_ascii()).collect();
    lines.join(&b"; "[..]).into_boxed_slice()
}

#[cfg(test)]
mod tests;
