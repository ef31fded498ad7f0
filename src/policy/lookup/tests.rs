use proptest::prelude::*;

use super::super::testing::{any_head, head, later, now, seconds};
use super::*;

/// Received now at age zero: fresh for a minute, then stale in whatever windows a test adds.
fn minute() -> StoredFreshness {
    StoredFreshness {
        received: now(),
        age: Duration::ZERO,
        fresh_until: later(60),
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        no_cache: false,
        must_revalidate: false,
    }
}

fn asked(stored: &StoredFreshness, cache_control: &str, at: u64) -> Lookup {
    let request = RequestDirectives::parse(&head(&[("cache-control", cache_control)]));
    lookup(Some(stored), &request, later(at))
}

const fn validate(reason: ValidateReason, stale_if_error: bool) -> Lookup {
    Lookup::Validate { reason, stale_if_error }
}

#[rustfmt::skip]
#[test]
fn request_directives_by_clause() {
    use Lookup::{Bypass, Fresh, GatewayTimeout, Stale};
    use ValidateReason::{Expired, RequestMaxAge, RequestMinFresh, RequestNoCache};

    let aged = StoredFreshness {
        age: seconds(1800),
        fresh_until: later(1800),
        ..minute()
    };
    for (clause, stored, cache_control, at, expected) in [
        ("§4.2", minute(), "x", 0, Fresh),
        ("§4.2", minute(), "x", 59, Fresh),
        ("§4.2 lifetime > age, not >=", minute(), "x", 60, validate(Expired, false)),
        ("§5.2.1.1", minute(), "max-age=10", 10, Fresh),
        ("§5.2.1.1", minute(), "max-age=10", 11, validate(RequestMaxAge, true)),
        ("§5.2.1.1 zero", minute(), "max-age=0", 1, validate(RequestMaxAge, true)),
        ("§5.2.1.1 Age counts", aged, "max-age=600", 0, validate(RequestMaxAge, true)),
        ("§5.2.1.1 longer than the lifetime", minute(), "max-age=600", 60, validate(Expired, false)),
        ("§5.2.1.1 invalid is zero", minute(), "max-age=x", 1, validate(RequestMaxAge, true)),
        ("§5.2.1.2", minute(), "max-stale=10", 70, Stale(StaleUse::MaxStale)),
        ("§5.2.1.2", minute(), "max-stale=10", 71, validate(Expired, false)),
        ("§5.2.1.2 of any age", minute(), "max-stale", 999_999, Stale(StaleUse::MaxStale)),
        ("§5.2.1.2 beside max-age", minute(), "max-stale, max-age=65", 64, Stale(StaleUse::MaxStale)),
        ("§5.2.1.3", minute(), "min-fresh=20", 40, Fresh),
        ("§5.2.1.3", minute(), "min-fresh=20", 41, validate(RequestMinFresh, true)),
        ("§5.2.1.3 beside max-stale", minute(), "max-stale, min-fresh=20", 41, validate(RequestMinFresh, true)),
        ("§5.2.1.3 stale is not fresh enough", minute(), "max-stale, min-fresh=20", 61, validate(Expired, false)),
        ("§5.2.1.4", minute(), "no-cache", 0, validate(RequestNoCache, false)),
        ("§5.2.1.5 not for what is stored already", minute(), "no-store", 0, Fresh),
        ("§5.2.1.5 for what has to be asked for", minute(), "no-store", 60, Bypass),
        ("§5.2.1.7", minute(), "only-if-cached", 0, Fresh),
        ("§5.2.1.7 with another constraint", minute(), "only-if-cached, max-stale", 99, Stale(StaleUse::MaxStale)),
        ("§5.2.1.7", minute(), "only-if-cached", 60, GatewayTimeout),
        ("§5.2.1.7", minute(), "only-if-cached, no-store", 60, GatewayTimeout),
        ("§5.2.1.7", minute(), "only-if-cached, no-cache", 0, GatewayTimeout),
    ] {
        assert_eq!(
            asked(&stored, cache_control, at),
            expected,
            "{clause}: {cache_control} at {at}"
        );
    }
}

#[test]
fn a_client_takes_nothing_staler_than_the_operator_allows() {
    let limit = seconds(10);
    for (said, max_stale, stale_if_error) in [
        ("max-stale", Some(10), None),
        ("max-stale=5", Some(5), None),
        ("max-stale=60, stale-if-error=60", Some(10), Some(10)),
        ("max-age=60, stale-if-error=5", None, Some(5)),
    ] {
        let wishes = RequestDirectives::parse(&head(&[("cache-control", said)])).within(limit);
        assert_eq!(wishes.max_stale, max_stale.map(seconds), "{said}");
        assert_eq!(wishes.stale_if_error, stale_if_error.map(seconds), "{said}");
    }
}

