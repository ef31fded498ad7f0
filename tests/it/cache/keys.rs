//! What tells two resources apart (design: scheme, host, path and query; the app's `Vary` within).

use crate::harness::payload::page;
use crate::harness::{Answer, Call, Origin, Seen, Vacpack};

/// An answer that names every part of its request.
fn naming(request: &Seen) -> Answer {
    let host = request.field("host").unwrap_or_default();
    Answer::cacheable(format!("{host} {}", request.target))
}

#[test]
fn host_path_and_query_are_part_of_the_key() {
    let origin = Origin::start();
    for path in ["/a", "/A", "/a/", "/a%2f"] {
        origin.on_path(path, naming);
    }
    let vacpack = Vacpack::before(&origin);
    let targets = ["/a", "/A", "/a/", "/a%2f", "/a?", "/a?x=1", "/a?x=2", "/a?x=1&y=2", "/a?y=2&x=1", "/a?X=1"];
    for outcome in ["miss", "hit"] {
        for host in ["one.test", "two.test", "one.test:8080"] {
            for target in targets {
                let response = vacpack.ask(&Call::get(target).host(host));
                assert_eq!(response.text(), format!("{host} {target}"));
                assert_eq!(response.outcome(), outcome, "{host} {target}");
            }
        }
    }
}

#[test]
fn a_host_is_the_same_in_any_case() {
    let origin = Origin::start();
    origin.serve("/a", Answer::cacheable("x"));
    let vacpack = Vacpack::before(&origin);
    assert_eq!(vacpack.ask(&Call::get("/a").host("Site.Test")).outcome(), "miss");
    assert_eq!(vacpack.ask(&Call::get("/a").host("site.test")).outcome(), "hit");
}

#[test]
fn the_scheme_that_a_trusted_proxy_saw_is_part_of_the_key() {
    let origin = Origin::start();
    origin.on_path("/a", |request| Answer::cacheable(request.field("x-forwarded-proto").unwrap_or_default()));
    let vacpack = Vacpack::before(&origin);
    let https = Call::get("/a").field("X-Forwarded-Proto", "https");
    for _turn in 0..2 {
        assert_eq!(vacpack.get("/a").text(), "http");
        assert_eq!(vacpack.ask(&https).text(), "https");
    }
    assert_eq!(origin.fetches("/a"), 2);
}

#[test]
fn the_operator_says_which_parts_of_a_query_do_not_count() {
    let origin = Origin::start();
    origin.on_path("/a", naming);
    let settings = "cache.key = { ignore_query = [\"utm_*\", \"gclid\"], sort_query = true }";
    let vacpack = Vacpack::with(&origin, settings);
    assert_eq!(vacpack.get("/a?b=2&a=1&utm_source=mail").outcome(), "miss");
    for target in ["/a?a=1&b=2", "/a?gclid=77&a=1&b=2", "/a?b=2&a=1"] {
        assert_eq!(vacpack.get(target).outcome(), "hit", "{target}");
    }
    assert_eq!(vacpack.get("/a?a=1&b=3").outcome(), "miss");
    // The app still sees what the client sent.
    assert_eq!(origin.requests("/a")[0].target, "/a?b=2&a=1&utm_source=mail");
}

#[test]
fn only_the_parameters_that_are_kept_count() {
    let origin = Origin::start();
    origin.on_path("/a", naming);
    let vacpack = Vacpack::with(&origin, "cache.key.keep_query = [\"id\"]");
    assert_eq!(vacpack.get("/a?session=1&id=7").outcome(), "miss");
    for target in ["/a?id=7", "/a?id=7&session=2", "/a?x&id=7"] {
        assert_eq!(vacpack.get(target).outcome(), "hit", "{target}");
    }
    assert_eq!(vacpack.get("/a?id=8").outcome(), "miss");
    assert_eq!(origin.requests("/a")[0].target, "/a?session=1&id=7");
}

#[test]
fn several_names_of_one_site_share_what_is_stored() {
    let origin = Origin::start();
    for path in ["/a", "/b"] {
        origin.on_path(path, naming);
    }
    let settings =
        "[[route]]\nname = \"a\"\nmatch = { path = \"/a\", host = \"*.site.test\" }\ncache.key.host = \"site.test\"\n";
    let vacpack = Vacpack::with(&origin, settings);
    let ask = |host: &str, target: &str| vacpack.ask(&Call::get(target).host(host)).outcome();
    assert_eq!([ask("www.site.test", "/a"), ask("cdn.site.test", "/a")], ["miss", "hit"]);
    assert_eq!([ask("www.site.test", "/b"), ask("cdn.site.test", "/b")], ["miss", "miss"], "another route");
    assert_eq!(ask("other.test", "/a"), "miss", "not of the site");
    // A purge by either name finds it.
    assert!(vacpack.purge("cdn.site.test", "/a").text().contains("\"purged\":1"));
    assert_eq!(ask("www.site.test", "/a"), "miss");
}

#[test]
fn fields_and_cookies_can_part_the_answers() {
    let origin = Origin::start();
    origin.on_path("/a", |request| {
        let (language, cookie) = (request.field("accept-language"), request.field("cookie"));
        Answer::cacheable(format!("{} {}", language.unwrap_or("-"), cookie.unwrap_or("-")))
    });
    let settings = "cache.key = { headers = [\"Accept-Language\"], cookies = [\"currency\"] }";
    let vacpack = Vacpack::with(&origin, settings);
    let call =
        |language: &str, cookie: &str| Call::get("/a").field("Accept-Language", language).field("Cookie", cookie);
    for outcome in ["miss", "hit"] {
        for language in ["de", "fr"] {
            for currency in ["currency=eur", "currency=chf"] {
                let response = vacpack.ask(&call(language, currency));
                assert_eq!(response.text(), format!("{language} {currency}"));
                assert_eq!(response.outcome(), outcome, "{language} {currency}");
            }
        }
    }
    let other_cookie = vacpack.ask(&call("de", "visitor=5; currency=eur"));
    assert_eq!(other_cookie.outcome(), "hit", "only the named cookie counts");
}

