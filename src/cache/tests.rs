//! The storage as pingora drives it: fill, hit, derive, refresh, purge, expire, through its own traits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use parking_lot::Mutex;
use pingora::http::ResponseHeader;
use pingora_cache::key::CacheHashKey;
use pingora_cache::storage::{HitHandler, MissHandler, PurgeOutcome, PurgeTarget, PurgeType, Storage};
use pingora_cache::trace::{Span, SpanHandle};
use pingora_cache::{CacheKey, CacheMeta};

use super::*;
use crate::encode::{Budget, Live, setup, transcode};
use crate::header::{AcceptEncoding, Coding, EntityTag, Vary};
use crate::policy::{Freshness, FreshnessSource, Selector};
use Coding::{Brotli, Gzip, Identity, Zstd};

mod concurrency;
mod derivation;
mod improving;
mod limits;
mod machine;
mod moving;
mod purging;
mod sharing;
mod storing;
mod surplus;
mod trimming;

const SECOND: Duration = Duration::from_secs(1);

/// Counts what the cache says.
#[derive(Default)]
struct Counts {
    derived: AtomicU64,
    derive_failed: AtomicU64,
    stored: AtomicU64,
    refreshed: AtomicU64,
    refused: Mutex<Vec<Refusal>>,
    evicted: Mutex<Vec<EvictionCause>>,
    improved: Mutex<Vec<Improvement>>,
    unimproved: Mutex<Vec<Unimproved>>,
}

impl Events for Counts {
    fn evicted(&self, cause: EvictionCause, _: u64) {
        self.evicted.lock().push(cause);
    }
    fn stored(&self, _: Coding, _: u64) {
        self.stored.fetch_add(1, Ordering::Relaxed);
    }
    fn fill_refused(&self, reason: Refusal) {
        self.refused.lock().push(reason);
    }
    fn derived(&self, _: Derivation) {
        self.derived.fetch_add(1, Ordering::Relaxed);
    }
    fn derive_failed(&self, _: Coding, _: Coding) {
        self.derive_failed.fetch_add(1, Ordering::Relaxed);
    }
    fn refreshed(&self) {
        self.refreshed.fetch_add(1, Ordering::Relaxed);
    }
    fn improved(&self, improvement: Improvement) {
        self.improved.lock().push(improvement);
    }
    fn unimproved(&self, reason: Unimproved) {
        self.unimproved.lock().push(reason);
    }
}

/// A cache and what was heard from it.
#[derive(Clone)]
struct Site {
    memory: &'static Memory,
    counts: Arc<Counts>,
}

fn site() -> Site {
    site_with(Limits { capacity: 64 << 20, fills: 16 << 20, max_object: 4 << 20, max_variants: 4 })
}

fn site_with(limits: Limits) -> Site {
    let counts = Arc::new(Counts::default());
    let memory = Box::leak(Box::new(Memory::new(limits, room(), counts.clone())));
    Site { memory, counts }
}

/// For the encoders of a few dozen clients.
fn room() -> Arc<Budget> {
    Arc::new(Budget::new(64 << 20))
}

fn span() -> SpanHandle {
    Span::inactive().handle()
}

fn key(path: &str) -> ResourceKey {
    resource_key("", "http", "example.com", path, &KeyRules::default())
}

fn text(length: usize) -> Vec<u8> {
    let words = b"the quick brown fox jumps over the lazy dog and runs away again ";
    (0..length).map(|at| words[(at * 7 + at / 61) % words.len()]).collect()
}

fn encode(body: &[u8], coding: Coding) -> Bytes {
    let plan = setup(coding, Live::Auto, Some(body.len() as u64));
    transcode(body, Identity, &plan, u64::MAX).unwrap()
}

fn decode(body: &[u8], coding: Coding) -> Bytes {
    transcode(body, coding, &setup(Identity, Live::Auto, None), u64::MAX).unwrap()
}

/// The selector of an answer that varies by one field.
fn selector(field: &'static str, request: &HeaderMap) -> Selector {
    let vary = Vary::parse(&headers(&[("vary", field)]));
    Selector::new(&vary, request).unwrap()
}

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    map
}

fn freshness(lifetime: Duration) -> Freshness {
    Freshness {
        lifetime,
        age: Duration::ZERO,
        source: FreshnessSource::MaxAge,
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        no_cache: false,
        must_revalidate: false,
    }
}

fn strong(opaque: &'static str) -> EntityTag {
    EntityTag::strong(opaque)
}

/// A response of the app, to be told apart by what a test changes.
fn plan(path: &str, coding: Coding) -> FillPlan {
    FillPlan {
        key: key(path),
        status: StatusCode::OK,
        head: headers(&[("content-type", "text/plain"), ("x-from", "app")]),
        app_etag: None,
        coding,
        level: None,
        revision: None,
        codable: true,
        app_coded: false,
        selector: Selector::default(),
        partition: Partition::WHOLE,
        freshness: freshness(60 * SECOND),
        now: SystemTime::now(),
        tags: Vec::new(),
        url: format!("http://h{path}").into(),
        length: None,
        body: Arc::default(),
        purge_epoch: 0,
        outcome: Default::default(),
        relaying: Default::default(),
    }
}

