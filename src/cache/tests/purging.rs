//! Purges, and what is under way when they come.

use super::*;

#[tokio::test]
async fn a_purge_removes_every_representation_and_says_what() {
    let site = site();
    site.fill(plan("/a", Brotli), &text(10_000)).await;
    site.get("/a", "gzip").await.unwrap();
    let bytes = site.memory.bytes();
    assert_eq!(site.memory.purge(&key("/a")), Purged { objects: 1, bytes });
    assert_eq!(site.memory.purge(&key("/a")), Purged::default());
    assert!(site.get("/a", "br").await.is_none());
    assert_eq!((site.memory.entries(), site.memory.bytes()), (0, 0));
}

#[tokio::test]
async fn a_fill_that_was_under_way_does_not_bring_it_back() {
    let site = site();
    let plan = Arc::new(FillPlan { purge_epoch: site.memory.purge_epoch(), ..plan("/a", Identity) });
    let mut handler = site.begin(plan.clone()).await.unwrap();
    handler.write_body(Bytes::from_static(b"old"), false).await.unwrap();
    site.memory.purge(&key("/a"));
    handler.write_body(Bytes::new(), true).await.unwrap();
    handler.finish().await.unwrap();
    assert_eq!(plan.outcome.get(), Some(&FillOutcome::Refused(Refusal::Purged)));
    assert!(site.get("/a", "").await.is_none());

    let again = FillPlan { purge_epoch: site.memory.purge_epoch(), ..super::plan("/a", Identity) };
    assert!(matches!(site.fill(again, b"new").await, FillOutcome::Stored { .. }));
}

#[tokio::test]
async fn a_fill_of_another_resource_is_not_disturbed() {
    let site = site();
    let plan = FillPlan { purge_epoch: site.memory.purge_epoch(), ..plan("/a", Identity) };
    site.memory.purge(&key("/b"));
    assert!(matches!(site.fill(plan, b"x").await, FillOutcome::Stored { .. }));
}

#[tokio::test]
async fn clearing_takes_everything_and_what_is_under_way() {
    let site = site();
    for at in 0..50 {
        site.fill(plan(&format!("/{at}"), Identity), &text(100)).await;
    }
    let late = FillPlan { purge_epoch: site.memory.purge_epoch(), ..plan("/late", Identity) };
    let bytes = site.memory.bytes();
    assert_eq!(site.memory.clear(), Purged { objects: 50, bytes });
    assert!(site.get("/7", "").await.is_none());
    assert_eq!((site.memory.entries(), site.memory.bytes()), (0, 0));
    assert_eq!(site.fill(late, b"x").await, FillOutcome::Refused(Refusal::Purged));
    let fresh = FillPlan { purge_epoch: site.memory.purge_epoch(), ..plan("/0", Identity) };
    site.fill(fresh, b"x").await;
    assert!(site.get("/0", "").await.is_some());
}

#[tokio::test]
async fn a_hit_under_way_keeps_its_body() {
    let site = site();
    let body = text(300_000);
    site.fill(plan("/a", Identity), &body).await;
    let (_, mut handler) = site.lookup(view("/a", "", &[])).await.unwrap();
    let first = handler.read_body().await.unwrap().unwrap();
    site.memory.purge(&key("/a"));
    let (rest, _) = read_all(&mut handler).await.unwrap();
    assert!([&first[..], &rest[..]].concat() == body);
}

#[tokio::test]
async fn a_soft_purge_leaves_it_stale_and_a_304_makes_it_fresh() {
    let site = site();
    let plan = FillPlan {
        freshness: Freshness { stale_while_revalidate: 30 * SECOND, ..freshness(60 * SECOND) },
        ..plan("/a", Identity)
    };
    site.fill(plan, b"x").await;
    let cache_key = cache_key(view("/a", "", &[]));
    let compact = cache_key.to_compact();
    let outcome = site.memory.expire(PurgeTarget::Active(&compact), &span()).await.unwrap();
    assert_eq!(outcome, PurgeOutcome::Expired);

    let hit = site.get("/a", "").await.expect("still there");
    let now = SystemTime::now();
    assert!(!hit.meta.is_fresh(now + Duration::from_millis(1)));
    assert!(hit.meta.serve_stale_while_revalidate(now + 29 * SECOND), "its windows run from the purge");
    assert!(!hit.meta.serve_stale_while_revalidate(now + 31 * SECOND));

    let refresh = |purge_epoch| {
        let variant = &hit.found().variant;
        Arc::new(RefreshPlan {
            key: key("/a"),
            generation: variant.generation,
            head: variant.head.clone(),
            app_etag: None,
            freshness: variant.freshness,
            now,
            purge_epoch,
        })
    };
    let early = meta_with(refresh(0));
    assert!(!site.memory.update_meta(&cache_key, &early, &span()).await.unwrap(), "asked before the purge");
    let later = meta_with(refresh(site.memory.purge_epoch()));
    assert!(site.memory.update_meta(&cache_key, &later, &span()).await.unwrap());
    assert!(site.get("/a", "").await.unwrap().meta.is_fresh(now + 50 * SECOND));
}

#[tokio::test]
async fn a_purge_that_pingora_asks_for_finds_the_entry() {
    let site = site();
    site.fill(plan("/a", Identity), b"x").await;
    let cache_key = cache_key(view("/a", "", &[]));
    assert_eq!(cache_key.primary_bin(), key("/a").0);
    let compact = cache_key.to_compact();
    let purge = async || {
        let target = PurgeTarget::Active(&compact);
        Storage::purge(site.memory, target, PurgeType::Invalidation, &span()).await.unwrap()
    };
    assert_eq!(purge().await, PurgeOutcome::Purged(None));
    assert_eq!(purge().await, PurgeOutcome::NotFound);
}
