//! Fill, hit, variants, refresh.

use super::*;

#[tokio::test]
async fn what_was_filled_is_served_as_it_was() {
    let site = site();
    let body = text(300_000);
    assert!(site.get("/a", "br").await.is_none());
    let outcome = site.fill(plan("/a", Brotli), &body).await;
    let hit = site.get("/a", "br").await.unwrap();
    assert_eq!(outcome, FillOutcome::Stored { bytes: hit.body.len() as u64 });
    assert_eq!(hit.body, encode(&body, Brotli));
    assert_eq!(hit.plain(), body);
    assert_eq!(hit.field("content-length"), Some(hit.body.len().to_string().as_str()));
    assert_eq!(hit.field("content-type"), Some("text/plain"));
    assert_eq!(hit.field("vary"), Some("accept-encoding"));
    assert!(hit.seekable && !hit.found().derived);
    assert_eq!((hit.found().coding, hit.found().variant.hits()), (Brotli, 1));
    assert_eq!(site.counts.derived.load(Ordering::Relaxed), 0, "no codec ran");
}

#[tokio::test]
async fn large_bodies_come_in_slices() {
    let site = site();
    let body = text(300_000);
    site.fill(plan("/a", Identity), &body).await;
    let hit = site.get("/a", "identity").await.unwrap();
    assert_eq!((hit.slices, hit.body), (3, body));
}

#[tokio::test]
async fn an_empty_body_is_a_body() {
    let site = site();
    site.fill(FillPlan { codable: false, ..plan("/a", Identity) }, b"").await;
    let hit = site.get("/a", "br").await.unwrap();
    assert_eq!((hit.slices, hit.field("content-length")), (0, Some("0")));
}

#[tokio::test]
async fn a_tag_of_the_app_is_kept_and_one_is_made_where_there_is_none() {
    let site = site();
    let body = text(5_000);
    site.fill(FillPlan { app_etag: Some(strong("v1")), ..plan("/app", Brotli) }, &body).await;
    assert_eq!(site.get("/app", "br").await.unwrap().field("etag"), Some("\"v1-br\""));

    let digest = blake3::hash(&body).to_hex()[..32].to_owned();
    site.fill(plan("/br", Brotli), &body).await;
    assert_eq!(site.get("/br", "br").await.unwrap().field("etag"), Some(format!("\"{digest}-br\"").as_str()));
    // Nobody told the digest: made from the bytes that passed.
    site.fill_raw(plan("/plain", Identity), &body).await;
    assert_eq!(site.get("/plain", "identity").await.unwrap().field("etag"), Some(format!("\"{digest}\"").as_str()));
}

