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
    assert_eq!(site.memory.sweep(&Scope::Everything, Effect::Remove), Purged { objects: 50, bytes });
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
            selector: Selector::default(),
            tags: [].into(),
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

/// An answer under a path with these tags, begun now.
fn tagged(site: &Site, path: &str, tags: &[&str]) -> FillPlan {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    FillPlan { tags, purge_epoch: site.memory.purge_epoch(), ..plan(path, Identity) }
}

fn tag(name: &str) -> Scope {
    Scope::Tag(name.into())
}

#[tokio::test]
async fn a_tag_takes_what_carries_it_and_nothing_else() {
    let site = site();
    for (path, tags) in [("/a", &["x", "y"][..]), ("/b", &["y"]), ("/c", &["xy"]), ("/d", &[])] {
        site.fill(tagged(&site, path, tags), b"1").await;
    }
    let before = site.memory.bytes();
    let counted = site.memory.sweep(&tag("y"), Effect::Count);
    assert_eq!((counted.objects, site.memory.bytes()), (2, before), "counting changes nothing");
    let purged = site.memory.sweep(&tag("y"), Effect::Remove);
    assert_eq!(purged, counted);
    site.memory.settle();
    assert_eq!(site.memory.bytes(), before - purged.bytes);
    let left: Vec<bool> = ["/a", "/b", "/c", "/d"].iter().map(|path| site.memory.peek(&key(path)).is_some()).collect();
    assert_eq!(left, [false, false, true, true]);
    assert_eq!(site.memory.sweep(&tag("y"), Effect::Remove), Purged::default());
}

#[tokio::test]
async fn of_several_variants_only_those_with_the_tag_go() {
    let site = site();
    for (value, tags) in [("1", &["x"][..]), ("2", &["y"])] {
        let selector = selector("x-v", &headers(&[("x-v", value)]));
        site.fill(FillPlan { selector, ..tagged(&site, "/a", tags) }, value.as_bytes()).await;
    }
    assert_eq!(site.memory.sweep(&tag("x"), Effect::Remove).objects, 1);
    let resource = site.memory.peek(&key("/a")).unwrap();
    assert_eq!(resource.variants().len(), 1);
    assert_eq!(*resource.variants()[0].tags, ["y".to_owned()]);
}

#[tokio::test]
async fn prefixes_and_hosts_are_found_by_the_url() {
    let site = site();
    for path in ["/blog", "/blog/1", "/blog/2?a=b", "/about"] {
        site.fill(tagged(&site, path, &[]), b"1").await;
    }
    let prefix = |text: &str| Scope::Prefix(text.into());
    assert_eq!(site.memory.sweep(&prefix("http://h/blog/"), Effect::Remove).objects, 2);
    assert_eq!(site.memory.sweep(&prefix("http://other/"), Effect::Remove).objects, 0);
    assert_eq!(site.memory.sweep(&Scope::Host("other".into()), Effect::Remove).objects, 0);
    assert_eq!(site.memory.sweep(&Scope::Host("h".into()), Effect::Expire).objects, 2);
    assert!(site.memory.peek(&key("/about")).is_some(), "soft leaves it in place");
    assert_eq!(site.memory.sweep(&Scope::Host("h".into()), Effect::Remove).objects, 2);
    assert!(site.memory.peek(&key("/about")).is_none());
}

#[tokio::test]
async fn what_was_under_way_is_not_brought_back_by_any_scope() {
    let scopes = [
        tag("x"),
        Scope::Prefix("http://h/a".into()),
        Scope::Host("h".into()),
        Scope::Everything,
        Scope::Resource(key("/a")),
    ];
    for scope in scopes {
        for effect in [Effect::Remove, Effect::Expire] {
            let site = site();
            let late = tagged(&site, "/a", &["x"]);
            site.memory.sweep(&scope, effect);
            assert_eq!(site.fill(late, b"old").await, FillOutcome::Refused(Refusal::Purged), "{scope} {effect:?}");
            let fresh = tagged(&site, "/a", &["x"]);
            assert!(matches!(site.fill(fresh, b"new").await, FillOutcome::Stored { .. }), "{scope}");
        }
    }
}

