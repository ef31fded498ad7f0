//! How long a response is fresh, and who says so (RFC 9111, §4.2).
//!
//! In order, the first that speaks:
//!
//! 1. the route's `ttl` where it overrides the app;
//! 2. a targeted field (RFC 9213), `Surrogate-Control`, or `Cache-Control` with `s-maxage` before
//!    `max-age`;
//! 3. `Expires` minus `Date`, beside `Cache-Control` only;
//! 4. the route's `ttl`, then `negative` for this status, then `default_ttl`;
//! 5. a tenth of the time since `Last-Modified`, where switched on (§4.2.2).
//!
//! A `ttl` that does not override also caps what the app says, which wins where it is stricter.
//!
//! The app's lifetimes count from when the response was made, so its age is taken off. The
//! operator's count from when vacpack received it: a rule of five seconds means five seconds,
//! whatever clock the app has.

use std::time::{Duration, SystemTime};

use http::header::{EXPIRES, LAST_MODIFIED};
use http::{HeaderMap, StatusCode};

use super::age::{corrected_initial_age, date_value};
use super::governing::{Governing, GoverningField};
use super::lookup::StoredFreshness;
use super::rules::Rules;
use super::stale::{StaleWindows, must_revalidate};
use super::status;
use crate::header::date;
use crate::header::delta_seconds::GREATEST;

/// For how long a response may answer requests, reckoned at the moment it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// §4.2.1, `freshness_lifetime`.
    pub lifetime: Duration,
    /// §4.2.3, `corrected_initial_age`.
    pub age: Duration,
    pub source: FreshnessSource,
    pub stale_while_revalidate: Duration,
    pub stale_if_error: Duration,
    /// §5.2.2.4: no use at all without validation.
    pub no_cache: bool,
    /// §4.2.4: no stale use beyond the two windows.
    pub must_revalidate: bool,
}

/// Who gave the lifetime; the word in `explain` and the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FreshnessSource {
    RouteTtl,
    Targeted,
    SurrogateControl,
    SMaxAge,
    MaxAge,
    Expires,
    DefaultTtl,
    Negative,
    Heuristic,
    /// `no-cache`: whatever else was said, no lifetime.
    NoCache,
}

impl Freshness {
    /// It answers the request it came for, and no other without asking the app.
    pub fn is_for_one_use(&self) -> bool {
        self.no_cache || (self.remaining().is_zero() && self.stale_while_revalidate.is_zero())
    }

    /// What is left of the lifetime on receipt.
    pub fn remaining(&self) -> Duration {
        self.lifetime.saturating_sub(self.spent())
    }

    /// The moment it became, or becomes, stale: in the past for a response that was stale when it
    /// came.
    pub fn fresh_until(&self, received: SystemTime) -> SystemTime {
        // Both terms are at most 2^31 s; only a clock near the ends of time makes this fail, and
        // then nothing is fresh.
        let end = received.checked_add(self.lifetime).and_then(|end| end.checked_sub(self.spent()));
        end.unwrap_or(received)
    }

    /// Will it ever answer a request without being validated first?
    pub fn is_usable_unvalidated(&self) -> bool {
        let windows = self.stale_while_revalidate.max(self.stale_if_error);
        !self.no_cache && self.lifetime + windows > self.spent()
    }

    /// What is kept beside the response for [`super::lookup()`].
    pub fn stored(&self, received: SystemTime) -> StoredFreshness {
        StoredFreshness {
            received,
            age: self.age,
            fresh_until: self.fresh_until(received),
            stale_while_revalidate: self.stale_while_revalidate,
            stale_if_error: self.stale_if_error,
            no_cache: self.no_cache,
            must_revalidate: self.must_revalidate,
        }
    }

    /// How much of the lifetime had passed on receipt.
    fn spent(&self) -> Duration {
        if self.source.is_operators() { Duration::ZERO } else { self.age }
    }
}

impl FreshnessSource {
    pub const ALL: [Self; 10] = [
        Self::RouteTtl,
        Self::Targeted,
        Self::SurrogateControl,
        Self::SMaxAge,
        Self::MaxAge,
        Self::Expires,
        Self::DefaultTtl,
        Self::Negative,
        Self::Heuristic,
        Self::NoCache,
    ];

    pub const fn label(self) -> &'static str {
        match self {
            Self::RouteTtl => "route_ttl",
            Self::Targeted => "targeted",
            Self::SurrogateControl => "surrogate_control",
            Self::SMaxAge => "s_maxage",
            Self::MaxAge => "max_age",
            Self::Expires => "expires",
            Self::DefaultTtl => "default_ttl",
            Self::Negative => "negative",
            Self::Heuristic => "heuristic",
            Self::NoCache => "no_cache",
        }
    }

    /// A lifetime from the configuration; it counts from receipt.
    const fn is_operators(self) -> bool {
        matches!(self, Self::RouteTtl | Self::DefaultTtl | Self::Negative)
    }
}

/// A lifetime and who gave it.
type Lifetime = (Duration, FreshnessSource);

