//! How a client's connection begins: is it secured, and which HTTP is spoken on it. Every wait in here has a limit.
//!
//! Without TLS the first bytes tell HTTP/1 from the preface of HTTP/2 (RFC 9113, section 3.4); the platform's own look waits
//! for 24 bytes without a deadline, so that a short HTTP/1.0 request would hang for ever. With TLS the client has said in
//! the handshake what it will speak (ALPN, RFC 7301), and a client that then does not is not waited for either.

use std::time::Duration;

use pingora::protocols::l4::stream::Stream as Socket;
use pingora::protocols::{ALPN, Ssl, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::arrival::REQUEST_TIMEOUT;
use super::begun::Begun;
use super::connection::GOODBYE;
use crate::metrics::{Handshake, Limit, Metrics};
use crate::tls::Tls;

/// The client connection preface of HTTP/2, of which the first four bytes are no HTTP/1 method.
pub const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The way in.
pub struct Entrance<'a> {
    pub h2c: bool,
    /// For the first bytes of a connection, and for a handshake.
    pub patience: Duration,
    /// None: without TLS.
    pub tls: Option<&'a Tls>,
    pub metrics: &'a Metrics,
}

/// A connection on which a request may follow.
pub enum Opened {
    /// And when its first byte came, if it did.
    Http1(Stream, Option<Instant>),
    Http2(Stream),
}

impl Entrance<'_> {
    /// None: the client sent nothing useful in time.
    pub async fn open(&self, socket: Box<Socket>) -> Option<Opened> {
        match self.tls {
            Some(tls) => self.secured(tls, socket).await,
            None => self.plain(socket).await,
        }
    }

    /// The first byte that is none of the preface's is HTTP/1.
    async fn plain(&self, mut socket: Box<Socket>) -> Option<Opened> {
        if !self.h2c {
            return Some(Opened::Http1(socket, None));
        }
        let mut start = Vec::with_capacity(PREFACE.len());
        let mut since = Instant::now();
        while start.len() < PREFACE.len() && PREFACE.starts_with(&start) {
            let mut more = [0; PREFACE.len()];
            let room = PREFACE.len() - start.len();
            let Ok(read) = timeout_at(since + self.patience, socket.read(&mut more[..room])).await else {
                self.late(&mut socket, !start.is_empty()).await;
                return None;
            };
            let count = read.ok().filter(|count| *count > 0)?;
            if start.is_empty() {
                since = Instant::now();
            }
            start.extend(&more[..count]);
        }
        socket.rewind(&start);
        Some(if start == PREFACE { Opened::Http2(socket) } else { Opened::Http1(socket, Some(since)) })
    }

    async fn late(&self, socket: &mut Socket, begun: bool) {
        self.metrics.limit_met(Limit::HeaderTime);
        if begun {
            let telling = async {
                socket.write_all(REQUEST_TIMEOUT).await?;
                AsyncWriteExt::shutdown(socket).await
            };
            // Whoever is gone need not hear it.
            let _told = timeout(GOODBYE, telling).await;
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
            return Some(Opened::Http1(Box::new(stream), None));
        }
        let mut preface = [0; PREFACE.len()];
        match timeout(self.patience, stream.read_exact(&mut preface)).await {
            Ok(read) => read.ok()?,
            Err(_) => {
                self.metrics.limit_met(Limit::HeaderTime);
                return None;
            }
        };
        Some(Opened::Http2(Box::new(Begun::new(Box::new(stream), &preface))))
    }
}
