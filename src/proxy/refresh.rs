//! The refresh of a stale answer in the background (RFC 5861, section 3): whether it begins, as which request, and what
//! became of it.
//!
//! The platform repeats the client's request to itself, with the lock of the key, and serves the stale answer meanwhile.

use http::Version;
use http::header::HOST;
use pingora::cache::CachePhase;
use pingora::http::RequestHeader;
use pingora::proxy::Session;

use super::Proxy;
use super::context::Context;
use crate::cache::FillOutcome;

impl Proxy {
    /// The refresh itself, which has no client, is never held off.
    pub(super) fn is_held_off(&self, session: &Session, generation: u64) -> bool {
        session.subrequest_ctx.is_none() && self.parts.memory.refreshes().held_off(generation)
    }

    /// What became of the stored response that was to be refreshed, so that the next refresh waits after one that failed.
    pub(super) fn note_refresh(&self, session: &Session, context: &Context) {
        let Some(found) = &context.answer.found else {
            return;
        };
        let fill = context.answer.fill.as_ref().and_then(|fill| fill.outcome.get());
        let stored = matches!(fill, Some(FillOutcome::Stored { .. }));
        let refreshes = self.parts.memory.refreshes();
        if stored || session.cache.phase() == CachePhase::Revalidated {
            refreshes.succeeded(found.variant.generation);
        } else if session.subrequest_ctx.is_some() && context.app.tries > 0 {
            refreshes.failed(found.variant.generation);
        }
    }
}

/// Makes the head one that can be repeated. The platform writes it as HTTP/1 and reads it again: `HTTP/2` as a version it
/// does not read, so nothing would ever be refreshed by clients of HTTP/2, and `:authority` it leaves out.
pub(super) fn make_repeatable(head: &mut RequestHeader) -> pingora::Result<()> {
    if head.version != Version::HTTP_2 {
        return Ok(());
    }
    // RFC 9113, section 8.3.1: "An intermediary that converts a request from HTTP/2 to another HTTP version can create Host
    // by copying the value of :authority".
    if let Some(authority) = head.uri.authority().map(|authority| authority.as_str().to_owned()) {
        head.insert_header(HOST, authority)?;
    }
    head.set_version(Version::HTTP_11);
    Ok(())
}
