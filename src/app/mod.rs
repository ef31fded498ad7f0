//! The composition root: every part is built here, once, and handed to the parts above it.
//!
//! Both listeners are bound before anything is served, so that a taken port is an error at once. vacpack keeps runtimes
//! of its own instead of the platform's server, which closes its listeners the moment a signal comes: the proxy's has the
//! configured workers; the admin listener's has a thread to itself, so that a probe is answered while the workers are
//! busy, and stays up until the last request is done.

mod allocator;
mod bind;
mod cache;
mod cgroup;
mod container;
mod cpu;
mod drain;
mod explain;
mod follow;
mod guard;
mod memory;
mod pulse;
mod reload;
mod sizing;

use std::fmt;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use pingora::apps::ServerApp;
use pingora::listeners::{L4BufferSettings, ListenerConfig};
use pingora::proxy::HttpProxy;
use pingora::server::configuration::ServerConf;
use pingora::services::Service as _;
use pingora::services::listening::Service;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use crate::admin::{Access, AdminApp, Lifecycle, Pause};
use crate::cache::{Improver, Limits, Memory};
use crate::config::{Config, Loaded, Runtime as RuntimeConfig};
use crate::encode::{Budget, Pressure};
use crate::metrics::log::Log;
use crate::metrics::{AccessLog, Build, Metrics, log};
use crate::proxy::{Connections, Memorable, Parts, Proxy, Ruleset, Turns};
use crate::tls::{Tls, TlsError};
use crate::upstream::{Places, ResolveError, Upstream};

use allocator::Ebb;
pub use bind::BindError;
use bind::Bound;
use cache::{Counted, Occupancy, Purger, load};
use container::Container;
use cpu::Meter;
pub use drain::run;
use explain::Explainer;
use follow::Watch;
use guard::Gauge;
use memory::{Books, Shares};
pub use reload::Reading;
use reload::{Reloader, Started, Subjects};

/// How many resources the predictor remembers as not worth a lock, in each of its shards.
const PREDICTOR_SHARD: usize = 2048;

/// How often memory of expired responses is given back when nobody asks for anything.
const SETTLE_EVERY: Duration = Duration::from_secs(5);

/// What an idle connection costs is mostly its buffers: 4 KiB hold the head of a usual request, the platform's own 64 KiB hold
/// nothing more. A head and its body are handed over in one write, which goes past the buffer where it is larger.
const READ_BUFFER: usize = 4 * 1024;
const WRITE_BUFFER: usize = 4 * 1024;

/// One more than `upstream.max_retries` can be.
const MOST_TRIES: usize = 4;

/// The commit that was built, if the build said so.
const REVISION: Option<&str> = option_env!("VACPACK_REVISION");

/// A vacpack that serves, until it is dropped.
pub struct Running {
    /// Where it listens: the port is known even if 0 was asked for.
    pub listen: SocketAddr,
    pub admin: SocketAddr,
    lifecycle: Arc<Lifecycle>,
    metrics: Arc<Metrics>,
    access_log: Arc<AccessLog>,
    improver: Option<Improver>,
    drain: Arc<ArcSwap<RuntimeConfig>>,
    reloader: Option<Arc<Reloader>>,
    watch: Option<Watch>,
    close: watch::Sender<bool>,
    workers: Option<Runtime>,
    admin_worker: Option<Runtime>,
}

/// Long turns of encoders at a time, for each worker: threads, most of which wait for a core.
const TURNS: usize = 16;

/// Binds, builds and serves one configuration to the end.
pub fn start(config: Config) -> Result<Running, AppError> {
    build(config, None)
}

/// Binds, builds and serves, and follows the configuration as it changes.
pub fn start_reloading(loaded: Loaded, reading: Reading, log: Arc<Log>) -> Result<Running, AppError> {
    let Loaded { config, effective, fingerprint, .. } = loaded;
    build(config, Some(Started { effective, fingerprint, reading, log }))
}

