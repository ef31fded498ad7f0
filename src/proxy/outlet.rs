//! A client's HTTP/1 connection, and the heads that go out on it: each keeps the `Date` it has, and leaves with the first
//! bytes of its body.
//!
//! RFC 9110, section 6.6.1: `Date` is when the message originated, and only a missing one is for a proxy to add. The
//! platform writes the present time over every other as it sends, which takes the time a response spent in the store
//! out of what caches downstream reckon: the lifetime that `Expires` gives them is the difference to `Date`. It has no
//! switch for that. But both are as long as each other, so that the bytes can be exchanged on their way out: whoever
//! finishes a head says which date is due, and the next head that is written gets it.
//!
//! The platform writes a head and a body that is larger than a segment one after the other: two calls of the kernel, two
//! segments, two wake-ups of the client. Here a head waits for what is written next and goes with it in one call; where
//! the platform flushes, because the body is not there yet or there is none, it goes at once.
//!
//! HTTP/2 packs its heads before they come by here; there the present time is what goes out.

use std::any::Any;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use http::HeaderValue;
use parking_lot::Mutex;
use pingora::protocols::{Peek, Stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::arrival::{HeadArrival, REQUEST_TIMEOUT};
use super::wrapped::answer_by_stream;
use crate::header::date;

/// An IMF-fixdate (RFC 9110, section 5.6.7) always has this many bytes.
type Date = [u8; 29];

/// The connection.
#[derive(Debug)]
pub struct Outlet {
    stream: Stream,
    head: Mutex<Head>,
    arrival: HeadArrival,
    /// The first byte of a request, which was waited for.
    ahead: Option<u8>,
    /// So much of [`REQUEST_TIMEOUT`] has left.
    told: usize,
}

/// The head of the response.
#[derive(Debug, Default, PartialEq, Eq)]
enum Head {
    /// It has left, or is nobody's concern.
    #[default]
    None,
    /// It is what is written next, and keeps this date.
    Due(Option<Date>),
    /// It waits for what follows it; so many bytes of it have left.
    Held(Vec<u8>, usize),
}

impl Outlet {
    /// `arrival` is told how much is read of a request's head, and ends one that is too long.
    pub fn new(stream: Stream, arrival: HeadArrival) -> Self {
        Self { stream, head: Mutex::default(), arrival, ahead: None, told: 0 }
    }

    /// Waits for the first byte of the next request, which stays to be read. False: the client is done.
    pub async fn begins(&mut self) -> bool {
        let mut first = [0];
        let begun = matches!(self.stream.read(&mut first).await, Ok(1));
        self.ahead = begun.then_some(first[0]);
        begun
    }

    /// Says that a head came too late, in place of reading more of it.
    fn poll_tell(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(left) = REQUEST_TIMEOUT.get(self.told..).filter(|left| !left.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.told += count,
            }
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "a head that came too late")))
    }

    /// The next head on this connection keeps this date; None, or what is no date in its one right form: that of the
    /// moment. A connection that is not one of these is left alone.
    pub fn expect_head(connection: Option<&Stream>, kept: Option<&HeaderValue>) {
        let any: Option<&dyn Any> = connection.map(|stream| stream.as_any());
        if let Some(outlet) = any.and_then(|any| any.downcast_ref::<Self>()) {
            *outlet.head.lock() = Head::Due(kept.and_then(fixdate));
        }
    }

    /// What is said in place of a head that is still whole here: none of it has been seen. False: it has left.
    pub fn replace_head(connection: Option<&Stream>, answer: Vec<u8>) -> bool {
        let any: Option<&dyn Any> = connection.map(|stream| stream.as_any());
        let Some(outlet) = any.and_then(|any| any.downcast_ref::<Self>()) else {
            return false;
        };
        let mut head = outlet.head.lock();
        let is_whole = matches!(*head, Head::Held(_, 0));
        if is_whole {
            *head = Head::Held(answer, 0);
        }
        is_whole
    }

    /// What of the head is still here goes out, and as much of `bytes` as goes with it: how much of these. None: no head is
    /// here any more, and nothing of `bytes` went.
    fn poll_head(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<Option<usize>>> {
        let Head::Held(head, sent) = self.head.get_mut() else {
            return Poll::Ready(Ok(None));
        };
        loop {
            let left = &head[*sent..];
            let pieces = [IoSlice::new(left), IoSlice::new(bytes)];
            let count = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &pieces))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let Some(with_it) = count.checked_sub(left.len()) else {
                *sent += count;
                continue;
            };
            *self.head.get_mut() = Head::None;
            return Poll::Ready(Ok(Some(with_it).filter(|with_it| *with_it > 0)));
        }
    }
}

