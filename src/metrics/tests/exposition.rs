//! What a scrape shows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{FixedCache, FixedContainer, exercise, metrics, promtool, series, value, with_config};
use crate::header::Coding;
use crate::metrics::config::{Config, ConstantLabels};
use crate::metrics::family::FAMILIES;
use crate::metrics::{ContainerFigures, ContainerSource, Encoded, Mode};

#[test]
fn every_family_of_the_table_is_exposed_and_no_other() {
    let metrics = metrics();
    exercise(&metrics);
    let exposition = metrics.exposition().expect("an exposition");
    let exposed: BTreeSet<(&str, &str)> =
        exposition.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let ours: BTreeSet<_> = exposed.iter().copied().filter(|(name, _)| !name.starts_with("process_")).collect();
    let table: BTreeSet<_> = FAMILIES.iter().map(|family| (family.name, family.kind.word())).collect();
    assert_eq!(ours, table);
    assert!(exposed.iter().any(|(name, _)| *name == "process_resident_memory_bytes"));
}

#[test]
fn promtool_finds_nothing_to_say_about_the_exposition() {
    let metrics = metrics();
    exercise(&metrics);
    promtool(&["check", "metrics"], &metrics.exposition().expect("an exposition"));
}

#[test]
fn constant_labels_are_on_every_series() {
    let team = BTreeMap::from([("team".to_owned(), "a \"b\"\n\\".to_owned())]);
    let labels = ConstantLabels::new(team).expect("a name");
    let metrics = with_config(&Config { labels, ..Config::default() });
    exercise(&metrics);
    for name in series(&metrics).keys() {
        assert!(name.contains(r#"team="a \"b\"\n\\""#), "{name}");
    }
}

#[test]
fn gauges_of_the_cache_are_asked_at_each_scrape() {
    let metrics = metrics();
    metrics.watch_cache(Arc::new(FixedCache));
    assert_eq!(value(&metrics, "vacpack_cache_entries"), 3.0);
    assert_eq!(value(&metrics, "vacpack_cache_capacity_bytes"), 1048576.0);
    assert_eq!(value(&metrics, "vacpack_cache_fills_in_flight_bytes"), i64::MAX as f64);
}

#[test]
fn counters_of_the_kernel_are_shown_as_they_stand_however_often_they_are_asked_for() {
    let metrics = metrics();
    metrics.watch_container(Arc::new(FixedContainer));
    for _ in 0..2 {
        assert_eq!(value(&metrics, r#"vacpack_container_memory_events_total{event="oom_kill"}"#), 7.0);
        assert_eq!(value(&metrics, r#"vacpack_container_stalled_seconds_total{resource="memory"}"#), 1.5);
        assert_eq!(value(&metrics, "vacpack_cpu_periods_throttled_total"), 2.0);
    }
}

#[test]
fn what_the_kernel_does_not_tell_is_not_shown_as_zero() {
    struct Nothing;
    impl ContainerSource for Nothing {
        fn figures(&self) -> ContainerFigures {
            ContainerFigures::default()
        }
    }
    let metrics = metrics();
    metrics.watch_container(Arc::new(Nothing));
    let text = metrics.exposition().expect("an exposition");
    assert!(!text.contains("vacpack_container_") && !text.contains("vacpack_cpu_periods"), "{text}");
}

#[test]
fn identity_is_no_algorithm() {
    let metrics = metrics();
    let body = Encoded { coding: Coding::Identity, mode: Mode::Derived, input: 9, output: 9, busy: Duration::ZERO };
    metrics.compression.encoded(&body);
    assert!(!metrics.exposition().expect("an exposition").contains(r#"algorithm="identity""#));
    let empty = Encoded { coding: Coding::Gzip, mode: Mode::Live, input: 0, output: 20, busy: Duration::ZERO };
    metrics.compression.encoded(&empty);
    assert_eq!(value(&metrics, r#"vacpack_compression_ratio_count{algorithm="gzip"}"#), 0.0);
}
