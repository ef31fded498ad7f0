//! A client's HTTP/1 connection, and what goes out on it: each head keeps the `Date` it has, and leaves with the first bytes
//! of its body, which leave with its end where that is known.
//!
//! RFC 9110, section 6.6.1: `Date` is when the message originated, and only a missing one is for a proxy to add. The
//! platform writes the present time over every other as it sends, which takes the time a response spent in the store
//! out of what caches downstream reckon: the lifetime that `Expires` gives them is the difference to `Date`. It has no
//! switch for that. But both are as long as each other, so that the bytes can be exchanged on their way out: whoever
//! finishes a head says which date is due, and the next head that is written gets it.
//!
//! The platform writes a head, a body and the end of its chunks one after the other: three calls of the kernel, three
//! segments, three wake-ups of the client. Here a head waits for what is written next and goes with it in one call; where
//! the platform flushes, because the body is not there yet or there is none, it goes at once. It also flushes the head of
//! chunks that it has in hand. Who knows that it has says so ([`Outlet::expect`]), and the flush waits for them; and with the
//! last of them goes the end of the body, which the platform writes afterwards, to nobody.
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
    out: Mutex<Out>,
    arrival: HeadArrival,
    /// The first byte of a request, which was waited for.
    ahead: Option<u8>,
    /// So much of [`REQUEST_TIMEOUT`] has left.
    told: usize,
}

/// What is written directly after what is written now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Next {
    #[default]
    Unknown,
    /// Some of the body.
    Body,
    /// Some of the body, and its end.
    End,
}

/// The response that goes out.
#[derive(Debug, Default)]
struct Out {
    head: Head,
    /// It is framed by chunks.
    chunked: bool,
    next: Next,
    /// So much of the end of its chunks has left.
    ended: usize,
}

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

/// RFC 9112, section 7.1: of a chunk, and of a body without trailers. The platform writes a chunk as its size, its data and
/// this, in one call.
const END_OF_CHUNK: &[u8] = b"\r\n";
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// What is written at a time: a head, a chunk in its three pieces, the last chunk.
const PIECES: usize = 5;

impl Out {
    /// Takes the head, if it is what these bytes are.
    fn take_head(&mut self, bytes: &[u8]) -> bool {
        let Head::Due(date) = self.head else {
            return false;
        };
        let head = finished(bytes, date);
        let is_head = head.is_some();
        self.chunked = head.as_deref().is_some_and(is_chunked);
        self.head = head.map_or(Head::None, |head| Head::Held(head, 0));
        is_head
    }

    /// These are, to their end, the last chunk but one: the last can go with them.
    fn ends_with(&self, pieces: &[IoSlice<'_>]) -> bool {
        let is_chunk = matches!(pieces, [_, .., last] if **last == *END_OF_CHUNK);
        is_chunk && pieces.len() + 2 <= PIECES && self.next == Next::End && self.chunked
    }
}

impl Outlet {
    /// `arrival` is told how much is read of a request's head, and ends one that is too long.
    pub fn new(stream: Stream, arrival: HeadArrival) -> Self {
        Self { stream, out: Mutex::default(), arrival, ahead: None, told: 0 }
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
        if let Some(outlet) = Self::of(connection) {
            let mut out = outlet.out.lock();
            *out = Out { head: Head::Due(kept.and_then(fixdate)), ..Out::default() };
        }
    }

    /// What is written to this connection next, if its head announces chunks. Whoever says so sees to it that it is: a flush
    /// waits for it.
    pub fn expect(connection: Option<&Stream>, next: Next) {
        if let Some(outlet) = Self::of(connection) {
            outlet.out.lock().next = next;
        }
    }

    /// What is said in place of a head that is still whole here: none of it has been seen. False: it has left.
    pub fn replace_head(connection: Option<&Stream>, answer: Vec<u8>) -> bool {
        let Some(outlet) = Self::of(connection) else {
            return false;
        };
        let mut out = outlet.out.lock();
        let is_whole = matches!(out.head, Head::Held(_, 0));
        if is_whole {
            *out = Out { head: Head::Held(answer, 0), ..Out::default() };
        }
        is_whole
    }

