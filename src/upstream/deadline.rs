//! Two deadlines of an exchange with the app that the platform has no timers for: the first byte of the answer, and all of
//! it. The first byte is waited for from the last of the request on, as far as it has come: how long a client takes to send
//! it is not the app's time.
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

use parking_lot::Mutex;
use socket2::Socket;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

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
    goes_on: bool,
}

/// Waits for a deadline.
#[derive(Clone, Debug)]
pub struct Watch(watch::Receiver<Option<Passed>>);

#[derive(Debug)]
struct State {
    answered: AtomicBool,
    /// When the request, or another piece of it, was sent.
    asked: Mutex<Instant>,
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
        let begin = Instant::now();
        let (answered, asked) = (AtomicBool::new(false), Mutex::new(begin));
        let state = Arc::new(State { answered, asked, passed: watch::Sender::new(None), socket });
        let timer = tokio::spawn(wait(state.clone(), first_byte, total.map(|total| begin + total))).abort_handle();
        Self { state, timer, goes_on: total.is_some() }
    }

    /// Another piece of the request is on its way.
    pub fn asked(&self) {
        *self.state.asked.lock() = Instant::now();
    }

    /// The head of the answer is here. None: that was all there was to wait for.
    pub fn answered(self) -> Option<Self> {
        self.state.answered.store(true, Ordering::Relaxed);
        self.goes_on.then_some(self)
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

async fn wait(state: Arc<State>, first_byte: Option<Duration>, end: Option<Instant>) {
    while let Some(next) = state.next(first_byte, end) {
        sleep_until(next.0).await;
        if state.next(first_byte, end) == Some(next) {
            return state.end(next.1);
        }
    }
}

impl State {
    /// What is up next, as things stand.
    fn next(&self, first_byte: Option<Duration>, end: Option<Instant>) -> Option<(Instant, Passed)> {
        let first_byte = first_byte.filter(|_| !self.answered.load(Ordering::Relaxed));
        let first_byte = first_byte.map(|first| (*self.asked.lock() + first, Passed::FirstByte));
        let all = end.map(|end| (end, Passed::Total));
        all.into_iter().chain(first_byte).min_by_key(|(at, _)| *at)
    }

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
        let deadline = if answered { deadline.answered().expect("a total") } else { deadline };
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

    #[test]
    fn the_first_byte_is_waited_for_from_the_last_piece_of_the_request_on() {
        let begin = Instant::now();
        let (answered, asked) = (AtomicBool::new(false), Mutex::new(begin));
        let state = State { answered, asked, passed: watch::Sender::new(None), socket: None };
        let (first, end) = (Some(4 * SOON), Some(begin + 10 * SOON));
        assert_eq!(state.next(first, end), Some((begin + 4 * SOON, Passed::FirstByte)));
        *state.asked.lock() = begin + 3 * SOON;
        assert_eq!(state.next(first, end), Some((begin + 7 * SOON, Passed::FirstByte)));
        assert_eq!(state.next(None, end), Some((begin + 10 * SOON, Passed::Total)));
        *state.asked.lock() = begin + 7 * SOON;
        assert_eq!(
            state.next(first, end),
            Some((begin + 10 * SOON, Passed::Total)),
            "all of it is of the request as well"
        );
        state.answered.store(true, Ordering::Relaxed);
        assert_eq!(state.next(first, end), Some((begin + 10 * SOON, Passed::Total)));
        assert_eq!(state.next(first, None), None);
    }

    #[tokio::test]
    async fn whoever_watches_hears_of_it_and_of_nothing_once_it_is_gone() {
        let deadline = Deadline::of_stream(Some(SOON), None).expect("a timer");
        deadline.watch().over().await;
        assert_eq!(deadline.passed(), Some(Passed::FirstByte));
        deadline.watch().over().await;
        assert!(deadline.answered().is_none(), "there is no total");
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
