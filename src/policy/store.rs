//! May this response be stored, and for how long (RFC 9111, §3)?
//!
//! The conditions are asked in the RFC's order, the product's own after them; the first that fails
//! is the reason.
//!
//! One rule has its reason in the platform: waiting requests queue behind a fill, and one that ends
//! in a response nobody may use without asking the app again makes them queue for nothing. So a
//! response that is stale on arrival or `no-cache` is stored only where storing pays: with a
//! validator, or with a window in which it may be used stale.

use std::time::SystemTime;

use http::header::{AUTHORIZATION, CACHE_CONTROL, ETAG, LAST_MODIFIED, SET_COOKIE};
use http::{HeaderMap, Method, StatusCode};

use super::freshness::{Freshness, freshness, overriding_ttl};
use super::governing::Governing;
use super::rules::{Rules, SetCookie};
use super::status::{self, Storable};
use crate::header::{CacheControl, Vary};

/// The request as the client sent it.
#[derive(Clone, Copy, Debug)]
pub struct StoreRequest<'a> {
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
}

/// The response as the app sent it, before any edit of ours.
#[derive(Clone, Copy, Debug)]
pub struct StoreResponse<'a> {
    pub status: StatusCode,
    pub headers: &'a HeaderMap,
    /// RFC 9112, §6.3, 8: only the end of the connection ends the body, and an abort looks the
    /// same.
    pub close_delimited: bool,
}

/// Why a response is not stored; the metric label, the log word and the `detail` of `Cache-Status`.
///
/// [`store`] gives those above the line; the rest are found by those who move the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotStored {
    /// The route does not cache.
    Disabled,
    /// §3: only answers to `GET` are kept.
    Method,
    /// §3: not a status that says how the resource is (see [`super::status`]).
    Status,
    /// §3.3: a 206.
    Partial,
    /// §5.2.1.5
    RequestNoStore,
    /// §5.2.2.5
    NoStore,
    /// §5.2.2.7
    Private,
    /// §3.5: made for somebody who logged in, and the app does not say that it is for all.
    Authorization,
    /// Made for one person (see [`SetCookie`]).
    SetCookie,
    /// §4.1: matches no request, ever.
    VaryStar,
    /// §4.2.1: neither the app nor the operator gives it a lifetime.
    NoFreshness,
    /// §5.2.2.4: each use would ask the app, which could not answer 304.
    NoCache,
    /// §4.2: its lifetime was over on arrival, and it has no validator and no stale window.
    StaleOnArrival,
    /// §3.3: whether it is complete cannot be known.
    CloseDelimited,

    // ---
    /// §3.3: the body ended early.
    Truncated,
    /// The request had a `Range`, and the whole was not stored for it (see [`mod@super::part`]).
    Range,
    /// Over the object limit.
    TooLarge,
    /// The memory budget has no room for a fill.
    OverBudget,
    /// The resource has as many variants as are kept, all fresh and in use.
    TooManyVariants,
    /// A purge came while it was under way.
    Purged,
    /// §4.3.4: a 304 that names another validator than that of what it was asked about.
    OtherValidator,
}

impl NotStored {
    pub const ALL: [Self; 21] = [
        Self::Disabled,
        Self::Method,
        Self::Status,
        Self::Partial,
        Self::RequestNoStore,
        Self::NoStore,
        Self::Private,
        Self::Authorization,
        Self::SetCookie,
        Self::VaryStar,
        Self::NoFreshness,
        Self::NoCache,
        Self::StaleOnArrival,
        Self::CloseDelimited,
        Self::Truncated,
        Self::Range,
        Self::TooLarge,
        Self::OverBudget,
        Self::TooManyVariants,
        Self::Purged,
        Self::OtherValidator,
    ];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Method => "method",
            Self::Status => "status",
            Self::Partial => "partial",
            Self::RequestNoStore => "request_no_store",
            Self::NoStore => "no_store",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::SetCookie => "set_cookie",
            Self::VaryStar => "vary_star",
            Self::NoFreshness => "no_freshness",
            Self::NoCache => "no_cache",
            Self::StaleOnArrival => "stale_on_arrival",
            Self::CloseDelimited => "close_delimited",
            Self::Truncated => "truncated",
            Self::Range => "range",
            Self::TooLarge => "too_large",
            Self::OverBudget => "over_budget",
            Self::TooManyVariants => "too_many_variants",
            Self::Purged => "purged",
            Self::OtherValidator => "other_validator",
        }
    }

    /// Does the reason lie in this request alone? Then the next response for the same key may well
    /// be stored, and nothing about the resource is to be remembered.
    pub const fn is_about_request(self) -> bool {
        matches!(
            self,
            Self::Method
                | Self::RequestNoStore
                | Self::Authorization
                | Self::Range
                | Self::Truncated
                | Self::TooManyVariants
                | Self::Purged
        )
    }
}

