//! A connection whose first bytes were read to see what it is: whoever takes it over reads them again.
//!
//! The platform can look ahead on a bare socket, but not on one with TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use pingora::protocols::{Peek, Stream};
use tokio::io::{AsyncRead, ReadBuf};

use super::wrapped::{answer_by_stream, write_by_stream};

/// The connection.
#[derive(Debug)]
pub struct Begun {
    stream: Stream,
    /// Still to be read again.
    first: Vec<u8>,
}

impl Begun {
    pub fn new(stream: Stream, first: &[u8]) -> Self {
        Self { stream, first: first.to_vec() }
    }
}

impl AsyncRead for Begun {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.first.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        }
        let count = this.first.len().min(buffer.remaining());
        buffer.put_slice(&this.first[..count]);
        this.first.drain(..count);
        Poll::Ready(Ok(()))
    }
}

write_by_stream!(Begun);

/// Nobody looks ahead a second time.
impl Peek for Begun {}

answer_by_stream!(Begun);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_was_read_is_read_again_and_once() {
        let (mut client, server) = duplex(64);
        client.write_all(b"def").await.expect("room");
        drop(client);
        let mut begun = Begun::new(Box::new(server), b"abc");
        let mut two = [0; 2];
        begun.read_exact(&mut two).await.expect("two bytes");
        let mut rest = Vec::new();
        begun.read_to_end(&mut rest).await.expect("the rest");
        assert_eq!((&two, rest.as_slice()), (b"ab", b"cdef".as_slice()));
    }
}
