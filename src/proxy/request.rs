//! What a request asks for, read once from its head: its route, its key, and whether the cache has a say in it.
//!
//! Pure, so that the proxy and `explain` read a request in the same way.

use std::sync::Arc;

use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, HOST, HeaderValue, RANGE, UPGRADE, USER_AGENT};
use http::{Method, Version};
use pingora::http::RequestHeader;

use super::edit::apply_to_request;
use super::forward::{Client, X_FORWARDED_HOST};
use super::route::{Route, Routes};
use crate::cache::{self, Partition, RequestView, ResourceKey, Sharing};
use crate::header::{AcceptEncoding, CacheControl, Forward};
use crate::negotiate::RequestFacts;
use crate::policy::{Part, RequestDirectives};

/// What the request asks for, once it was admitted.
pub struct Request {
    pub route: Arc<Route>,
    /// Its place among [`Routes::names`].
    pub route_index: usize,
    pub client: Client,
    /// The authority that the client asked for.
    pub host: String,
    pub facts: RequestFacts,
    pub directives: RequestDirectives,
    pub websocket: bool,
    /// As the client sent it; what the app is asked with may be another one.
    pub user_agent: Option<HeaderValue>,
    /// Streams of messages, which may be far apart, in both directions.
    pub grpc: bool,
    /// Where the answer is stored, or would be; None where the cache is not asked.
    pub view: Option<Arc<RequestView>>,
    /// What becomes of it if it asks for a part and nothing stored answers.
    pub part: Option<Part>,
}

impl Request {
    pub fn of(head: &RequestHeader, client: Client, routes: &Routes) -> Self {
        let host = authority(head);
        let (route_index, route) = routes.find(&head.method, &host, head.uri.path());
        Self {
            directives: RequestDirectives::parse(&head.headers).within(route.cache.stale_limit),
            route: route.clone(),
            route_index,
            client,
            host,
            facts: facts(head),
            websocket: is_websocket(head),
            user_agent: head.headers.get(USER_AGENT).cloned(),
            grpc: is_grpc(head),
            view: None,
            part: None,
        }
    }

    /// Why this request has nothing to do with the cache, if it has not.
    pub fn passes_by(&self, method: &Method) -> Option<Forward> {
        if !self.route.cache.enabled || self.websocket {
            return Some(Forward::Bypass);
        }
        (!matches!(*method, Method::GET | Method::HEAD)).then_some(Forward::Method)
    }

    /// Cuts the fields of a request that may be answered from the cache down to the values that the route lists.
    pub fn normalise(&self, head: &mut RequestHeader) -> pingora::Result<()> {
        let rules = &self.route.normalise;
        if rules.is_off() || self.passes_by(&head.method).is_some() {
            return Ok(());
        }
        apply_to_request(rules.edits(&head.headers), head)
    }

    /// The key of the resource it asks for.
    pub fn key(&self, head: &RequestHeader, generation: &str) -> ResourceKey {
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        cache::resource_key(generation, self.client.scheme(), &self.host, target, &self.route.key)
    }

    /// What it is purged by, where a purge names hosts and prefixes.
    pub fn url(&self, head: &RequestHeader) -> String {
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        cache::url(self.client.scheme(), &self.host, target)
    }

    /// The route's rules, and the host that a trusted proxy names beside the one in `Host`: the app may build its links
    /// from either, unless the route says that its answers do not depend on the name.
    pub fn partition(&self, head: &RequestHeader) -> Partition {
        let partition = self.route.key.partition(&head.headers);
        let told = self.client.trusted && self.route.key.host.is_none();
        let named = head.headers.get(X_FORWARDED_HOST).filter(|_| told);
        match named {
            Some(named) if !named.as_bytes().eq_ignore_ascii_case(self.host.as_bytes()) => {
                partition.split_by(named.as_bytes())
            }
            _ => partition,
        }
    }

    /// What a lookup has to know of it; with its fields where something stored may need them.
    pub fn view_of(&self, head: &RequestHeader, key: ResourceKey, with_fields: bool) -> RequestView {
        RequestView {
            key,
            accept: self.facts.accept,
            codings: self.route.codings.clone(),
            partition: self.partition(head),
            headers: with_fields.then(|| Arc::new(head.headers.clone())),
            sharing: Sharing::default(),
        }
    }

    /// May others wait for this request's answer? Not if the answer may be for it alone, or is not whole.
    pub fn collapses(&self, head: &RequestHeader) -> bool {
        self.fills(head) && !self.directives.no_store && !head.headers.contains_key(AUTHORIZATION)
    }

    /// Whether the answer of the app to this request can be stored at all: a `HEAD` has no body, and a `Range` gets a part
    /// unless the whole is fetched for it.
    pub fn fills(&self, head: &RequestHeader) -> bool {
        let whole = !head.headers.contains_key(RANGE) || matches!(self.part, Some(Part::OfWhole(_)));
        head.method == Method::GET && whole
    }

    /// May what is fetched for another request answer this one? Not if it wants a younger answer than that, or none that
    /// others get.
    pub fn shares(&self, head: &RequestHeader) -> bool {
        let asked = &self.directives;
        let any_age = !asked.no_cache && asked.max_age.is_none() && asked.min_fresh.is_none();
        any_age && !asked.no_store && !head.headers.contains_key(AUTHORIZATION)
    }
}

/// `:authority`, an absolute target's authority, or `Host` (RFC 9110, section 7.2).
fn authority(head: &RequestHeader) -> String {
    let host = || head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    head.uri.authority().map_or_else(host, |authority| authority.as_str()).to_ascii_lowercase()
}

/// RFC 6455, section 4.1; the platform forwards no other upgrade.
fn is_websocket(head: &RequestHeader) -> bool {
    head.headers.get(UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

fn is_grpc(head: &RequestHeader) -> bool {
    let media_type = head.headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    media_type.is_some_and(|media_type| media_type.starts_with(b"application/grpc"))
}

fn facts(head: &RequestHeader) -> RequestFacts {
    let http10 = head.version < Version::HTTP_11;
    RequestFacts {
        head: head.method == Method::HEAD,
        http10,
        range: head.headers.contains_key(RANGE),
        upgrade: head.headers.contains_key(UPGRADE),
        accept: if http10 { AcceptEncoding::IDENTITY } else { AcceptEncoding::parse(&head.headers) },
        no_transform: CacheControl::parse(&head.headers, &CACHE_CONTROL).no_transform,
        credentials: head.headers.contains_key(COOKIE) || head.headers.contains_key(AUTHORIZATION),
    }
}
