//! The access log: a line for each request, on standard output.
//!
//! Three parts: [`Rules`] say which requests get a line, `line` makes it, and one thread writes it. Between the
//! requests and the thread is a queue with a limit. A standard output that nobody reads therefore costs lines, which
//! are counted, and never a request.

mod line;
mod rules;
mod writer;

pub use rules::{Exclude, ExcludeProblem, Rules, Sample};

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus::IntCounter;

use super::exchange::Exchange;
use super::log::Format;
use writer::Writer;

pub struct AccessLog {
    writer: Writer,
    format: Format,
    /// Requests that the sample was asked about; the next draw is made from it.
    asked: AtomicU64,
    dropped: IntCounter,
}

impl AccessLog {
    /// Starts the writing thread. `dropped` is [`super::Metrics::access_log_dropped`].
    pub fn start(out: impl Write + Send + 'static, format: Format, dropped: IntCounter) -> io::Result<Self> {
        let writer = Writer::start(out, dropped.clone())?;
        Ok(Self { writer, format, asked: AtomicU64::new(0), dropped })
    }

    /// Queues the line of this request, if it gets one. Never waits.
    pub(super) fn write(&self, exchange: &Exchange, rules: &Rules) {
        if !rules.keep(exchange, || self.draw()) {
            return;
        }
        let line = match self.format {
            Format::Json => line::json(exchange),
            Format::Text => line::text(exchange),
        };
        if self.writer.queue(line).is_err() {
            self.dropped.inc();
        }
    }

    /// Waits until all lines queued so far are written, but no longer than `limit`. Says whether they were.
    pub fn flush(&self, limit: Duration) -> bool {
        self.writer.flush(limit)
    }

    fn draw(&self) -> u64 {
        rules::scramble(self.asked.fetch_add(1, Ordering::Relaxed))
    }
}
