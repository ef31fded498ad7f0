//! Requests that come while what they ask for is being fetched.

use super::*;
use pingora_cache::lock::{CacheKeyLock, LockStatus, Locked};
use std::time::Duration;
use tokio::time::timeout;

const SMALL: Limits = Limits { capacity: 1 << 20, fills: 1 << 18, max_object: 100_000, max_variants: 4 };

impl Site {
    /// A fill with its first bytes.
    async fn begun(&self, plan: FillPlan, first: &[u8]) -> (Arc<FillPlan>, MissHandler) {
        let plan = Arc::new(plan);
        let mut handler = self.begin(plan.clone()).await.unwrap();
        handler.write_body(Bytes::copy_from_slice(first), false).await.unwrap();
        (plan, handler)
    }

    async fn join(&self, path: &str, accept: &str) -> Option<(CacheMeta, HitHandler)> {
        self.lookup(sharing_view(path, accept, &[])).await
    }
}

fn joined(answer: &Option<(CacheMeta, HitHandler)>) -> bool {
    answer.as_ref().is_some_and(|(meta, _)| meta.extensions().get::<Joined>().is_some())
}

async fn end(mut fill: MissHandler, last: &[u8]) {
    fill.write_body(Bytes::copy_from_slice(last), true).await.unwrap();
    fill.finish().await.unwrap();
}

#[tokio::test]
async fn who_comes_during_a_fill_reads_along_and_finds_it_stored_after() {
    let site = site();
    let tagged = FillPlan { app_etag: Some(strong("v1")), ..plan("/a", Brotli) };
    let coded = encode(&text(50_000), Brotli);
    let (first, last) = coded.split_at(coded.len() / 2);
    let (plan, fill) = site.begun(tagged, first).await;
    assert_eq!(site.memory.live_fills(), 1);
    let (meta, mut reader) = site.join("/a", "gzip, br").await.expect("joined");
    assert_eq!(meta.headers().get("etag").unwrap(), "\"v1-br\"");
    assert_eq!(meta.headers().get("content-encoding").unwrap(), "br");
    assert_eq!(meta.headers().get("vary").unwrap(), "accept-encoding");
    assert!(meta.is_fresh(SystemTime::now()) && !reader.can_seek());
    assert_eq!(reader.read_body().await.unwrap().unwrap(), first, "before the rest has come");
    assert!(plan.outcome.get().is_none(), "undecided");

    end(fill, last).await;
    assert_eq!(read_all(&mut reader).await.unwrap().0, last);
    assert_eq!((site.memory.live_fills(), site.memory.fills_in_flight()), (0, 0));
    let after = site.join("/a", "br").await;
    assert!(!joined(&after), "stored now");
    assert_eq!(read_all(&mut after.unwrap().1).await.unwrap().0, coded);
}

#[tokio::test]
async fn a_tag_that_only_the_content_gives_is_not_there_yet() {
    let site = site();
    let (_, fill) = site.begun(FillPlan { length: Some(8), ..plan("/a", Identity) }, b"half").await;
    let (meta, mut reader) = site.join("/a", "identity").await.expect("joined");
    assert_eq!(meta.headers().get("etag"), None);
    assert_eq!(meta.headers().get("content-length").unwrap(), "8");
    // The length is known, so a part can be asked for that has not come yet.
    reader.seek(2, Some(6)).unwrap();
    let part = tokio::spawn(async move { read_all(&mut reader).await.unwrap().0 });
    end(fill, b"half").await;
    assert_eq!(part.await.unwrap(), b"lfha");
    assert!(site.get("/a", "identity").await.unwrap().field("etag").is_some());
}