    fn of(connection: Option<&Stream>) -> Option<&Self> {
        let any: &dyn Any = connection?.as_any();
        any.downcast_ref()
    }

    /// What of the head is still here goes out, and as much of `pieces` as goes with it: how much of these.
    fn poll_together(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let out = self.out.get_mut();
        let last = out.ends_with(pieces).then_some(LAST_CHUNK);
        let asked: usize = pieces.iter().take(PIECES - 1).map(|piece| piece.len()).sum();
        loop {
            let left = match &out.head {
                Head::Held(head, sent) => &head[*sent..],
                _ => &[],
            };
            let held = left.len();
            if held + asked == 0 {
                // One that is due still is.
                if matches!(out.head, Head::Held(..)) {
                    out.head = Head::None;
                }
                return Poll::Ready(Ok(0));
            }
            let mut all = [IoSlice::new(&[]); PIECES];
            let each = [left].into_iter().chain(pieces.iter().map(|piece| &**piece)).chain(last);
            all.iter_mut().zip(each).for_each(|(place, piece)| *place = IoSlice::new(piece));
            let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &all))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            if let Some(with_it) = written.checked_sub(held).filter(|with_it| *with_it > 0) {
                out.head = Head::None;
                out.ended = with_it.saturating_sub(asked);
                return Poll::Ready(Ok(with_it.min(asked)));
            }
            if let Head::Held(_, sent) = &mut out.head {
                *sent += written;
            }
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
    let at = behind(head, b"\r\ndate: ")?;
    // Nothing is exchanged for what is not as long.
    head[at..].get(size_of::<Date>()..)?.starts_with(b"\r\n").then_some(at)
}

/// RFC 9112, sections 6.1 and 6.3: chunks follow; as the platform and we write it.
fn is_chunked(head: &[u8]) -> bool {
    let status = head.get(b"HTTP/1.1 ".len()..).and_then(|rest| rest.first_chunk::<3>());
    let has_body = status.is_some_and(|status| status[0] != b'1' && ![*b"204", *b"304"].contains(status));
    has_body && behind(head, b"\r\ntransfer-encoding: chunked\r\n").is_some()
}

/// Where the first of these goes on, whatever its case.
fn behind(head: &[u8], text: &[u8]) -> Option<usize> {
    head.windows(text.len()).position(|window| window.eq_ignore_ascii_case(text)).map(|at| at + text.len())
}

impl AsyncWrite for Outlet {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let out = this.out.get_mut();
        let Some(first) = pieces.iter().find(|piece| !piece.is_empty()) else {
            return Poll::Ready(Ok(0));
        };
        if out.take_head(first) {
            return Poll::Ready(Ok(first.len()));
        }
        if out.ended > 0 {
            let left_before = out.ended.min(first.len());
            out.ended -= left_before;
            return Poll::Ready(Ok(left_before));
        }
        this.poll_together(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let out = this.out.get_mut();
        if out.chunked && out.next != Next::Unknown && matches!(out.head, Head::Held(..)) {
            return Poll::Ready(Ok(()));
        }
        ready!(this.poll_together(cx, &[]))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_together(cx, &[]))?;
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
    use bytes::{Buf, Bytes};
    use proptest::prelude::*;
    use tokio::io::{AsyncWriteExt, DuplexStream};

    use super::*;

    const KEPT: HeaderValue = HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT");
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nX-Date: x\r\nDate: Sat, 21 Nov 2026 04:18:40 GMT\r\nAge: 1\r\n\r\n";
    const EXCHANGED: &[u8] = b"HTTP/1.1 200 OK\r\nX-Date: x\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nAge: 1\r\n\r\n";
    const BODY: &[u8] = b"\r\nDate: Sat, 21 Nov 2026 04:18:40 GMT\r\n\r\n";

    /// A client's connection and the client, who takes so many bytes at a time.
    fn connected(takes: usize) -> (Stream, DuplexStream) {
        let (near, far) = tokio::io::duplex(takes);
        (Box::new(Outlet::new(Box::new(near), HeadArrival::within(u64::MAX))), far)
    }

