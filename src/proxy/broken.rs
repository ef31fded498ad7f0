//! A response that breaks off after its head was written: how the client learns of it.
//!
//! A body with a length or chunks (RFC 9112, section 6.3) shows it by its end, and HTTP/2 by a reset. Two cases need help:
//! - The head is still here, because it waits for the first bytes of its body. Nobody has seen it: the client gets the
//!   error as if the app had not answered at all.
//! - The end of the connection is the end of the body, as it is to HTTP/1.0. RFC 9112, section 8: such a body is complete
//!   unless the connection says otherwise. So the connection is reset (RFC 9293, section 3.10.7); under TLS it ends without
//!   the `close_notify` that would vouch for it (RFC 8446, section 6.1).

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Method, StatusCode};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use super::failure::Failure;
use super::outlet::Outlet;
use super::respond::failure_head;
use crate::header::date;
use crate::upstream;

/// The status that the client gets in place of the one that was meant for it, if it does.
pub async fn end(session: &mut Session, failure: Failure) -> Option<StatusCode> {
    let written = session.response_written()?;
    let by_its_end = is_ended_by_connection(written);
    let status = failure.status()?;
    session.set_keepalive(None);
    let has_content = session.req_header().method != Method::HEAD;
    let instead = failure_head(status, failure).ok().map(|head| message(&head, failure, has_content))?;
    if Outlet::replace_head(session.as_downstream().stream(), instead) {
        session.as_downstream_mut().shutdown().await;
        return Some(status);
    }
    if by_its_end {
        reset_at_the_end(session);
    }
    None
}

/// Pure. RFC 9112, section 6.3: none of what says how long the body is.
fn is_ended_by_connection(head: &ResponseHeader) -> bool {
    let has_none = matches!(head.status.as_u16(), 100..200 | 204 | 304);
    !(has_none || head.headers.contains_key(CONTENT_LENGTH) || head.headers.contains_key(TRANSFER_ENCODING))
}

/// Pure but for the clock: all of a response, as HTTP/1.1 writes it, after which the connection ends.
fn message(head: &ResponseHeader, failure: Failure, has_content: bool) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {} {}\r\n", head.status.as_str(), head.status.canonical_reason().unwrap_or(""));
    for (name, value) in &head.headers {
        // Ours, all of them: they are text.
        let _infallible = write!(text, "{name}: {}\r\n", value.to_str().unwrap_or_default());
    }
    let now = date::format(SystemTime::now());
    let _infallible = write!(text, "Date: {}\r\nConnection: close\r\n\r\n", now.to_str().unwrap_or_default());
    if has_content {
        text.push_str(failure.explanation());
    }
    text.into_bytes()
}

/// What has not left yet is lost with it; the client is to throw away what it has in any case.
fn reset_at_the_end(session: &Session) {
    let Some(stream) = session.as_downstream().stream() else {
        return;
    };
    if let Some(socket) = upstream::duplicate(stream.id())
        && let Err(error) = socket.set_linger(Some(Duration::ZERO))
    {
        tracing::debug!(%error, "the client was gone before its connection could be reset");
    }
}