#[tokio::test]
async fn a_coding_that_is_not_coming_in_is_made_of_it_when_it_is_whole() {
    let site = site();
    let body = text(50_000);
    let coded = encode(&body, Brotli);
    let (first, last) = coded.split_at(coded.len() / 2);
    let (plan, fill) = site.begun(plan("/a", Brotli), first).await;
    let _ = plan.body.identity_length.set(body.len() as u64);
    let waiting = tokio::spawn({
        let site = site.clone();
        async move {
            let (meta, mut reader) = site.join("/a", "gzip").await.expect("derived");
            let derived = meta.extensions().get::<Found>().unwrap().derived;
            (derived, decode(&read_all(&mut reader).await.unwrap().0, Gzip))
        }
    });
    tokio::task::yield_now().await;
    end(fill, last).await;
    assert_eq!(timeout(60 * SECOND, waiting).await.expect("woken").unwrap(), (true, body.into()));
}

#[tokio::test]
async fn waiting_for_another_coding_has_an_end() {
    let site = site();
    let first = cache_key(sharing_view("/a", "br", &[]));
    let Locked::Write(permit) = site.memory.lock(&first, false) else { panic!("nobody fetches") };
    let (_, _fill) = site.begun(plan("/a", Brotli), b"some").await;
    let soon = Instant::now() + Duration::from_millis(30);
    let view = Arc::new(RequestView {
        sharing: Sharing::new(Some(soon), false),
        ..Arc::unwrap_or_clone(view("/a", "gzip", &[]))
    });
    assert!(site.lookup(view.clone()).await.is_none());
    assert!(view.sharing.waited());
    match site.memory.lock(&cache_key(view.clone()), false) {
        Locked::Read(lock) => assert!(!lock.locked() && lock.lock_status() == LockStatus::GiveUp),
        Locked::Write(_) => panic!("a second fill of the same"),
    }
    assert_eq!(view.sharing.alone(), Some(Alone::Late));
    site.memory.release(&first, permit, LockStatus::Done);
}

#[tokio::test]
async fn what_is_for_others_is_not_joined() {
    let site = site();
    let german = headers(&[("accept-language", "de")]);
    let varied = FillPlan { selector: selector("accept-language", &german), ..plan("/varied", Brotli) };
    let (_, _one) = site.begun(varied, b"some").await;
    let of = |language| sharing_view("/varied", "br", &[("accept-language", language)]);
    assert!(joined(&site.lookup(of("de")).await));
    assert!(site.lookup(of("fr")).await.is_none());

    let parted = KeyRules { headers: vec![http::header::ACCEPT_LANGUAGE], ..KeyRules::default() }.partition(&german);
    let (_, _two) = site.begun(FillPlan { partition: parted, ..plan("/parted", Brotli) }, b"some").await;
    assert!(site.join("/parted", "br").await.is_none());

    let gzipped = headers(&[("content-encoding", "gzip")]);
    let (_, _three) = site.begun(FillPlan { codable: false, head: gzipped, ..plan("/coded", Identity) }, b"some").await;
    assert!(joined(&site.join("/coded", "gzip").await));
    assert!(site.join("/coded", "br").await.is_none());

    // A request that wants nothing of what was fetched for others.
    let (_, _four) = site.begun(plan("/a", Brotli), b"some").await;
    assert!(site.get("/a", "br").await.is_none());
}

#[tokio::test]
async fn what_must_be_validated_is_not_joined() {
    let site = site();
    let no_cache = Freshness { no_cache: true, ..freshness(60 * SECOND) };
    let (_, _one) = site.begun(FillPlan { freshness: no_cache, ..plan("/a", Identity) }, b"some").await;
    let (_, _two) =
        site.begun(FillPlan { freshness: freshness(Duration::ZERO), ..plan("/b", Identity) }, b"some").await;
    assert!(site.join("/a", "").await.is_none() && site.join("/b", "").await.is_none());
    assert_eq!(site.memory.live_fills(), 0);
}

