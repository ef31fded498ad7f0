//! How a client's connection begins: is it secured, and which HTTP is spoken on it. Every wait in here has a limit.
//!
//! Without TLS four bytes tell HTTP/1 from the preface of HTTP/2 (RFC 9113, section 3.4); the platform's own look waits
//! for 24 bytes without a deadline, so that a short HTTP/1.0 request would hang for ever. With TLS the client has said in
//! the handshake what it will speak (ALPN, RFC 7301), and a client that then does not is not waited for either.

use std::sync::Arc;
use std::time::Duration;

use pingora::protocols::l4::stream::Stream as Socket;
use pingora::protocols::{ALPN, Ssl, Stream};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::begun::Begun;
use crate::metrics::{Handshake, Limit, Metrics};
use crate::tls::Tls;

/// The client connection preface of HTTP/2, of which the first four bytes are no HTTP/1 method.
const PREFACE_LENGTH: usize = 24;
const PREFACE_START: [u8; 4] = *b"PRI ";

/// The way in.
pub struct Entrance {
    pub h2c: bool,
    /// For the first bytes of a connection, and for a handshake.
    pub patience: Duration,
    /// None: without TLS.
    pub tls: Option<Arc<Tls>>,
    pub metrics: Arc<Metrics>,
}

/// A connection on which a request may follow.
pub enum Opened {
    Http1(Stream),
    Http2(Stream),
}

impl Entrance {
    /// None: the client sent nothing useful in time.
    pub async fn open(&self, socket: Box<Socket>) -> Option<Opened> {
        match &self.tls {
            Some(tls) => self.secured(tls, socket).await,
            None => self.plain(socket).await,
        }
    }

    async fn plain(&self, mut stream: Stream) -> Option<Opened> {
        if !self.h2c {
            return Some(Opened::Http1(stream));
        }
        let mut start = [0; PREFACE_START.len()];
        self.peek(&mut stream, &mut start).await?;
        if start != PREFACE_START {
            return Some(Opened::Http1(stream));
        }
        let mut preface = [0; PREFACE_LENGTH];
        self.peek(&mut stream, &mut preface).await?;
        Some(Opened::Http2(stream))
    }

    async fn peek(&self, stream: &mut Stream, buffer: &mut [u8]) -> Option<()> {
        match timeout(self.patience, stream.try_peek(buffer)).await {
            Ok(Ok(true)) => Some(()),
            Ok(Ok(false) | Err(_)) => None,
            Err(_) => {
                self.metrics.limit_met(Limit::HeaderTime);
                None
            }
        }
    }

    async fn secured(&self, tls: &Tls, socket: Box<Socket>) -> Option<Opened> {
        let mut stream = match timeout(self.patience, tls.accept(*socket)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                self.metrics.handshake(Handshake::Failed);
                return None;
            }
            Err(_) => {
                self.metrics.handshake(Handshake::Timeout);
                self.metrics.limit_met(Limit::HeaderTime);
                return None;
            }
        };
        self.metrics.handshake(Handshake::Done);
        if !matches!(stream.selected_alpn_proto(), Some(ALPN::H2)) {
            return Some(Opened::Http1(Box::new(stream)));
        }
        let mut preface = [0; PREFACE_LENGTH];
        timeout(self.patience, stream.read_exact(&mut preface)).await.ok()?.ok()?;
        Some(Opened::Http2(Box::new(Begun::new(Box::new(stream), &preface))))
    }
}
