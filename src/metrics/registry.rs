//! The Prometheus registry of one process: makes each family of the table once, and prints them all.
//!
//! It is a value that `app` builds and hands down; there is no global one, so two servers in one process (tests) do
//! not share counters.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Counter, CounterVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    TextEncoder,
};

use super::config::ConstantLabels;
use super::family::Family;

/// What `/metrics` says its body is (Prometheus text format).
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The families are constants and each is made in one place, so the library has nothing to refuse.
const TABLE: &str = "families of the table are well-formed and made once";

pub(super) struct Registry(prometheus::Registry);

impl Registry {
    pub fn new(labels: &ConstantLabels) -> Self {
        let labels = labels.pairs().collect();
        Self(prometheus::Registry::new_custom(None, Some(labels)).expect("only an empty prefix is refused"))
    }

    pub fn register(&self, collector: impl Collector + 'static) {
        self.0.register(Box::new(collector)).expect(TABLE);
    }

    pub fn counter(&self, family: &Family) -> IntCounter {
        let counter = IntCounter::with_opts(opts(family)).expect(TABLE);
        self.register(counter.clone());
        counter
    }

    pub fn counters(&self, family: &Family) -> IntCounterVec {
        let counters = IntCounterVec::new(opts(family), family.labels).expect(TABLE);
        self.register(counters.clone());
        counters
    }

    pub fn second_counter(&self, family: &Family) -> Counter {
        let counter = Counter::with_opts(opts(family)).expect(TABLE);
        self.register(counter.clone());
        counter
    }

    /// Counters of seconds, which are not whole.
    pub fn second_counters(&self, family: &Family) -> CounterVec {
        let counters = CounterVec::new(opts(family), family.labels).expect(TABLE);
        self.register(counters.clone());
        counters
    }

    pub fn gauge(&self, family: &Family) -> IntGauge {
        let gauge = IntGauge::with_opts(opts(family)).expect(TABLE);
        self.register(gauge.clone());
        gauge
    }

    pub fn gauges(&self, family: &Family) -> IntGaugeVec {
        let gauges = IntGaugeVec::new(opts(family), family.labels).expect(TABLE);
        self.register(gauges.clone());
        gauges
    }

    pub fn histograms(&self, family: &Family, buckets: Vec<f64>) -> HistogramVec {
        let opts = HistogramOpts::new(family.name, family.help).buckets(buckets);
        let histograms = HistogramVec::new(opts, family.labels).expect(TABLE);
        self.register(histograms.clone());
        histograms
    }

    /// Every family that has a series, in the text format. The error is a family that a collector made wrong.
    pub fn exposition(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.0.gather())
    }
}

pub(super) fn opts(family: &Family) -> Opts {
    Opts::new(family.name, family.help)
}

/// Durations in the base unit of every family.
pub(super) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