/// In line behind each other, the last of many would wait as long as all of them.
#[tokio::test]
async fn nobody_waits_for_what_is_validated_at_each_use() {
    let site = site();
    let key_of = |path| cache_key(sharing_view(path, "", &[]));
    let no_cache = Freshness { no_cache: true, ..freshness(60 * SECOND) };
    for (path, freshness) in [("/a", no_cache), ("/b", freshness(Duration::ZERO))] {
        let plan = || FillPlan { freshness, app_etag: Some(strong("v1")), ..plan(path, Identity) };
        // The first time, nobody knows before the head.
        let Locked::Write(first) = site.memory.lock(&key_of(path), false) else { panic!("nobody fetches") };
        let Locked::Read(waiting) = site.memory.lock(&key_of(path), false) else { panic!("two fetch") };
        assert!(waiting.locked());
        let (_, fill) = site.begun(plan(), b"some").await;
        assert!(!waiting.locked() && waiting.lock_status() == LockStatus::GiveUp, "{path}");
        end(fill, b"").await;
        site.memory.release(&key_of(path), first, LockStatus::Done);
        let asking = [(); 3].map(|()| match site.memory.lock(&key_of(path), true) {
            Locked::Write(permit) => permit,
            Locked::Read(_) => panic!("{path} stands in line"),
        });
        for permit in asking {
            site.memory.release(&key_of(path), permit, LockStatus::Done);
        }
    }
    // A stale answer serves while one of them asks.
    let serving = Freshness { stale_while_revalidate: 60 * SECOND, ..freshness(Duration::ZERO) };
    site.fill_raw(FillPlan { freshness: serving, app_etag: Some(strong("v1")), ..plan("/c", Identity) }, b"some").await;
    let Locked::Write(refresh) = site.memory.lock(&key_of("/c"), true) else { panic!("nobody fetches") };
    assert!(matches!(site.memory.lock(&key_of("/c"), true), Locked::Read(lock) if lock.locked()));
    site.memory.release(&key_of("/c"), refresh, LockStatus::Done);
}

#[tokio::test]
async fn what_is_stored_comes_first_while_it_serves() {
    let site = site();
    let stale = Freshness { age: 120 * SECOND, ..freshness(60 * SECOND) };
    let serving = Freshness { stale_while_revalidate: 300 * SECOND, ..stale };
    for (path, freshness, expected) in
        [("/fresh", freshness(60 * SECOND), false), ("/swr", serving, false), ("/stale", stale, true)]
    {
        // With a validator, so that what is stale is kept.
        let before = FillPlan { freshness, app_etag: Some(strong("v0")), ..plan(path, Identity) };
        site.fill_raw(before, b"before").await;
        let (_, _fill) = site.begun(plan(path, Identity), b"after").await;
        assert_eq!(joined(&site.join(path, "").await), expected, "{path}");
    }
}

#[tokio::test]
async fn a_purge_parts_those_who_came_before_from_those_who_come_after() {
    let site = site();
    let (_, fill) = site.begun(plan("/a", Identity), b"half").await;
    let (_, mut before) = site.join("/a", "").await.expect("joined");
    site.memory.purge(&key("/a"));
    assert!(site.join("/a", "").await.is_none(), "those bytes were purged");
    end(fill, b"half").await;
    assert_eq!(read_all(&mut before).await.unwrap().0, b"halfhalf");
    assert!(site.join("/a", "").await.is_none());
    assert_eq!(site.memory.fills_in_flight(), 0);

    // Purged between the request to the app and its head: nobody may share it, and nobody need wait for it.
    let began = site.memory.purge_epoch();
    let first = cache_key(sharing_view("/a", "", &[]));
    let Locked::Write(permit) = site.memory.lock(&first, false) else { panic!("nobody fetches") };
    let Locked::Read(waiting) = site.memory.lock(&cache_key(sharing_view("/a", "", &[])), false) else {
        panic!("two fetch")
    };
    site.memory.sweep(&Scope::Everything, Effect::Remove);
    let (_, _fill) = site.begun(FillPlan { purge_epoch: began, ..plan("/a", Identity) }, b"half").await;
    assert!(!waiting.locked() && waiting.lock_status() == LockStatus::TransientError);
    assert!(site.join("/a", "").await.is_none());
    match site.memory.lock(&cache_key(sharing_view("/a", "", &[])), false) {
        Locked::Write(next) => site.memory.release(&first, next, LockStatus::Done),
        Locked::Read(_) => panic!("it waits for what was purged"),
    }
    site.memory.release(&first, permit, LockStatus::Done);
}