fn fixdate(value: &HeaderValue) -> Option<Date> {
    let bytes: Date = value.as_bytes().try_into().ok()?;
    date::parse(&bytes).filter(|at| date::format(*at) == *value).map(|_| bytes)
}

/// A head as it is to leave. None: it is none.
fn finished(bytes: &[u8], date: Option<Date>) -> Option<Vec<u8>> {
    if !(bytes.starts_with(b"HTTP/1.") && bytes.ends_with(b"\r\n\r\n")) {
        return None;
    }
    let mut head = bytes.to_vec();
    if let (Some(date), Some(at)) = (date, position(bytes)) {
        head[at..][..date.len()].copy_from_slice(&date);
    }
    Some(head)
}

/// Where a head has the value of its `Date`.
fn position(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"\r\ndate: ";

    let at = head.windows(NAME.len()).position(|window| window.eq_ignore_ascii_case(NAME))? + NAME.len();
    // Nothing is exchanged for what is not as long.
    head[at..].get(size_of::<Date>()..)?.starts_with(b"\r\n").then_some(at)
}

impl AsyncWrite for Outlet {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Head::Due(date) = *this.head.get_mut() {
            let head = finished(bytes, date);
            let is_head = head.is_some();
            *this.head.get_mut() = head.map_or(Head::None, |head| Head::Held(head, 0));
            if is_head {
                return Poll::Ready(Ok(bytes.len()));
            }
        }
        match ready!(this.poll_head(cx, bytes))? {
            Some(count) => Poll::Ready(Ok(count)),
            None => Pin::new(&mut this.stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if *this.head.get_mut() == Head::None {
            return Pin::new(&mut this.stream).poll_write_vectored(cx, pieces);
        }
        let first = pieces.iter().find(|piece| !piece.is_empty());
        Pin::new(this).poll_write(cx, first.map_or(&[], |piece| piece))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_head(cx, &[]))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_head(cx, &[]))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Outlet {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.arrival.is_late() {
            return this.poll_tell(cx);
        }
        let before = buffer.filled().len();
        let ahead = if buffer.remaining() > 0 { this.ahead.take() } else { None };
        if let Some(first) = ahead {
            buffer.put_slice(&[first]);
        }
        // More is here already, as a rule.
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        let read = if ahead.is_some() { Poll::Ready(Ok(())) } else { read };
        if !this.arrival.read(buffer.filled().len() - before) {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "a head that does not end")));
        }
        read
    }
}

#[async_trait]
impl Peek for Outlet {
    async fn try_peek(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        self.stream.try_peek(buffer).await
    }
}