fn build(config: Config, started: Option<Started>) -> Result<Running, AppError> {
    let tls = config.listen.tls.clone().map(Tls::load).transpose()?.map(Arc::new);
    let listen = Bound::to("listen.address", config.listen.address)?;
    let admin = Bound::to("admin.address", config.admin.address)?;
    let upstream = Upstream::resolve(config.upstream.clone())?;
    let metrics = Arc::new(Metrics::new(&config.metrics, version()));
    let access_log = Arc::new(AccessLog::start(io::stdout(), log_format(&config), metrics.access_log_dropped())?);
    let lifecycle = Arc::new(Lifecycle::default());

    sizing::log(&config, shares(&config));
    allocator::set_up(config.runtime.workers);
    let encoders = Arc::new(Budget::new(shares(&config).encoders));
    let books = Arc::new(Books::new(config.memory.budget, encoders.clone()));
    metrics.watch_memory(books.clone());
    metrics.watch_container(Arc::new(Container::new(Path::new("/"))));
    let limits = limits(&config);
    // The platform wants these for the life of the process, so they are given it.
    let memory = Memory::new(limits, encoders.clone(), Arc::new(Counted::new(metrics.clone())));
    memory.allow_waiters(config.cache.max_waiters);
    let memory: &'static Memory = Box::leak(Box::new(memory.improving(config.improve)));
    let predictor: &'static Memorable = Box::leak(Box::new(Memorable::new(PREDICTOR_SHARD, memory)));
    metrics.watch_cache(Arc::new(Occupancy(memory)));
    let pause = Arc::new(Pause::default());
    let pressure = Arc::new(Pressure::default());
    let load =
        load(memory, metrics.clone(), lifecycle.clone(), pause.clone(), pressure.clone(), config.runtime.workers);
    let improver = Improver::start(memory, load)?;

    let watched = upstream.clone();
    metrics.upstream.addresses(upstream.addresses().count());
    let parts = Arc::new(Parts {
        rules: ArcSwap::from_pointee(ruleset(&config, &metrics)),
        places: Arc::new(Places::new(config.upstream.admission, metrics.upstream.admission.clone())),
        upstream,
        memory,
        encoders: encoders.clone(),
        pressure: pressure.clone(),
        turns: Arc::new(Turns::new(config.runtime.workers * TURNS, metrics.clone())),
        predictor,
        lock: memory,
        metrics: metrics.clone(),
        access_log: access_log.clone(),
        lifecycle: lifecycle.clone(),
    });
    let platform = Arc::new(platform_conf(&config.upstream, config.runtime.workers));
    let mut proxy = HttpProxy::new(Proxy::new(parts.clone()), platform);
    proxy.handle_init_modules();

    let (close, closing) = watch::channel(false);
    let (running_listen, running_admin) = (listen.address, admin.address);
    let workers = Builder::new_multi_thread()
        .worker_threads(config.runtime.workers)
        .thread_name("worker")
        .enable_all()
        .build()?;
    let admin_worker = Builder::new_multi_thread().worker_threads(1).thread_name("admin").enable_all().build()?;

    workers.spawn(cpu::watch(Meter::new(Path::new("/")), pressure, metrics.clone()));
    let connections = Connections::new(proxy, parts.clone(), tls.clone(), lifecycle.leaving());
    serve(&workers, Service::new("proxy".to_owned(), connections), listen, closing);
    let purge = Arc::new(Purger(parts.clone()));
    let access = Arc::new(Access::new(config.admin.token));
    let drain = Arc::new(ArcSwap::from_pointee(config.runtime));
    let subjects = Subjects { parts: parts.clone(), books, access: access.clone(), drain: drain.clone() };
    let reloader = started.map(|started| Arc::new(Reloader::new(started, subjects)));
    let app = AdminApp::new(metrics.clone(), lifecycle.clone(), purge, access);
    let app = app.explaining(Arc::new(Explainer(parts))).pausing(pause);
    let app = match &reloader {
        Some(reloader) => app.reloading(reloader.clone()),
        None => app,
    };
    // The admin listener closes when the process ends, not before.
    let (keep_open, open) = watch::channel(false);
    serve(&admin_worker, app.into_service(), admin, open);
    admin_worker.spawn(async move {
        keep_open.closed().await;
    });
    if let Some(tls) = tls {
        metrics.watch_tls(tls.clone());
        admin_worker.spawn(tls.follow());
    }
    admin_worker.spawn(watched.clone().follow_files());
    let meters = metrics.clone();
    admin_worker.spawn(watched.clone().look_up(move |count| meters.upstream.addresses(count)));
    if config.upstream.ready_path.is_some() {
        // Until it was asked.
        lifecycle.app_answers(false);
        let lifecycle = lifecycle.clone();
        admin_worker.spawn(watched.probe(move |answers| lifecycle.app_answers(answers)));
    }
    workers.spawn(pulse::beat(lifecycle.clone()));
    if let Some(gauge) = Gauge::new(Path::new("/")) {
        admin_worker.spawn(guard::watch(gauge, memory, metrics.clone()));
    }
    // Without traffic nothing else would let go of what has expired.
    admin_worker.spawn(async move {
        let mut ebb = Ebb::default();
        let mut tick = tokio::time::interval(SETTLE_EVERY);
        loop {
            tick.tick().await;
            memory.settle();
            if ebb.observe(memory.bytes() + encoders.held(), memory.capacity()) {
                let _done = tokio::task::spawn_blocking(allocator::release).await;
            }
        }
    });
    lifecycle.start();

    Ok(Running {
        listen: running_listen,
        admin: running_admin,
        lifecycle,
        metrics,
        access_log,
        improver,
        drain,
        watch: reloader.clone().and_then(Watch::start),
        reloader,
        close,
        workers: Some(workers),
        admin_worker: Some(admin_worker),
    })
}

