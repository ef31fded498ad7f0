//! What the kernel counts of the container: memory, throttling, stalls. Read at each scrape; nothing is kept between two.
//!
//! A family whose figure the kernel does not tell here (no limit, an older kernel, version 1 of control groups) has no
//! series: a zero would say that all is well.

use std::sync::Arc;
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, IntCounter, IntCounterVec, IntGauge};

use super::family::{
    CONTAINER_MEMORY_BYTES, CONTAINER_MEMORY_EVENTS, CONTAINER_MEMORY_LIMIT_BYTES, CONTAINER_STALLED_SECONDS,
    CPU_PERIODS, CPU_PERIODS_THROTTLED, Family,
};
use super::label::{Label, MemoryEvent, Resource};
use super::registry::{opts, seconds};

/// What the container shows at this moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerFigures {
    /// Without what the kernel would give back first.
    pub memory: Option<u64>,
    pub memory_limit: Option<u64>,
    pub memory_events: Vec<(MemoryEvent, u64)>,
    /// Time for which somebody waited.
    pub stalled: Vec<(Resource, Duration)>,
    /// Periods of the CPU quota that passed, and those in which it was used up.
    pub cpu_periods: Option<(u64, u64)>,
}

pub trait ContainerSource: Send + Sync {
    fn figures(&self) -> ContainerFigures;
}

pub(super) struct ContainerCollector {
    source: Arc<dyn ContainerSource>,
    gauges: [IntGauge; 2],
    events: IntCounterVec,
    stalled: prometheus::CounterVec,
    periods: [IntCounter; 2],
}

const TABLE: &str = "families of the table are well-formed";

impl ContainerCollector {
    pub fn new(source: Arc<dyn ContainerSource>) -> Self {
        let gauge = |family: &Family| IntGauge::with_opts(opts(family)).expect(TABLE);
        let counter = |family: &Family| IntCounter::with_opts(opts(family)).expect(TABLE);
        let (events, stalled) = (&CONTAINER_MEMORY_EVENTS, &CONTAINER_STALLED_SECONDS);
        Self {
            source,
            gauges: [&CONTAINER_MEMORY_BYTES, &CONTAINER_MEMORY_LIMIT_BYTES].map(gauge),
            events: IntCounterVec::new(opts(events), events.labels).expect(TABLE),
            stalled: prometheus::CounterVec::new(opts(stalled), stalled.labels).expect(TABLE),
            periods: [&CPU_PERIODS, &CPU_PERIODS_THROTTLED].map(counter),
        }
    }
}

impl Collector for ContainerCollector {
    fn desc(&self) -> Vec<&Desc> {
        let gauges = self.gauges.iter().flat_map(|gauge| gauge.desc());
        let periods = self.periods.iter().flat_map(|counter| counter.desc());
        gauges.chain(periods).chain(self.events.desc()).chain(self.stalled.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let figures = self.source.figures();
        let mut families = Vec::new();
        for (gauge, figure) in self.gauges.iter().zip([figures.memory, figures.memory_limit]) {
            if let Some(figure) = figure {
                gauge.set(i64::try_from(figure).unwrap_or(i64::MAX));
                families.extend(gauge.collect());
            }
        }
        if let Some((all, throttled)) = figures.cpu_periods {
            for (counter, figure) in self.periods.iter().zip([all, throttled]) {
                raise(counter, figure);
                families.extend(counter.collect());
            }
        }
        for (event, count) in figures.memory_events {
            raise(&self.events.with_label_values(&[event.label()]), count);
        }
        for (resource, time) in figures.stalled {
            let counter: Counter = self.stalled.with_label_values(&[resource.label()]);
            counter.inc_by((seconds(time) - counter.get()).max(0.0));
        }
        families.extend(self.events.collect().into_iter().chain(self.stalled.collect()));
        families.retain(|family| !family.get_metric().is_empty());
        families
    }
}

/// The kernel's count is the counter's, and neither ever falls.
fn raise(counter: &IntCounter, to: u64) {
    counter.inc_by(to.saturating_sub(counter.get()));
}
