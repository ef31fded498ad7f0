//! Gauges that count what is going on now, through guards that cannot forget to count down.

use prometheus::IntGauge;

/// One request, or one connection, that is counted until this value is dropped - also by a panic.
#[derive(Debug)]
#[must_use = "the gauge falls again when this is dropped"]
pub struct InFlight(IntGauge);

impl InFlight {
    pub(super) fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
