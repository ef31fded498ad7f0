//! Two deadlines of an exchange with the app that the platform has no timers for: the first byte of the answer, and all of
//! it.
//!
//! The platform starts its one timer anew with each read. What ends an exchange from beside it is the end of the
//! connection, as the app could have sent it: a second descriptor of the same socket is shut down when the time is up, and
//! whoever then meets the end asks here whether it was that. A descriptor of its own, because the platform may close its
//! one at any time and the number be another connection's a moment later.
//!
//! For HTTP/1 towards the app, where a connection has one exchange at a time.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use socket2::Socket;
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

#[derive(Debug, Default)]
struct State {
    answered: AtomicBool,
    passed: AtomicU8,
}

const FIRST_BYTE: u8 = 1;
const TOTAL: u8 = 2;

impl Deadline {
    /// None where there is nothing to wait for, or no descriptor left to wait with.
    pub fn begin(socket: RawFd, first_byte: Option<Duration>, total: Option<Duration>) -> Option<Self> {
        if first_byte.is_none() && total.is_none() {
            return None;
        }
        let socket = duplicate(socket)?;
        let state = Arc::new(State::default());
        let timer = tokio::spawn(wait(state.clone(), socket, first_byte, total)).abort_handle();
        Some(Self { state, timer })
    }

    /// The head of the answer is here.
    pub fn answered(&self) {
        self.state.answered.store(true, Ordering::Relaxed);
    }

    /// Whether it was this that ended the connection.
    pub fn passed(&self) -> Option<Passed> {
        match self.state.passed.load(Ordering::Acquire) {
            FIRST_BYTE => Some(Passed::FirstByte),
            TOTAL => Some(Passed::Total),
            _ => None,
        }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.timer.abort();
    }
}

async fn wait(state: Arc<State>, socket: Socket, first_byte: Option<Duration>, total: Option<Duration>) {
    let first_byte = first_byte.filter(|first| total.is_none_or(|total| *first < total));
    if let Some(first) = first_byte {
        sleep(first).await;
        if !state.answered.load(Ordering::Relaxed) {
            return state.end(&socket, FIRST_BYTE);
        }
    }
    if let Some(total) = total {
        sleep(total.saturating_sub(first_byte.unwrap_or_default())).await;
        state.end(&socket, TOTAL);
    }
}

impl State {
    fn end(&self, socket: &Socket, passed: u8) {
        // Before the end can be seen.
        self.passed.store(passed, Ordering::Release);
        // It fails where the app was first.
        let _gone = socket.shutdown(std::net::Shutdown::Both);
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
        let deadline = Deadline::begin(proxy.as_raw_fd(), first, total).expect("a timer");
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
    async fn without_limits_there_is_no_timer() {
        let (_app, proxy) = UnixStream::pair().expect("a pair");
        assert!(Deadline::begin(proxy.as_raw_fd(), None, None).is_none());
        assert!(Deadline::begin(-1, Some(SOON), None).is_none());
    }
}