answer_by_stream!(Outlet);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;

    use super::*;

    const KEPT: HeaderValue = HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT");
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nX-Date: x\r\nDate: Sat, 21 Nov 2026 04:18:40 GMT\r\nAge: 1\r\n\r\n";
    const EXCHANGED: &[u8] = b"HTTP/1.1 200 OK\r\nX-Date: x\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nAge: 1\r\n\r\n";
    const BODY: &[u8] = b"\r\nDate: Sat, 21 Nov 2026 04:18:40 GMT\r\n\r\n";

    /// What arrives of these writes, with a flush after those that say so, where so many bytes are taken at a time.
    fn written(writes: &[(&[u8], bool)], kept: Option<&HeaderValue>, takes: usize) -> Vec<u8> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (near, mut far) = tokio::io::duplex(takes);
            let connection: Stream = Box::new(Outlet::new(Box::new(near), HeadArrival::within(u64::MAX)));
            Outlet::expect_head(Some(&connection), kept);
            let write = async move {
                let mut connection = connection;
                for (bytes, flush) in writes {
                    connection.write_all(bytes).await.unwrap();
                    if *flush {
                        connection.flush().await.unwrap();
                    }
                }
                AsyncWriteExt::shutdown(&mut connection).await.unwrap();
            };
            let mut arrived = Vec::new();
            let ((), read) = tokio::join!(write, far.read_to_end(&mut arrived));
            read.unwrap();
            arrived
        })
    }

    #[test]
    fn a_head_keeps_the_date_that_is_due_and_its_body_is_its_own() {
        let writes = [(HEAD, false), (BODY, false), (HEAD, true)];
        assert_eq!(written(&writes, Some(&KEPT), 1000), [EXCHANGED, BODY, HEAD].concat());
        assert_eq!(written(&writes, None, 1000), [HEAD, BODY, HEAD].concat());
    }

    #[test]
    fn only_a_head_that_is_still_whole_here_is_replaced() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (near, mut far) = tokio::io::duplex(1000);
            let mut connection: Stream = Box::new(Outlet::new(Box::new(near), HeadArrival::within(u64::MAX)));
            let replaced = |connection: &Stream| Outlet::replace_head(Some(connection), b"instead".to_vec());
            assert!(!replaced(&connection), "there is none");
            Outlet::expect_head(Some(&connection), None);
            connection.write_all(HEAD).await.unwrap();
            assert!(replaced(&connection));
            connection.flush().await.unwrap();
            assert!(!replaced(&connection), "it has left");
            AsyncWriteExt::shutdown(&mut connection).await.unwrap();
            let mut arrived = Vec::new();
            far.read_to_end(&mut arrived).await.unwrap();
            assert_eq!(arrived, b"instead");
        });
    }

    #[test]
    fn a_head_waits_for_its_body_and_not_for_more_than_a_flush() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (near, mut far) = tokio::io::duplex(1000);
            let mut connection: Stream = Box::new(Outlet::new(Box::new(near), HeadArrival::within(u64::MAX)));
            for flushes in [false, true] {
                Outlet::expect_head(Some(&connection), None);
                connection.write_all(HEAD).await.unwrap();
                let mut arrived = [0; HEAD.len() + BODY.len()];
                if flushes {
                    connection.flush().await.unwrap();
                    assert_eq!(far.read(&mut arrived).await.unwrap(), HEAD.len());
                } else {
                    connection.write_all(BODY).await.unwrap();
                    assert_eq!(far.read(&mut arrived).await.unwrap(), HEAD.len() + BODY.len(), "in one piece");
                }
            }
        });
    }

    #[test]
    fn what_has_no_date_of_that_length_goes_as_it_is() {
        for bytes in [
            &b"HTTP/1.1 100 Continue\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nAge: 1\r\n\r\nbody\r\nDate: Sat, 21 Nov 2026 04:18:40 GMT\r\n",
            b"HTTP/1.1 200 OK\r\nDate: Saturday, 21-Nov-26 04:18:40 GMT\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nDate: x\r\nA: a longer field that follows it\r\n\r\n",
            b"5\r\nDate: Sat, 21 Nov 2026 04:18:40 GMT\r\n\r\n",
        ] {
            assert_eq!(written(&[(bytes, false)], Some(&KEPT), 7), bytes);
        }
    }

    #[test]
    fn only_an_imf_fixdate_is_kept() {
        for (value, kept) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", true),
            ("Mon, 06 Nov 1994 08:49:37 GMT", false),
            ("Sun, 06 Nov 1994 08:49:37 gmt", false),
            ("Sunday, 06-Nov-94 08:49:37 GMT", false),
            ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxx", false),
            ("", false),
        ] {
            assert_eq!(fixdate(&HeaderValue::from_static(value)).is_some(), kept, "{value}");
        }
    }

    proptest! {
        #[test]
        fn however_little_is_taken_and_wherever_it_is_flushed(
            takes in 1usize..200,
            pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..60), any::<bool>()), 0..6),
            flush in any::<bool>(),
        ) {
            let mut writes = vec![(HEAD, flush)];
            writes.extend(pieces.iter().map(|(piece, flush)| (piece.as_slice(), *flush)));
            let all: Vec<u8> = writes[1..].iter().flat_map(|(piece, _)| piece.iter().copied()).collect();
            prop_assert_eq!(written(&writes, Some(&KEPT), takes), [EXCHANGED, &all].concat());
        }
    }
}