/// Pure: may the response be stored, for how long, or why not?
pub fn store(
    request: &StoreRequest,
    response: &StoreResponse,
    rules: &Rules,
    now: SystemTime,
) -> Result<Freshness, NotStored> {
    if !rules.enabled {
        return Err(NotStored::Disabled);
    }
    let governing = Governing::new(response.headers, &rules.targets);
    // The operator's word replaces the app's on keeping and lifetime, never on whom a response is
    // for.
    let overridden = overriding_ttl(response.status, rules).is_some();

    // §3: "the request method is understood by the cache".
    if *request.method != Method::GET {
        return Err(NotStored::Method);
    }
    status_allows(response.status, &governing.directives)?;
    // §5.2.1.5 for the request; §3 for the response: "the no-store cache directive is not present
    // in the response".
    if CacheControl::parse(request.headers, &CACHE_CONTROL).no_store {
        return Err(NotStored::RequestNoStore);
    }
    if !overridden {
        app_allows(&governing)?;
    }
    authorization_allows(request.headers, &governing.directives)?;
    ours_allow(response, &governing, rules)?;
    // §3: "the response contains at least one of the following": a lifetime of some kind.
    let freshness =
        freshness(response.status, response.headers, &governing, rules, now).ok_or(NotStored::NoFreshness)?;
    storing_pays(&freshness, response.headers)?;
    Ok(freshness)
}

/// §3: "the response status code is final", "if the response status code is 206 or 304, or the
/// must-understand cache directive [...] is present: the cache understands the response status
/// code".
fn status_allows(status: StatusCode, directives: &CacheControl) -> Result<(), NotStored> {
    match status::storable(status) {
        Storable::No => Err(NotStored::Status),
        Storable::Partial => Err(NotStored::Partial),
        Storable::Yes if directives.must_understand && !status::understood(status) => Err(NotStored::Status),
        Storable::Yes => Ok(()),
    }
}

fn app_allows(governing: &Governing) -> Result<(), NotStored> {
    let directives = &governing.directives;
    // §5.2.2.3: a cache that knows must-understand and the status "SHOULD ignore the no-store
    // directive". A status that is not known has been refused by now.
    if directives.no_store && !directives.must_understand {
        return Err(NotStored::NoStore);
    }
    // §3: "if the cache is shared: the private response directive is either not present".
    if governing.private() {
        return Err(NotStored::Private);
    }
    Ok(())
}

/// §3.5: "MUST NOT use a cached response to a request with an Authorization header field [...]
/// unless the response contains a Cache-Control field with a response directive that allows it".
fn authorization_allows(request: &HeaderMap, directives: &CacheControl) -> Result<(), NotStored> {
    if request.contains_key(AUTHORIZATION) && !is_for_all(directives) {
        return Err(NotStored::Authorization);
    }
    Ok(())
}

fn is_for_all(directives: &CacheControl) -> bool {
    directives.must_revalidate || directives.public || directives.s_maxage.is_some()
}

/// May a response stored for an anonymous client answer one with `Authorization`? §3.5 does not forbid it; an app that
/// shows logged-in people another page under the same URL, and does not say so, is reason enough to ask for its word.
pub fn permits_authorized(stored: &HeaderMap, rules: &Rules) -> bool {
    is_for_all(&Governing::new(stored, &rules.targets).directives)
}

fn ours_allow(response: &StoreResponse, governing: &Governing, rules: &Rules) -> Result<(), NotStored> {
    // §7.3 allows storing a cookie and leaves it to the app to forbid it; legacy apps do not know
    // that.
    let left_out = governing.no_cache_fields().contains(&SET_COOKIE);
    if rules.set_cookie == SetCookie::Refuse && response.headers.contains_key(SET_COOKIE) && !left_out {
        return Err(NotStored::SetCookie);
    }
    // §4.1: it "always fails to match".
    if matches!(Vary::parse(response.headers), Vary::Any) {
        return Err(NotStored::VaryStar);
    }
    // §3.3: an incomplete response must be known as such.
    if response.close_delimited {
        return Err(NotStored::CloseDelimited);
    }
    Ok(())
}

fn storing_pays(freshness: &Freshness, response: &HeaderMap) -> Result<(), NotStored> {
    let has_validator = response.contains_key(ETAG) || response.contains_key(LAST_MODIFIED);
    if has_validator || freshness.is_usable_unvalidated() {
        return Ok(());
    }
    Err(if freshness.no_cache { NotStored::NoCache } else { NotStored::StaleOnArrival })
}

#[cfg(test)]
mod tests;
