//! May a stored response answer this request (RFC 9111, §4, with the request's own wishes, §5.2.1)?
//!
//! The caller has found a response under the request's key and variant, or none. Everything here is
//! about time and about what the app and the client said of it; conditions on validators come after
//! ([`super::condition`]).

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{CACHE_CONTROL, PRAGMA};

use crate::header::{CacheControl, list};

/// What is to be done with the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Answer from the store.
    Fresh,
    /// Answer from the store although it is stale.
    Stale(StaleUse),
    /// Ask the app whether the stored response still holds (§4.3). If it fails, the stored one may
    /// answer where `stale_if_error` says so.
    Validate { reason: ValidateReason, stale_if_error: bool },
    /// Nothing is stored: forward.
    Miss,
    /// Forward, and store nothing of the answer: the client said `no-store` (§5.2.1.5).
    Bypass,
    /// §5.2.1.7, `only-if-cached`: nothing stored may answer, so 504.
    GatewayTimeout,
}

/// Who allowed the stale answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleUse {
    /// RFC 5861, §3: and a refresh is due in the background.
    WhileRevalidate,
    /// §5.2.1.2: the client takes it as it is.
    MaxStale,
}

/// Why the stored response does not answer without the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValidateReason {
    /// §4.2: it is stale.
    Expired,
    /// §5.2.2.4: the app wants each use validated.
    NoCache,
    /// §5.2.1.4, or `Pragma` (§5.4).
    RequestNoCache,
    /// §5.2.1.1: older than the client takes.
    RequestMaxAge,
    /// §5.2.1.3: stale too soon for the client.
    RequestMinFresh,
}

impl ValidateReason {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NoCache => "no_cache",
            Self::RequestNoCache => "request_no_cache",
            Self::RequestMaxAge => "request_max_age",
            Self::RequestMinFresh => "request_min_fresh",
        }
    }
}

/// What is kept of [`super::Freshness`] beside a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredFreshness {
    /// §4.2.3, `response_time`: when it was received, or last validated.
    pub received: SystemTime,
    /// §4.2.3, `corrected_initial_age`.
    pub age: Duration,
    pub fresh_until: SystemTime,
    pub stale_while_revalidate: Duration,
    pub stale_if_error: Duration,
    pub no_cache: bool,
    pub must_revalidate: bool,
}

impl StoredFreshness {
    /// §4.2.3, `current_age`; whole seconds of it are the `Age` of an answer from the store (§5.1).
    /// A clock that went back makes nothing younger than it was on receipt.
    pub fn current_age(&self, now: SystemTime) -> Duration {
        self.age + now.duration_since(self.received).unwrap_or_default()
    }

    /// What is left of the lifetime; zero when stale.
    pub fn remaining(&self, now: SystemTime) -> Duration {
        self.fresh_until.duration_since(now).unwrap_or_default()
    }

    /// §4.2: `response_is_fresh = (freshness_lifetime > current_age)`.
    pub fn is_fresh(&self, now: SystemTime) -> bool {
        !self.no_cache && !self.remaining(now).is_zero()
    }

    /// When nothing may use it any more without validation: where a store may forget a response
    /// without validators.
    pub fn usable_until(&self) -> SystemTime {
        let windows = self.stale_while_revalidate.max(self.stale_if_error);
        self.fresh_until.checked_add(windows).unwrap_or(self.fresh_until)
    }

    fn staleness(&self, now: SystemTime) -> Duration {
        now.duration_since(self.fresh_until).unwrap_or_default()
    }
}

/// §5.2.1: what the client asks of a cache. [`RequestDirectives::default`] asks nothing: for routes
/// that ignore clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    pub no_cache: bool,
    pub no_store: bool,
    pub only_if_cached: bool,
    pub max_age: Option<Duration>,
    pub min_fresh: Option<Duration>,
    /// How stale an answer may be; [`Duration::MAX`] for `max-stale` without a number, "of any
    /// age".
    pub max_stale: Option<Duration>,
    /// RFC 5861, §4, which defines it for requests, too.
    pub stale_if_error: Option<Duration>,
}

impl RequestDirectives {
    pub fn parse(request: &HeaderMap) -> Self {
        if !request.contains_key(CACHE_CONTROL) {
            // §5.4 deprecates the field; RFC 7234, §5.4: "When the Cache-Control header field is
            // not present in a request, caches MUST consider the no-cache request pragma-directive
            // as having the same effect".
            let no_cache = list::members(request, &PRAGMA).any(|member| member.eq_ignore_ascii_case(b"no-cache"));
            return Self { no_cache, ..Self::default() };
        }
        let said = CacheControl::parse(request, &CACHE_CONTROL);
        Self {
            no_cache: said.no_cache.is_some(),
            no_store: said.no_store,
            only_if_cached: said.only_if_cached,
            max_age: said.max_age,
            min_fresh: said.min_fresh,
            max_stale: said.max_stale.map(|limit| limit.unwrap_or(Duration::MAX)),
            stale_if_error: said.stale_if_error,
        }
    }

