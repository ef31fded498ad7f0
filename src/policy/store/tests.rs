use std::time::Duration;

use proptest::prelude::*;

use super::super::testing::{any_head, head, now, seconds};
use super::super::{FreshnessSource, fields::unstored_fields};
use super::*;
use crate::header::delta_seconds::GREATEST;

type Lines = &'static [(&'static str, &'static str)];
/// Clause, request, status, response, and the lifetime or why it is not stored.
type Row = (&'static str, Lines, u16, Lines, Result<u64, NotStored>);

fn asked(method: Method, request: Lines, status: u16, response: Lines, rules: &Rules) -> Result<Freshness, NotStored> {
    let (request_headers, response_headers) = (head(request), head(response));
    let request = StoreRequest { method: &method, headers: &request_headers };
    let status = StatusCode::from_u16(status).unwrap();
    let response = StoreResponse { status, headers: &response_headers, close_delimited: false };
    store(&request, &response, rules, now())
}

fn stored(request: Lines, status: u16, response: Lines, rules: &Rules) -> Result<u64, NotStored> {
    asked(Method::GET, request, status, response, rules).map(|freshness| freshness.lifetime.as_secs())
}

#[test]
fn what_section_3_lets_be_stored() {
    use NotStored::*;
    const FRESH: (&str, &str) = ("cache-control", "max-age=60");
    const LOGGED_IN: Lines = &[("authorization", "Basic eA==")];

    #[rustfmt::skip]
    let table: &[Row] = &[
        ("§3 explicit freshness", &[], 200, &[FRESH], Ok(60)),
        ("§3 nothing that allows it", &[], 200, &[], Err(NoFreshness)),
        ("§3 public alone gives no lifetime", &[], 200, &[("cache-control", "public")], Err(NoFreshness)),
        ("§3 any final status with explicit freshness", &[], 299, &[FRESH], Ok(60)),
        ("§3 as above", &[], 302, &[FRESH], Ok(60)),
        ("§3 as above", &[], 400, &[FRESH], Ok(60)),
        ("§3 as above", &[], 404, &[FRESH], Ok(60)),
        ("§3 as above", &[], 503, &[FRESH], Ok(60)),
        ("§3 as above", &[], 599, &[FRESH], Ok(60)),
        ("§3 not final", &[], 103, &[FRESH], Err(Status)),
        ("§3.3 incomplete", &[], 206, &[FRESH, ("content-range", "bytes 0-1/9")], Err(Partial)),
        ("RFC 9110 §15.4.5", &[], 304, &[FRESH], Err(Status)),
        ("RFC 6585 §4", &[], 429, &[FRESH], Err(Status)),
        ("§5.2.2.3 unknown status", &[], 599, &[("cache-control", "max-age=60, must-understand")], Err(Status)),
        ("§5.2.2.3 and no-store", &[], 599, &[("cache-control", "max-age=60, no-store, must-understand")], Err(Status)),
        ("§5.2.2.3 understood: no-store is ignored", &[], 200, &[("cache-control", "max-age=60, no-store, must-understand")], Ok(60)),
        ("§5.2.1.5", &[("cache-control", "no-store")], 200, &[FRESH], Err(RequestNoStore)),
        ("§5.2.1.4 says nothing on storing", &[("cache-control", "no-cache")], 200, &[FRESH], Ok(60)),
        ("§5.2.2.5", &[], 200, &[("cache-control", "max-age=60, No-StOrE")], Err(NoStore)),
        ("§5.2.2.5 on a line of its own", &[], 200, &[FRESH, ("cache-control", "no-store")], Err(NoStore)),
        ("§5.2.2.7", &[], 200, &[("cache-control", "private, max-age=60")], Err(Private)),
        ("§5.2.2.7 qualified, treated as the whole", &[], 200, &[("cache-control", "private=\"x\", max-age=60")], Err(Private)),
        ("§5.2.2.7 beside s-maxage", &[], 200, &[("cache-control", "private, s-maxage=60")], Err(Private)),
        ("§3.5", LOGGED_IN, 200, &[FRESH], Err(Authorization)),
        ("§3.5 public", LOGGED_IN, 200, &[("cache-control", "max-age=60, public")], Ok(60)),
        ("§3.5 must-revalidate", LOGGED_IN, 200, &[("cache-control", "max-age=60, must-revalidate")], Ok(60)),
        ("§3.5 s-maxage", LOGGED_IN, 200, &[("cache-control", "s-maxage=60")], Ok(60)),
        ("§3.5 proxy-revalidate is not among them", LOGGED_IN, 200, &[("cache-control", "max-age=60, proxy-revalidate")], Err(Authorization)),
        ("§7.3 made for one", &[], 200, &[FRESH, ("set-cookie", "a=b")], Err(SetCookie)),
        ("§5.2.2.4 the app leaves the cookie out itself", &[], 200, &[("cache-control", "max-age=60, no-cache=\"set-cookie\""), ("set-cookie", "a=b")], Ok(60)),
        ("§4.1", &[], 200, &[FRESH, ("vary", "*")], Err(VaryStar)),
        ("§4.1 in a list", &[], 200, &[FRESH, ("vary", "foo"), ("vary", ", *")], Err(VaryStar)),
        ("§4.1 fields select", &[], 200, &[FRESH, ("vary", "foo")], Ok(60)),
        ("§5.2.2.4 nothing to validate with", &[], 200, &[("cache-control", "no-cache, max-age=60")], Err(NoCache)),
        ("§5.2.2.4 with a validator", &[], 200, &[("cache-control", "no-cache, max-age=60"), ("etag", "\"a\"")], Ok(0)),
        ("§5.2.2.4 without a lifetime", &[], 200, &[("cache-control", "no-cache"), ("last-modified", "@-9")], Ok(0)),
        ("§5.2.2.4 is no leave to store", &[], 302, &[("cache-control", "no-cache"), ("etag", "\"a\"")], Err(NoFreshness)),
        ("§3 public is", &[], 302, &[("cache-control", "no-cache, public"), ("etag", "\"a\"")], Ok(0)),
        ("§3 so is a lifetime, taken away or not", &[], 302, &[("cache-control", "no-cache, max-age=9"), ("etag", "\"a\"")], Ok(0)),
        ("§5.2.2.4 qualified by what selects", &[], 200, &[("cache-control", "no-cache=\"vary\""), FRESH, ("vary", "a")], Err(NoCache)),
        ("§5.2.2.4 qualified", &[], 200, &[("cache-control", "no-cache=\"a\""), FRESH], Ok(60)),
        ("§4.2 over on arrival", &[], 200, &[("cache-control", "max-age=0")], Err(StaleOnArrival)),
        ("§4.2 as above, with a validator", &[], 200, &[("cache-control", "max-age=0"), ("etag", "\"a\"")], Ok(0)),
        ("§4.2 used up by Age", &[], 200, &[FRESH, ("age", "60")], Err(StaleOnArrival)),
        ("§4.2 used up by Age, with a validator", &[], 200, &[FRESH, ("age", "60"), ("etag", "\"a\"")], Ok(60)),
        ("RFC 5861 §3 a window is use enough", &[], 200, &[("cache-control", "max-age=0, stale-while-revalidate=9")], Ok(0)),
        ("RFC 5861 §4 as above", &[], 200, &[("cache-control", "max-age=0, stale-if-error=9")], Ok(0)),
        ("RFC 5861 a window that is over, too", &[], 200, &[("cache-control", "max-age=5, stale-if-error=9"), ("age", "14")], Err(StaleOnArrival)),
        ("§5.4 Pragma alone, from an older app", &[], 200, &[("pragma", "no-cache"), ("etag", "\"a\"")], Ok(0)),
        ("§5.4 Pragma beside Cache-Control", &[], 200, &[FRESH, ("pragma", "no-cache")], Ok(60)),
    ];
    for (clause, request, status, response, expected) in table {
        assert_eq!(
            stored(request, *status, response, &Rules::default()),
            *expected,
            "{clause}: {request:?} {status} {response:?}"
        );
    }
}

#[test]
fn only_get_and_only_where_switched_on() {
    let fresh: Lines = &[("cache-control", "max-age=60")];
    for method in [Method::HEAD, Method::POST, Method::PUT, Method::from_bytes(b"get").unwrap()] {
        assert_eq!(asked(method, &[], 200, fresh, &Rules::default()), Err(NotStored::Method));
    }
    let off = Rules { enabled: false, ..Rules::default() };
    assert_eq!(asked(Method::GET, &[], 200, fresh, &off), Err(NotStored::Disabled));
}

#[test]
fn a_body_that_only_the_connection_ends_is_not_stored() {
    let (request, response) = (head(&[]), head(&[("cache-control", "max-age=60")]));
    let request = StoreRequest { method: &Method::GET, headers: &request };
    let response = StoreResponse { status: StatusCode::OK, headers: &response, close_delimited: true };
    assert_eq!(store(&request, &response, &Rules::default(), now()), Err(NotStored::CloseDelimited));
}

#[test]
fn cookies_by_rule() {
    let response: Lines = &[("cache-control", "max-age=60"), ("set-cookie", "a=b")];
    for (set_cookie, expected) in
        [(SetCookie::Refuse, Err(NotStored::SetCookie)), (SetCookie::Strip, Ok(60)), (SetCookie::Keep, Ok(60))]
    {
        let rules = Rules { set_cookie, ..Rules::default() };
        assert_eq!(stored(&[], 200, response, &rules), expected, "{set_cookie:?}");
    }
}

#[test]
fn an_override_replaces_the_apps_word_on_lifetime_only() {
    use NotStored::*;
    let rules = Rules { ttl: Some(seconds(9)), override_app: true, ..Rules::default() };
    #[rustfmt::skip]
    let table: &[(Lines, u16, Lines, Result<u64, NotStored>)] = &[
        (&[], 200, &[], Ok(9)),
        (&[], 200, &[("cache-control", "max-age=60")], Ok(9)),
        (&[], 200, &[("cache-control", "no-store, no-cache, must-revalidate"), ("pragma", "no-cache"), ("expires", "0")], Ok(9)),
        (&[], 200, &[("cache-control", "private")], Ok(9)),
        (&[], 200, &[("cdn-cache-control", "no-store")], Ok(9)),
        (&[], 200, &[("set-cookie", "a=b")], Err(SetCookie)),
        (&[], 200, &[("vary", "*")], Err(VaryStar)),
        (&[("authorization", "x")], 200, &[], Err(Authorization)),
        (&[("cache-control", "no-store")], 200, &[], Err(RequestNoStore)),
        (&[], 301, &[], Ok(9)),
        // The route's ttl is none for errors, and so it overrides nothing there.
        (&[], 404, &[("cache-control", "no-store")], Err(NoStore)),
        (&[], 500, &[], Err(NoFreshness)),
        (&[], 206, &[], Err(Partial)),
    ];
    for (request, status, response, expected) in table {
        assert_eq!(stored(request, *status, response, &rules), *expected, "{request:?} {status} {response:?}");
    }
}

#[test]
fn labels_are_single_and_snake_case() {
    let mut labels: Vec<_> = NotStored::ALL.iter().map(|reason| reason.label()).collect();
    assert!(labels.iter().all(|label| { label.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') }));
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), NotStored::ALL.len());
}

const REQUEST: &[&str] = &["cache-control", "pragma", "authorization", "range", "cookie"];
const RESPONSE: &[&str] = &[
    "cache-control",
    "cdn-cache-control",
    "surrogate-control",
    "expires",
    "date",
    "age",
    "last-modified",
    "etag",
    "vary",
    "set-cookie",
    "pragma",
    "connection",
];

fn any_rules() -> impl Strategy<Value = Rules> {
    let time = || prop_oneof![Just(seconds(0)), Just(seconds(5)), any::<u64>().prop_map(seconds)];
    let cookie = prop::sample::select(vec![SetCookie::Refuse, SetCookie::Strip, SetCookie::Keep]);
    (time(), prop::option::of(time()), any::<bool>(), cookie, time(), time(), any::<bool>()).prop_map(
        |(default_ttl, ttl, override_app, set_cookie, stale_while_revalidate, stale_if_error, heuristic)| Rules {
            default_ttl,
            ttl,
            override_app,
            set_cookie,
            stale_while_revalidate,
            stale_if_error,
            heuristic,
            negative: vec![(StatusCode::NOT_FOUND, seconds(10))],
            ..Rules::default()
        },
    )
}

proptest! {
    #[test]
    fn whatever_the_heads_say(request in any_head(REQUEST), response in any_head(RESPONSE), rules in any_rules(), status in 100_u16..=999) {
        let status = StatusCode::from_u16(status).unwrap();
        let asked = StoreRequest { method: &Method::GET, headers: &request };
        let answer = StoreResponse { status, headers: &response, close_delimited: false };
        let found = store(&asked, &answer, &rules, now());
        unstored_fields(&response, &rules);
        let Ok(freshness) = found else {
            return Ok(());
        };
        // Bounds.
        for time in [freshness.lifetime, freshness.age, freshness.stale_while_revalidate, freshness.stale_if_error] {
            prop_assert!(time <= GREATEST, "{time:?}");
        }
        prop_assert!(freshness.fresh_until(now()) <= now() + GREATEST);
        // Never, whatever the operator says.
        prop_assert!(![206, 304].contains(&status.as_u16()) && !status.is_informational());
        prop_assert_ne!(Vary::parse(&response), Vary::Any);
        prop_assert!(!CacheControl::parse(&request, &CACHE_CONTROL).no_store);
        // Never without the operator's word: no-store and private of the only field that was read.
        let governed_alone = !response.contains_key("cdn-cache-control") && !response.contains_key("surrogate-control");
        let said = CacheControl::parse(&response, &CACHE_CONTROL);
        if governed_alone && !rules.override_app {
            prop_assert!(said.private.is_none());
            prop_assert!(!said.no_store || said.must_understand);
            // §4.2.4
            if said.must_revalidate || said.proxy_revalidate {
                prop_assert_eq!(freshness.stale_while_revalidate + freshness.stale_if_error, Duration::ZERO);
            }
            // A rule that does not override never lengthens what the app says.
            if let Some(most) = said.s_maxage.or(said.max_age) {
                prop_assert!(freshness.lifetime <= most);
            }
            prop_assert!(!freshness.no_cache || freshness.source == FreshnessSource::NoCache);
        }
    }
}
