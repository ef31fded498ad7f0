//! What one finished request moves, and what it does not.

use std::time::Duration;

use http::{Method, StatusCode};

use super::{access_log, metrics, series, value};
use crate::metrics::access_log::Rules;
use crate::metrics::exchange::sample;
use crate::metrics::{Cause, Exchange, Phase, Phases, Storing};
use crate::policy::{CacheOutcome, NotStored};

#[test]
fn one_exchange_moves_every_counter_it_is_about() {
    let metrics = metrics();
    let (log, written) = access_log(&metrics);
    let route = metrics.route("static");
    let mut phases = Phases::default();
    phases.add(Phase::UpstreamWait, Duration::from_millis(9));
    Exchange { phases, ..sample::exchange(&route) }.record(&metrics, &log, &Rules::default());

    for (name, expected) in [
        (r#"vacpack_http_requests_total{code="200",method="GET",route="static"}"#, 1.0),
        (r#"vacpack_request_duration_seconds_count{cache="miss",route="static"}"#, 1.0),
        (r#"vacpack_request_duration_seconds_sum{cache="miss",route="static"}"#, 0.012345),
        (r#"vacpack_request_duration_seconds_bucket{cache="miss",route="static",le="0.01"}"#, 0.0),
        (r#"vacpack_request_duration_seconds_bucket{cache="miss",route="static",le="0.025"}"#, 1.0),
        (r#"vacpack_time_to_first_byte_seconds_sum{cache="miss",route="static"}"#, 0.01),
        (r#"vacpack_phase_duration_seconds_count{phase="upstream_wait"}"#, 1.0),
        (r#"vacpack_phase_duration_seconds_count{phase="lock_wait"}"#, 0.0),
        (r#"vacpack_response_body_bytes_total{side="upstream"}"#, 1000.0),
        (r#"vacpack_response_body_bytes_total{side="client"}"#, 250.0),
        (r#"vacpack_compression_input_bytes_total{algorithm="br",mode="live"}"#, 1000.0),
        (r#"vacpack_compression_output_bytes_total{algorithm="br",mode="live"}"#, 250.0),
        (r#"vacpack_compression_seconds_total{algorithm="br",mode="live"}"#, 0.002),
        (r#"vacpack_compression_input_bytes_total{algorithm="br",mode="derived"}"#, 0.0),
        (r#"vacpack_compression_ratio_sum{algorithm="br"}"#, 0.25),
        (r#"vacpack_cache_requests_total{status="miss"}"#, 1.0),
        (r#"vacpack_cache_requests_total{status="hit"}"#, 0.0),
        (r#"vacpack_upstream_connections_total{reused="false"}"#, 1.0),
        (r#"vacpack_build_info{revision="f84fbcb",version="0.1.0"}"#, 1.0),
    ] {
        assert_eq!(value(&metrics, name), expected, "{name}");
    }
    assert!(log.flush(Duration::from_secs(10)));
    assert_eq!(written.try_iter().flatten().filter(|byte| *byte == b'\n').count(), 1);
}

#[test]
fn a_refresh_counts_work_but_no_request() {
    let metrics = metrics();
    let (log, written) = access_log(&metrics);
    let route = metrics.route("static");
    let storing = Storing::Refused(NotStored::NoStore);
    Exchange { cause: Cause::Refresh, storing, ..sample::exchange(&route) }.record(&metrics, &log, &Rules::default());

    let all = series(&metrics);
    assert_eq!(all[r#"vacpack_response_body_bytes_total{side="upstream"}"#], 1000.0);
    assert_eq!(all[r#"vacpack_response_body_bytes_total{side="client"}"#], 0.0);
    let refused = format!("vacpack_cache_not_stored_total{{reason=\"{}\"}}", NotStored::NoStore.label());
    assert_eq!(all[&refused], 1.0);
    assert_eq!(all[r#"vacpack_cache_requests_total{status="miss"}"#], 0.0);
    assert!(!all.keys().any(|name| name.starts_with("vacpack_http_requests_total")));
    assert!(log.flush(Duration::from_secs(10)));
    assert_eq!(written.try_iter().count(), 0);
}

#[test]
fn guards_count_down_even_after_a_panic() {
    let metrics = metrics();
    let kept = metrics.request_in_flight();
    let other = metrics.request_in_flight();
    let connection = metrics.connection();
    assert_eq!(metrics.requests_in_flight(), 2);
    assert_eq!(value(&metrics, "vacpack_connections"), 1.0);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _held = other;
        std::panic::resume_unwind(Box::new("for a test"));
    }));
    assert!(panicked.is_err());
    drop(connection);
    assert_eq!(metrics.requests_in_flight(), 1);
    assert_eq!(value(&metrics, "vacpack_connections"), 0.0);
    drop(kept);
    assert_eq!(metrics.requests_in_flight(), 0);
}

#[test]
fn counting_from_many_threads_loses_nothing() {
    let metrics = metrics();
    let route = metrics.route("static");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for status in (100..600).cycle().take(20_000) {
                    route.requests(&Method::GET, StatusCode::from_u16(status).ok()).inc();
                    route.timing(CacheOutcome::Hit).duration.observe(0.001);
                }
            });
        }
    });
    let total: f64 = series(&metrics)
        .into_iter()
        .filter(|(name, _)| name.starts_with("vacpack_http_requests_total"))
        .map(|(_, value)| value)
        .sum();
    assert_eq!(total, 80_000.0);
    assert_eq!(value(&metrics, r#"vacpack_request_duration_seconds_count{cache="hit",route="static"}"#), 80_000.0);
}