#[tokio::test]
async fn what_the_app_coded_is_served_as_it_came() {
    let site = site();
    let coded = encode(&text(5_000), Gzip);
    let head = headers(&[("content-encoding", "gzip"), ("etag", "\"v1\"")]);
    let plan = FillPlan { head, codable: false, app_etag: Some(strong("v1")), ..plan("/a", Gzip) };
    site.fill_raw(plan, &coded).await;
    for accept in ["gzip", "br;q=0.1, gzip", "*"] {
        let hit = site.get("/a", accept).await.unwrap();
        assert_eq!((&hit.body[..], hit.field("etag")), (&coded[..], Some("\"v1\"")));
    }
    assert_eq!(site.counts.derived.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn age_counts_from_the_origin() {
    let site = site();
    let aged = Freshness { age: 20 * SECOND, ..freshness(60 * SECOND) };
    site.fill(FillPlan { freshness: aged, ..plan("/a", Identity) }, b"x").await;
    let meta = site.get("/a", "").await.unwrap().meta;
    assert_eq!(meta.age().as_secs(), 20);
    assert_eq!(meta.fresh_sec(), 60);
    let left = meta.fresh_until().duration_since(SystemTime::now()).unwrap();
    assert!(left > 39 * SECOND && left <= 40 * SECOND);
}

#[tokio::test]
async fn older_than_its_lifetime_is_stale_from_the_start() {
    let site = site();
    let aged = Freshness { age: 90 * SECOND, ..freshness(60 * SECOND) };
    let plan = FillPlan { freshness: aged, app_etag: Some(strong("v")), ..plan("/a", Identity) };
    site.fill(plan, b"x").await;
    let meta = site.get("/a", "").await.unwrap().meta;
    assert!(!meta.is_fresh(SystemTime::now()));
    assert_eq!(meta.age().as_secs(), 90);
}

#[tokio::test]
async fn a_clock_set_back_makes_nothing_fresh_again() {
    let site = site();
    // Stored by a wall clock that was an hour ahead; then it was set right.
    let plan = FillPlan { now: SystemTime::now() + 3600 * SECOND, ..plan("/a", Identity) };
    site.fill(plan, b"x").await;
    let meta = site.get("/a", "").await.unwrap().meta;
    let left = meta.fresh_until().duration_since(SystemTime::now()).unwrap();
    assert!(left <= 60 * SECOND, "{left:?}");
}

#[tokio::test]
async fn variants_live_side_by_side_in_one_entry() {
    let site = site();
    for language in ["de", "en"] {
        let request = headers(&[("accept-language", language)]);
        let selector = selector("accept-language", &request);
        site.fill(FillPlan { selector, ..plan("/a", Identity) }, language.as_bytes()).await;
    }
    let get = async |language: &str| {
        let view = view("/a", "", &[("accept-language", language)]);
        site.get_as(view).await.map(|hit| hit.body)
    };
    assert_eq!(get("de").await.unwrap(), b"de");
    assert_eq!(get("en").await.unwrap(), b"en");
    assert!(get("fr").await.is_none());
    assert!(site.get("/a", "").await.is_none(), "absent is not any");
    assert_eq!((site.memory.entries(), site.memory.objects()), (1, 2));

    let request = headers(&[("accept-language", "de")]);
    let selector = selector("accept-language", &request);
    site.fill(FillPlan { selector, ..plan("/a", Identity) }, b"neu").await;
    assert_eq!(get("de").await.unwrap(), b"neu");
    assert_eq!(site.memory.objects(), 2, "one answer of a kind");
}

#[tokio::test]
async fn a_partition_is_not_seen_from_another() {
    let site = site();
    let rules = KeyRules { headers: vec![HeaderName::from_static("x-tenant")], ..KeyRules::default() };
    let of = |tenant: &str| rules.partition(&headers(&[("x-tenant", tenant)]));
    site.fill(FillPlan { partition: of("a"), ..plan("/a", Identity) }, b"a's").await;
    let get = async |partition| {
        let view = RequestView { partition, ..(*view("/a", "", &[])).clone() };
        site.get_as(Arc::new(view)).await.map(|hit| hit.body)
    };
    assert_eq!(get(of("a")).await.unwrap(), b"a's");
    assert!(get(of("b")).await.is_none());
    assert!(get(Partition::WHOLE).await.is_none());
    assert_eq!(site.memory.purge(&key("/a")).objects, 1, "a purge by URL sees all");
}

fn refresh_of(site: &Site, path: &str) -> RefreshPlan {
    let resource = site.memory.peek(&key(path)).unwrap();
    RefreshPlan {
        tags: [].into(),
        key: key(path),
        generation: resource.variants()[0].generation,
        head: headers(&[("content-type", "text/plain"), ("x-from", "304")]),
        app_etag: None,
        freshness: freshness(600 * SECOND),
        selector: Selector::default(),
        now: SystemTime::now(),
        purge_epoch: site.memory.purge_epoch(),
    }
}

async fn refresh(site: &Site, plan: RefreshPlan) -> bool {
    let cache_key = CacheKey::new(plan.key.0, "");
    site.memory.update_meta(&cache_key, &meta_with(Arc::new(plan)), &span()).await.unwrap()
}

#[tokio::test]
async fn a_304_changes_every_head_and_no_body() {
    let site = site();
    let body = text(50_000);
    site.fill(FillPlan { app_etag: Some(strong("v1")), ..plan("/a", Brotli) }, &body).await;
    let derived = site.get("/a", "gzip").await.unwrap();
    let bodies = |site: &Site| -> Vec<*const u8> {
        let resource = site.memory.peek(&key("/a")).unwrap();
        resource.variants()[0].representations().iter().map(|one| one.body.as_ptr()).collect()
    };
    let before = bodies(&site);
    assert!(refresh(&site, refresh_of(&site, "/a")).await);
    assert_eq!(bodies(&site), before, "shared");
    for (accept, tag) in [("br", "\"v1-br\""), ("gzip", derived.field("etag").unwrap())] {
        let hit = site.get("/a", accept).await.unwrap();
        assert_eq!((hit.field("x-from"), hit.field("etag")), (Some("304"), Some(tag)));
        assert_eq!(hit.field("content-length"), Some(hit.body.len().to_string().as_str()));
        assert!(hit.meta.fresh_until() > SystemTime::now() + 590 * SECOND);
        assert_eq!(hit.plain(), body);
    }
    assert_eq!(site.counts.refreshed.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_304_for_an_answer_that_was_replaced_changes_nothing() {
    let site = site();
    site.fill(plan("/a", Identity), b"old").await;
    let late = refresh_of(&site, "/a");
    site.fill(plan("/a", Identity), b"new").await;
    assert!(!refresh(&site, late.clone()).await);
    assert_eq!(site.get("/a", "").await.unwrap().field("x-from"), Some("app"));
    site.memory.purge(&key("/a"));
    assert!(!refresh(&site, late).await);
    assert!(site.get("/a", "").await.is_none());
}

#[tokio::test]
async fn without_its_side_channel_a_call_does_nothing() {
    let site = site();
    let now = SystemTime::now();
    let bare = CacheMeta::new(now, now, 0, 0, ResponseHeader::build_no_case(200, None).unwrap());
    let cache_key = CacheKey::new("x", "");
    assert!(site.memory.get_miss_handler(&cache_key, &bare, &span()).await.is_err());
    assert!(!site.memory.update_meta(&cache_key, &bare, &span()).await.unwrap());
    assert!(site.memory.lookup(&cache_key, &span()).await.unwrap().is_none());
    assert_eq!(*site.counts.refused.lock(), [Refusal::NoPlan]);
}

#[tokio::test]
async fn what_the_app_coded_is_not_for_those_who_refuse_that_coding() {
    let site = site();
    let coded = encode(&text(5_000), Gzip);
    let gzip = || FillPlan { head: headers(&[("content-encoding", "gzip")]), codable: false, ..plan("/a", Gzip) };
    site.fill_raw(gzip(), &coded).await;
    assert!(site.get("/a", "br").await.is_none());
    assert!(site.get("/a", "").await.is_none());
    // What the app answers those with lives beside it.
    let plain = || FillPlan { codable: false, ..plan("/a", Identity) };
    site.fill_raw(plain(), b"plain").await;
    assert_eq!(site.get("/a", "br").await.unwrap().body, b"plain");
    site.fill_raw(gzip(), &coded).await;
    assert_eq!(site.get("/a", "gzip").await.unwrap().body, coded);
    assert_eq!(site.get("/a", "").await.unwrap().body, b"plain");
    assert_eq!(site.memory.objects(), 2);
}

#[tokio::test]
async fn a_coding_unknown_here_is_for_everybody_as_it_was_without_a_cache() {
    let site = site();
    let deflate =
        FillPlan { head: headers(&[("content-encoding", "deflate")]), codable: false, ..plan("/a", Identity) };
    site.fill_raw(deflate, b"deflated").await;
    for accept in ["", "br", "deflate", "identity;q=0, gzip"] {
        let hit = site.get("/a", accept).await.unwrap();
        assert_eq!(hit.body, b"deflated", "{accept}");
        assert_eq!(hit.field("content-encoding"), Some("deflate"), "{accept}");
    }
}
