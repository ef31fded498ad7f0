//! The refresh of a stale answer in the background (RFC 5861, section 3): whether it begins, as which request, and what
//! became of it.
//!
//! The platform repeats the client's request to itself, with the lock of the key, and serves the stale answer meanwhile.
//! What the client wants for itself is no part of that.

use http::Version;
use http::header::{
    CACHE_CONTROL, HOST, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, PRAGMA,
};
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

/// What a client wants for itself: an answer only if its copy is old, or only from the store.
const FOR_ONE: [HeaderName; 6] =
    [IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_MATCH, IF_UNMODIFIED_SINCE, CACHE_CONTROL, PRAGMA];

/// Makes the request that was repeated one for everybody. `HEAD`, `Range` and `no-store` do not come here: they hold no
/// lock. By a client's `only-if-cached` the app would never be asked.
pub(super) fn make_common(head: &mut RequestHeader) {
    for name in FOR_ONE {
        head.remove_header(&name);
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
