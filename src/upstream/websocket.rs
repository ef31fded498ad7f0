//! The connector for WebSocket handshakes.
//!
//! pingora 0.9.1 tears a tunnel down when the app's 101 is read before the (empty) request body has been forwarded
//! (cloudflare/pingora#946): on loopback, 7 of 100 handshakes. Its proxy loop polls the app's socket and its own
//! queue in one task, so it is enough that the first read after a write yields once: the queue is served first.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_trait::async_trait;
use pingora::connectors::L4Connect;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::{Error, ErrorType, OrErr};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// Connects to the app with a socket whose reads wait their turn.
#[derive(Debug)]
pub struct PatientConnector;

#[async_trait]
impl L4Connect for PatientConnector {
    async fn connect(&self, address: &SocketAddr) -> pingora::Result<Stream> {
        let socket: Box<dyn VirtualSocket> = match address {
            SocketAddr::Inet(address) => {
                let stream = TcpStream::connect(address)
                    .await
                    .or_err(ErrorType::ConnectError, "connecting to the app for an upgrade")?;
                stream.set_nodelay(true).or_err(ErrorType::SocketError, "setting TCP_NODELAY")?;
                Box::new(Patient::new(stream))
            }
            SocketAddr::Unix(address) => {
                let path = address
                    .as_pathname()
                    .ok_or_else(|| Error::explain(ErrorType::ConnectError, "the app's Unix socket has no path"))?;
                let stream = UnixStream::connect(path)
                    .await
                    .or_err(ErrorType::ConnectError, "connecting to the app for an upgrade")?;
                Box::new(Patient::new(stream))
            }
        };
        Ok(VirtualSocketStream::new(socket).into())
    }
}

/// A socket whose first read after a write yields once to the rest of its task.
#[derive(Debug)]
struct Patient<S> {
    inner: S,
    wrote: bool,
}

impl<S> Patient<S> {
    fn new(inner: S) -> Self {
        Self { inner, wrote: false }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if std::mem::take(&mut this.wrote) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut this.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.wrote = true;
        Pin::new(&mut this.inner).poll_write(context, data)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

impl<S> VirtualSocket for Patient<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + Sync + std::fmt::Debug,
{
    fn set_socket_option(&self, _option: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}
