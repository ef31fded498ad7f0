//! Another capacity: what moves, what goes, and that nobody is told anything wrong meanwhile.

use super::*;

const MIB: u64 = 1 << 20;

fn limits(capacity: u64) -> Limits {
    Limits { capacity, fills: 8 * MIB, max_object: MIB, max_variants: 4 }
}

impl Site {
    async fn store(&self, path: &str, body: &[u8]) -> FillOutcome {
        let tags = vec![format!("tag:{path}")];
        let plan = FillPlan { purge_epoch: self.memory.purge_epoch(), tags, ..plan(path, Identity) };
        self.fill_raw(plan, body).await
    }

    /// What is held is what is found.
    fn assert_books(&self) {
        self.memory.settle();
        let map = self.memory.map();
        let found = map.keys_of(|_, _| true);
        let bytes: u64 = found.iter().filter_map(|key| map.get(key)).map(|resource| resource.weight()).sum();
        assert_eq!((self.memory.entries(), self.memory.bytes()), (found.len() as u64, bytes));
        assert!(bytes <= self.memory.capacity(), "{bytes} of {}", self.memory.capacity());
    }
}

#[tokio::test]
async fn more_room_keeps_everything() {
    let site = site_with(limits(MIB));
    for number in 0..100 {
        site.store(&format!("/{number}"), &text(5_000)).await;
    }
    let before = (site.memory.entries(), site.memory.objects(), site.memory.bytes());
    site.memory.resize(limits(4 * MIB));
    assert_eq!((site.memory.entries(), site.memory.objects(), site.memory.bytes()), before);
    assert_eq!((site.memory.capacity(), site.counts.evicted.lock().len()), (4 * MIB, 0));
    assert_eq!(site.get("/7", "gzip").await.unwrap().plain(), text(5_000));
    for number in 100..400 {
        site.store(&format!("/{number}"), &text(5_000)).await;
    }
    assert_eq!(site.memory.entries(), 400);
    site.assert_books();
    // What has moved is found by its tag, and under its key.
    assert_eq!(site.memory.sweep(&Scope::Tag("tag:/7".into()), Effect::Remove).objects, 1);
    assert_eq!(site.memory.purge(&key("/8")).objects, 1);
    assert!(site.get("/7", "").await.is_none() && site.get("/8", "").await.is_none());
    site.assert_books();
}

#[tokio::test]
async fn less_room_keeps_what_was_hit_most_for_its_bytes() {
    let site = site_with(limits(4 * MIB));
    for number in 0..100 {
        site.store(&format!("/{number}"), &text(20_000)).await;
    }
    let wanted = [3, 11, 42, 77, 99];
    for number in wanted {
        for _hit in 0..3 {
            assert!(site.get(&format!("/{number}"), "").await.is_some());
        }
    }
    site.store("/large", &text(200_000)).await;
    assert!(site.get("/large", "").await.is_some());
    site.memory.resize(limits(160_000));
    for number in wanted {
        assert!(site.memory.peek(&key(&format!("/{number}"))).is_some(), "{number}");
    }
    assert!(site.memory.peek(&key("/large")).is_none(), "one hit for ten times the bytes");
    let gone = 101 - site.memory.entries();
    assert_eq!(*site.counts.evicted.lock(), vec![EvictionCause::Size; usize::try_from(gone).unwrap()]);
    assert_eq!(site.memory.entries(), 7, "there is room for two more");
    site.assert_books();
}

#[tokio::test]
async fn the_room_of_fills_is_another_one_too() {
    let site = site_with(Limits { fills: 100, ..limits(MIB) });
    assert!(site.memory.share(101).is_none());
    site.memory.resize(Limits { fills: 200, ..limits(MIB) });
    let held = site.memory.share(200).unwrap();
    site.memory.resize(limits(0));
    assert!(site.memory.share(8 * MIB).is_none(), "what is held counts");
    drop(held);
    assert!(site.memory.share(8 * MIB).is_some());
}

/// One writer for each of several keys: it knows what it stored last, and what it has purged.
async fn write(site: Site, writer: usize, over: Arc<AtomicU64>) {
    let path = format!("/{writer}/page");
    let mut round = 0;
    while over.load(Ordering::Relaxed) == 0 {
        round += 1;
        let body = text(1_000 + round);
        site.store(&path, &body).await;
        for _hit in 0..2 {
            if let Some(hit) = site.get(&path, "").await {
                assert_eq!(hit.body.len(), body.len(), "the newest");
            }
        }
        let scope = match round % 4 {
            0 => Scope::Resource(key(&path)),
            1 => Scope::Tag(format!("tag:{path}").into()),
            2 => Scope::Prefix(format!("http://h/{writer}/").into()),
            _ => continue,
        };
        site.memory.sweep(&scope, Effect::Remove);
        assert!(site.memory.peek(&key(&path)).is_none(), "purged by {scope}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_purged_or_replaced_while_it_moves_does_not_come_back() {
    let site = site_with(limits(MIB));
    for number in 0..400 {
        site.store(&format!("/others/{number}"), &text(2_000)).await;
    }
    let over = Arc::new(AtomicU64::new(0));
    let writers: Vec<_> = (0..4).map(|writer| tokio::spawn(write(site.clone(), writer, over.clone()))).collect();
    let resizing = site.clone();
    let resized = tokio::task::spawn_blocking(move || {
        for capacity in [2, 4, 1, 3].iter().cycle().take(24) {
            resizing.memory.resize(limits(capacity * MIB / 2));
        }
    });
    resized.await.unwrap();
    over.store(1, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    site.assert_books();
    site.memory.sweep(&Scope::Everything, Effect::Remove);
    site.memory.settle();
    assert_eq!((site.memory.entries(), site.memory.bytes()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_purged_while_it_moves() {
    for _round in 0..10 {
        let site = site_with(limits(MIB));
        for number in 0..200 {
            site.store(&format!("/{number}"), &text(2_000)).await;
        }
        let resizing = site.clone();
        let resized = tokio::task::spawn_blocking(move || resizing.memory.resize(limits(2 * MIB)));
        site.memory.sweep(&Scope::Everything, Effect::Remove);
        let left = |number| site.memory.peek(&key(&format!("/{number}"))).is_some();
        assert_eq!((0..200).find(|number| left(*number)), None);
        resized.await.unwrap();
        assert_eq!((0..200).find(|number| left(*number)), None, "nothing comes back");
        site.assert_books();
    }
}
