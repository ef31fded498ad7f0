//! What each reason means, and where to change it, in a sentence.

use std::time::Duration;

use http::header::{CACHE_CONTROL, EXPIRES, LAST_MODIFIED};
use http::{HeaderMap, HeaderName};

use super::report::{Outcome, Reason};
use crate::header::{Forward, targeted};
use crate::negotiate::SkipReason;
use crate::policy::lookup::{StaleUse, ValidateReason};
use crate::policy::{Freshness, FreshnessSource, Lookup, NotStored, Rules, SetCookie};
use crate::units::Span;

pub fn on_not_stored(reason: NotStored) -> Reason {
    let meaning = match reason {
        NotStored::Disabled => "the route does not cache: cache.enabled",
        NotStored::Method => "only answers to GET are stored",
        NotStored::Status => "its status does not say how the resource is; cache.negative gives errors a lifetime",
        NotStored::Partial => "it is a part of the resource (206)",
        NotStored::RequestNoStore => "the request says no-store",
        NotStored::NoStore => "the app says no-store; cache.ttl of a route with override = true, where it is wrong",
        NotStored::Private => "the app says private; cache.ttl of a route with override = true, where it is wrong",
        NotStored::Authorization => {
            "the request has credentials, and the app does not say public, s-maxage or must-revalidate"
        }
        NotStored::SetCookie => "it sets a cookie; cache.set_cookie = \"strip\", where the cookie means nothing",
        NotStored::VaryStar => "the app says Vary: *, which fits no later request",
        NotStored::NoFreshness => {
            "nobody gives it a lifetime: Cache-Control: max-age from the app, cache.default_ttl, or cache.ttl of a route"
        }
        NotStored::NoCache => "the app says no-cache, and sends no validator to ask it with",
        NotStored::StaleOnArrival => {
            "its lifetime is over on arrival (max-age=0, Expires in the past, a large Age), and it has no validator"
        }
        NotStored::CloseDelimited => "only the end of the connection ends it: Content-Length or chunks from the app",
        NotStored::Truncated => "the body ended early",
        NotStored::Range => {
            "the request has a Range, and the whole is not fetched for it: it is too long, or nobody knows yet"
        }
        NotStored::TooLarge => "it is longer than cache.max_object",
        NotStored::OverBudget => "other fills held the memory: memory.budget",
        NotStored::TooManyVariants => {
            "cache.max_variants of it are stored, and all of them are fresh and in use: a shorter Vary, or cache.normalise"
        }
        NotStored::Purged => "a purge came while it was received",
        NotStored::OtherValidator => "the app confirmed it by a 304 that has another ETag or Last-Modified than it has",
    };
    Reason { reason: reason.label().to_owned(), meaning: meaning.to_owned() }
}

pub fn on_skip(reason: SkipReason) -> Reason {
    let meaning = match reason {
        SkipReason::AlreadyEncoded => "the app compressed it",
        SkipReason::Breach => "it answers a request with credentials, and compression.breach is \"no-compression\"",
        SkipReason::Disabled => "compression is off for this route",
        SkipReason::Grpc => "gRPC has its own compression",
        SkipReason::Head => "the answer to HEAD has no body",
        SkipReason::Hint => "the app says X-Compress-Hint: off",
        SkipReason::Http10 => "the request is HTTP/1.0",
        SkipReason::IdentityPreferred => "the client weighs identity higher",
        SkipReason::NoAccept => "the client accepts none of the codings offered",
        SkipReason::NoBody => "there is no body",
        SkipReason::NoTransform => "one side says Cache-Control: no-transform",
        SkipReason::OverBudget => "no memory for an encoder or decoder: memory.budget",
        SkipReason::Partial => "a part was asked for, or sent",
        SkipReason::TooSmall => "it is shorter than compression.min_size",
        SkipReason::TypeNotListed => "its Content-Type is missing, or not in compression.types",
        SkipReason::Upgrade => "the connection becomes another protocol",
    };
    Reason { reason: reason.label().to_owned(), meaning: meaning.to_owned() }
}

pub fn on_forward(forward: Forward) -> &'static str {
    match forward {
        Forward::Bypass => "this route does not cache",
        Forward::Method => "only GET and HEAD are answered from the cache",
        Forward::UriMiss | Forward::Miss => "nothing is stored under this key",
        Forward::VaryMiss => "what is stored under this key is for other request fields",
        Forward::Request => "what is stored may not answer a request with credentials: the app does not say public",
        Forward::Stale => "what is stored is stale",
        Forward::Partial => "only a part is stored",
    }
}

/// What a verdict about a stored response makes of the request.
pub fn on_lookup(lookup: Lookup) -> (Outcome, &'static str) {
    match lookup {
        Lookup::Fresh => (Outcome::Hit, "what is stored is fresh"),
        Lookup::Stale(StaleUse::MaxStale) => (Outcome::Stale, "the client takes it stale (max-stale)"),
        Lookup::Stale(StaleUse::WhileRevalidate) => {
            (Outcome::Updating, "it is stale, and may be used while it is refreshed (stale-while-revalidate)")
        }
        Lookup::Validate { reason, stale_if_error } => (Outcome::Revalidate, on_validation(reason, stale_if_error)),
        Lookup::Miss => (Outcome::Miss, "nothing is stored under this key"),
        Lookup::Bypass => {
            (Outcome::Revalidate, "the client says no-store: the app is asked, and nothing of it is kept")
        }
        Lookup::GatewayTimeout => (Outcome::Refused, "the client says only-if-cached, and nothing stored may answer"),
    }
}