    /// A client's wishes are as good as the app's word, and no better: nothing is staler than the operator's limit.
    pub fn within(self, stale_limit: Duration) -> Self {
        let within = |wish: Option<Duration>| wish.map(|wish| wish.min(stale_limit));
        Self { max_stale: within(self.max_stale), stale_if_error: within(self.stale_if_error), ..self }
    }

    /// §5.2.1.1: "Unless the max-stale request directive is also present, the client does not wish
    /// to receive a stale response". One who wants it fresh for a while yet (§5.2.1.3) does not, whatever else it says:
    /// a stale answer in the place of one that is too nearly stale would be the worse of the two.
    fn wants_fresh(&self) -> bool {
        self.min_fresh.is_some() || (self.max_age.is_some() && self.max_stale.is_none())
    }
}

/// Pure: the same response, request and time get the same answer.
pub fn lookup(stored: Option<&StoredFreshness>, request: &RequestDirectives, now: SystemTime) -> Lookup {
    let found = match stored {
        None => Lookup::Miss,
        Some(stored) => judge(stored, request, now),
    };
    match found {
        Lookup::Fresh | Lookup::Stale(_) => found,
        // §5.2.1.7: "SHOULD [...] respond with either a stored response consistent with the other
        // constraints of the request or a 504 (Gateway Timeout) status code".
        _ if request.only_if_cached => Lookup::GatewayTimeout,
        // §5.2.1.5: "MUST NOT store any part of either this request or any response to it"; that
        // "does not apply to the already stored response", so it comes after the answers from the
        // store.
        _ if request.no_store => Lookup::Bypass,
        _ => found,
    }
}

fn judge(stored: &StoredFreshness, request: &RequestDirectives, now: SystemTime) -> Lookup {
    let Some(reason) = doubt(stored, request, now) else {
        return Lookup::Fresh;
    };
    match stale_use(stored, request, now) {
        Some(permission) if reason == ValidateReason::Expired => Lookup::Stale(permission),
        _ => Lookup::Validate { reason, stale_if_error: usable_on_error(stored, request, now) },
    }
}

/// §4: the first reason not to use the stored response as it is.
fn doubt(stored: &StoredFreshness, request: &RequestDirectives, now: SystemTime) -> Option<ValidateReason> {
    // "the stored response does not contain the no-cache directive, unless it is successfully
    // validated"
    if stored.no_cache {
        return Some(ValidateReason::NoCache);
    }
    // §5.2.1.4
    if request.no_cache {
        return Some(ValidateReason::RequestNoCache);
    }
    // §5.2.1.1
    if request.max_age.is_some_and(|limit| stored.current_age(now) > limit) {
        return Some(ValidateReason::RequestMaxAge);
    }
    // "the stored response is one of the following: fresh [...], allowed to be served stale [...]"
    if !stored.is_fresh(now) {
        return Some(ValidateReason::Expired);
    }
    // §5.2.1.3
    if request.min_fresh.is_some_and(|wanted| stored.remaining(now) < wanted) {
        return Some(ValidateReason::RequestMinFresh);
    }
    None
}

/// §4.2.4: may the stale response answer now, the app reachable or not?
fn stale_use(stored: &StoredFreshness, request: &RequestDirectives, now: SystemTime) -> Option<StaleUse> {
    if request.wants_fresh() {
        return None;
    }
    let staleness = stored.staleness(now);
    // RFC 5861, §3
    if staleness < stored.stale_while_revalidate {
        return Some(StaleUse::WhileRevalidate);
    }
    // §5.2.1.2, unless the app forbids it (§5.2.2.2)
    let taken = request.max_stale.is_some_and(|limit| staleness <= limit);
    (taken && !stored.must_revalidate).then_some(StaleUse::MaxStale)
}

/// RFC 5861, §4: "regardless of other freshness information". A client that asked for validation by
/// name gets the error; one whose wish the store merely missed gets what is there.
fn usable_on_error(stored: &StoredFreshness, request: &RequestDirectives, now: SystemTime) -> bool {
    if stored.no_cache || request.no_cache {
        return false;
    }
    let asked = request.stale_if_error.filter(|_| !stored.must_revalidate);
    stored.is_fresh(now) || stored.staleness(now) < stored.stale_if_error.max(asked.unwrap_or_default())
}

#[cfg(test)]
mod tests;