#[rustfmt::skip]
#[test]
fn what_the_app_forbids_or_grants() {
    use Lookup::Stale;
    use ValidateReason::{Expired, NoCache, RequestMaxAge, RequestMinFresh, RequestNoCache};

    let no_cache = StoredFreshness {
        no_cache: true,
        must_revalidate: true,
        ..minute()
    };
    let must = StoredFreshness {
        must_revalidate: true,
        ..minute()
    };
    let revalidate = StoredFreshness {
        stale_while_revalidate: seconds(30),
        ..minute()
    };
    let on_error = StoredFreshness {
        stale_if_error: seconds(30),
        ..minute()
    };
    let framework = StoredFreshness {
        stale_while_revalidate: seconds(30),
        ..must
    };
    for (clause, stored, cache_control, at, expected) in [
        ("§5.2.2.4", no_cache, "x", 0, validate(NoCache, false)),
        ("§5.2.2.4 over max-stale", no_cache, "max-stale", 0, validate(NoCache, false)),
        ("§5.2.2.4 over stale-if-error", no_cache, "stale-if-error=99", 61, validate(NoCache, false)),
        ("§5.2.2.2 while fresh", must, "x", 59, Lookup::Fresh),
        ("§5.2.2.2 once stale", must, "max-stale", 60, validate(Expired, false)),
        ("§5.2.2.2 over stale-if-error", must, "stale-if-error=99", 61, validate(Expired, false)),
        ("RFC 5861 §3", revalidate, "x", 89, Stale(StaleUse::WhileRevalidate)),
        ("RFC 5861 §3 after it", revalidate, "x", 90, validate(Expired, false)),
        ("RFC 5861 §3 not for one who wants it fresh", revalidate, "max-age=600", 61, validate(Expired, false)),
        ("RFC 5861 §3 not for one who wants it fresh", revalidate, "min-fresh=1", 61, validate(Expired, false)),
        ("RFC 5861 §3 nor with max-stale beside it", revalidate, "min-fresh=1, max-stale", 61, validate(Expired, false)),
        ("RFC 5861 §3 beside s-maxage", framework, "x", 61, Stale(StaleUse::WhileRevalidate)),
        ("RFC 5861 §4", on_error, "x", 89, validate(Expired, true)),
        ("RFC 5861 §4 after it", on_error, "x", 90, validate(Expired, false)),
        ("RFC 5861 §4 in the request", minute(), "stale-if-error=9", 65, validate(Expired, true)),
        ("RFC 5861 §4 but not asked for validation", on_error, "no-cache", 61, validate(RequestNoCache, false)),
        ("fresh is better than an error", minute(), "max-age=1", 9, validate(RequestMaxAge, true)),
        ("fresh is better than an error", minute(), "min-fresh=99", 9, validate(RequestMinFresh, true)),
    ] {
        assert_eq!(
            asked(&stored, cache_control, at),
            expected,
            "{clause}: {cache_control} at {at}"
        );
    }
}

#[test]
fn nothing_stored() {
    for (cache_control, expected) in [
        ("x", Lookup::Miss),
        ("no-cache", Lookup::Miss),
        ("no-store", Lookup::Bypass),
        ("only-if-cached", Lookup::GatewayTimeout),
    ] {
        let request = RequestDirectives::parse(&head(&[("cache-control", cache_control)]));
        assert_eq!(lookup(None, &request, now()), expected, "{cache_control}");
    }
}

#[test]
fn pragma_counts_without_cache_control() {
    let read = |lines| RequestDirectives::parse(&head(lines)).no_cache;
    assert!(read(&[("pragma", "no-cache")]));
    assert!(read(&[("pragma", "x, No-Cache")]));
    assert!(!read(&[("pragma", "x")]));
    assert!(!read(&[("pragma", "no-cache"), ("cache-control", "max-age=9")]));
    assert_eq!(RequestDirectives::parse(&head(&[])), RequestDirectives::default());
}

#[test]
fn the_clock_may_go_back() {
    let stored = StoredFreshness { age: seconds(7), ..minute() };
    assert_eq!(stored.current_age(now() - seconds(100)), seconds(7));
    assert_eq!(stored.current_age(later(3)), seconds(10));
    assert_eq!(lookup(Some(&stored), &RequestDirectives::default(), now() - seconds(100)), Lookup::Fresh);
}

proptest! {
    #[test]
    fn whatever_the_request_says(
        request in any_head(&["cache-control", "pragma"]),
        flags in any::<[bool; 2]>(),
        times in [0_u64..200, 0..200, 0..200, 0..200],
        at in 0_u64..400,
    ) {
        let stored = StoredFreshness {
            age: seconds(times[0]),
            fresh_until: later(times[1]),
            stale_while_revalidate: seconds(times[2]),
            stale_if_error: seconds(times[3]),
            no_cache: flags[0],
            must_revalidate: flags[1],
            ..minute()
        };
        let directives = RequestDirectives::parse(&request);
        match lookup(Some(&stored), &directives, later(at)) {
            Lookup::Fresh => prop_assert!(at < times[1] && !stored.no_cache && !directives.no_cache),
            Lookup::Stale(by) => {
                prop_assert!(at >= times[1] && !stored.no_cache && !directives.no_cache);
                prop_assert!(by == StaleUse::WhileRevalidate || !stored.must_revalidate);
            }
            Lookup::Validate { stale_if_error, .. } => {
                prop_assert!(!directives.only_if_cached && !directives.no_store);
                prop_assert!(!(stale_if_error && (stored.no_cache || directives.no_cache)));
            }
            Lookup::Bypass => prop_assert!(directives.no_store),
            Lookup::GatewayTimeout => prop_assert!(directives.only_if_cached),
            Lookup::Miss => prop_assert!(false, "something is stored"),
        }
    }
}
