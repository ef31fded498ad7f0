//! Sizes, budgets, weights, time to live.

use super::*;

const SMALL: Limits = Limits { capacity: 1 << 20, fills: 256 << 10, max_object: 100_000, max_variants: 2 };

#[tokio::test]
async fn a_body_over_the_limit_is_refused_as_it_passes() {
    let site = site_with(SMALL);
    let refused = FillOutcome::Refused(Refusal::TooLarge);
    assert_eq!(site.fill_raw(plan("/chunked", Identity), &text(100_001)).await, refused);
    let known = FillPlan { length: Some(100_001), ..plan("/known", Identity) };
    assert_eq!(site.fill_raw(known, &text(100_001)).await, refused);
    assert!(site.memory.known_oversize(&key("/chunked")) && site.memory.known_oversize(&key("/known")));
    assert!(!site.memory.known_oversize(&key("/other")));
    assert_eq!((site.memory.entries(), site.memory.fills_in_flight()), (0, 0));
    assert_eq!(*site.counts.refused.lock(), [Refusal::TooLarge; 2], "each said once");

    let fits = FillPlan { length: Some(100_000), ..plan("/fits", Identity) };
    assert_eq!(site.fill_raw(fits, &text(100_000)).await, FillOutcome::Stored { bytes: 100_000 });
}

#[tokio::test]
async fn fills_share_a_budget_and_give_it_back() {
    let site = site_with(SMALL); // a quarter of it: 262,144 bytes for fills
    let begin = async |path: &str| {
        let plan = Arc::new(FillPlan { length: Some(100_000), ..plan(path, Identity) });
        site.begin(plan).await
    };
    let (one, two) = (begin("/1").await.unwrap(), begin("/2").await.unwrap());
    assert_eq!(site.memory.fills_in_flight(), 200_000);
    assert!(begin("/3").await.is_err());
    assert!(!site.memory.known_oversize(&key("/3")), "nothing wrong with it");
    drop((one, two));
    assert_eq!(site.memory.fills_in_flight(), 0);
    assert!(begin("/3").await.is_ok());
    let refused = site.counts.refused.lock().clone();
    assert_eq!(refused, [Refusal::OverBudget, Refusal::Aborted, Refusal::Aborted, Refusal::Aborted]);
}

#[tokio::test]
async fn what_does_not_come_to_its_end_is_not_stored() {
    let site = site();
    let plan = Arc::new(plan("/a", Identity));
    let mut handler = site.begin(plan.clone()).await.unwrap();
    handler.write_body(Bytes::from_static(b"half"), false).await.unwrap();
    drop(handler);
    assert!(site.get("/a", "").await.is_none());
    assert_eq!(plan.outcome.get(), Some(&FillOutcome::Refused(Refusal::Aborted)));
    assert_eq!(site.memory.fills_in_flight(), 0);
}

#[tokio::test]
async fn what_is_fresh_and_in_use_makes_no_room() {
    let site = site_with(SMALL);
    let of = |language: &'static str| FillPlan {
        selector: selector("accept-language", &headers(&[("accept-language", language)])),
        purge_epoch: site.memory.purge_epoch(),
        ..plan("/a", Identity)
    };
    let view = |language: &'static str| view("/a", "", &[("accept-language", language)]);
    let languages = || {
        let resource = site.memory.peek(&key("/a")).unwrap();
        let said =
            |one: &Arc<Variant>| String::from_utf8(one.selector.values().next().unwrap().unwrap().into()).unwrap();
        resource.variants().iter().map(said).collect::<Vec<_>>()
    };
    for language in ["a", "b"] {
        site.fill(of(language), b"x").await;
        assert!(site.get_as(view(language)).await.is_some());
    }
    assert!(site.memory.is_crowded(&view("c")) && !site.memory.is_crowded(&view("a")));
    assert_eq!(site.fill(of("c"), b"x").await, FillOutcome::Refused(Refusal::TooManyVariants));
    assert_eq!(languages(), ["b", "a"]);
    // A new answer of their own kind replaces them all the same, and has been asked for by nobody yet.
    site.fill(of("a"), b"y").await;
    assert_eq!(languages(), ["a", "b"]);
    assert!(!site.memory.is_crowded(&view("c")));
    site.fill(of("c"), b"x").await;
    assert_eq!(languages(), ["c", "b"], "the one in use stays, though it is older");
    // Stale is as good as gone.
    assert!(site.get_as(view("c")).await.is_some());
    assert!(site.memory.is_crowded(&view("d")));
    site.memory.sweep(&Scope::Resource(key("/a")), Effect::Expire);
    assert!(!site.memory.is_crowded(&view("d")));
    site.fill(of("d"), b"x").await;
    assert_eq!(languages(), ["d", "c"], "the oldest first");
}

