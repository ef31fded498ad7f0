//! Stored bodies compressed again: what is swapped, under which tag, and what must never be swapped in.

use super::improve::{Config, Item, Load, Pressure};
use super::*;
use crate::encode::{Best, Budget};
use proptest::prelude::*;

const CONFIG: Config = Config { after_hits: 3, best: Best { brotli: 11, zstd: 19 }, min_size: 1024 };
/// For all encoders: the improver may have three quarters of it.
const ROOM: u64 = 64 << 20;
const CODINGS: [(Coding, &str); 3] = [(Brotli, "br"), (Zstd, "zstd"), (Gzip, "gzip")];

fn improving(config: Config) -> Site {
    let counts = Arc::new(Counts::default());
    let limits = Limits { capacity: 64 << 20, fills: 16 << 20, max_object: 4 << 20, max_variants: 4 };
    let memory =
        Box::leak(Box::new(Memory::new(limits, Arc::new(Budget::new(ROOM)), counts.clone()).improving(config)));
    Site { memory, counts }
}

fn start(site: &Site, pressure: impl Fn() -> Load + Send + Sync + 'static) -> Improver {
    Improver::start(site.memory, Box::new(pressure)).unwrap().unwrap()
}

/// Text that a better encoder makes something of.
fn prose(length: usize) -> Vec<u8> {
    let mut state = length as u64 | 1;
    let mut roll = |sides: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % sides
    };
    let words: Vec<String> =
        (0..600).map(|_| (0..2 + roll(9)).map(|_| (b'a' + roll(26) as u8) as char).collect()).collect();
    let mut text = String::new();
    while text.len() < length {
        text += &words[(roll(600) * roll(600) / 600) as usize];
        text += if roll(9) == 0 { ".\n" } else { " " };
    }
    text.truncate(length);
    text.into_bytes()
}

