//! Codings made from stored ones.

use super::*;

#[tokio::test]
async fn every_coding_comes_from_every_other_and_is_kept() {
    let body = text(100_000);
    for from in [Identity, Brotli, Zstd, Gzip] {
        let site = site();
        site.fill(plan("/a", from), &body).await;
        let mut made = 0;
        for (accept, to) in [("br", Brotli), ("zstd", Zstd), ("gzip", Gzip), ("identity", Identity)] {
            for round in 0..2 {
                let hit = site.get("/a", accept).await.unwrap();
                assert_eq!(hit.found().coding, to, "{from:?} for {accept}");
                assert_eq!(hit.plain(), body);
                assert_eq!(hit.field("content-length"), Some(hit.body.len().to_string().as_str()));
                assert_eq!(hit.found().derived, round == 0 && to != from);
            }
            made += u64::from(to != from);
            assert_eq!(site.counts.derived.load(Ordering::Relaxed), made);
        }
        assert_eq!(site.stored_codings("/a").len(), 4);
        assert_eq!((site.memory.entries(), site.memory.objects()), (1, 1));
    }
}

#[tokio::test]
async fn keeping_a_derived_coding_is_weighed() {
    let site = site();
    site.fill(plan("/a", Brotli), &text(100_000)).await;
    let before = site.memory.bytes();
    site.get("/a", "identity").await.unwrap();
    let resource = site.memory.peek(&key("/a")).unwrap();
    let derived = resource.variants()[0].representation(Identity).unwrap().weight();
    assert_eq!(site.memory.bytes(), before + derived);
    assert_eq!(site.memory.bytes(), resource.weight());
    assert!(derived > 100_000);
}

#[tokio::test]
async fn a_body_that_does_not_decode_is_dropped_and_is_a_miss() {
    let site = site();
    let mut broken = encode(&text(100_000), Brotli);
    broken.truncate(broken.len() / 2);
    site.fill_raw(plan("/a", Brotli), &broken).await;
    assert!(site.get("/a", "identity").await.is_none());
    assert!(site.memory.peek(&key("/a")).is_none(), "gone");
    assert_eq!(site.counts.derive_failed.load(Ordering::Relaxed), 1);
    assert_eq!((site.memory.entries(), site.memory.bytes()), (0, 0));
}

#[tokio::test]
async fn too_large_to_keep_is_made_while_it_is_read() {
    let site = site_with(Limits { capacity: 8 << 20, fills: 2 << 20, max_object: 1 << 20, max_variants: 4 });
    let body = text(6 << 20);
    let stored = FillPlan { app_etag: Some(strong("v1")), ..plan("/a", Brotli) };
    assert!(matches!(site.fill(stored, &body).await, FillOutcome::Stored { .. }));
    let held = site.memory.bytes();

    let hit = site.get("/a", "identity").await.unwrap();
    assert!(hit.body == body, "identity");
    assert_eq!(hit.field("content-length"), Some(body.len().to_string().as_str()));
    assert_eq!((hit.field("content-encoding"), hit.field("etag")), (None, Some("\"v1\"")));
    assert!(!hit.seekable && hit.slices > 10, "{} slices", hit.slices);

    assert_eq!(site.stored_codings("/a"), [Brotli], "nothing kept");
    assert_eq!(site.memory.bytes(), held);

    let hit = site.get("/a", "gzip").await.unwrap();
    assert!(hit.plain() == body && hit.seekable);
    assert_eq!(site.stored_codings("/a"), [Brotli, Gzip], "small enough coded");
}

/// Noise that repeats out of gzip's reach and within brotli's.
fn far_repeats(times: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    noise.take(40_000).collect::<Vec<u8>>().repeat(times)
}