#[tokio::test]
async fn no_purge_that_covers_a_fill_lets_it_be_joined() {
    let covering = [
        Scope::Resource(key("/a")),
        Scope::Tag("news".into()),
        Scope::Prefix("http://example.com/".into()),
        Scope::Host("example.com".into()),
        Scope::Everything,
    ];
    let other = [Scope::Resource(key("/b")), Scope::Tag("old".into()), Scope::Prefix("http://example.com/b".into())];
    let scopes = covering.into_iter().map(|scope| (scope, true)).chain(other.into_iter().map(|scope| (scope, false)));
    for (scope, covers) in scopes {
        for effect in [Effect::Remove, Effect::Expire] {
            let site = site();
            let tagged = FillPlan {
                tags: vec!["top".to_owned(), "news".to_owned()],
                url: "http://example.com/a".into(),
                ..plan("/a", Identity)
            };
            let (_, fill) = site.begun(tagged, b"half").await;
            assert!(joined(&site.join("/a", "").await));
            site.memory.sweep(&scope, effect);
            assert_eq!(joined(&site.join("/a", "").await), !covers, "{scope}, {effect:?}");
            end(fill, b"half").await;
            assert_eq!(site.join("/a", "").await.is_none(), covers, "{scope}, {effect:?}");
        }
    }
}

#[tokio::test]
async fn a_fill_that_breaks_off_cuts_off_all_who_read_along() {
    let site = site();
    let (plan, fill) = site.begun(plan("/a", Identity), b"half").await;
    let (_, mut reader) = site.join("/a", "").await.expect("joined");
    assert_eq!(reader.read_body().await.unwrap().unwrap(), b"half"[..]);
    let rest = tokio::spawn(async move { reader.read_body().await });
    tokio::task::yield_now().await;
    drop(fill);
    let error = rest.await.unwrap().expect_err("never a clean end");
    assert_eq!(*error.esource(), pingora::ErrorSource::Upstream);
    assert_eq!(plan.outcome.get(), Some(&FillOutcome::Refused(Refusal::Aborted)));
    assert!(site.join("/a", "").await.is_none());
    assert_eq!((site.memory.live_fills(), site.memory.fills_in_flight()), (0, 0));
}

#[tokio::test]
async fn a_body_that_outgrows_the_cache_reaches_those_who_read_along() {
    let site = site_with(SMALL);
    let body = text(1_000_000);
    let (plan, mut fill) = site.begun(plan("/a", Identity), &body[..50_000]).await;
    let readers: Vec<_> =
        [0, 1, 5].map(async |pauses| site.join("/a", "").await.map(|(_, reader)| (pauses, reader))).into();
    let mut reading = tokio::task::JoinSet::new();
    for reader in readers {
        let (pauses, mut reader) = reader.await.expect("joined");
        reading.spawn(async move {
            let mut seen = Vec::new();
            while let Some(slice) = reader.read_body().await.unwrap() {
                seen.extend_from_slice(&slice);
                for _ in 0..pauses {
                    tokio::task::yield_now().await;
                }
            }
            seen
        });
    }
    for chunk in body[50_000..].chunks(30_000) {
        fill.write_body(Bytes::copy_from_slice(chunk), false).await.unwrap();
        assert!(site.memory.fills_in_flight() < 400_000, "{}", site.memory.fills_in_flight());
    }
    assert_eq!(plan.outcome.get(), Some(&FillOutcome::Refused(Refusal::TooLarge)));
    assert!(site.join("/a", "").await.is_none(), "nobody new");
    end(fill, b"").await;
    while let Some(seen) = timeout(60 * SECOND, reading.join_next()).await.expect("all are served") {
        assert!(seen.unwrap() == body);
    }
    assert!(site.memory.known_oversize(&key("/a")));
    assert_eq!((site.memory.entries(), site.memory.live_fills(), site.memory.fills_in_flight()), (0, 0, 0));
}

