//! How far the head of a request has arrived, and what is said when it takes too long.
//!
//! What is read of a head before it is whole is bounded by time and by size: the platform's own timers start anew with each
//! byte, and it would keep a megabyte of each head.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A head within so many times `max_header_size` is read, to be answered 431; a larger one is not.
const READ_FOR_AN_ANSWER: u64 = 4;
/// And so much in any case: who sends content along with a small head is no attacker.
const READ_IN_ANY_CASE: u64 = 64 * 1024;

/// RFC 9110, section 15.5.9: said once a request has begun; who is silent hears nothing.
pub const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 58\r\n\
      Cache-Control: no-store\r\nConnection: close\r\n\r\n\
      vacpack gave up on the request: it did not arrive in time.";

/// The head of one request after the other: the proxy's first filter tells that it is whole, the connection's timer that it
/// is late, and whoever reads from the connection how much came.
#[derive(Clone, Debug)]
pub struct HeadArrival(Arc<Arrival>);

#[derive(Debug, Default)]
struct Arrival {
    whole: AtomicBool,
    late: AtomicBool,
    read: AtomicUsize,
    most: usize,
}

impl HeadArrival {
    pub fn within(max_header_size: u64) -> Self {
        let most = max_header_size.saturating_mul(READ_FOR_AN_ANSWER).max(READ_IN_ANY_CASE);
        Self(Arc::new(Arrival { most: usize::try_from(most).unwrap_or(usize::MAX), ..Arrival::default() }))
    }

    /// The next one.
    pub fn begin(&self) {
        self.0.whole.store(false, Ordering::Relaxed);
        self.0.read.store(0, Ordering::Relaxed);
    }

    pub fn tell(&self) {
        self.0.whole.store(true, Ordering::Relaxed);
    }

    pub fn is_whole(&self) -> bool {
        self.0.whole.load(Ordering::Relaxed)
    }

    /// Its time is up: who reads on is told so instead.
    pub fn expire(&self) {
        self.0.late.store(true, Ordering::Relaxed);
    }

    pub fn is_late(&self) -> bool {
        self.0.late.load(Ordering::Relaxed)
    }

    /// So many bytes came. False once they are more than any head may have.
    pub fn read(&self, count: usize) -> bool {
        count == 0 || self.is_whole() || self.0.read.fetch_add(count, Ordering::Relaxed) + count <= self.0.most
    }

    /// It was not read to its end, since it has none in reach.
    pub fn is_too_large(&self) -> bool {
        !self.is_whole() && self.0.read.load(Ordering::Relaxed) > self.0.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_has_a_most_and_what_follows_it_has_none() {
        let head = HeadArrival::within(1024);
        assert!(head.read(64 * 1024) && !head.is_too_large());
        assert!(!head.read(1) && head.is_too_large());
        head.begin();
        head.tell();
        assert!(head.read(usize::MAX) && !head.is_too_large());
        assert!(HeadArrival::within(1 << 20).read(4 << 20));
    }

    #[test]
    fn what_is_said_is_as_long_as_it_says() {
        let text = std::str::from_utf8(REQUEST_TIMEOUT).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head} {}", body.len());
        assert!(head.lines().all(|line| !line.starts_with(' ')), "{head}");
    }
}