#[tokio::test]
async fn the_oldest_variant_makes_room() {
    let site = site_with(SMALL);
    for language in ["a", "b", "c"] {
        let selector = selector("accept-language", &headers(&[("accept-language", language)]));
        site.fill(FillPlan { selector, ..plan("/a", Identity) }, b"x").await;
    }
    let resource = site.memory.peek(&key("/a")).unwrap();
    let generations: Vec<u64> = resource.variants().iter().map(|one| one.generation).collect();
    assert_eq!(generations, [3, 2], "newest first, oldest gone");
    assert_eq!(*site.counts.evicted.lock(), [EvictionCause::Variants]);
    assert_eq!(site.memory.bytes(), resource.weight());
}

#[tokio::test]
async fn what_is_held_never_passes_the_capacity_after_a_write() {
    let site = site_with(SMALL);
    for at in 0..200 {
        site.fill_raw(FillPlan { codable: false, ..plan(&format!("/{at}"), Identity) }, &text(30_000)).await;
        assert!(site.memory.bytes() <= SMALL.capacity, "{} at {at}", site.memory.bytes());
    }
    assert!(site.memory.bytes() > SMALL.capacity / 2, "and it is used");
    assert!(site.counts.evicted.lock().contains(&EvictionCause::Size));
}

/// Whatever happens, the count is that of what is there; and nothing there is nothing counted.
#[tokio::test]
async fn the_count_follows_the_map() {
    let site = site_with(SMALL);
    let counted = |site: &Site| {
        (0..20).filter_map(|at| site.memory.peek(&key(&format!("/{at}")))).map(|one| one.weight()).sum::<u64>()
    };
    for step in 0..400_usize {
        let path = format!("/{}", step * 7 % 20);
        match step % 5 {
            0 | 1 => drop(site.fill(plan(&path, Brotli), &text(500 + step * 61 % 40_000)).await),
            2 => drop(site.get(&path, "gzip").await),
            3 => drop(site.get(&path, "identity").await),
            _ => drop(site.memory.purge(&key(&path))),
        }
        site.memory.settle();
        assert_eq!(site.memory.bytes(), counted(&site), "step {step}");
    }
    site.memory.sweep(&Scope::Everything, Effect::Remove);
    site.memory.settle();
    assert_eq!((site.memory.bytes(), site.memory.entries(), site.memory.objects()), (0, 0, 0));
}

#[tokio::test]
async fn the_weight_is_the_sum_of_its_parts() {
    let site = site();
    let tags = vec!["one".to_owned(), "three".to_owned()];
    let plan = FillPlan {
        tags,
        codable: false,
        head: headers(&[("x-a", "123")]),
        app_etag: Some(strong("v")),
        ..plan("/a", Identity)
    };
    site.fill_raw(plan, &text(1234)).await;
    let line = |bytes: &str| weight::FIELD + bytes.len() as u64;
    let head = line("x-a123");
    let representation = weight::REPRESENTATION + 1234 + head + line("etag\"v\"") + line("content-length1234");
    let tags = 2 * weight::TAG + 8 + "http://h/a".len() as u64;
    let variant = weight::VARIANT + head + tags + Selector::default().weight() as u64 + representation;
    assert_eq!(site.memory.bytes(), weight::RESOURCE + variant);
    assert!(site.memory.bytes() > 1234 + 16);
}

/// No sleeps: polls until the map lets go, and fails if it does not.
async fn gone(site: &Site) {
    let start = Instant::now();
    while site.memory.entries() > 0 {
        assert!(start.elapsed() < 10 * SECOND, "still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
        site.memory.settle();
    }
}

#[tokio::test]
async fn an_entry_leaves_when_it_is_of_no_more_use() {
    let site = site();
    let brief = freshness(Duration::from_millis(50));
    site.fill(FillPlan { freshness: brief, ..plan("/brief", Identity) }, b"x").await;
    gone(&site).await;
    assert!(site.get("/brief", "").await.is_none());
    assert_eq!(*site.counts.evicted.lock(), [EvictionCause::Expired]);

    let stale = Freshness { stale_if_error: 30 * SECOND, ..brief };
    site.fill(FillPlan { freshness: stale, ..plan("/stale", Identity) }, b"x").await;
    site.fill(FillPlan { freshness: brief, app_etag: Some(strong("v")), ..plan("/etag", Identity) }, b"x").await;
    let dated = headers(&[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")]);
    site.fill(FillPlan { freshness: brief, head: dated, ..plan("/dated", Identity) }, b"x").await;
    tokio::time::sleep(Duration::from_millis(80)).await;
    site.memory.settle();
    for path in ["/stale", "/etag", "/dated"] {
        let hit = site.get(path, "").await.expect(path);
        assert!(!hit.meta.is_fresh(SystemTime::now()), "{path}: kept, and stale");
    }
}

#[tokio::test]
async fn retention_has_an_end_whatever_the_app_says() {
    let site = site();
    let forever = Freshness { stale_if_error: Duration::MAX, ..freshness(Duration::MAX) };
    site.fill(FillPlan { freshness: forever, ..plan("/a", Identity) }, b"x").await;
    let resource = site.memory.peek(&key("/a")).unwrap();
    assert!(resource.retained_until() < Instant::now() + 31 * 24 * 3600 * SECOND);
    assert!(site.get("/a", "").await.is_some());
}