/// The freshness of a response whose storing nothing else forbids; `None` where nobody gives it a
/// lifetime.
pub(super) fn freshness(
    status: StatusCode,
    response: &HeaderMap,
    governing: &Governing,
    rules: &Rules,
    now: SystemTime,
) -> Option<Freshness> {
    let age = corrected_initial_age(response, now);
    if let Some(ttl) = overriding_ttl(status, rules) {
        let windows = StaleWindows::of_operator(rules).at_most(rules.stale_limit);
        return Some(assemble((ttl, FreshnessSource::RouteTtl), age, windows, None));
    }
    let (lifetime, source) = if governing.no_cache() {
        kept_for_validation(status, response, governing, now)?
    } else {
        lifetime(status, response, governing, rules, age, now)?
    };
    // "404 = 10s" means ten seconds, also where stale use of pages is granted.
    let operator = match source {
        FreshnessSource::Negative => StaleWindows::default(),
        _ => StaleWindows::of_operator(rules),
    };
    let windows = StaleWindows::granted(governing, operator).at_most(rules.stale_limit);
    Some(assemble((lifetime, source), age, windows, Some(governing)))
}

/// §5.2.2.4: `no-cache` takes every lifetime away, but is no leave to store. §3 asks for one of those: a lifetime,
/// `public`, or "a status code that is defined as heuristically cacheable".
fn kept_for_validation(
    status: StatusCode,
    response: &HeaderMap,
    governing: &Governing,
    now: SystemTime,
) -> Option<Lifetime> {
    let leave = status::heuristically_cacheable(status)
        || governing.directives.public
        || explicit(response, governing, now).is_some();
    leave.then_some((Duration::ZERO, FreshnessSource::NoCache))
}

/// The route's `ttl` in place of the app's word; `None` where the app is asked.
pub(super) fn overriding_ttl(status: StatusCode, rules: &Rules) -> Option<Duration> {
    rules.ttl.filter(|_| rules.override_app && status::takes_ttl(status))
}

fn assemble(given: Lifetime, age: Duration, windows: StaleWindows, app: Option<&Governing>) -> Freshness {
    let (lifetime, source) = given;
    Freshness {
        lifetime: lifetime.min(GREATEST),
        age,
        source,
        stale_while_revalidate: windows.while_revalidate,
        stale_if_error: windows.if_error,
        no_cache: app.is_some_and(Governing::no_cache),
        must_revalidate: app.is_some_and(must_revalidate),
    }
}

fn lifetime(
    status: StatusCode,
    response: &HeaderMap,
    governing: &Governing,
    rules: &Rules,
    age: Duration,
    now: SystemTime,
) -> Option<Lifetime> {
    let route = rules.ttl.filter(|_| status::takes_ttl(status)).map(|ttl| (ttl, FreshnessSource::RouteTtl));
    match (explicit(response, governing, now), route) {
        (Some(app), Some(route)) => Some(if app.0.saturating_sub(age) <= route.0 { app } else { route }),
        (Some(app), None) => Some(app),
        (None, Some(route)) => Some(route),
        (None, None) => configured(status, rules).or_else(|| heuristic(status, response, governing, rules, now)),
    }
}

/// §4.2.1: what the app says, in its order of precedence.
fn explicit(response: &HeaderMap, governing: &Governing, now: SystemTime) -> Option<Lifetime> {
    use FreshnessSource::{Expires, MaxAge, SMaxAge, SurrogateControl, Targeted};

    let directives = &governing.directives;
    let shared = directives.s_maxage.or(directives.max_age);
    match governing.field {
        GoverningField::Targeted => shared.map(|given| (given, Targeted)),
        GoverningField::SurrogateControl => shared.map(|given| (given, SurrogateControl)),
        // "If the cache is shared and the s-maxage response directive is present, use its value, or
        // if the max-age response directive is present, use its value, or if the Expires response
        // header field is present, use its value minus the value of the Date response header
        // field".
        GoverningField::CacheControl => (directives.s_maxage.map(|given| (given, SMaxAge)))
            .or_else(|| directives.max_age.map(|given| (given, MaxAge)))
            .or_else(|| expires(response, now).map(|given| (given, Expires))),
    }
}

/// §5.3: `Expires` on the app's own clock. "A cache recipient MUST interpret invalid date formats,
/// especially the value "0", as representing a time in the past"; of lines that differ §4.2.1 lets
/// us take none.
fn expires(response: &HeaderMap, now: SystemTime) -> Option<Duration> {
    if !response.contains_key(EXPIRES) {
        return None;
    }
    let end = date::field(response, &EXPIRES);
    let lifetime = end.and_then(|end| end.duration_since(date_value(response, now)).ok());
    Some(lifetime.unwrap_or_default())
}

/// What the configuration gives where the app gives nothing; zero gives nothing.
fn configured(status: StatusCode, rules: &Rules) -> Option<Lifetime> {
    let negative = rules.negative.iter().find(|(listed, _)| *listed == status);
    let given = match negative {
        Some((_, ttl)) => (*ttl, FreshnessSource::Negative),
        None if status::takes_ttl(status) => (rules.default_ttl, FreshnessSource::DefaultTtl),
        None => return None,
    };
    (!given.0.is_zero()).then_some(given)
}

/// §4.2.2: for a status that is heuristically cacheable, or any marked `public`: "a typical setting
/// of this fraction might be 10%". A day at most: nobody promised anything.
fn heuristic(
    status: StatusCode,
    response: &HeaderMap,
    governing: &Governing,
    rules: &Rules,
    now: SystemTime,
) -> Option<Lifetime> {
    const LONGEST_GUESS: Duration = Duration::from_secs(24 * 60 * 60);

    if !rules.heuristic || !(status::heuristically_cacheable(status) || governing.directives.public) {
        return None;
    }
    let changed = date::field(response, &LAST_MODIFIED)?;
    let unchanged_for = date_value(response, now).duration_since(changed).ok()?;
    Some(((unchanged_for / 10).min(LONGEST_GUESS), FreshnessSource::Heuristic))
}

#[cfg(test)]
mod tests;
