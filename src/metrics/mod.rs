//! What vacpack knows about itself: counters and histograms for Prometheus, the access log, and its own log.
//!
//! * [`family`] is the table of all families; [`label`] the closed sets their labels come from;
//! * [`Metrics`] registers the table once and hands out meters whose children are resolved already, so that counting
//!   on the request path is an atomic addition: no lock, no hash, no allocation;
//! * [`Exchange`] is one finished request; recording it moves the counters and writes the [`access_log`] line together;
//! * [`log`] is for everything that is not a request.
//!
//! Nothing here is global: `app` makes one [`Metrics`] and one [`AccessLog`] and passes them down.

pub mod access_log;
mod cache;
mod children;
mod compression;
pub mod config;
mod container;
pub mod exchange;
pub mod family;
mod improvement;
pub mod label;
pub mod log;
mod memory;
mod occupancy;
mod phases;
mod registry;
mod reload;
mod requests;
mod scraped;
mod tls;
mod upstream;

pub use access_log::AccessLog;
pub use cache::{CacheGauges, CacheMeters};
pub use compression::{CompressionMeters, Encoded};
pub use config::Config;
pub use container::{ContainerFigures, ContainerSource};
pub use exchange::{BodyCoding, Cause, ErrorType, Exchange, Storing};
pub use improvement::ImprovementMeters;
pub use label::{
    Downgrade, EvictionCause, GivenUp, Handshake, Label, Limit, MemoryEvent, Mode, Phase, Priority, PurgeResult,
    PurgeScope, ReloadResult, Resource, Reused, Sharing, Shed, Transcoding, UpstreamError,
};
pub use memory::MemoryGauges;
pub use occupancy::InFlight;
pub use phases::Phases;
pub use registry::CONTENT_TYPE;
pub use reload::ReloadMeters;
pub use requests::{RouteMeters, Timing};
pub use tls::TlsGauges;
pub use upstream::{AdmissionMeters, AfterFailure, UpstreamMeters};

use std::sync::Arc;
use std::time::Duration;

use prometheus::{Counter, IntCounter, IntGauge};

use children::Children;
use label::Side;
use phases::PhaseMeters;
use registry::{Registry, seconds};
use requests::Routes;

/// Every meter of the process.
pub struct Metrics {
    registry: Registry,
    routes: Routes,
    phases: PhaseMeters,
    requests_in_flight: IntGauge,
    connections: IntGauge,
    handshakes: Children<Handshake, IntCounter>,
    limits: Children<Limit, IntCounter>,
    response_bytes: Children<Side, IntCounter>,
    access_log_dropped: IntCounter,
    cpu_throttled: Counter,
    pub compression: CompressionMeters,
    pub improvement: ImprovementMeters,
    pub cache: CacheMeters,
    pub upstream: UpstreamMeters,
    pub reload: ReloadMeters,
}

/// Which build this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build<'a> {
    pub version: &'a str,
    /// The commit, or `unknown`.
    pub revision: &'a str,
}

impl Metrics {
    pub fn new(config: &Config, build: Build) -> Self {
        let registry = Registry::new(&config.labels);
        registry.gauges(&family::BUILD_INFO).with_label_values(&[build.version, build.revision]).set(1);
        registry.register(prometheus::process_collector::ProcessCollector::for_self());
        Self {
            routes: Routes::register(&registry, &config.latency_buckets),
            phases: PhaseMeters::register(&registry),
            requests_in_flight: registry.gauge(&family::REQUESTS_IN_FLIGHT),
            connections: registry.gauge(&family::CONNECTIONS),
            handshakes: Children::of_family(&registry.counters(&family::TLS_HANDSHAKES)),
            limits: Children::of_family(&registry.counters(&family::LIMITS_MET)),
            response_bytes: Children::of_family(&registry.counters(&family::RESPONSE_BODY_BYTES)),
            access_log_dropped: registry.counter(&family::ACCESS_LOG_DROPPED),
            cpu_throttled: registry.second_counter(&family::CPU_THROTTLED_SECONDS),
            compression: CompressionMeters::register(&registry),
            improvement: ImprovementMeters::register(&registry),
            cache: CacheMeters::register(&registry),
            upstream: UpstreamMeters::register(&registry),
            reload: ReloadMeters::register(&registry),
            registry,
        }
    }

    /// The meters of a route. Resolve them when the configuration is loaded, not on the request path: this locks.
    /// The same name gives the same meters, so a reload loses no count.
    pub fn route(&self, name: &str) -> Arc<RouteMeters> {
        self.routes.meters(name)
    }

    /// From now on each scrape shows what this cache holds. Once for a process.
    pub fn watch_cache(&self, source: Arc<dyn CacheGauges>) {
        self.registry.register(cache::collector(source));
    }

    /// From now on each scrape shows what this budget holds. Once for a process.
    pub fn watch_memory(&self, source: Arc<dyn MemoryGauges>) {
        self.registry.register(memory::collector(source));
    }

    /// From now on each scrape shows how the container fares. Once for a process.
    pub fn watch_container(&self, source: Arc<dyn ContainerSource>) {
        self.registry.register(container::ContainerCollector::new(source));
    }

    /// From now on each scrape shows how these certificates are. Once for a process.
    pub fn watch_tls(&self, source: Arc<dyn TlsGauges>) {
        self.registry.register(tls::collector(source));
    }

    /// A client's TLS handshake ended.
    pub fn handshake(&self, result: Handshake) {
        self.handshakes.of(result).inc();
    }

    /// The container was held back by its CPU limit for so long.
    pub fn cpu_throttled(&self, time: Duration) {
        self.cpu_throttled.inc_by(seconds(time));
    }

    /// Counts one request as in flight, until the guard is dropped.
    pub fn request_in_flight(&self) -> InFlight {
        InFlight::new(&self.requests_in_flight)
    }

    /// What a drain waits for to become zero.
    pub fn requests_in_flight(&self) -> u64 {
        u64::try_from(self.requests_in_flight.get()).unwrap_or(0)
    }

    /// Counts one client connection as open, until the guard is dropped.
    pub fn connection(&self) -> InFlight {
        InFlight::new(&self.connections)
    }

    /// Somebody had too much of something, or took too long.
    pub fn limit_met(&self, limit: Limit) {
        self.limits.of(limit).inc();
    }

    /// What a drain waits for then, a little: what was answered is on its way through them.
    pub fn connections(&self) -> u64 {
        u64::try_from(self.connections.get()).unwrap_or(0)
    }

    pub fn access_log_dropped(&self) -> IntCounter {
        self.access_log_dropped.clone()
    }

    /// The body of `/metrics`, to be sent as [`CONTENT_TYPE`].
    pub fn exposition(&self) -> Result<String, prometheus::Error> {
        self.registry.exposition()
    }
}

#[cfg(test)]
mod tests;