#[tokio::test]
async fn over_the_budget_those_who_read_along_are_served_all_the_same() {
    let site = site_with(SMALL);
    let (_, _other) = site.begun(FillPlan { length: Some(100_000), ..plan("/other", Identity) }, b"x").await;
    let (_, _another) = site.begun(FillPlan { length: Some(100_000), ..plan("/another", Identity) }, b"x").await;
    let body = text(90_000);
    let (plan, mut fill) = site.begun(plan("/a", Identity), &body[..10_000]).await;
    let (_, mut reader) = site.join("/a", "").await.expect("joined");
    let reading = tokio::spawn(async move { read_all(&mut reader).await.unwrap().0 });
    fill.write_body(Bytes::copy_from_slice(&body[10_000..80_000]), false).await.unwrap();
    assert_eq!(plan.outcome.get(), Some(&FillOutcome::Refused(Refusal::OverBudget)));
    end(fill, &body[80_000..]).await;
    assert!(timeout(60 * SECOND, reading).await.expect("served").unwrap() == body);
    assert!(!site.memory.known_oversize(&key("/a")));
    assert_eq!(site.memory.fills_in_flight(), 200_000);
}

/// It asked for a part that had not come when the body turned out not to be kept.
#[tokio::test]
async fn a_reader_ahead_of_a_relay_neither_breaks_it_nor_holds_it_up() {
    let site = site_with(Limits { capacity: 8 << 20, fills: 2 << 20, max_object: 4 << 20, max_variants: 4 });
    let body = text(3 << 20);
    let (plan, mut fill) =
        site.begun(FillPlan { length: Some(body.len() as u64), ..plan("/a", Identity) }, &body[..100_000]).await;
    let (_, mut part) = site.join("/a", "").await.expect("joined");
    let (from, to) = (body.len() - 50_000, body.len() - 10_000);
    part.seek(from, Some(to)).unwrap();
    let part = tokio::spawn(async move { read_all(&mut part).await.unwrap().0 });
    tokio::task::yield_now().await;
    let (_, mut whole) = site.join("/a", "").await.expect("joined");
    let whole = tokio::spawn(async move { read_all(&mut whole).await.unwrap().0 });
    let write = async {
        for chunk in body[100_000..].chunks(60_000) {
            fill.write_body(Bytes::copy_from_slice(chunk), false).await.unwrap();
            assert!(site.memory.fills_in_flight() <= (4 << 20), "{}", site.memory.fills_in_flight());
        }
        end(fill, b"").await;
    };
    timeout(60 * SECOND, write).await.expect("nobody holds it up");
    assert_eq!(plan.outcome.get(), Some(&FillOutcome::Refused(Refusal::OverBudget)));
    assert!(timeout(60 * SECOND, part).await.expect("served").unwrap() == body[from..to]);
    assert!(timeout(60 * SECOND, whole).await.expect("served").unwrap() == body);
    assert_eq!((site.memory.live_fills(), site.memory.fills_in_flight()), (0, 0));
}

#[tokio::test]
async fn as_many_wait_for_the_end_as_may() {
    let counts = Arc::new(Counts::default());
    let memory: &'static Memory = Box::leak(Box::new(Memory::new(SMALL, room(), counts.clone())));
    memory.allow_waiters(1);
    let site = Site { memory, counts };
    let first = cache_key(sharing_view("/a", "br", &[]));
    let Locked::Write(permit) = memory.lock(&first, false) else { panic!("nobody fetches") };
    let (_, fill) = site.begun(plan("/a", Brotli), b"some").await;
    let waiting = tokio::spawn({
        let site = site.clone();
        async move { site.join("/a", "gzip").await.is_some() }
    });
    tokio::task::yield_now().await;
    let crowded = sharing_view("/a", "gzip", &[]);
    assert!(timeout(60 * SECOND, site.lookup(crowded.clone())).await.expect("at once").is_none());
    assert_eq!((crowded.sharing.alone(), crowded.sharing.waited()), (Some(Alone::Crowded), false));
    match memory.lock(&cache_key(crowded), false) {
        Locked::Read(lock) => assert!(!lock.locked() && lock.lock_status() == LockStatus::GiveUp),
        Locked::Write(_) => panic!("a second fill of the same"),
    }
    assert!(joined(&site.join("/a", "br").await), "who reads along does not count");
    drop(fill);
    memory.release(&first, permit, LockStatus::TransientError);
    assert!(!timeout(60 * SECOND, waiting).await.expect("woken").unwrap());
    assert!(site.memory.live_fills() == 0);
}

