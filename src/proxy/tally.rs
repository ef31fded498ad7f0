//! What one connection of HTTP/2 has asked, and what it has given up.
//!
//! Who asks and leaves before an answer has begun has cost the app a request and himself a frame. A page that is left in the
//! middle of loading does that too, as often as it has streams; so that what counts is that it stays the exception: every
//! answer that was begun makes up for one that was not waited for, and [`GIVEN_UP`] more are free. There is no clock in it: a
//! flood that takes its time is one all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pingora::proxy::Session;
use tokio::sync::Notify;

use crate::upstream::Party;

/// Requests that may be given up beyond those that were answered.
const GIVEN_UP: u64 = 500;

/// Requests at work may be so many times the streams: those whose client has left may still be fetched for others.
const LIVE_TO_STREAMS: u64 = 2;

/// The counts. Each of the connection's requests has hold of it.
#[derive(Debug)]
pub struct Tally {
    max_live: u64,
    max_asked: u64,
    live: AtomicU64,
    asked: AtomicU64,
    answered: AtomicU64,
    given_up: AtomicU64,
    is_flooded: AtomicBool,
    flooded: Notify,
    idle: Notify,
    /// Its part in the line for the app.
    party: Party,
}

/// What becomes of one more request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Fair,
    /// It is served, and the next ones belong on another connection.
    Last,
    /// As many are at work as may be.
    Crowded,
    /// The client was told, and does not listen.
    Over,
}

impl Tally {
    pub fn new(max_streams: u32, max_requests: Option<u64>) -> Self {
        Self {
            max_live: u64::from(max_streams) * LIVE_TO_STREAMS,
            max_asked: max_requests.unwrap_or(u64::MAX),
            live: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            is_flooded: AtomicBool::new(false),
            flooded: Notify::new(),
            idle: Notify::new(),
            party: Party::default(),
        }
    }

    /// That of the connection which this request came on; None without HTTP/2.
    pub fn of(session: &Session) -> Option<&Arc<Self>> {
        let digest = session.digest()?.proxy_digest.as_ref()?;
        digest.user_data.as_ref()?.downcast_ref()
    }

    pub fn party(&self) -> &Party {
        &self.party
    }

    /// One more request.
    pub fn ask(&self) -> Standing {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        // Those that were on their way when GOAWAY was sent are at most as many as may be live (RFC 9113, section 6.8).
        if asked > self.max_asked.saturating_add(self.max_live) {
            return Standing::Over;
        }
        if self.live.load(Ordering::Relaxed) >= self.max_live {
            return Standing::Crowded;
        }
        if asked >= self.max_asked { Standing::Last } else { Standing::Fair }
    }

    /// It is at work until this is dropped.
    pub fn begin(self: &Arc<Self>) -> Live {
        self.live.fetch_add(1, Ordering::Relaxed);
        Live(self.clone())
    }

    /// It has ended. `given_up`: the client left before an answer had begun.
    pub fn end(&self, given_up: bool) {
        if !given_up {
            self.answered.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let given_up = self.given_up.fetch_add(1, Ordering::Relaxed) + 1;
        if given_up > self.answered.load(Ordering::Relaxed) + GIVEN_UP {
            self.is_flooded.store(true, Ordering::Relaxed);
            self.flooded.notify_one();
        }
    }

    pub async fn until_flooded(&self) {
        while !self.is_flooded.load(Ordering::Relaxed) {
            self.flooded.notified().await;
        }
    }

    pub async fn until_idle(&self) {
        while self.live.load(Ordering::Relaxed) != 0 {
            self.idle.notified().await;
        }
    }
}

/// One request at work.
#[derive(Debug)]
pub struct Live(Arc<Tally>);

impl Drop for Live {
    fn drop(&mut self) {
        if self.0.live.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.idle.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flooded(tally: &Tally) -> bool {
        tally.is_flooded.load(Ordering::Relaxed)
    }

    #[test]
    fn leaving_is_the_exception() {
        let tally = Tally::new(100, None);
        for _page in 0..1000 {
            (0..50).for_each(|_| tally.end(false));
            (0..50).for_each(|_| tally.end(true));
        }
        (0..GIVEN_UP).for_each(|_| tally.end(true));
        assert!(!flooded(&tally));
        tally.end(true);
        assert!(flooded(&tally));
    }

    #[test]
    fn what_is_at_work_is_bounded_and_what_was_asked() {
        let tally = Arc::new(Tally::new(1, Some(4)));
        let first = (tally.ask(), tally.begin());
        let _second = (tally.ask(), tally.begin());
        assert_eq!((first.0, tally.ask()), (Standing::Fair, Standing::Crowded));
        drop(first);
        assert_eq!(tally.ask(), Standing::Last);
        assert_eq!((tally.ask(), tally.ask(), tally.ask()), (Standing::Last, Standing::Last, Standing::Over));
    }

    #[tokio::test]
    async fn it_is_idle_once_nothing_is_at_work() {
        let tally = Arc::new(Tally::new(1, None));
        tally.until_idle().await;
        let (one, other) = (tally.begin(), tally.begin());
        drop(one);
        let waiting = tokio::spawn({
            let tally = tally.clone();
            async move { tally.until_idle().await }
        });
        drop(other);
        waiting.await.expect("it ends");
    }
}
