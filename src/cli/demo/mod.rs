//! `vacpack demo`: a sample app, vacpack in front of it, a few hundred requests, one table.
//!
//! Owns the order of events and what is printed. The app's content is in [`sample`], the requests in
//! [`driver`], the layout in [`table`]. How vacpack itself is built stays with the caller, who hands in
//! a function that starts it: this module knows two addresses and a way to stop.

mod client;
mod driver;
mod report;
mod sample;
mod table;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

pub use driver::{DriveError, drive};
pub use report::Report;
pub use sample::Sample;

/// What the command line asked for.
#[derive(Clone, Debug, Default)]
pub struct DemoArgs {
    /// End after the table instead of staying up.
    pub once: bool,
    /// Where vacpack listens; without one, a usual port of this host or else any free one.
    pub listen: Option<SocketAddr>,
    /// The admin listener, by the same rule.
    pub admin: Option<SocketAddr>,
}

/// What the demo wants started: vacpack before `upstream`, with every default.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub upstream: SocketAddr,
    pub listen: SocketAddr,
    pub admin: SocketAddr,
}

/// A vacpack that runs: where it answers, and how to end it.
pub struct Front {
    pub listen: SocketAddr,
    pub admin: SocketAddr,
    pub stop: Box<dyn FnOnce() + Send>,
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").field("listen", &self.listen).field("admin", &self.admin).finish_non_exhaustive()
    }
}

/// The ports a person expects; the demo moves aside when they are taken.
const LISTEN_PORT: u16 = 8080;
const ADMIN_PORT: u16 = 9901;

/// Why the demo ended with nothing to show.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure<E> {
    /// vacpack did not start; the cause is the caller's own.
    Start(E),
    /// Something here went wrong, as the text says.
    Demo(String),
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(cause) => write!(f, "{cause}"),
            Self::Demo(cause) => write!(f, "{cause}"),
        }
    }
}

impl<E> From<String> for Failure<E> {
    fn from(cause: String) -> Self {
        Self::Demo(cause)
    }
}

/// Runs the demo and writes its table to `out`. `start` builds vacpack, which has bound both listeners when it returns.
pub fn main<E>(
    args: &DemoArgs,
    out: &mut dyn Write,
    start: impl FnOnce(Wanted) -> Result<Front, E>,
) -> Result<(), Failure<E>> {
    // Apart from vacpack's own threads, so that neither the app nor the clients wait for its workers.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("no threads for the sample app: {error}"))?;
    let sample = runtime.block_on(Sample::start()).map_err(|error| format!("the sample app cannot listen: {error}"))?;
    let front = start(Wanted {
        upstream: sample.address(),
        listen: args.listen.unwrap_or_else(|| usual_or_free(LISTEN_PORT)),
        admin: args.admin.unwrap_or_else(|| usual_or_free(ADMIN_PORT)),
    })
    .map_err(Failure::Start)?;

    let outcome = runtime.block_on(show(args.once, out, &front, &sample));
    (front.stop)();
    Ok(outcome?)
}

/// Drives, prints, and stays up unless told to end.
async fn show(once: bool, out: &mut dyn Write, front: &Front, sample: &Sample) -> Result<(), String> {
    let report = drive(front.listen, Some(front.admin), sample).await.map_err(|error| error.to_string())?;
    let urls = table::urls(front.listen, front.admin, sample.address());
    let stays = if once { "" } else { "Ctrl-C ends it.\n" };
    write!(out, "{}\n{urls}{stays}", table::render(&report))
        .and_then(|()| out.flush())
        .map_err(|error| format!("cannot write the table: {error}"))?;
    if once {
        return Ok(());
    }
    until_told().await.map_err(|error| format!("cannot wait for a signal: {error}"))?;
    // A terminal shows "^C" and leaves the prompt behind it.
    writeln!(out).map_err(|error| format!("cannot write: {error}"))
}

/// Waits for Ctrl-C, or for the TERM that a container's end or a script sends.
async fn until_told() -> io::Result<()> {
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = term.recv() => Ok(()),
    }
}

/// The usual port on loopback, or port 0 when somebody has it: a demo starts beside anything.
fn usual_or_free(port: u16) -> SocketAddr {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match TcpListener::bind(usual) {
        Ok(_) => usual,
        Err(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}