#[tokio::test]
async fn as_many_wait_as_may() {
    let counts = Arc::new(Counts::default());
    let memory: &'static Memory = Box::leak(Box::new(Memory::new(SMALL, room(), counts)));
    memory.allow_waiters(2);
    let ask = || {
        let view = sharing_view("/a", "", &[]);
        (memory.lock(&cache_key(view.clone()), false), view)
    };
    let (Locked::Write(permit), _) = ask() else { panic!("nobody fetches") };
    let waiting = [ask(), ask()];
    assert!(waiting.iter().all(|(lock, _)| matches!(lock, Locked::Read(lock) if lock.locked())));
    let (Locked::Read(away), view) = ask() else { panic!("two fetch") };
    assert_eq!((away.lock_status(), view.sharing.alone()), (LockStatus::GiveUp, Some(Alone::Crowded)));
    drop(waiting);
    assert!(matches!(ask().0, Locked::Read(lock) if lock.locked()), "there is room again");
    memory.release(&cache_key(sharing_view("/a", "", &[])), permit, LockStatus::Done);
}

/// The platform hands it the lock that it came with where it finds something stale, and nowhere else.
#[tokio::test]
async fn a_refresh_does_not_wait_for_itself() {
    let site = site();
    let of = |sharing| cache_key(Arc::new(RequestView { sharing, ..Arc::unwrap_or_clone(view("/a", "", &[])) }));
    let key = of(Sharing::default());
    let Locked::Write(own) = site.memory.lock(&key, true) else { panic!("nobody fetches") };
    let Locked::Read(waiting) = site.memory.lock(&key, false) else { panic!("two fetch") };
    assert!(matches!(site.memory.lock(&of(Sharing::of_refresh()), true), Locked::Read(_)));
    let Locked::Write(another) = site.memory.lock(&of(Sharing::of_refresh()), false) else { panic!("it waits") };
    site.memory.release(&key, own, LockStatus::TransientError);
    assert!(!waiting.locked(), "who waited for the first looks again");
    let Locked::Read(waiting) = site.memory.lock(&key, false) else { panic!("two fetch") };
    assert!(waiting.locked(), "and waits for the second");
    site.memory.release(&key, another, LockStatus::Done);
}

/// The platform's machine: the others are woken by the head of the fill, not by its end.
#[tokio::test]
async fn those_who_wait_wake_up_with_the_head() {
    let site = site();
    let first = cache_key(sharing_view("/a", "", &[]));
    let Locked::Write(permit) = site.memory.lock(&first, false) else { panic!("nobody fetches") };
    let waiting = tokio::spawn({
        let site = site.clone();
        async move {
            let Locked::Read(lock) = site.memory.lock(&cache_key(sharing_view("/a", "", &[])), false) else {
                panic!("two fetch")
            };
            lock.wait().await;
            assert_eq!(lock.lock_status(), LockStatus::Done);
            let (_, mut reader) = site.join("/a", "").await.expect("joined");
            reader.read_body().await.unwrap().unwrap()
        }
    });
    tokio::task::yield_now().await;
    let (_, fill) = site.begun(plan("/a", Identity), b"half").await;
    assert_eq!(timeout(60 * SECOND, waiting).await.expect("woken").unwrap(), b"half"[..]);
    end(fill, b"").await;
    site.memory.release(&first, permit, LockStatus::Done);
}