/// What a configuration says about requests.
fn ruleset(config: &Config, metrics: &Metrics) -> Ruleset {
    Ruleset {
        meters: config.routes.names().iter().map(|name| metrics.route(name)).collect(),
        routes: config.routes.clone(),
        purge_from: config.cache.purge_from.clone(),
        coalesce: config.cache.coalesce,
        generation: config.cache.generation.clone(),
        limits: config.listen.request.clone(),
        connection: Arc::new(config.listen.connection.clone()),
        trusted_proxies: config.listen.trusted_proxies.clone(),
        status_header: config.cache.status_header,
        server_timing: config.server_timing,
        forwarded: config.forwarded,
        trace: config.trace,
        access_rules: config.log.access.clone(),
    }
}

/// What of the budget is whose.
fn shares(config: &Config) -> Shares {
    Shares::of(config.memory.budget, config.cache.max_object)
}

/// What the cache may hold.
pub fn limits(config: &Config) -> Limits {
    let shares = shares(config);
    let (max_object, max_variants) = (config.cache.max_object, config.cache.max_variants);
    Limits { capacity: shares.cache, fills: shares.fills, max_object, max_variants }
}

impl Running {
    /// Ends at once: what is in flight is cut off.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.close.send(true);
        drop(self.watch.take());
        drop(self.improver.take());
        for runtime in [self.workers.take(), self.admin_worker.take()].into_iter().flatten() {
            // Dropping a runtime would wait for its tasks, and must not happen inside another one.
            runtime.shutdown_background();
        }
        self.access_log.flush(drain::LOG_FLUSH);
    }
}

fn serve<A>(runtime: &Runtime, mut service: Service<A>, bound: Bound, closing: watch::Receiver<bool>)
where
    A: ServerApp + Send + Sync + 'static,
{
    let buffers = L4BufferSettings::new(READ_BUFFER, WRITE_BUFFER);
    service.add_listener(ListenerConfig::tcp(bound.address.to_string()).l4_buffer(buffers));
    let descriptors = bound.into_descriptors();
    runtime.spawn(async move { service.start_service(Some(descriptors), closing, 1).await });
}

/// What the platform takes from its own configuration.
fn platform_conf(upstream: &crate::upstream::Config, workers: usize) -> ServerConf {
    ServerConf {
        threads: workers,
        // Each request knows how often it may; this only has to be no fewer.
        max_retries: MOST_TRIES,
        // The platform's pool is that of one worker times their number.
        upstream_keepalive_pool_size: upstream.keepalive.div_ceil(workers.max(1)),
        ..ServerConf::default()
    }
}

fn version() -> Build<'static> {
    Build { version: env!("CARGO_PKG_VERSION"), revision: REVISION.unwrap_or("unknown") }
}

fn log_format(config: &Config) -> log::Format {
    config.log.format.unwrap_or_else(|| log::Format::for_terminal(io::stdout().is_terminal()))
}

/// Why vacpack cannot serve.
#[derive(Debug)]
pub enum AppError {
    Bind(BindError),
    Resolve(ResolveError),
    Tls(TlsError),
    /// The system refused a thread.
    Thread(io::Error),
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(error) => error.fmt(f),
            Self::Resolve(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
        }
    }
}

impl std::error::Error for AppError {}

impl From<BindError> for AppError {
    fn from(error: BindError) -> Self {
        Self::Bind(error)
    }
}

impl From<ResolveError> for AppError {
    fn from(error: ResolveError) -> Self {
        Self::Resolve(error)
    }
}

impl From<TlsError> for AppError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

impl From<io::Error> for AppError {
    fn from(error: io::Error) -> Self {
        Self::Thread(error)
    }
}
