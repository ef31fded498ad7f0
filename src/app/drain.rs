//! The life of the process: signals, the drain, the last line of the log.
//!
//! ```text
//! SIGTERM, or POST /drain          drain_delay over                    nothing in flight, or drain_limit over
//!    |  not ready, still serving,     |  closed to new connections,       |
//!    |  Connection: close, GOAWAY     |  what is in flight is finished    |  gone: exit 0
//! ```
//!
//! The delay is the time that a cluster takes to hear of it. SIGINT, a person at a terminal, skips it. A second signal ends
//! the process now - but for the one that follows a drain which was asked for: after a preStop hook comes SIGTERM. The
//! admin listener answers to the end. SIGHUP reads the configuration again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use super::{AppError, Reading, Running, start_reloading};
use crate::admin::Reload;
use crate::admin::reload::Reason;
use crate::config::Loaded;
use crate::metrics::log::Log;
use crate::units::{ByteSize, Span};

/// How often a drain looks whether it is done.
const TICK: Duration = Duration::from_millis(10);

/// For the last bytes of answers that are done, on connections whose clients still hold them open.
const LINGER: Duration = Duration::from_secs(1);

/// What the writer of the access log gets for its last lines.
pub(super) const LOG_FLUSH: Duration = Duration::from_secs(1);

/// Serves until a signal ends it.
pub fn run(loaded: Loaded, reading: Reading, log: Arc<Log>) -> Result<(), AppError> {
    let config = &loaded.config;
    let upstream = config.upstream.address.to_string();
    let (budget, workers) = (ByteSize(config.memory.budget), config.runtime.workers);
    let waiting = Builder::new_current_thread().enable_all().build()?;
    let mut signals = waiting.block_on(async { Signals::new() })?;
    let running = start_reloading(loaded, reading, log)?;
    tracing::info!(listen = %running.listen, admin = %running.admin, %upstream, %budget, workers, "vacpack serves");
    waiting.block_on(async {
        let mut leaving = running.lifecycle.leaving();
        let began = loop {
            tokio::select! {
                kind = signals.next() => match kind {
                    Kind::Hangup => running.reload().await,
                    end => break Some(end),
                },
                _ = leaving.wait_for(|leaving| *leaving) => break None,
            }
        };
        let times = running.drain.load();
        let limit = times.drain_limit;
        let delay = if began == Some(Kind::Interrupt) { Duration::ZERO } else { times.drain_delay };
        tracing::info!(
            because = began.map_or("POST /drain", Kind::name),
            in_flight = running.metrics.requests_in_flight(),
            delay = %Span(delay),
            limit = %Span(limit),
            "draining; a second signal ends it now"
        );
        tokio::select! {
            () = running.drain(delay, limit) => {}
            kind = signals.second(began) => tracing::warn!(signal = kind.name(), "a second signal: ending now"),
        }
    });
    tracing::info!("stopped");
    drop(running);
    Ok(())
}

impl Running {
    /// On a thread that may wait for files and names.
    async fn reload(&self) {
        if let Some(reloader) = self.reloader.clone() {
            let _ = tokio::task::spawn_blocking(move || reloader.reload(Reason::Signal)).await;
        }
    }

    /// Not ready, still serving; then closed to new connections; then until nothing is in flight.
    async fn drain(&self, delay: Duration, limit: Duration) {
        self.lifecycle.drain();
        sleep(delay).await;
        let _ = self.close.send(true);
        let end = Instant::now() + limit;
        while self.metrics.requests_in_flight() > 0 {
            if Instant::now() >= end {
                let cut = self.metrics.requests_in_flight();
                tracing::warn!(in_flight = cut, "the drain limit has passed: requests are cut off");
                return;
            }
            sleep(TICK).await;
        }
        let end = end.min(Instant::now() + LINGER);
        while self.metrics.connections() > 0 && Instant::now() < end {
            sleep(TICK).await;
        }
    }
}

/// The signals that mean something to us.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Terminate,
    Interrupt,
    Hangup,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
            Self::Hangup => "SIGHUP",
        }
    }
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Kind {
        tokio::select! {
            _ = self.terminate.recv() => Kind::Terminate,
            _ = self.interrupt.recv() => Kind::Interrupt,
            _ = self.hangup.recv() => Kind::Hangup,
        }
    }

    /// The one that ends a drain: nothing is read again meanwhile, and the SIGTERM after a preStop hook is expected.
    async fn second(&mut self, mut first: Option<Kind>) -> Kind {
        loop {
            match self.next().await {
                Kind::Hangup => {}
                end if first.is_some() => return end,
                end => first = Some(end),
            }
        }
    }
}
