//! Two deadlines of an exchange with the app that the platform has no timers for: the first byte of the answer, and all of
//! it.
//!
//! The platform starts its one timer anew with each read. What ends an exchange from beside it depends on whose the
//! connection is:
//! * over HTTP/1 it is this exchange's alone, and its end is that of the exchange, as the app could have sent it: a second
//!   descriptor of the same socket is shut down when the time is up. A descriptor of its own, because the platform may close
//!   its one at any time and the number be another connection's a moment later;
//! * over HTTP/2 others use it. Whoever waits beside the exchange hears of it by a [`Watch`], and ends the exchange.
//!
//! Either way, whoever then meets the end asks here whether it was that.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::Socket;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::socket::duplicate;

/// Which time was up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    FirstByte,
    Total,
}

/// Runs until it is dropped.
#[derive(Debug)]
pub struct Deadline {
    state: Arc<State>,
    timer: AbortHandle,
}

/// Waits for a deadline.
#[derive(Clone, Debug)]
pub struct Watch(watch::Receiver<Option<Passed>>);

#[derive(Debug)]
struct State {
    answered: AtomicBool,
    passed: watch::Sender<Option<Passed>>,
    /// The connection, where it ends with the exchange.
    socket: Option<Socket>,
}

impl Deadline {
    /// Of an exchange that has its connection for itself. None where there is nothing to wait for, or no descriptor left to
    /// wait with.
    pub fn of_connection(socket: RawFd, first_byte: Option<Duration>, total: Option<Duration>) -> Option<Self> {
        let socket = is_needed(first_byte, total).then(|| duplicate(socket))??;
        Some(Self::begin(Some(socket), first_byte, total))
    }

    /// Of an exchange that is one of many on its connection. None where there is nothing to wait for.
    pub fn of_stream(first_byte: Option<Duration>, total: Option<Duration>) -> Option<Self> {
        is_needed(first_byte, total).then(|| Self::begin(None, first_byte, total))
    }

    fn begin(socket: Option<Socket>, first_byte: Option<Duration>, total: Option<Duration>) -> Self {
        let state = Arc::new(State { answered: AtomicBool::new(false), passed: watch::Sender::new(None), socket });
        let timer = tokio::spawn(wait(state.clone(), first_byte, total)).abort_handle();
        Self { state, timer }
    }

    /// The head of the answer is here.
    pub fn answered(&self) {
        self.state.answered.store(true, Ordering::Relaxed);
    }

    /// Whether its time is up: if the connection ended, this ended it.
    pub fn passed(&self) -> Option<Passed> {
        *self.state.passed.borrow()
    }

    pub fn watch(&self) -> Watch {
        Watch(self.state.passed.subscribe())
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.timer.abort();
    }
}

impl Watch {
    /// Pending for ever once the deadline is dropped.
    pub async fn over(&mut self) {
        if self.0.wait_for(Option::is_some).await.is_err() {
            std::future::pending().await
        }
    }
}

fn is_needed(first_byte: Option<Duration>, total: Option<Duration>) -> bool {
    first_byte.is_some() || total.is_some()
}

async fn wait(state: Arc<State>, first_byte: Option<Duration>, total: Option<Duration>) {
    let first_byte = first_byte.filter(|first| total.is_none_or(|total| *first < total));
    if let Some(first) = first_byte {
        sleep(first).await;
        if !state.answered.load(Ordering::Relaxed) {
            return state.end(Passed::FirstByte);
        }
    }
    if let Some(total) = total {
        sleep(total.saturating_sub(first_byte.unwrap_or_default())).await;
        state.end(Passed::Total);
    }
}

impl State {
    fn end(&self, passed: Passed) {
        // Before the end can be seen.
        self.passed.send_replace(Some(passed));
        if let Some(socket) = &self.socket {
            // It fails where the app was first.
            let _gone = socket.shutdown(std::net::Shutdown::Both);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    const SOON: Duration = Duration::from_millis(5);
    const LATE: Duration = Duration::from_secs(600);

    /// Waits for the end of the connection, and says what ended it.
    async fn ended(first: Option<Duration>, total: Option<Duration>, answered: bool) -> Option<Passed> {
        let (app, mut proxy) = UnixStream::pair().expect("a pair");
        let deadline = Deadline::of_connection(proxy.as_raw_fd(), first, total).expect("a timer");
        if answered {
            deadline.answered();
        }
        let read = tokio::task::spawn_blocking(move || proxy.read(&mut [0; 1]).expect("an end"));
        assert_eq!(read.await.expect("no panic"), 0);
        drop(app);
        deadline.passed()
    }

    #[tokio::test]
    async fn whichever_time_is_up_first_ends_the_connection() {
        assert_eq!(ended(Some(SOON), Some(LATE), false).await, Some(Passed::FirstByte));
        assert_eq!(ended(Some(SOON), Some(2 * SOON), true).await, Some(Passed::Total));
        assert_eq!(ended(Some(LATE), Some(SOON), false).await, Some(Passed::Total));
        assert_eq!(ended(None, Some(SOON), false).await, Some(Passed::Total));
    }

    #[tokio::test]
    async fn whoever_watches_hears_of_it_and_of_nothing_once_it_is_gone() {
        let deadline = Deadline::of_stream(Some(SOON), None).expect("a timer");
        deadline.watch().over().await;
        assert_eq!(deadline.passed(), Some(Passed::FirstByte));
        deadline.watch().over().await;
        let deadline = Deadline::of_stream(Some(LATE), Some(2 * LATE)).expect("a timer");
        let mut watch = deadline.watch();
        drop(deadline);
        assert!(tokio::time::timeout(SOON, watch.over()).await.is_err());
    }

    #[tokio::test]
    async fn without_limits_there_is_no_timer() {
        let (_app, proxy) = UnixStream::pair().expect("a pair");
        assert!(Deadline::of_connection(proxy.as_raw_fd(), None, None).is_none());
        assert!(Deadline::of_connection(-1, Some(SOON), None).is_none());
        assert!(Deadline::of_stream(None, None).is_none());
    }
}
