//! Which field's directives a shared cache obeys: a targeted field (RFC 9213), `Surrogate-Control`,
//! or `Cache-Control`.

use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, PRAGMA, VARY};
use http::{HeaderMap, HeaderName};

use crate::header::{CacheControl, Scope, list, targeted};

const SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");

/// Without one of these a stored response would be read as something else, or reach somebody else.
const INDISPENSABLE: [HeaderName; 6] = [CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, VARY];

/// The directives in force for one response. One field governs alone. RFC 9213, §2.2: "the cache
/// MUST select the first (in target-list order) field with a valid, non-empty value and use its
/// value to determine the caching policy for the response, and it MUST ignore the Cache-Control and
/// Expires header fields in that response".
#[derive(Clone, Debug)]
pub struct Governing {
    pub field: GoverningField,
    pub directives: CacheControl,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoverningField {
    /// RFC 9213.
    Targeted,
    /// W3C Edge Architecture 1.0, §2: for surrogates only, in place of `Cache-Control`.
    SurrogateControl,
    /// RFC 9111, §5.2; `Expires` counts beside it.
    CacheControl,
}

impl Governing {
    pub fn new(response: &HeaderMap, targets: &[HeaderName]) -> Self {
        // RFC 9213, §2.2.
        if let Some((_, directives)) = targeted::first(response, targets) {
            return Self { field: GoverningField::Targeted, directives };
        }
        if let Some(directives) = surrogate_control(response) {
            return Self { field: GoverningField::SurrogateControl, directives };
        }
        let mut directives = CacheControl::parse(response, &CACHE_CONTROL);
        if pragma_no_cache(response) {
            directives.no_cache = Some(Scope::Whole);
        }
        Self { field: GoverningField::CacheControl, directives }
    }

    /// §5.2.2.4, the unqualified form: every use needs validation. The qualified form names fields
    /// that are not stored (see [`super::fields`]) and leaves the rest of the response alone,
    /// except where the rest would mean something else without them; then it is "handled [...] as
    /// if an unqualified no-cache directive was received".
    pub fn no_cache(&self) -> bool {
        match &self.directives.no_cache {
            None => false,
            Some(Scope::Whole) => true,
            Some(Scope::Fields(names)) => names.iter().any(|name| INDISPENSABLE.contains(name)),
        }
    }

    /// The fields of `no-cache="a, b"` that are left out instead.
    pub fn no_cache_fields(&self) -> &[HeaderName] {
        match &self.directives.no_cache {
            Some(Scope::Fields(names)) if !self.no_cache() => names,
            _ => &[],
        }
    }

    /// §5.2.2.7. The qualified form allows the rest to be stored; which rest makes sense without
    /// the private part only the app knows, so both forms are treated the same, as §5.2.2.7 notes
    /// most caches do.
    pub fn private(&self) -> bool {
        self.directives.private.is_some()
    }
}

/// `Surrogate-Control` also carries things that are no caching (`content="ESI/1.0"`); then it says
/// nothing to us.
fn surrogate_control(response: &HeaderMap) -> Option<CacheControl> {
    if !response.contains_key(SURROGATE_CONTROL) {
        return None;
    }
    let directives = CacheControl::parse(response, &SURROGATE_CONTROL);
    let speaks = directives.max_age.is_some()
        || directives.no_store
        || directives.no_cache.is_some()
        || directives.private.is_some();
    speaks.then_some(directives)
}

/// §5.4 gives `Pragma` no meaning in a response; apps older than `Cache-Control` mean `no-cache`.
/// Obeyed where there is no `Cache-Control`: it can only keep the operator's own lifetimes and
/// heuristics from such a response.
fn pragma_no_cache(response: &HeaderMap) -> bool {
    !response.contains_key(CACHE_CONTROL)
        && list::members(response, &PRAGMA).any(|member| member.eq_ignore_ascii_case(b"no-cache"))
}
