//! The life of the process: signals, the drain, the last line of the log.
//!
//! SIGTERM: not ready from now on, still serving for `drain_delay` (the cluster takes its time to hear of it), with
//! `Connection: close`; then the listener closes and what is in flight is finished, up to `drain_limit`. SIGINT, a person
//! at a terminal, skips the delay. A second signal ends it now.

use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use super::{AppError, Running, start};
use crate::config::Config;
use crate::units::{ByteSize, Span};

/// How often a drain looks whether it is done.
const TICK: Duration = Duration::from_millis(10);

/// What the writer of the access log gets for its last lines.
pub(super) const LOG_FLUSH: Duration = Duration::from_secs(1);

/// Serves until a signal ends it.
pub fn run(config: Config) -> Result<(), AppError> {
    let delay = config.runtime.drain_delay;
    let limit = config.runtime.drain_limit;
    let upstream = config.upstream.address.to_string();
    let (budget, workers) = (ByteSize(config.memory.budget), config.runtime.workers);
    let waiting = Builder::new_current_thread().enable_all().build()?;
    let mut signals = waiting.block_on(async { Signals::new() })?;
    let running = start(config)?;
    tracing::info!(listen = %running.listen, admin = %running.admin, %upstream, %budget, workers, "vacpack serves");
    waiting.block_on(async {
        let kind = signals.next().await;
        let delay = if kind == Kind::Terminate { delay } else { Duration::ZERO };
        tracing::info!(
            signal = kind.name(),
            in_flight = running.metrics.requests_in_flight(),
            delay = %Span(delay),
            limit = %Span(limit),
            "draining; a second signal ends it now"
        );
        tokio::select! {
            () = running.drain(delay, limit) => {}
            kind = signals.next() => tracing::warn!(signal = kind.name(), "a second signal: ending now"),
        }
    });
    tracing::info!("stopped");
    drop(running);
    Ok(())
}

impl Running {
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
    }
}

/// The signals that end the process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Terminate,
    Interrupt,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        }
    }
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> Kind {
        tokio::select! {
            _ = self.terminate.recv() => Kind::Terminate,
            _ = self.interrupt.recv() => Kind::Interrupt,
        }
    }
}
