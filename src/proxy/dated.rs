//! A client's HTTP/1 connection on which a response keeps the `Date` it has.
//!
//! RFC 9110, section 6.6.1: `Date` is when the message originated, and only a missing one is for a proxy to add. The
//! platform writes the present time over every other as it sends, which takes the time a response spent in the store
//! out of what caches downstream reckon: the lifetime that `Expires` gives them is the difference to `Date`. It has no
//! switch for that. But both are as long as each other, so that the bytes can be exchanged on their way out: whoever
//! finishes a head says which date is due, and the next head that is written gets it.
//!
//! HTTP/2 packs its heads before they come by here; there the present time is what goes out.

use std::any::Any;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderValue;
use parking_lot::Mutex;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::SslDigest;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream, TimingDigest,
    UniqueID,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::header::date;

/// An IMF-fixdate (RFC 9110, section 5.6.7) always has this many bytes.
type Date = [u8; 29];

/// The connection.
#[derive(Debug)]
pub struct Dated {
    stream: Stream,
    exchange: Mutex<Exchange>,
}

/// What of a head is still to be exchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Exchange {
    #[default]
    None,
    /// In the head that comes next.
    Due(Date),
    /// After so many more bytes.
    Ahead(usize, Date),
    /// So many bytes of it have been written.
    Within(usize, Date),
}

impl Dated {
    pub fn new(stream: Stream) -> Self {
        Self { stream, exchange: Mutex::default() }
    }

    /// The next head on this connection keeps this date; None, or what is no date in its one right form: that of the
    /// moment. A connection that is not one of these is left alone.
    pub fn keep(connection: Option<&Stream>, kept: Option<&HeaderValue>) {
        let any: Option<&dyn Any> = connection.map(|stream| stream.as_any());
        if let Some(dated) = any.and_then(|any| any.downcast_ref::<Self>()) {
            *dated.exchange.lock() = kept.and_then(fixdate).map_or(Exchange::None, Exchange::Due);
        }
    }
}

fn fixdate(value: &HeaderValue) -> Option<Date> {
    let bytes: Date = value.as_bytes().try_into().ok()?;
    date::parse(&bytes).filter(|at| date::format(*at) == *value).map(|_| bytes)
}

impl Exchange {
    /// What may be written of `bytes` as it is, or in its place; None if all of it may go as it is.
    fn next<'a>(&'a mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        if let Self::Due(date) = *self {
            *self = position(bytes).map_or(Self::None, |at| Self::Ahead(at, date));
        }
        match self {
            Self::None | Self::Due(_) => None,
            Self::Ahead(left, _) => Some(&bytes[..bytes.len().min(*left)]),
            Self::Within(done, date) => Some(&date[*done..][..bytes.len().min(date.len() - *done)]),
        }
    }

    /// So many bytes of that went out.
    fn wrote(&mut self, count: usize) {
        *self = match *self {
            Self::Ahead(left, date) if count < left => Self::Ahead(left - count, date),
            Self::Ahead(_, date) => Self::Within(0, date),
            Self::Within(done, date) if done + count < date.len() => Self::Within(done + count, date),
            Self::Within(..) | Self::None | Self::Due(_) => Self::None,
        };
    }
}

/// Where a head that begins here has the value of its `Date`.
fn position(bytes: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"\r\ndate: ";
    const END: &[u8] = b"\r\n";

    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = bytes.starts_with(b"HTTP/1.").then(|| &bytes[..end + END.len()])?;
    let at = head.windows(NAME.len()).position(|window| window.eq_ignore_ascii_case(NAME))? + NAME.len();
    // Nothing is exchanged for what is not as long.
    head[at..].get(size_of::<Date>()..)?.starts_with(END).then_some(at)
}

