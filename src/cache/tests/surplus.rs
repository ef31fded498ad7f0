//! Which representations stay where there is no room for all, and what an identical answer inherits.

use super::*;

/// Half of it is gone once it is coded.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let digit = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        b"0123456789abcdef"[(state >> 60) as usize]
    });
    digit.take(length).collect()
}

const ANSWERS: usize = 24;
const PATHS: [&str; ANSWERS] = [
    "/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9", "/10", "/11", "/12", "/13", "/14", "/15", "/16", "/17",
    "/18", "/19", "/20", "/21", "/22", "/23",
];

/// Room for so many of the answers, stored in `coding`, and half of one more.
async fn room_for(answers: usize, coding: Coding) -> Site {
    let scale = site();
    scale.fill_all(0..1, coding).await;
    let capacity = scale.memory.bytes() * (2 * answers as u64 + 1) / 2;
    site_with(Limits { capacity, fills: 4 << 20, max_object: 1 << 20, max_variants: 4 })
}

impl Site {
    async fn fill_all(&self, range: std::ops::Range<usize>, coding: Coding) {
        for (number, path) in PATHS.into_iter().enumerate().take(range.end).skip(range.start) {
            let outcome = self.fill(plan(path, coding), &noise(20_000, number as u64)).await;
            assert!(matches!(outcome, FillOutcome::Stored { .. }), "{path}");
        }
        self.memory.settle();
    }

    fn evictions(&self) -> usize {
        self.counts.evicted.lock().len()
    }
}

#[tokio::test]
async fn what_is_beside_goes_before_any_answer_does() {
    let site = room_for(ANSWERS, Brotli).await;
    site.fill_all(0..8, Brotli).await;
    for path in &PATHS[..8] {
        assert_eq!(site.get(path, "identity").await.unwrap().body.len(), 20_000);
        assert_eq!(site.stored_codings(path), [Brotli, Identity], "there is room");
    }
    site.fill_all(8..ANSWERS, Brotli).await;
    assert_eq!(site.evictions(), 0);
    let beside = PATHS.iter().filter(|path| site.stored_codings(path).len() > 1).count();
    assert!(beside < 4, "{beside}");
    assert!(PATHS.iter().all(|path| site.stored_codings(path)[0] == Brotli));
    assert!(site.memory.bytes() <= site.memory.capacity());
}

#[tokio::test]
async fn what_is_asked_for_often_stays_beside() {
    let site = room_for(ANSWERS, Brotli).await;
    site.fill_all(0..8, Brotli).await;
    for path in &PATHS[..8] {
        site.get(path, "gzip").await.unwrap();
    }
    for at in 8..ANSWERS - 1 {
        site.fill_all(at..at + 1, Brotli).await;
        for _hit in 0..20 {
            site.get("/3", "gzip").await.unwrap();
            site.get("/3", "br").await.unwrap();
        }
    }
    assert_eq!((site.stored_codings("/3"), site.evictions()), (vec![Brotli, Gzip], 0));
    assert_eq!(site.counts.derived.load(Ordering::Relaxed), 8, "it was there all the time");
}

#[tokio::test]
async fn without_room_it_is_made_and_not_kept_and_what_is_smaller_takes_the_place() {
    let site = room_for(ANSWERS, Brotli).await;
    site.fill_all(0..ANSWERS, Brotli).await;
    let whole = site.get("/5", "identity").await.unwrap();
    assert_eq!((whole.body.len(), site.stored_codings("/5")), (20_000, vec![Brotli]));
    assert_eq!(site.evictions(), 0);

    let other = room_for(12, Identity).await;
    other.fill_all(0..12, Identity).await;
    let full = other.memory.bytes();
    other.get("/5", "br").await.unwrap();
    assert_eq!(other.stored_codings("/5"), [Brotli], "instead of what it was made from");
    assert!(other.memory.bytes() < full && other.evictions() == 0);
    assert_eq!(other.get("/5", "identity").await.unwrap().body, noise(20_000, 5));
}

#[tokio::test]
async fn other_bytes_of_a_coding_never_share_a_strong_tag() {
    // What the app's answer was sent in, and what is made of it when that is gone.
    let site = site();
    let tagged = || FillPlan { app_etag: Some(strong("v1")), ..plan("/a", Gzip) };
    site.fill(tagged(), &noise(20_000, 1)).await;
    let first = site.get("/a", "gzip").await.unwrap();
    site.get("/a", "br;q=1, gzip;q=0.5").await.unwrap();
    let generation = site.memory.peek(&key("/a")).unwrap().variants()[0].generation;
    assert!(site.memory.reduce(key("/a"), generation, &[Brotli]));
    assert!(!site.memory.reduce(key("/a"), generation, &[Gzip]), "one is always left");
    let again = site.get("/a", "gzip").await.unwrap();
    assert_eq!(first.field("etag"), Some("\"v1-gzip\""));
    assert_ne!(again.field("etag"), first.field("etag"));
    assert_eq!(again.plain(), first.plain());
    assert!(site.memory.reduce(key("/a"), generation, &[Brotli]));
    let same = site.get("/a", "gzip").await.unwrap();
    assert_eq!((same.field("etag"), &same.body), (again.field("etag"), &again.body), "the same bytes, the same tag");
}

#[tokio::test]
async fn the_same_content_keeps_what_was_made_of_it() {
    let site = site();
    let body = noise(20_000, 1);
    site.fill(plan("/a", Brotli), &body).await;
    let gzip = site.get("/a", "gzip").await.unwrap();
    let better = |coding| {
        let resource = site.memory.peek(&key("/a")).unwrap();
        let of = resource.variants()[0].clone();
        let new = Representation::improved(of.common(), coding, encode(&body, coding)).unwrap();
        site.memory.swap(key("/a"), of.generation, of.representation(coding).unwrap(), &new, site.memory.purge_epoch())
    };
    assert!(better(Brotli));
    let head = headers(&[("x-from", "another fetch")]);
    site.fill(FillPlan { head: head.clone(), ..plan("/a", Brotli) }, &body).await;
    let resource = site.memory.peek(&key("/a")).unwrap();
    let variant = &resource.variants()[0];
    assert_eq!(resource.variants().len(), 1);
    assert!(variant.representation(Brotli).unwrap().improved);
    assert_eq!(variant.wanted_in(Gzip), 1);
    let hit = site.get("/a", "gzip").await.unwrap();
    assert_eq!((hit.field("x-from"), hit.field("etag")), (Some("another fetch"), gzip.field("etag")));
    assert_eq!(site.counts.derived.load(Ordering::Relaxed), 1);
    assert_eq!(site.memory.bytes(), resource.weight());

    // Other content, or a tag that only the app can vouch for.
    site.fill(plan("/a", Brotli), &noise(20_000, 2)).await;
    assert_eq!(site.stored_codings("/a"), [Brotli]);
    for _fetch in 0..2 {
        site.fill(FillPlan { app_etag: Some(strong("v1")), ..plan("/b", Brotli) }, &body).await;
        assert_eq!(site.stored_codings("/b"), [Brotli]);
        site.get("/b", "gzip").await.unwrap();
    }
}
