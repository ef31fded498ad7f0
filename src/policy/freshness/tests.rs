use http::HeaderName;

use super::super::testing::{head, later, now, seconds};
use super::*;

type Lines = &'static [(&'static str, &'static str)];
/// Clause, response, and the lifetime with its source.
type Row = (&'static str, Lines, Option<(u64, FreshnessSource)>);

fn of(status: u16, lines: Lines, rules: &Rules) -> Option<Freshness> {
    let response = head(lines);
    let governing = Governing::new(&response, &rules.targets);
    freshness(StatusCode::from_u16(status).unwrap(), &response, &governing, rules, now())
}

fn lifetime_of(status: u16, lines: Lines, rules: &Rules) -> Option<(u64, FreshnessSource)> {
    of(status, lines, rules).map(|found| (found.lifetime.as_secs(), found.source))
}

#[test]
fn the_apps_word_by_precedence() {
    use FreshnessSource::*;
    #[rustfmt::skip]
    let table: &[Row] = &[
        ("§4.2.1 nothing", &[], None),
        ("§4.2.1 max-age", &[("cache-control", "max-age=60")], Some((60, MaxAge))),
        ("§4.2.1 s-maxage first, longer", &[("cache-control", "max-age=1, s-maxage=60")], Some((60, SMaxAge))),
        ("§4.2.1 s-maxage first, shorter", &[("cache-control", "s-maxage=1"), ("cache-control", "max-age=60")], Some((1, SMaxAge))),
        ("§4.2.1 max-age before Expires", &[("cache-control", "max-age=60"), ("expires", "@-9"), ("date", "@0")], Some((60, MaxAge))),
        ("§4.2.1 max-age=0 before Expires", &[("cache-control", "max-age=0"), ("expires", "@99"), ("date", "@0")], Some((0, MaxAge))),
        ("§4.2.1 max-age before a broken Expires", &[("cache-control", "max-age=60"), ("expires", "0")], Some((60, MaxAge))),
        ("§4.2.1 first of two", &[("cache-control", "max-age=1, max-age=1800")], Some((1, MaxAge))),
        ("§4.2.1 invalid is stale", &[("cache-control", "max-age=-3600")], Some((0, MaxAge))),
        ("§4.2.1 invalid is stale", &[("cache-control", "max-age='3600'")], Some((0, MaxAge))),
        ("§5.2 quoted", &[("cache-control", "max-age=\"60\"")], Some((60, MaxAge))),
        ("§5.2 inside another's quotes", &[("cache-control", "max-age=1, x=\"max-age=60\"")], Some((1, MaxAge))),
        ("§1.2.2 clamped", &[("cache-control", "max-age=18446744073709551616")], Some((1 << 31, MaxAge))),
        ("§5.3 minus Date", &[("expires", "@30"), ("date", "@0")], Some((30, Expires))),
        ("§5.3 both clocks fast", &[("expires", "@300"), ("date", "@290")], Some((10, Expires))),
        ("§5.3 Expires before Date", &[("expires", "@300"), ("date", "@400")], Some((0, Expires))),
        ("§5.3 equal", &[("expires", "@0"), ("date", "@0")], Some((0, Expires))),
        ("RFC 9110 §6.6.1 no Date: receipt", &[("expires", "@30")], Some((30, Expires))),
        ("RFC 9110 §6.6.1 a broken Date", &[("expires", "@30"), ("date", "foo")], Some((30, Expires))),
        ("§5.3 '0' is the past", &[("expires", "0"), ("date", "@0")], Some((0, Expires))),
        ("§5.3 another zone", &[("expires", "Thu, 18 Aug 2050 02:01:18 AEST")], Some((0, Expires))),
        ("§4.2.1 two that differ", &[("expires", "@30"), ("expires", "@31")], Some((0, Expires))),
        ("§1.2.2 clamped", &[("expires", "Fri, 31 Dec 9999 23:59:59 GMT"), ("date", "@0")], Some((1 << 31, Expires))),
        ("§5.2.2.4", &[("cache-control", "no-cache, max-age=60")], Some((0, NoCache))),
        ("RFC 9213 §2.2 longer", &[("cache-control", "max-age=1"), ("cdn-cache-control", "max-age=60")], Some((60, Targeted))),
        ("RFC 9213 §2.2 shorter", &[("cache-control", "max-age=60"), ("cdn-cache-control", "max-age=1")], Some((1, Targeted))),
        ("RFC 9213 §2.2 ignores Expires", &[("cdn-cache-control", "max-age=0"), ("expires", "@99"), ("date", "@0")], Some((0, Targeted))),
        ("RFC 9213 §2.2 ignores all of it", &[("cdn-cache-control", "foo"), ("cache-control", "max-age=60")], None),
        ("RFC 9213 §2.1 malformed is absent", &[("cdn-cache-control", "max-age=60, &&&"), ("cache-control", "max-age=1")], Some((1, MaxAge))),
        ("RFC 9213 §2.2 not in our list", &[("other-cdn-cache-control", "max-age=60"), ("cache-control", "max-age=1")], Some((1, MaxAge))),
        ("Edge Architecture", &[("surrogate-control", "max-age=60"), ("cache-control", "max-age=1")], Some((60, SurrogateControl))),
        ("Edge Architecture after RFC 9213", &[("surrogate-control", "max-age=60"), ("cdn-cache-control", "max-age=1")], Some((1, Targeted))),
        ("Edge Architecture, about something else", &[("surrogate-control", "content=\"ESI/1.0\""), ("cache-control", "max-age=1")], Some((1, MaxAge))),
        ("§4.2.2 is off", &[("last-modified", "@-86400"), ("date", "@0")], None),
    ];
    for (clause, lines, expected) in table {
        assert_eq!(lifetime_of(200, lines, &Rules::default()), *expected, "{clause}: {lines:?}");
    }
}

#[test]
fn targets_are_read_in_their_order() {
    let lines: Lines = &[("b-cdn-cache-control", "max-age=2"), ("a-cdn-cache-control", "max-age=1")];
    let targets = ["a-cdn-cache-control", "b-cdn-cache-control"].map(HeaderName::from_static).to_vec();
    let rules = Rules { targets, ..Rules::default() };
    assert_eq!(lifetime_of(200, lines, &rules), Some((1, FreshnessSource::Targeted)));
    let rules = Rules { targets: Vec::new(), ..Rules::default() };
    assert_eq!(lifetime_of(200, &[("cdn-cache-control", "max-age=1")], &rules), None);
}

#[rustfmt::skip]
#[test]
fn the_routes_ttl_caps_and_fills_in() {
    use FreshnessSource::*;
    let rules = Rules {
        ttl: Some(seconds(10)),
        ..Rules::default()
    };
    for (status, lines, expected) in [
        (200, &[][..], Some((10, RouteTtl))),
        (200, &[("cache-control", "max-age=60")], Some((10, RouteTtl))),
        (200, &[("cache-control", "max-age=5")], Some((5, MaxAge))),
        (200, &[("cache-control", "max-age=60"), ("age", "55")], Some((60, MaxAge))), // five are left: stricter (200, &[("cache-control", "max-age=60"), ("age", "40")], Some((10, RouteTtl))),
        (200, &[("cache-control", "no-cache")], Some((0, NoCache))),
        (200, &[("pragma", "no-cache")], Some((0, NoCache))),
        (200, &[("expires", "0")], Some((0, Expires))),
        (200, &[("cache-control", "public")], Some((10, RouteTtl))),
        (301, &[], Some((10, RouteTtl))),
        (302, &[], None),
        (404, &[], None),
        (404, &[("cache-control", "max-age=60")], Some((60, MaxAge))),
        (500, &[], None),
    ] {
        assert_eq!(
            lifetime_of(status, lines, &rules),
            expected,
            "{status} {lines:?}"
        );
    }
}

#[test]
fn the_operators_time_counts_from_receipt_and_the_apps_from_its_making() {
    // An app with a clock an hour behind.
    let lines: Lines = &[("date", "@-3600")];
    let rules = Rules { default_ttl: seconds(10), ..Rules::default() };
    let found = of(200, lines, &rules).unwrap();
    assert_eq!((found.remaining(), found.fresh_until(now())), (seconds(10), later(10)));
    assert_eq!(found.age, seconds(3600));
    let found = of(200, &[("cache-control", "max-age=60"), ("age", "25")], &rules).unwrap();
    assert_eq!((found.remaining(), found.fresh_until(now())), (seconds(35), later(35)));
    // Stale when it came: the stale windows count from when it became so.
    let found = of(200, &[("cache-control", "max-age=60, stale-if-error=30"), ("age", "70")], &rules).unwrap();
    assert_eq!((found.remaining(), found.fresh_until(now())), (seconds(0), now() - seconds(10)));
    assert!(found.is_usable_unvalidated());
}

#[test]
fn what_is_configured_where_nobody_speaks() {
    use FreshnessSource::*;
    let negative =
        vec![(StatusCode::NOT_FOUND, seconds(10)), (StatusCode::OK, seconds(0)), (StatusCode::BAD_GATEWAY, seconds(2))];
    let rules = Rules { default_ttl: seconds(5), negative, stale_if_error: seconds(99), ..Rules::default() };
    for (status, lines, expected) in [
        (203, &[][..], Some((5, DefaultTtl))),
        (200, &[], None), // listed as zero: not this one
        (302, &[], None),
        (404, &[], Some((10, Negative))),
        (404, &[("cache-control", "max-age=1")], Some((1, MaxAge))),
        (410, &[], None),
        (500, &[], None),
        (502, &[], Some((2, Negative))),
    ] {
        assert_eq!(lifetime_of(status, lines, &rules), expected, "{status} {lines:?}");
    }
    // "10s" of 404 are ten seconds.
    assert_eq!(of(404, &[], &rules).unwrap().stale_if_error, seconds(0));
    assert_eq!(of(203, &[], &rules).unwrap().stale_if_error, seconds(99));
}

#[rustfmt::skip]
#[test]
fn heuristics_where_switched_on() {
    let rules = Rules {
        heuristic: true,
        ..Rules::default()
    };
    let day_old: Lines = &[("last-modified", "@-86400"), ("date", "@0")];
    for status in [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 451, 501] {
        assert_eq!(
            lifetime_of(status, day_old, &rules),
            Some((8640, FreshnessSource::Heuristic)),
            "{status}"
        );
    }
    // RFC 9110, §15.1: not heuristically cacheable, unless marked so (RFC 9111, §4.2.2).
    for status in [201, 202, 302, 403, 500, 502, 503, 504, 599] {
        assert_eq!(lifetime_of(status, day_old, &rules), None, "{status}");
    }
    let marked: Lines = &[
        ("last-modified", "@-86400"),
        ("date", "@0"),
        ("cache-control", "public"),
    ];
    assert_eq!(
        lifetime_of(599, marked, &rules),
        Some((8640, FreshnessSource::Heuristic))
    );
    for (lines, expected) in [
        (&[("last-modified", "@-300")][..], Some(30)),
        (&[("last-modified", "@-8640000")], Some(86400)), // a day at most
        (&[("last-modified", "@-100"), ("date", "@-50")], Some(5)),
        (&[("last-modified", "@100"), ("date", "@0")], None),
        (&[("last-modified", "yesterday")], None),
        (&[("last-modified", "@-300"), ("cache-control", "max-age=7")], Some(7)),
    ] {
        assert_eq!(
            lifetime_of(200, lines, &rules).map(|(lifetime, _)| lifetime),
            expected,
            "{lines:?}"
        );
    }
}

#[test]
fn no_window_is_longer_than_the_limit() {
    for (stale_while_revalidate, stale_if_error, ttl) in [(20, 200, None), (5, 5, None), (500, 500, Some(seconds(60)))]
    {
        let rules = Rules {
            stale_while_revalidate: seconds(stale_while_revalidate),
            stale_if_error: seconds(stale_if_error),
            stale_limit: seconds(30),
            override_app: ttl.is_some(),
            ttl,
            ..Rules::default()
        };
        let found = of(200, &[("cache-control", "max-age=1, stale-if-error=60")], &rules).unwrap();
        assert_eq!(found.stale_while_revalidate, seconds(stale_while_revalidate.min(30)));
        assert_eq!(found.stale_if_error, seconds(30));
    }
}

#[rustfmt::skip]
#[test]
fn stale_windows_by_whose_word_they_are() {
    let rules = Rules {
        stale_while_revalidate: seconds(20),
        stale_if_error: seconds(200),
        ..Rules::default()
    };
    for (cache_control, expected) in [
        ("max-age=1", (20, 200, false)),
        ("max-age=1, stale-while-revalidate=5, stale-if-error=500", (20, 500, false)), // RFC 5861: the longer ("max-age=1, stale-while-revalidate=99999999999", (1 << 31, 200, false)),
        ("s-maxage=1", (0, 0, true)), // §5.2.2.10
        ("s-maxage=1, stale-while-revalidate=300", (300, 0, true)), // the app's own word beside it
        ("max-age=1, must-revalidate", (0, 0, true)), // §5.2.2.2
        ("max-age=1, must-revalidate, stale-if-error=9", (0, 0, true)),
        ("max-age=1, proxy-revalidate, stale-if-error=9", (0, 0, true)), // §5.2.2.8 ("no-cache, stale-if-error=9", (0, 0, true)), // §5.2.2.4 ("max-age=1, no-cache=\"a\", stale-if-error=9", (20, 200, false)),
    ] {
        let response = head(&[("cache-control", cache_control)]);
        let governing = Governing::new(&response, &rules.targets);
        let found = freshness(StatusCode::OK, &response, &governing, &rules, now()).unwrap();
        let windows = (
            found.stale_while_revalidate.as_secs(),
            found.stale_if_error.as_secs(),
            found.must_revalidate,
        );
        assert_eq!(windows, expected, "{cache_control}");
    }
    // An override takes nothing from the app, not even what it forbids.
    let rules = Rules {
        ttl: Some(seconds(9)),
        override_app: true,
        ..rules
    };
    let found = of(
        200,
        &[("cache-control", "no-store, must-revalidate")],
        &rules,
    )
    .unwrap();
    assert_eq!(
        (found.stale_while_revalidate, found.must_revalidate),
        (seconds(20), false)
    );
    // A targeted field governs alone, stale windows included (RFC 9213, §2.2).
    let lines: Lines = &[
        ("cdn-cache-control", "max-age=1"),
        ("cache-control", "must-revalidate, stale-if-error=900"),
    ];
    let found = of(200, lines, &Rules::default()).unwrap();
    assert_eq!(
        (found.stale_if_error, found.must_revalidate),
        (seconds(0), false)
    );
}

#[test]
fn labels_are_single() {
    let mut labels: Vec<_> = FreshnessSource::ALL.iter().map(|source| source.label()).collect();
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), FreshnessSource::ALL.len());
}
