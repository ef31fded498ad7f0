//! A cache with answers in it, and requests for them: what the benches of the cache begin with, without a proxy.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use pingora::http::ResponseHeader;
use pingora_cache::CacheMeta;
use pingora_cache::storage::Storage;
use pingora_cache::trace::Span;
use vacpack::cache::{
    Events, FillPlan, KeyRules, Limits, Memory, Partition, RequestView, ResourceKey, cache_key, resource_key,
};
use vacpack::encode::Budget;
use vacpack::header::{AcceptEncoding, Coding};
use vacpack::policy::{Freshness, FreshnessSource, Selector};

/// Nothing on these paths waits: one poll is enough, and no runtime is measured.
pub fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the cache is in memory"),
    }
}

/// Of so many bytes; a quarter of them, or 16 MiB, for fills.
pub fn memory(capacity: u64, events: Arc<dyn Events>) -> &'static Memory {
    let limits = Limits { capacity, fills: (capacity / 4).max(16 << 20), max_object: 8 << 20, max_variants: 8 };
    Box::leak(Box::new(Memory::new(limits, Arc::new(Budget::new(64 << 20)), events)))
}

pub fn key(path: &str) -> ResourceKey {
    resource_key("", "http", "www.example.com", path, &KeyRules::default())
}

/// An answer that is fresh for an hour.
pub fn plan(key: ResourceKey, coding: Coding) -> FillPlan {
    let mut head = HeaderMap::new();
    head.insert("content-type", HeaderValue::from_static("text/html; charset=utf-8"));
    head.insert("cache-control", HeaderValue::from_static("max-age=3600"));
    FillPlan {
        key,
        url: format!("http://www.example.com/{key}").into(),
        status: StatusCode::OK,
        head,
        app_etag: None,
        coding,
        level: None,
        revision: None,
        codable: true,
        app_coded: false,
        selector: Selector::default(),
        partition: Partition::WHOLE,
        freshness: Freshness {
            lifetime: Duration::from_secs(3600),
            age: Duration::ZERO,
            source: FreshnessSource::MaxAge,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            no_cache: false,
            must_revalidate: false,
        },
        now: SystemTime::now(),
        tags: Vec::new(),
        length: None,
        body: Arc::default(),
        purge_epoch: 0,
        outcome: Default::default(),
        relaying: Default::default(),
    }
}

/// A request of a client that accepts these codings.
pub fn view(key: ResourceKey, accept: &'static str) -> Arc<RequestView> {
    let mut headers = HeaderMap::new();
    headers.append("accept-encoding", HeaderValue::from_static(accept));
    Arc::new(RequestView {
        key,
        accept: AcceptEncoding::parse(&headers),
        codings: [Coding::Brotli, Coding::Zstd, Coding::Gzip].into(),
        partition: Partition::WHOLE,
        headers: Some(Arc::new(headers)),
        sharing: Default::default(),
    })
}

/// Stores this body, coded as the plan says. False: there was no room for it.
pub fn fill(memory: &'static Memory, plan: FillPlan, body: Bytes) -> bool {
    let moment = SystemTime::now();
    let bare = ResponseHeader::build_no_case(200, None).expect("200 is a status");
    let mut meta = CacheMeta::new(moment, moment, 0, 0, bare);
    let key = cache_key(view(plan.key, ""));
    meta.extensions_mut().insert(Arc::new(plan));
    now(async {
        let mut handler = memory.get_miss_handler(&key, &meta, &Span::inactive().handle()).await?;
        handler.write_body(body, true).await?;
        handler.finish().await
    })
    .is_ok()
}
