//! `POST /purge`: which URL, and what came of it.

use http::{StatusCode, Uri};
use serde::Deserialize;
use serde_json::json;

use super::access::Peer;
use super::query::only_parameter;
use super::reply::{self, Reply};
use crate::metrics::{Metrics, PurgeResult};

/// The part of the cache that purging needs; whoever owns the cache gives it at construction.
pub trait Purge: Send + Sync {
    /// Removes every representation of this absolute URL. The error is for the operator.
    fn purge_url(&self, url: &Uri) -> Result<Purged, String>;
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    pub objects: u64,
    pub bytes: u64,
}

/// A purge request's body is one URL; anything longer is none.
pub const LONGEST_BODY: usize = 16 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    url: String,
}

/// The URL of a purge request, from its query or its body. The error says how to ask.
pub fn target(query: &str, body: &[u8]) -> Result<Uri, String> {
    let in_query = only_parameter(query, "url").map_err(|problem| problem.to_string())?;
    let in_body = (!body.trim_ascii().is_empty()).then(|| parse_body(body)).transpose()?;
    match (in_query, in_body) {
        (Some(url), None) | (None, Some(url)) => absolute(&url),
        (None, None) => {
            Err("say what to purge: POST /purge?url=http://host/path, or {\"url\": \"http://host/path\"}".to_owned())
        }
        (Some(_), Some(_)) => Err("the URL is given twice: in the query and in the body".to_owned()),
    }
}

fn parse_body(body: &[u8]) -> Result<String, String> {
    let body: Body = serde_json::from_slice(body)
        .map_err(|error| format!("the body is not {{\"url\": \"http://host/path\"}}: {error}"))?;
    Ok(body.url)
}

/// The host is part of the key, so a path alone does not name a resource.
fn absolute(url: &str) -> Result<Uri, String> {
    let uri: Uri = url.parse().map_err(|error| format!("`{url}` is no URL: {error}"))?;
    match uri.scheme_str() {
        Some("http" | "https") if uri.authority().is_some() => Ok(uri),
        _ => Err(format!("`{url}` is not absolute: write http://host/path, with the host that clients ask for")),
    }
}

/// Purges, counts and logs in one go.
pub fn run(cache: &dyn Purge, url: &Uri, peer: Peer, metrics: &Metrics) -> Reply {
    match cache.purge_url(url) {
        Ok(purged) => {
            let result = if purged.objects == 0 { PurgeResult::Nothing } else { PurgeResult::Purged };
            metrics.cache.purge(result);
            tracing::info!(%url, %peer, objects = purged.objects, bytes = purged.bytes, "purged");
            let body = json!({ "url": url.to_string(), "purged": purged.objects, "bytes": purged.bytes });
            reply::json(StatusCode::OK, &body)
        }
        Err(error) => {
            metrics.cache.purge(PurgeResult::Failed);
            tracing::error!(%url, %peer, error, "purge failed");
            reply::refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("purge failed, nothing is known to be removed: {error}"),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_comes_from_the_query_or_the_body() {
        let url = Ok("http://h.example/p?a=1".parse().expect("a URL"));
        assert_eq!(target("url=http://h.example/p?a=1", b""), url);
        assert_eq!(target("", br#" {"url": "http://h.example/p?a=1"} "#), url);
    }

    #[test]
    fn mistakes_are_explained() {
        let cases: [(&str, &[u8], &str); 9] = [
            ("", b"", "say what to purge"),
            ("url=http://h/p", br#"{"url":"http://h/p"}"#, "twice"),
            ("url=/p", b"", "not absolute"),
            ("url=h.example/p", b"", "`h.example/p`"),
            ("url=ftp://h/p", b"", "not absolute"),
            ("url=", b"", "no URL"),
            ("tag=x", b"", "unknown parameter `tag`"),
            ("", b"http://h/p", "the body is not"),
            ("", br#"{"url":"http://h/p","soft":true}"#, "unknown field `soft`"),
        ];
        for (query, body, told) in cases {
            let message = target(query, body).expect_err(query);
            assert!(message.contains(told), "{query}: {message}");
        }
    }
}
