//! Under pingora's own state machine, with its lock: what the proxy will do to it.

use super::*;
use pingora_cache::lock::CacheKeyLockImpl;
use pingora_cache::{CachePhase, HitStatus, HttpCache};

fn cache(site: &Site, accept: &str) -> HttpCache {
    let mut cache = HttpCache::new();
    let lock: &'static CacheKeyLockImpl = site.memory;
    cache.enable(site.memory, None, None, Some(lock), None);
    cache.set_cache_key(cache_key(view("/a", accept, &[])));
    cache
}

async fn fetch(cache: &mut HttpCache, plan: FillPlan, body: &[u8]) {
    cache.set_cache_meta(meta_with(Arc::new(plan)));
    cache.set_miss_handler().await.unwrap();
    let handler = cache.miss_handler().unwrap();
    handler.write_body(Bytes::copy_from_slice(body), true).await.unwrap();
    cache.finish_miss_handler().await.unwrap();
}

async fn serve(cache: &mut HttpCache) -> Vec<u8> {
    let (body, _) = read_all(cache.hit_handler()).await.unwrap();
    cache.finish_hit_handler().await.unwrap();
    body
}

#[tokio::test]
async fn waiters_of_one_fetch_get_it_in_their_own_coding() {
    let site = site();
    let body = text(50_000);
    let mut first = cache(&site, "br");
    assert!(first.cache_lookup().await.unwrap().is_none());
    assert!(!first.is_cache_locked(), "the first to ask fetches");
    first.cache_miss();

    let mut second = cache(&site, "gzip");
    assert!(second.cache_lookup().await.unwrap().is_none());
    assert!(second.is_cache_locked(), "one key, one lock, whatever the client accepts");
    let waiter = tokio::spawn(async move {
        second.cache_lock_wait().await;
        let (meta, handler) = second.cache_lookup().await.unwrap().expect("filled");
        second.cache_found(meta, handler, HitStatus::Fresh);
        let head = second.cache_meta().headers().get("content-encoding").cloned();
        (head, serve(&mut second).await)
    });
    fetch(&mut first, plan("/a", Brotli), &encode(&body, Brotli)).await;
    let (coding, coded) = waiter.await.unwrap();
    assert_eq!(coding.unwrap(), "gzip");
    assert!(decode(&coded, Gzip) == body);
}

#[tokio::test]
async fn a_304_refreshes_what_is_stored() {
    let site = site();
    let stale = Freshness { age: 120 * SECOND, ..freshness(60 * SECOND) };
    let stored = FillPlan { freshness: stale, app_etag: Some(strong("v1")), ..plan("/a", Identity) };
    site.fill_raw(stored, b"body").await;

    let mut cache = cache(&site, "");
    let (meta, handler) = cache.cache_lookup().await.unwrap().unwrap();
    assert!(!meta.is_fresh(SystemTime::now()));
    let found = meta.extensions().get::<Found>().unwrap().clone();
    cache.cache_found(meta, handler, HitStatus::Expired);
    let refresh = RefreshPlan {
        selector: Selector::default(),
        tags: [].into(),
        key: key("/a"),
        generation: found.variant.generation,
        head: headers(&[("x-from", "304")]),
        app_etag: None,
        freshness: freshness(60 * SECOND),
        now: SystemTime::now(),
        purge_epoch: site.memory.purge_epoch(),
    };
    assert!(cache.revalidate_cache_meta(meta_with(Arc::new(refresh))).await.unwrap());
    assert_eq!(cache.phase(), CachePhase::Revalidated);
    let merged = cache.cache_meta().extensions();
    assert!(merged.get::<Found>().is_some(), "the filters of the answer still see what was found");
    assert_eq!(serve(&mut cache).await, b"body");

    let hit = site.get("/a", "").await.unwrap();
    assert!(hit.meta.is_fresh(SystemTime::now()) && hit.field("x-from") == Some("304"));
    assert_eq!(hit.field("etag"), Some("\"v1\""));
}

#[tokio::test]
async fn a_soft_purge_and_a_purge_by_pingora() {
    let site = site();
    site.fill_raw(plan("/a", Identity), b"body").await;
    assert!(cache(&site, "br").expire().await.unwrap());
    assert!(!site.get("/a", "").await.unwrap().meta.is_fresh(SystemTime::now()));
    assert!(cache(&site, "br").purge().await.unwrap());
    assert!(site.get("/a", "").await.is_none());
}