/// The app may build its links from the host that a load balancer passes on: what one client claims is not for others.
#[test]
fn a_forwarded_host_of_a_trusted_proxy_splits_the_entry() {
    let origin = Origin::start();
    origin.on_path("/page", |seen| Answer::cacheable(seen.field("x-forwarded-host").unwrap_or_default()));
    let vacpack = Vacpack::before(&origin);
    let claim = |host: &str| Call::get("/page").field("X-Forwarded-Host", host);
    for (call, text) in
        [(claim("evil.test"), "evil.test"), (claim("site.test"), "site.test"), (Call::get("/page"), "site.test")]
    {
        assert_eq!(vacpack.ask(&call).text(), text);
    }
    assert_eq!(origin.fetches("/page"), 2, "the host itself is no split");
    assert!(vacpack.purge("site.test", "/page").text().contains("\"purged\":2"), "a purge removes both");
}

#[test]
fn the_apps_vary_selects_within_a_resource() {
    let origin = Origin::start();
    origin.on_path("/a", |request| {
        let language = request.field("accept-language").unwrap_or("none");
        Answer::cacheable(language).field("Vary", "Accept-Language")
    });
    let vacpack = Vacpack::before(&origin);
    let call = |language: &str| Call::get("/a").field("Accept-Language", language);
    for (language, outcome) in
        [("de", "miss"), ("fr", "miss"), ("de", "hit"), ("fr", "hit"), ("it", "miss"), ("de", "hit"), ("it", "hit")]
    {
        let response = vacpack.ask(&call(language));
        assert_eq!((response.text().as_str(), response.outcome()), (language, outcome));
    }
    assert_eq!(vacpack.get("/a").text(), "none", "an absent field is a value of its own");
    let miss = vacpack.ask(&call("es")).cache();
    // RFC 9211, 2.2: the URI is known, the variant is not.
    assert_eq!(miss.fwd.as_deref(), Some("vary-miss"));
}

#[test]
fn variants_and_codings_do_not_mix() {
    let origin = Origin::start();
    origin.on_path("/a", |request| {
        let language = request.field("accept-language").unwrap_or("none");
        Answer::cacheable([language.as_bytes(), &page(3000)].concat()).field("Vary", "Accept-Language")
    });
    let vacpack = Vacpack::before(&origin);
    for _turn in 0..2 {
        for language in ["de", "fr"] {
            for coding in ["br", "gzip", ""] {
                let response = vacpack.ask(&Call::get("/a").field("Accept-Language", language).accepting(coding));
                assert!(response.content().starts_with(language.as_bytes()), "{language} as {coding:?}");
            }
        }
    }
    assert_eq!(origin.fetches("/a"), 2);
}

#[test]
fn a_resource_with_endless_variants_stays_bounded() {
    let origin = Origin::start();
    origin.on_path("/a", |request| {
        let agent = request.field("user-agent").unwrap_or_default();
        Answer::cacheable(agent).field("Vary", "User-Agent")
    });
    let vacpack = Vacpack::with(&origin, "cache.max_variants = 4");
    for number in 0..50 {
        let agent = format!("agent {number}");
        assert_eq!(vacpack.ask(&Call::get("/a").field("User-Agent", &agent)).text(), agent);
    }
    let size = vacpack.metrics_after(50).sum("vacpack_cache_size_bytes", &[]);
    assert!(size < 8.0 * 4096.0, "{size} bytes for four variants");
}

#[test]
fn variants_in_use_outlast_a_flood_of_others() {
    let origin = Origin::start();
    origin.on_path("/a", |request| {
        let agent = request.field("user-agent").unwrap_or_default();
        Answer::cacheable(agent).field("Vary", "User-Agent")
    });
    let vacpack = Vacpack::with(&origin, "cache.max_variants = 2");
    let call = |agent: &str| Call::get("/a").field("User-Agent", agent);
    for agent in ["one", "two"] {
        assert_eq!(vacpack.outcomes(&call(agent)), ["miss", "hit"], "{agent}");
    }
    for number in 0..10 {
        let status = vacpack.ask(&call(&format!("bot {number}"))).cache();
        assert_eq!((status.stored, status.detail.as_deref()), (false, Some("too_many_variants")), "{number}");
    }
    for agent in ["one", "two"] {
        assert_eq!(vacpack.ask(&call(agent)).outcome(), "hit", "{agent}");
    }
    let metrics = vacpack.metrics_after(16);
    assert_eq!(metrics.sum("vacpack_cache_not_stored_total", &["too_many_variants"]), 10.0);
    assert_eq!(metrics.sum("vacpack_cache_overvaried_total", &["user-agent"]), 12.0);
    assert_eq!(metrics.sum("vacpack_cache_evictions_total", &["variants"]), 0.0);
}

#[test]
fn a_generation_parts_old_from_new() {
    let origin = Origin::start();
    origin.on_path("/a", naming);
    let vacpack = Vacpack::with(&origin, "cache.generation = \"2026-11-21\"");
    assert_eq!(vacpack.outcomes(&Call::get("/a")), ["miss", "hit"]);
}
