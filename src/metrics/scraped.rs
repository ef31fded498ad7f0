//! Gauges that are read when Prometheus asks: figures that somebody else keeps anyway, never older than the answer.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGauge, Opts};

use super::family::Family;
use super::registry::opts;

/// How one figure is read from its source.
pub(super) type Read<S> = fn(&S) -> u64;

/// Gauges over one source.
pub(super) struct Scraped<S: ?Sized> {
    source: Arc<S>,
    gauges: Vec<(IntGauge, Read<S>)>,
}

impl<S: ?Sized> Scraped<S> {
    pub fn new(source: Arc<S>, gauges: &[(&Family, Read<S>)]) -> Self {
        let gauge = |opts: Opts| IntGauge::with_opts(opts).expect("families of the table are well-formed");
        Self { source, gauges: gauges.iter().map(|(family, read)| (gauge(opts(family)), *read)).collect() }
    }
}

impl<S: ?Sized + Send + Sync> Collector for Scraped<S> {
    fn desc(&self) -> Vec<&Desc> {
        self.gauges.iter().flat_map(|(gauge, _)| gauge.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let read = |(gauge, read): &(IntGauge, Read<S>)| {
            gauge.set(i64::try_from(read(&self.source)).unwrap_or(i64::MAX));
            gauge.collect()
        };
        self.gauges.iter().flat_map(read).collect()
    }
}