impl Site {
    /// Waits until so many bodies were improved, or not.
    async fn concluded(&self, count: usize) {
        let start = Instant::now();
        while self.counts.improved.lock().len() + self.counts.unimproved.lock().len() < count {
            assert!(start.elapsed() < 60 * SECOND, "{:?}", self.counts.unimproved.lock());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn encoders(&self) -> &'static Arc<Budget> {
        self.memory.backlog().unwrap().encoders()
    }

    /// What the encoders hold now.
    fn heap(&self) -> u64 {
        self.encoders().reserved()
    }

    fn waiting(&self) -> Vec<Item> {
        self.memory.backlog().unwrap().waiting()
    }

    /// Waits until something had to make way.
    async fn postponed(&self) -> Item {
        let start = Instant::now();
        loop {
            if let Some(item) = self.waiting().into_iter().find(|item| item.delays > 0) {
                return item;
            }
            assert!(start.elapsed() < 60 * SECOND);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn reasons(&self) -> Vec<Unimproved> {
        self.counts.unimproved.lock().clone()
    }

    async fn heat(&self, path: &str, accept: &str, hits: usize) -> Read {
        for _ in 1..hits {
            self.get(path, accept).await.unwrap();
        }
        self.get(path, accept).await.unwrap()
    }

    fn variant(&self, path: &str) -> Arc<Variant> {
        self.memory.peek(&key(path)).unwrap().variants()[0].clone()
    }

    fn swap(&self, of: &Variant, began: u64) -> bool {
        let old = of.representation(Brotli).unwrap();
        let new = Representation::improved(of.common(), Brotli, encode(b"smaller", Brotli)).unwrap();
        self.memory.swap(key("/a"), of.generation, old, &new, began)
    }
}

#[tokio::test]
async fn what_is_hot_becomes_smaller_under_a_new_tag() {
    let body = prose(60_000);
    for (coding, accept) in CODINGS {
        let site = improving(CONFIG);
        let improver = start(&site, || Load::Calm);
        site.fill(FillPlan { app_etag: Some(strong("v1")), ..plan("/a", coding) }, &body).await;
        let cold = site.heat("/a", accept, 2).await;
        assert_eq!(cold.field("etag").map(str::to_owned), Some(format!("\"v1-{accept}\"")));
        site.get("/a", accept).await.unwrap();
        site.concluded(1).await;
        improver.stopped();
        let hot = site.get("/a", accept).await.unwrap();
        assert_eq!(hot.plain(), body, "{accept}");
        assert_eq!(hot.field("content-length"), Some(hot.body.len().to_string().as_str()));
        if coding == Gzip {
            // zlib has little more to give.
            continue;
        }
        assert!(hot.body.len() * 100 < cold.body.len() * 98, "{accept}: {} to {}", cold.body.len(), hot.body.len());
        let tag = EntityTag::of(&hot.meta.response_header().headers).unwrap();
        assert_eq!(tag.split_coding(), (strong("v1"), Some(coding)));
        assert_ne!(Some(tag), EntityTag::of(&cold.meta.response_header().headers));
        assert_eq!(site.memory.bytes(), site.memory.peek(&key("/a")).unwrap().weight());
        let told = site.counts.improved.lock()[0];
        assert_eq!((told.before, told.after), (cold.body.len() as u64, hot.body.len() as u64));
        assert_eq!((site.memory.entries(), site.memory.objects()), (1, 1));
    }
}

#[tokio::test]
async fn each_body_is_tried_once() {
    let site = improving(CONFIG);
    let improver = start(&site, || Load::Calm);
    site.fill(plan("/good", Brotli), &prose(20_000)).await;
    site.heat("/good", "br", 3).await;
    site.concluded(1).await;
    // Short, and all has been said in the first line.
    site.fill(plan("/done", Brotli), &b"x".repeat(5_000)).await;
    site.heat("/done", "br", 50).await;
    site.heat("/good", "br", 50).await;
    // In order: what is offered last is worth least.
    site.fill(plan("/last", Brotli), &prose(15_000)).await;
    site.heat("/last", "br", 3).await;
    site.concluded(2).await;
    improver.stopped();
    assert_eq!((site.counts.improved.lock().len(), site.reasons().len()), (2, 0));
}

#[tokio::test]
async fn what_gains_nothing_is_left_and_not_tried_again() {
    let site = improving(CONFIG);
    let noise: Vec<u8> = prose(20_000).chunks(4).map(|four| blake3::hash(four).as_bytes()[0]).collect();
    let improver = start(&site, || Load::Calm);
    site.fill(plan("/a", Brotli), &noise).await;
    site.heat("/a", "br", 3).await;
    site.concluded(1).await;
    let hot = site.heat("/a", "br", 60).await;
    improver.stopped();
    assert_eq!(site.reasons(), [Unimproved::NoGain]);
    assert_eq!(hot.plain(), noise);
    assert!(site.variant("/a").is_settled(Brotli));
}

#[tokio::test]
async fn what_is_not_to_be_improved_is_never_looked_at() {
    let site = improving(CONFIG);
    let app_coded = encode(&prose(20_000), Gzip);
    let head = headers(&[("content-encoding", "gzip")]);
    site.fill_raw(FillPlan { head, codable: false, ..plan("/coded", Identity) }, &app_coded).await;
    site.fill(plan("/plain", Identity), &prose(20_000)).await;
    site.fill(plan("/tiny", Brotli), &prose(1_000)).await;
    site.fill(FillPlan { freshness: freshness(SECOND), ..plan("/brief", Brotli) }, &prose(20_000)).await;
    site.fill(plan("/cold", Brotli), &prose(20_000)).await;
    for (path, accept, hits) in
        [("/coded", "gzip", 9), ("/plain", "", 9), ("/tiny", "br", 9), ("/brief", "br", 9), ("/cold", "br", 2)]
    {
        site.heat(path, accept, hits).await;
    }
    assert_eq!(site.waiting().len(), 0);
    site.get("/cold", "br").await.unwrap();
    assert_eq!(site.waiting().len(), 1);

    let off = super::site();
    off.fill(plan("/a", Brotli), &prose(20_000)).await;
    off.heat("/a", "br", 9).await;
    assert!(off.memory.backlog().is_none());
    assert!(Improver::start(off.memory, Box::new(|| Load::Calm)).unwrap().is_none());
}

#[tokio::test]
async fn other_bytes_are_swapped_in_only_for_those_they_were_made_of() {
    let swapped = |site: &Site| site.variant("/a").representation(Brotli).unwrap().improved;
    let body = prose(20_000);

    let undisturbed = improving(CONFIG);
    undisturbed.fill(plan("/a", Brotli), &body).await;
    let before = undisturbed.variant("/a");
    assert!(undisturbed.swap(&before, undisturbed.memory.purge_epoch()) && swapped(&undisturbed));
    assert!(!undisturbed.swap(&before, undisturbed.memory.purge_epoch()), "not those bytes any more");

    let newer = improving(CONFIG);
    newer.fill(plan("/a", Brotli), &body).await;
    let (before, began) = (newer.variant("/a"), newer.memory.purge_epoch());
    newer.fill(plan("/a", Brotli), &body).await;
    assert!(!newer.swap(&before, began) && !swapped(&newer), "a newer answer");

    let purged = improving(CONFIG);
    purged.fill(plan("/a", Brotli), &body).await;
    let (before, began) = (purged.variant("/a"), purged.memory.purge_epoch());
    purged.memory.purge(&key("/a"));
    assert!(!purged.swap(&before, began) && purged.memory.peek(&key("/a")).is_none(), "a purge");

    let soft = improving(CONFIG);
    soft.fill(plan("/a", Brotli), &body).await;
    let (before, began) = (soft.variant("/a"), soft.memory.purge_epoch());
    soft.memory.sweep(&Scope::Resource(key("/a")), Effect::Expire);
    assert!(!soft.swap(&before, began) && !swapped(&soft), "a soft purge");
    assert!(soft.variant("/a").stored_freshness(Moment::now()).fresh_until <= SystemTime::now());
}

#[tokio::test]
async fn a_304_meanwhile_is_not_undone_and_keeps_the_tag() {
    let site = improving(CONFIG);
    let body = prose(20_000);
    site.fill(FillPlan { app_etag: Some(strong("v1")), ..plan("/a", Brotli) }, &body).await;
    let (before, began) = (site.variant("/a"), site.memory.purge_epoch());
    let refresh = |from: &str| RefreshPlan {
        selector: Selector::default(),
        tags: [].into(),
        key: key("/a"),
        generation: before.generation,
        head: headers(&[("x-from", from)]),
        app_etag: None,
        freshness: freshness(60 * SECOND),
        now: SystemTime::now(),
        purge_epoch: began,
    };
    assert!(site.memory.refresh(&refresh("304")));
    assert!(site.swap(&before, began));
    let hit = site.get("/a", "br").await.unwrap();
    assert_eq!((hit.field("x-from"), &hit.plain()[..]), (Some("304"), &b"smaller"[..]));
    let tag = hit.field("etag").unwrap().to_owned();
    assert!(tag.starts_with("\"v1-br."), "{tag}");
    assert!(site.memory.refresh(&refresh("another")));
    let hit = site.get("/a", "br").await.unwrap();
    assert_eq!((hit.field("x-from"), hit.field("etag")), (Some("another"), Some(tag.as_str())));
}

/// In the middle of the work, when the improver asks how busy it is.
#[tokio::test]
async fn a_purge_during_the_work_wins() {
    let site = improving(CONFIG);
    site.fill(plan("/a", Brotli), &prose(600_000)).await;
    site.heat("/a", "br", 3).await;
    let memory = site.memory;
    let improver = start(&site, move || {
        if memory.backlog().unwrap().encoders().reserved() > 0 {
            memory.purge(&key("/a"));
        }
        Load::Calm
    });
    site.concluded(1).await;
    improver.stopped();
    assert_eq!(site.reasons(), [Unimproved::Gone]);
    assert!(site.memory.peek(&key("/a")).is_none());
    assert_eq!(site.heap(), 0);
}

#[tokio::test]
async fn a_body_that_does_not_decode_is_dropped() {
    let site = improving(CONFIG);
    let mut broken = encode(&prose(20_000), Brotli).to_vec();
    broken.truncate(broken.len() - 10);
    let plan = plan("/a", Brotli);
    let _ = plan.body.identity_length.set(20_000);
    site.fill_raw(plan, &broken).await;
    site.heat_raw("/a", 3).await;
    let improver = start(&site, || Load::Calm);
    site.concluded(1).await;
    improver.stopped();
    assert_eq!(site.reasons(), [Unimproved::Corrupt]);
    assert!(site.memory.peek(&key("/a")).is_none());
}

impl Site {
    async fn heat_raw(&self, path: &str, hits: usize) {
        for _ in 0..hits {
            self.lookup(view(path, "br", &[])).await.unwrap();
        }
    }
}

#[tokio::test]
async fn work_under_way_is_broken_off_when_it_is_time_to_stop() {
    let site = improving(CONFIG);
    let body = prose(1_000_000);
    site.fill(plan("/a", Brotli), &body).await;
    site.heat("/a", "br", 3).await;
    let improver = start(&site, || Load::Calm);
    while site.heap() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(site.heap() <= 40 << 20, "{}", site.heap());
    improver.stopped();
    assert_eq!((site.counts.improved.lock().len(), site.reasons().len()), (0, 0));
    assert_eq!(site.get("/a", "br").await.unwrap().plain(), body);
}

#[tokio::test]
async fn it_takes_no_memory_that_others_need_and_comes_back() {
    let site = improving(CONFIG);
    site.fill(plan("/a", Brotli), &prose(600_000)).await;
    site.heat("/a", "br", 3).await;
    let taken = site.encoders().reserve(ROOM - 1000).unwrap();
    let improver = start(&site, || Load::Calm);
    let item = site.postponed().await;
    assert_eq!((item.failures, item.delays), (0, 1));
    assert_eq!((site.heap(), site.reasons().len()), (ROOM - 1000, 0), "nothing of it was taken");
    drop(taken);
    improver.stopped();
    assert_eq!(site.heap(), 0);
}

/// In the middle of the work, when the improver asks how busy it is.
#[tokio::test]
async fn it_gives_its_memory_back_when_others_need_it() {
    let site = improving(CONFIG);
    let body = prose(600_000);
    site.fill(plan("/a", Brotli), &body).await;
    site.heat("/a", "br", 3).await;
    let (others, encoders) = (Arc::new(Mutex::new(Vec::new())), site.encoders());
    let theirs = others.clone();
    let improver = start(&site, move || {
        if encoders.reserved() > 0 && !encoders.is_short() {
            theirs.lock().extend(encoders.reserve(ROOM - encoders.reserved()));
        }
        Load::Calm
    });
    let item = site.postponed().await;
    assert_eq!((item.failures, item.delays), (0, 1));
    improver.stopped();
    others.lock().clear();
    assert_eq!((site.heap(), site.reasons().len()), (0, 0));
    assert_eq!(site.get("/a", "br").await.unwrap().plain(), body);
}

#[tokio::test]
async fn nothing_is_done_while_the_process_is_saturated() {
    let site = improving(CONFIG);
    let saturated = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let asked = Arc::new(AtomicU64::new(0));
    let pressure: Pressure = {
        let (saturated, asked) = (saturated.clone(), asked.clone());
        Box::new(move || {
            asked.fetch_add(1, Ordering::Relaxed);
            if saturated.load(Ordering::Relaxed) { Load::Saturated } else { Load::Calm }
        })
    };
    let improver = Improver::start(site.memory, pressure).unwrap().unwrap();
    site.fill(plan("/a", Brotli), &prose(20_000)).await;
    site.heat("/a", "br", 3).await;
    while asked.load(Ordering::Relaxed) < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!((site.counts.improved.lock().len(), site.heap()), (0, 0));
    saturated.store(false, Ordering::Relaxed);
    site.concluded(1).await;
    assert_eq!(site.counts.improved.lock().len(), 1);
    improver.stopped();
}

fn any_content() -> impl Strategy<Value = Vec<u8>> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..5_000);
    let repeated =
        (proptest::collection::vec(any::<u8>(), 1..300), 1_usize..200).prop_map(|(piece, times)| piece.repeat(times));
    prop_oneof![bytes, repeated, (0_usize..80_000).prop_map(prose), (0_usize..80_000).prop_map(text)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_the_content_it_is_the_same_afterwards(contents in proptest::collection::vec(any_content(), 1..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let site = improving(Config { after_hits: 1, min_size: 0, ..CONFIG });
            let paths = ["/0", "/1", "/2"];
            for (content, path) in contents.iter().zip(paths) {
                site.fill(plan(path, Brotli), content).await;
                for (_, accept) in CODINGS {
                    site.heat(path, accept, 2).await;
                }
            }
            let due = site.waiting().len();
            let improver = start(&site, || Load::Calm);
            site.concluded(due).await;
            improver.stopped();
            prop_assert!(site.reasons().iter().all(|reason| *reason == Unimproved::NoGain), "{:?}", site.reasons());
            for (content, path) in contents.iter().zip(paths) {
                for (coding, accept) in CODINGS {
                    let hit = site.get(path, accept).await.unwrap();
                    prop_assert_eq!(hit.found().coding, coding);
                    prop_assert_eq!(&hit.plain()[..], &content[..]);
                }
            }
            Ok(())
        })?;
    }
}
