use proptest::prelude::*;

use super::super::rules::HeaderRules;
use super::*;
use crate::header::apply;
use crate::policy::testing::{any_head, head};

type Lines = &'static [(&'static str, &'static str)];

fn rules() -> HeaderRules {
    let (browser, cdn) = (Some(Duration::from_secs(600)), Some(Duration::from_secs(604_800)));
    HeaderRules { browser, cdn, ..HeaderRules::default() }
}

fn cache_control(request: Lines, response: Lines) -> Option<String> {
    let mut headers = head(response);
    apply(browser(&rules(), &head(request), &headers), &mut headers);
    let lines: Vec<_> = headers.get_all(CACHE_CONTROL).iter().map(|line| line.to_str().unwrap().to_owned()).collect();
    (!lines.is_empty()).then(|| lines.join(" | "))
}

#[rustfmt::skip]
#[test]
fn a_browsers_time_and_what_stays_beside_it() {
    for (request, response, expected) in [
        (&[][..], &[][..], Some("public, max-age=600")),
        (&[], &[("cache-control", "max-age=5")], Some("public, max-age=600")),
        (&[], &[("cache-control", "public, MAX-AGE=5")], Some("public, max-age=600")),
        (&[], &[("cache-control", "max-age=5, must-revalidate, no-transform, immutable")], Some("public, max-age=600, must-revalidate, no-transform, immutable")),
        (&[], &[("cache-control", "max-age=5"), ("cache-control", "s-maxage=9, stale-while-revalidate=7")], Some("public, max-age=600, s-maxage=9, stale-while-revalidate=7")),
        (&[], &[("cache-control", "no-cache")], Some("public, max-age=600")),
        (&[], &[("cache-control", "no-cache=\"x\", max-age=5")], Some("public, max-age=600, no-cache=\"x\"")),
        // RFC 9111, §4.2.3: what the recipient takes off.
        (&[], &[("age", "30")], Some("public, max-age=630")),
        // Not for everybody: left as it is.
        (&[], &[("cache-control", "private, max-age=5")], Some("private, max-age=5")),
        (&[], &[("cache-control", "max-age=5, No-Store")], Some("max-age=5, No-Store")),
        (&[], &[("cache-control", "private=\"x\"")], Some("private=\"x\"")),
        (&[], &[("set-cookie", "a=b")], None),
        // RFC 9111, §3.5: `public` is the app's to say about what a login got.
        (&[("authorization", "x")], &[], Some("max-age=600")),
        (&[("authorization", "x")], &[("cache-control", "Public, max-age=5")], Some("public, max-age=600")),
    ] {
        assert_eq!(
            cache_control(request, response).as_deref(),
            expected,
            "{request:?} {response:?}"
        );
    }
}

#[test]
fn older_fields_do_not_contradict() {
    let mut headers = head(&[("expires", "0"), ("pragma", "no-cache")]);
    apply(browser(&rules(), &HeaderMap::new(), &headers), &mut headers);
    assert!(!headers.contains_key(EXPIRES) && !headers.contains_key(PRAGMA));
    let mut private = head(&[("cache-control", "private"), ("expires", "0")]);
    apply(browser(&rules(), &HeaderMap::new(), &private), &mut private);
    assert!(private.contains_key(EXPIRES));
}

#[rustfmt::skip]
#[test]
fn a_cdns_time() {
    for (field, response, expected) in [
        ("cdn-cache-control", &[][..], Some("max-age=604800")),
        ("surrogate-control", &[], Some("max-age=604800")),
        ("cloudflare-cdn-cache-control", &[], Some("max-age=604800")),
        ("cdn-cache-control", &[("cache-control", "max-age=5")], Some("max-age=604800")),
        ("cdn-cache-control", &[("cdn-cache-control", "max-age=5")], Some("max-age=604800")),
        ("cdn-cache-control", &[("age", "10")], Some("max-age=604810")),
        ("cdn-cache-control", &[("cache-control", "private")], None),
        ("cdn-cache-control", &[("cache-control", "no-store")], None),
        ("cdn-cache-control", &[("set-cookie", "a=b")], None),
        // RFC 9213, §2.2: to that CDN the app speaks by its field, whatever it tells the others.
        ("cdn-cache-control", &[("cache-control", "no-store"), ("cdn-cache-control", "max-age=5")], Some("max-age=604800")),
        ("cdn-cache-control", &[("cache-control", "max-age=5"), ("cdn-cache-control", "no-store")], Some("no-store")),
        ("cdn-cache-control", &[("cache-control", "no-store"), ("cdn-cache-control", "&&")], Some("&&")),
    ] {
        let rules = HeaderRules {
            cdn_field: HeaderName::from_static(field),
            ..rules()
        };
        let mut headers = head(response);
        apply(cdn(&rules, &headers), &mut headers);
        let found = headers.get(field).map(|value| value.to_str().unwrap());
        assert_eq!(found, expected, "{field} {response:?}");
    }
}

#[test]
fn without_a_rule_nothing_is_written() {
    let response = head(&[("cache-control", "max-age=5")]);
    assert_eq!(browser(&HeaderRules::default(), &HeaderMap::new(), &response), []);
    assert_eq!(cdn(&HeaderRules::default(), &response), []);
}

proptest! {
    #[test]
    fn what_is_for_one_stays_so(response in any_head(&["cache-control", "age", "set-cookie", "expires", "cdn-cache-control"])) {
        let said = CacheControl::parse(&response, &CACHE_CONTROL);
        let mut headers = response.clone();
        apply(browser(&rules(), &HeaderMap::new(), &response), &mut headers);
        if said.private.is_some() || said.no_store || response.contains_key(SET_COOKIE) {
            prop_assert_eq!(&headers, &response);
        } else {
            // One that writes nothing says what the other reads.
            let now = CacheControl::parse(&headers, &CACHE_CONTROL);
            prop_assert!(now.public && now.max_age >= Some(Duration::from_secs(600)));
            prop_assert_eq!((now.s_maxage, now.must_revalidate, now.no_transform), (said.s_maxage, said.must_revalidate, said.no_transform));
        }
        cdn(&rules(), &response);
    }
}