/// What the proxy makes of a request: accepted codings, and the fields that variants select on.
fn view(path: &str, accept: &str, fields: &[(&'static str, &str)]) -> Arc<RequestView> {
    Arc::new(RequestView {
        key: key(path),
        accept: AcceptEncoding::parse(&headers(&[("accept-encoding", accept)])),
        codings: [Brotli, Zstd, Gzip].into(),
        partition: Partition::WHOLE,
        headers: Some(Arc::new(headers(fields))),
        sharing: Sharing::default(),
    })
}

/// The same, of a request that shares what is fetched for others, and waits for a minute.
fn sharing_view(path: &str, accept: &str, fields: &[(&'static str, &str)]) -> Arc<RequestView> {
    let until = Instant::now() + 60 * SECOND;
    Arc::new(RequestView {
        sharing: Sharing::new(Some(until), false),
        ..Arc::unwrap_or_clone(view(path, accept, fields))
    })
}

/// A meta as the proxy's `response_cache_filter` makes it: its own fields do not matter, what travels in it does.
fn meta_with<T: Clone + Send + Sync + 'static>(travels: T) -> CacheMeta {
    let now = SystemTime::now();
    let mut meta = CacheMeta::new(now, now, 0, 0, ResponseHeader::build_no_case(200, None).unwrap());
    meta.extensions_mut().insert(travels);
    meta
}

/// A hit, read to its end.
struct Read {
    meta: CacheMeta,
    body: Vec<u8>,
    slices: usize,
    seekable: bool,
}

impl Read {
    fn found(&self) -> &Found {
        self.meta.extensions().get::<Found>().unwrap()
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.meta.headers().get(name).map(|value| value.to_str().unwrap())
    }

    /// Decoded by what its own head says.
    fn plain(&self) -> Bytes {
        let coding = match self.field("content-encoding") {
            None => Identity,
            Some("br") => Brotli,
            Some("zstd") => Zstd,
            Some("gzip") => Gzip,
            Some(other) => panic!("{other}"),
        };
        decode(&self.body, coding)
    }
}

async fn read_all(handler: &mut HitHandler) -> pingora::Result<(Vec<u8>, usize)> {
    let (mut body, mut slices) = (Vec::new(), 0);
    while let Some(slice) = handler.read_body().await? {
        assert!(!slice.is_empty());
        body.extend_from_slice(&slice);
        slices += 1;
    }
    Ok((body, slices))
}

impl Site {
    async fn begin(&self, plan: Arc<FillPlan>) -> pingora::Result<MissHandler> {
        let cache_key = CacheKey::new(plan.key.0, "");
        self.memory.get_miss_handler(&cache_key, &meta_with(plan), &span()).await
    }

    /// A whole fill; the body is coded here, as the encoder would have done, and the facts are set.
    async fn fill(&self, plan: FillPlan, identity: &[u8]) -> FillOutcome {
        let coded = encode(identity, plan.coding);
        let _ = plan.body.identity_length.set(identity.len() as u64);
        let _ = plan.body.digest.set(*blake3::hash(identity).as_bytes());
        self.fill_raw(plan, &coded).await
    }

    async fn fill_raw(&self, plan: FillPlan, body: &[u8]) -> FillOutcome {
        let plan = Arc::new(plan);
        let Ok(mut handler) = self.begin(plan.clone()).await else {
            return *plan.outcome.get().unwrap();
        };
        for chunk in body.chunks(10_000) {
            if handler.write_body(Bytes::copy_from_slice(chunk), false).await.is_err() {
                drop(handler);
                return *plan.outcome.get().unwrap();
            }
        }
        handler.write_body(Bytes::new(), true).await.unwrap();
        handler.finish().await.unwrap();
        *plan.outcome.get().unwrap()
    }

    async fn lookup(&self, view: Arc<RequestView>) -> Option<(CacheMeta, HitHandler)> {
        self.memory.lookup(&cache_key(view), &span()).await.unwrap()
    }

    async fn get_as(&self, view: Arc<RequestView>) -> Option<Read> {
        let (meta, mut handler) = self.lookup(view).await?;
        let seekable = handler.can_seek();
        let (body, slices) = read_all(&mut handler).await.unwrap();
        handler.finish(self.memory, &cache_key(view_of_nothing()), &span()).await.unwrap();
        Some(Read { meta, body, slices, seekable })
    }

    async fn get(&self, path: &str, accept: &str) -> Option<Read> {
        self.get_as(view(path, accept, &[])).await
    }

    fn stored_codings(&self, path: &str) -> Vec<Coding> {
        let resource = self.memory.peek(&key(path)).unwrap();
        resource.variants()[0].codings().to_vec()
    }
}

fn view_of_nothing() -> Arc<RequestView> {
    view("/", "", &[])
}