#[tokio::test]
async fn counting_does_not_disturb_what_is_under_way() {
    let site = site();
    let late = tagged(&site, "/a", &["x"]);
    site.memory.sweep(&Scope::Everything, Effect::Count);
    assert!(matches!(site.fill(late, b"x").await, FillOutcome::Stored { .. }));
}

#[tokio::test]
async fn a_304_that_was_under_way_does_not_confirm_what_a_tag_purged_softly() {
    let site = site();
    site.fill(FillPlan { app_etag: Some(strong("v")), ..tagged(&site, "/a", &["x"]) }, b"1").await;
    let variant = site.memory.peek(&key("/a")).unwrap().variants()[0].clone();
    let refresh = |tags: &[&str], purge_epoch| RefreshPlan {
        selector: Selector::default(),
        key: key("/a"),
        generation: variant.generation,
        head: variant.head.clone(),
        app_etag: Some(strong("v")),
        freshness: freshness(60 * SECOND),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        now: SystemTime::now(),
        purge_epoch,
    };
    let began = site.memory.purge_epoch();
    site.memory.sweep(&tag("x"), Effect::Expire);
    assert!(!site.memory.refresh(&refresh(&["x"], began)), "purged by what it was");
    assert!(!site.memory.refresh(&refresh(&["z"], began)), "another tag does not save it");
    let began = site.memory.purge_epoch();
    site.memory.sweep(&tag("z"), Effect::Expire);
    assert!(!site.memory.refresh(&refresh(&["z"], began)), "purged by what it would become");
    assert!(site.memory.refresh(&refresh(&["z"], site.memory.purge_epoch())));
    assert_eq!(site.memory.sweep(&tag("x"), Effect::Count).objects, 0, "the index follows");
    assert_eq!(site.memory.sweep(&tag("z"), Effect::Count).objects, 1);
}

/// Random fills, purges and evictions; a model that knows every tag says what must be left.
#[tokio::test]
async fn the_index_agrees_with_a_model() {
    let site = site();
    let mut model: std::collections::BTreeMap<String, Vec<String>> = Default::default();
    let mut seed = 7_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) % below
    };
    for step in 0..3000 {
        let path = format!("/{}/{}", random(3), random(20));
        match random(10) {
            0..=5 => {
                let tags: Vec<String> = (0..random(4)).map(|_| format!("t{}", random(6))).collect();
                let names: Vec<&str> = tags.iter().map(String::as_str).collect();
                site.fill(tagged(&site, &path, &names), b"x").await;
                model.insert(path, tags);
            }
            6 => {
                site.memory.purge(&key(&path));
                model.remove(&path);
            }
            7 | 8 => {
                let name = format!("t{}", random(6));
                let gone = model.values().filter(|tags| tags.contains(&name)).count() as u64;
                assert_eq!(site.memory.sweep(&tag(&name), Effect::Remove).objects, gone, "step {step}");
                model.retain(|_, tags| !tags.contains(&name));
            }
            _ => {
                let prefix = format!("/{}/", random(3));
                let gone = model.keys().filter(|path| path.starts_with(&prefix)).count() as u64;
                let scope = Scope::Prefix(format!("http://h{prefix}").into());
                assert_eq!(site.memory.sweep(&scope, Effect::Remove).objects, gone, "step {step}");
                model.retain(|path, _| !path.starts_with(&prefix));
            }
        }
    }
    site.memory.settle();
    assert_eq!(site.memory.entries(), model.len() as u64);
    for name in (0..6).map(|at| format!("t{at}")) {
        let carriers = model.values().filter(|tags| tags.contains(&name)).count() as u64;
        assert_eq!(site.memory.sweep(&tag(&name), Effect::Count).objects, carriers, "{name}");
    }
}