#[tokio::test]
async fn a_coding_that_turns_out_too_large_is_streamed_and_not_tried_again() {
    let site = site_with(Limits { capacity: 8 << 20, fills: 2 << 20, max_object: 50_000, max_variants: 4 });
    for times in [3, 30] {
        let body = far_repeats(times); // 120,000 bytes: an attempt in vain; 1,200,000: not even tried
        site.fill(plan("/a", Brotli), &body).await;
        for _ in 0..2 {
            let hit = site.get("/a", "gzip").await.unwrap();
            assert!(hit.plain() == body);
            assert_eq!(hit.field("content-length"), None);
            assert_eq!(hit.field("content-encoding"), Some("gzip"));
            assert!(!hit.seekable && hit.found().variant.is_oversize(Gzip) == (times == 3));
        }
        assert_eq!(site.stored_codings("/a"), [Brotli]);
    }
}

#[tokio::test]
async fn an_unknown_length_that_turns_out_too_large_is_streamed_too() {
    let site = site_with(Limits { capacity: 8 << 20, fills: 2 << 20, max_object: 1 << 20, max_variants: 4 });
    let body = text(3 << 20);
    site.fill_raw(plan("/a", Brotli), &encode(&body, Brotli)).await;
    let hit = site.get("/a", "identity").await.unwrap();
    assert!(hit.body == body);
    assert_eq!(hit.field("content-length"), None);
}

#[tokio::test]
async fn a_streamed_body_that_breaks_is_an_error_and_not_an_end() {
    let site = site_with(Limits { capacity: 8 << 20, fills: 2 << 20, max_object: 1 << 20, max_variants: 4 });
    let body = text(6 << 20);
    let mut broken = encode(&body, Brotli);
    broken.truncate(broken.len() - 10);
    let plan = plan("/a", Brotli);
    let _ = plan.body.identity_length.set(body.len() as u64);
    site.fill_raw(plan, &broken).await;
    let (_, mut handler) = site.lookup(view("/a", "identity", &[])).await.unwrap();
    assert!(read_all(&mut handler).await.is_err());
    assert!(site.memory.peek(&key("/a")).is_none(), "nobody else gets it");
    assert_eq!(site.counts.derive_failed.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_slow_reader_of_what_is_made_while_it_is_read_holds_memory_that_was_asked_for() {
    let site = site_with(Limits { capacity: 8 << 20, fills: 2 << 20, max_object: 1 << 20, max_variants: 4 });
    let encoders = site.memory.encoders();
    let body = text(3 << 20);
    site.fill_raw(plan("/a", Brotli), &encode(&body, Brotli)).await;
    let mut readers = Vec::new();
    while let Some((_, mut handler)) = site.lookup(view("/a", "identity", &[])).await {
        handler.read_body().await.unwrap().expect("a piece");
        assert!(encoders.held() > 0 && encoders.reserved() <= encoders.limit());
        readers.push(handler);
    }
    assert!(readers.len() > 20, "{}", readers.len());
    assert!(site.memory.peek(&key("/a")).is_some(), "nothing wrong with it");
    let others = encoders.reserve(1 << 20);
    assert!(others.is_some(), "whoever streams from the app finds some");
    drop((readers, others));
    assert_eq!((encoders.reserved(), encoders.held()), (0, 0));
    assert!(site.get("/a", "identity").await.unwrap().body == body);
}

#[tokio::test]
async fn a_304_during_a_derivation_is_not_undone_by_it() {
    let site = site();
    site.fill(plan("/a", Brotli), &text(10_000)).await;
    let resource = site.memory.peek(&key("/a")).unwrap();
    let before = &resource.variants()[0];
    let made = Representation::derived(before.common(), Gzip, encode(&text(10_000), Gzip)).unwrap();
    let refresh = RefreshPlan {
        selector: Selector::default(),
        tags: [].into(),
        key: key("/a"),
        generation: before.generation,
        head: headers(&[("x-from", "304")]),
        app_etag: None,
        freshness: freshness(60 * SECOND),
        now: SystemTime::now(),
        purge_epoch: 0,
    };
    assert!(site.memory.refresh(&refresh));
    assert!(site.memory.keep(key("/a"), before, &Arc::new(made)));
    let hit = site.get("/a", "gzip").await.unwrap();
    assert_eq!((hit.field("x-from"), hit.found().derived), (Some("304"), false));
}