fn on_validation(reason: ValidateReason, on_error: bool) -> &'static str {
    match (reason, on_error) {
        (ValidateReason::Expired, true) => "its lifetime is over; it may be used if the app fails (stale-if-error)",
        (ValidateReason::Expired, false) => "its lifetime is over",
        (ValidateReason::NoCache, _) => "the app wants to be asked each time (no-cache)",
        (ValidateReason::RequestNoCache, _) => "the client says no-cache",
        (ValidateReason::RequestMaxAge, _) => "it is older than the client takes (max-age)",
        (ValidateReason::RequestMinFresh, _) => "it is not fresh for as long as the client wants (min-fresh)",
    }
}

/// Where a lifetime comes from: the field that gave it, with its value, or the key of the configuration.
pub fn source_of(freshness: &Freshness, head: &HeaderMap, rules: &Rules) -> String {
    let field = |name: &HeaderName| {
        let lines: Vec<_> = head.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
        format!("{name}: {}", lines.join(", "))
    };
    match freshness.source {
        FreshnessSource::RouteTtl => "cache.ttl of the route".to_owned(),
        FreshnessSource::DefaultTtl => "cache.default_ttl".to_owned(),
        FreshnessSource::Negative => "cache.negative".to_owned(),
        FreshnessSource::SMaxAge | FreshnessSource::MaxAge => field(&CACHE_CONTROL),
        FreshnessSource::Expires => field(&EXPIRES),
        FreshnessSource::Heuristic => field(&LAST_MODIFIED),
        FreshnessSource::SurrogateControl => field(&HeaderName::from_static("surrogate-control")),
        FreshnessSource::Targeted | FreshnessSource::NoCache => {
            field(targeted::first(head, &rules.targets).map_or(&CACHE_CONTROL, |(name, _)| name))
        }
    }
}

/// What an answer of the app needs to be stored on this route.
pub fn needs(rules: &Rules, authorized: bool, fills: bool) -> Vec<String> {
    if !rules.enabled {
        return vec!["a route that caches: cache.enabled".to_owned()];
    }
    let mut needs = vec![lifetime(rules)];
    if !fills {
        needs.push("a GET, without a Range that is passed on".to_owned());
    }
    if authorized {
        needs.push("public, s-maxage or must-revalidate from the app, as the request has credentials".to_owned());
    }
    if !rules.override_app || rules.ttl.is_none() {
        needs.push("no no-store or private".to_owned());
    }
    if rules.set_cookie == SetCookie::Refuse {
        needs.push("no Set-Cookie".to_owned());
    }
    needs
}

fn lifetime(rules: &Rules) -> String {
    let ours = match (rules.ttl, rules.default_ttl) {
        (Some(ttl), _) if rules.override_app => return format!("nothing for its lifetime: cache.ttl is {}", Span(ttl)),
        (Some(ttl), _) => format!("without one, cache.ttl of {}", Span(ttl)),
        (None, Duration::ZERO) => "cache.default_ttl is 0s".to_owned(),
        (None, ttl) => format!("without one, cache.default_ttl of {}", Span(ttl)),
    };
    format!("a lifetime from the app (Cache-Control: max-age; {ours})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_label_and_a_meaning() {
        for reason in NotStored::ALL {
            let told = on_not_stored(reason);
            assert!(told.reason == reason.label() && told.meaning.len() > 10, "{told:?}");
        }
        for reason in SkipReason::ALL {
            let told = on_skip(reason);
            assert!(told.reason == reason.label() && told.meaning.len() > 10, "{told:?}");
        }
        for forward in Forward::ALL {
            assert!(on_forward(forward).len() > 10, "{forward:?}");
        }
    }

    #[test]
    fn needs_follow_the_rules() {
        let text = |rules: &Rules| needs(rules, false, true).join("; ");
        let plain = text(&Rules::default());
        assert!(plain.contains("max-age; cache.default_ttl is 0s") && plain.contains("no Set-Cookie"), "{plain}");
        let ttl = Some(Duration::from_secs(60));
        assert!(text(&Rules { ttl, ..Rules::default() }).contains("without one, cache.ttl of 1m"));
        let forced = text(&Rules { ttl, override_app: true, set_cookie: SetCookie::Strip, ..Rules::default() });
        assert_eq!(forced, "nothing for its lifetime: cache.ttl is 1m");
        assert_eq!(text(&Rules { enabled: false, ..Rules::default() }), "a route that caches: cache.enabled");
        let asked = needs(&Rules::default(), true, false).join("; ");
        assert!(asked.contains("without a Range") && asked.contains("credentials"), "{asked}");
    }
}
