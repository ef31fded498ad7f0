//! How many series there can be.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::{Method, StatusCode};

use super::{FixedCache, access_log, metrics, series};
use crate::metrics::Exchange;
use crate::metrics::access_log::Rules;
use crate::metrics::exchange::sample;
use crate::metrics::label::{Label, MethodLabel};
use crate::policy::CacheOutcome;

/// What a route can cost: each method with each code, and each histogram with each outcome.
#[test]
fn label_sets_stay_closed_whatever_clients_and_apps_send() {
    let metrics = metrics();
    let (log, _written) = access_log(&metrics);
    let route = metrics.route("static");
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let requests = ("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}", 100u16..1000, "\\PC{0,40}", 0..7usize);
    runner
        .run(&requests, |(method, status, path, cache)| {
            let method = Method::from_bytes(method.as_bytes()).expect("a token");
            let exchange = Exchange {
                method: &method,
                status: StatusCode::from_u16(status).ok(),
                path: &path,
                host: &path,
                user_agent: Some(path.as_bytes()),
                cache: CacheOutcome::ALL[cache],
                ..sample::exchange(&route)
            };
            exchange.record(&metrics, &log, &Rules::default());
            Ok(())
        })
        .expect("no failure");
    let everything = [&Method::GET, &Method::POST, &Method::PUT, &Method::TRACE];
    for status in 100..1000 {
        for method in everything {
            let status = StatusCode::from_u16(status).ok();
            Exchange { method, status, ..sample::exchange(&route) }.record(&metrics, &log, &Rules::default());
        }
    }

    let methods: BTreeSet<&str> = MethodLabel::ALL.iter().map(|method| method.label()).collect();
    let names: Vec<String> = series(&metrics).into_keys().collect();
    for name in names.iter().filter(|name| name.starts_with("vacpack_http_requests_total")) {
        let label = |key: &str| {
            let (_, rest) = name.split_once(&format!("{key}=\"")).expect("the label");
            rest.split_once('"').expect("its end").0
        };
        assert!(methods.contains(label("method")), "{name}");
        assert!(label("code") == "other" || (100..=599).contains(&label("code").parse().expect("a number")), "{name}");
        assert_eq!(label("route"), "static");
    }
    let requests = names.iter().filter(|name| name.starts_with("vacpack_http_requests_total")).count();
    assert!(requests <= 10 * 501, "{requests}");
    let others = names.len() - requests;
    assert!(others < 650, "{others} series beside the request counter");
}

/// Ordinary traffic: a few methods and codes, all outcomes. The figure is the budget of one pod.
#[test]
fn ten_routes_of_ordinary_traffic_stay_within_the_budget() {
    let metrics = metrics();
    metrics.watch_cache(Arc::new(FixedCache));
    let (log, _written) = access_log(&metrics);
    for name in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        let route = metrics.route(name);
        for cache in [CacheOutcome::Hit, CacheOutcome::Miss, CacheOutcome::Bypass] {
            for status in [StatusCode::OK, StatusCode::NOT_MODIFIED, StatusCode::NOT_FOUND] {
                let exchange = Exchange { cache, status: Some(status), ..sample::exchange(&route) };
                exchange.record(&metrics, &log, &Rules::default());
            }
        }
    }
    let count = series(&metrics).len();
    assert!((1000..=1600).contains(&count), "{count} series; conf/metrics.md says some 1,400");
}