    /// What arrives of these writes, with a flush after those that say so, where so many bytes are taken at a time.
    fn written(writes: &[(&[u8], bool)], kept: Option<&HeaderValue>, takes: usize) -> Vec<u8> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (connection, mut far) = connected(takes);
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
        assert_eq!(written(&[(b"", true), (HEAD, false)], Some(&KEPT), 1000), EXCHANGED, "a flush is no head");
    }

    #[tokio::test]
    async fn only_a_head_that_is_still_whole_here_is_replaced() {
        let (mut connection, mut far) = connected(1000);
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
    }

    #[tokio::test]
    async fn a_head_waits_for_its_body_and_not_for_more_than_a_flush() {
        let (mut connection, mut far) = connected(1000);
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
    }

    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

    /// As the platform writes it: what it has in hand, of which it says so before the first of it.
    async fn respond(connection: &mut Stream, head: &[u8], hands: &[Vec<Vec<u8>>], says: bool) {
        Outlet::expect_head(Some(connection), None);
        for (at, chunks) in hands.iter().enumerate() {
            let is_last = at + 1 == hands.len();
            if says && chunks.iter().any(|chunk| !chunk.is_empty()) {
                Outlet::expect(Some(connection), if is_last { Next::End } else { Next::Body });
            }
            if at == 0 {
                connection.write_all(head).await.unwrap();
                connection.flush().await.unwrap();
            }
            // It writes what it has in hand as one.
            let chunk = chunks.concat();
            if !chunk.is_empty() {
                let size = format!("{:X}\r\n", chunk.len());
                let mut pieces = Bytes::from(size).chain(&chunk[..]).chain(&b"\r\n"[..]);
                connection.write_all_buf(&mut pieces).await.unwrap();
                connection.flush().await.unwrap();
            }
        }
        if is_chunked(head) {
            connection.write_all(LAST_CHUNK).await.unwrap();
        }
        connection.flush().await.unwrap();
    }

    #[tokio::test]
    async fn a_body_that_is_in_hand_goes_with_its_head_and_its_end() {
        let (mut connection, mut far) = connected(1000);
        let whole = [CHUNKED, b"3\r\nabc\r\n0\r\n\r\n"].concat();
        for _ in 0..2 {
            respond(&mut connection, CHUNKED, &[vec![b"ab".to_vec(), b"c".to_vec()]], true).await;
            let mut arrived = [0; 1000];
            let count = far.read(&mut arrived).await.unwrap();
            assert_eq!(arrived[..count], whole, "in one piece");
        }
    }

    #[tokio::test]
    async fn a_flush_is_heeded_where_the_body_is_not_in_hand() {
        let (mut connection, mut far) = connected(1000);
        // Of the response before.
        Outlet::expect(Some(&connection), Next::End);
        Outlet::expect_head(Some(&connection), None);
        connection.write_all(CHUNKED).await.unwrap();
        connection.flush().await.unwrap();
        let mut arrived = [0; 1000];
        let count = far.read(&mut arrived).await.unwrap();
        assert_eq!(arrived[..count], *CHUNKED);
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

        #[test]
        fn what_goes_together_is_what_would_have_gone_alone(
            takes in 1usize..200,
            responses in prop::collection::vec((
                any::<bool>(),
                prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..3), 1..4),
            ), 1..4),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let sent = |says: bool| runtime.block_on(async {
                let (mut connection, mut far) = connected(takes);
                let mut arrived = Vec::new();
                let write = async {
                    for (chunked, hands) in &responses {
                        respond(&mut connection, if *chunked { CHUNKED } else { HEAD }, hands, says).await;
                    }
                    AsyncWriteExt::shutdown(&mut connection).await.unwrap();
                };
                tokio::join!(write, far.read_to_end(&mut arrived)).1.unwrap();
                arrived
            });
            prop_assert_eq!(sent(true), sent(false));
        }
    }
}
