//! The method `PURGE` on the main listener, as users of Varnish and nginx know it.
//!
//! Off unless `cache.purge_from` names peers: then nobody else's goes anywhere, and none reaches the app. It is the peer
//! of the connection that counts, whatever `X-Forwarded-For` says. `PURGE /path` is for that URL, under the host that
//! was asked; with tags in `xkey-purge`, `Surrogate-Key`, `Cache-Tag` or `xkey` it is for those. `xkey-softpurge`, or
//! any value of `Fastly-Soft-Purge` but 0, leaves in place what it covers, as stale.

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, StatusCode};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use pingora::{Error, ErrorType};
use tokio::task;

use super::context::Context;
use super::{Proxy, refused};
use crate::cache::{Effect, Purged, Scope};
use crate::cdn;
use crate::header::list;
use crate::metrics::{PurgeResult, PurgeScope};

const XKEY_PURGE: HeaderName = HeaderName::from_static("xkey-purge");
const XKEY_SOFTPURGE: HeaderName = HeaderName::from_static("xkey-softpurge");
const SOFT_PURGE: HeaderName = HeaderName::from_static("fastly-soft-purge");

/// Of one request: each is remembered for as long as a fetch may be under way.
const MOST_TAGS: usize = 256;

impl Proxy {
    /// Whether it was a purge, and is answered.
    pub(super) async fn purge_by_method(&self, session: &mut Session, context: &Context) -> pingora::Result<bool> {
        let allowed = &context.rules.purge_from;
        if allowed.is_empty() || session.req_header().method.as_str() != "PURGE" {
            return Ok(false);
        }
        let Some(request) = &context.request else {
            return Ok(false);
        };
        let peer = request.client.peer.map(|peer| peer.to_canonical());
        if !peer.is_some_and(|peer| allowed.iter().any(|net| net.contains(&peer))) {
            self.parts.metrics.cache.purge(PurgeResult::Refused);
            tracing::warn!(?peer, "PURGE refused: not from cache.purge_from");
            return Err(refused(403));
        }
        let head = session.req_header();
        let effect = effect(&head.headers);
        let tags = tags(&head.headers);
        let (name, scopes) = match tags.is_empty() {
            true => {
                let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
                let key = context.rules.keys_of(request.client.scheme(), &request.host, target);
                (PurgeScope::Url, vec![Scope::Resource(key)])
            }
            false if tags.len() > MOST_TAGS => return Err(refused(400)),
            false => (PurgeScope::Tag, tags.iter().map(|tag| Scope::Tag(tag.as_str().into())).collect()),
        };
        let memory = self.parts.memory;
        // A tag may be on many: the worker has other requests to serve.
        let work = task::spawn_blocking(move || {
            scopes.iter().map(|scope| memory.sweep(scope, effect)).fold(Purged::default(), add)
        });
        let purged = work.await.map_err(|error| Error::because(ErrorType::InternalError, "purging", error))?;
        let meters = &self.parts.metrics.cache;
        meters.purge(if purged.objects == 0 { PurgeResult::Nothing } else { PurgeResult::Purged });
        meters.purged(name, purged.objects);
        let (url, soft) = (request.url(head), effect == Effect::Expire);
        tracing::info!(%url, ?tags, soft, ?peer, objects = purged.objects, bytes = purged.bytes, "purged");
        answer(session, purged).await?;
        Ok(true)
    }
}

fn add(sum: Purged, one: Purged) -> Purged {
    Purged { objects: sum.objects + one.objects, bytes: sum.bytes + one.bytes }
}

fn effect(headers: &HeaderMap) -> Effect {
    let soft = headers.contains_key(XKEY_SOFTPURGE) || headers.get(SOFT_PURGE).is_some_and(|value| value != "0");
    if soft { Effect::Expire } else { Effect::Remove }
}

fn tags(headers: &HeaderMap) -> Vec<String> {
    let words = |name: &HeaderName| -> Vec<String> {
        let members = list::members(headers, name).filter_map(|member| std::str::from_utf8(member).ok());
        members.flat_map(|member| member.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    let mut tags = cdn::tags(headers);
    tags.extend(words(&XKEY_PURGE));
    tags.extend(words(&XKEY_SOFTPURGE));
    tags
}

/// 404 where nothing was stored, as ngx_cache_purge has it.
async fn answer(session: &mut Session, purged: Purged) -> pingora::Result<()> {
    let status = if purged.objects == 0 { StatusCode::NOT_FOUND } else { StatusCode::OK };
    let body = format!("{{\"purged\":{},\"bytes\":{}}}\n", purged.objects, purged.bytes);
    let mut head = ResponseHeader::build(status, Some(3))?;
    head.insert_header(CONTENT_TYPE, "application/json")?;
    head.insert_header(CONTENT_LENGTH, body.len())?;
    head.insert_header(CACHE_CONTROL, "no-store")?;
    session.write_response_header(Box::new(head), false).await?;
    session.write_response_body(Some(body.into()), true).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    type Line = (&'static str, &'static str);

    fn fields(lines: &[Line]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn tags_are_named_as_elsewhere() {
        let table: [(&[Line], &[&str]); 6] = [
            (&[], &[]),
            (&[("xkey-purge", "a b")], &["a", "b"]),
            (&[("xkey-softpurge", "a")], &["a"]),
            (&[("surrogate-key", "a b")], &["a", "b"]),
            (&[("cache-tag", "a, b")], &["a", "b"]),
            (&[("xkey", "a"), ("xkey", "b")], &["a", "b"]),
        ];
        for (lines, wanted) in table {
            assert_eq!(tags(&fields(lines)), wanted, "{lines:?}");
        }
    }

    #[test]
    fn soft_is_said_by_a_field() {
        assert_eq!(effect(&fields(&[])), Effect::Remove);
        assert_eq!(effect(&fields(&[("fastly-soft-purge", "1")])), Effect::Expire);
        assert_eq!(effect(&fields(&[("fastly-soft-purge", "0")])), Effect::Remove);
        assert_eq!(effect(&fields(&[("xkey-softpurge", "a")])), Effect::Expire);
    }
}