impl AsyncWrite for Dated {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let exchange = this.exchange.get_mut();
        let due = exchange.next(bytes);
        let exchanging = due.is_some();
        let wrote = Pin::new(&mut this.stream).poll_write(cx, due.unwrap_or(bytes));
        if let (true, Poll::Ready(Ok(count))) = (exchanging, &wrote) {
            exchange.wrote(*count);
        }
        wrote
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if *this.exchange.get_mut() == Exchange::None {
            return Pin::new(&mut this.stream).poll_write_vectored(cx, pieces);
        }
        let first = pieces.iter().find(|piece| !piece.is_empty());
        Pin::new(this).poll_write(cx, first.map_or(&[], |piece| piece))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Dated {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

// The rest of what the platform asks of a connection is the connection's own.

#[async_trait]
impl Shutdown for Dated {
    async fn shutdown(&mut self) {
        self.stream.shutdown().await;
    }
}

#[async_trait]
impl Peek for Dated {
    async fn try_peek(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        self.stream.try_peek(buffer).await
    }
}

impl UniqueID for Dated {
    fn id(&self) -> i32 {
        self.stream.id()
    }
}

impl Ssl for Dated {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.stream.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.stream.selected_alpn_proto()
    }
}

impl GetTimingDigest for Dated {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.stream.get_timing_digest()
    }

    fn get_read_pending_time(&self) -> Duration {
        self.stream.get_read_pending_time()
    }

    fn get_write_pending_time(&self) -> Duration {
        self.stream.get_write_pending_time()
    }
}

impl GetProxyDigest for Dated {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.stream.get_proxy_digest()
    }

    fn set_proxy_digest(&mut self, digest: ProxyDigest) {
        self.stream.set_proxy_digest(digest);
    }
}

impl GetSocketDigest for Dated {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.stream.get_socket_digest()
    }

    fn set_socket_digest(&mut self, digest: SocketDigest) {
        self.stream.set_socket_digest(digest);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEPT: &Date = b"Sun, 06 Nov 1994 08:49:37 GMT";
    const HEAD: &[u8] =
        b"HTTP/1.1 200 OK\r\nX-Date: x\r\nDate: Sat, 21 Nov 2026 04:18:40 GMT\r\nAge: 1\r\n\r\n\r\nDate: Sat, 21 Nov";
    const EXCHANGED: &[u8] =
        b"HTTP/1.1 200 OK\r\nX-Date: x\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nAge: 1\r\n\r\n\r\nDate: Sat, 21 Nov";

    /// What goes out when the socket takes so many bytes at a time.
    fn written(mut exchange: Exchange, mut bytes: &[u8], takes: &[usize]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut takes = takes.iter().cycle();
        while !bytes.is_empty() {
            let due = exchange.next(bytes).map(<[u8]>::to_vec);
            let piece = due.as_deref().unwrap_or(bytes);
            let count = piece.len().min(*takes.next().expect("endless"));
            out.extend_from_slice(&piece[..count]);
            if due.is_some() {
                exchange.wrote(count);
            }
            bytes = &bytes[count..];
        }
        out
    }

    #[test]
    fn a_head_keeps_the_date_that_is_due_and_its_body_is_its_own() {
        assert_eq!(written(Exchange::Due(*KEPT), HEAD, &[1000]), EXCHANGED);
        assert_eq!(written(Exchange::None, HEAD, &[1000]), HEAD);
    }

    #[test]
    fn what_has_no_date_of_that_length_goes_as_it_is() {
        for bytes in [
            &b"HTTP/1.1 100 Continue\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nAge: 1\r\n\r\nbody\r\nDate: Sat, 21 Nov 2026 04:18:40 GMT\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nDate: Saturday, 21-Nov-26 04:18:40 GMT\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nDate: x\r\nA: a longer field that follows it\r\n\r\n",
            b"5\r\nDate: Sat, 21 Nov 2026 04:18:40 GMT\r\n\r\n",
        ] {
            assert_eq!(written(Exchange::Due(*KEPT), bytes, &[7]), bytes);
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
        fn however_little_the_socket_takes(takes in prop::collection::vec(1usize..40, 1..20)) {
            prop_assert_eq!(written(Exchange::Due(*KEPT), HEAD, &takes), EXCHANGED);
        }
    }
}
