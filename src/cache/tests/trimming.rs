//! A cache that may hold less than its capacity.

use super::*;

const MIB: u64 = 1 << 20;

fn full(answers: usize) -> (Site, u64) {
    let site = site_with(Limits { capacity: 8 * MIB, fills: 4 * MIB, max_object: MIB, max_variants: 4 });
    let filled = site.clone();
    let fill = async move {
        for at in 0..answers {
            filled.fill(plan(&format!("/{at}"), Identity), &text(10_000)).await;
        }
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(fill);
    site.memory.settle();
    let each = site.memory.bytes() / answers as u64;
    (site, each)
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn it_holds_what_is_allowed_and_a_little_less() {
    let (site, each) = full(200);
    assert_eq!(site.memory.trim(), Purged::default(), "nothing is too much");
    site.memory.allow(100 * each);
    let before = site.memory.bytes();
    let trimmed = site.memory.trim();
    assert_eq!(site.memory.bytes(), before - trimmed.bytes);
    assert_eq!((site.memory.entries(), site.memory.objects()), (200 - trimmed.objects, 200 - trimmed.objects));
    assert!((90..=95).contains(&site.memory.entries()), "{}", site.memory.entries());
    assert_eq!(*site.counts.evicted.lock(), vec![EvictionCause::Pressure; trimmed.objects as usize]);
    site.memory.allow(0);
    site.memory.trim();
    assert_eq!((site.memory.entries(), site.memory.bytes()), (0, 0));
}

#[test]
fn what_is_asked_for_stays() {
    let (site, each) = full(200);
    run(async {
        for at in (0..200).step_by(4).chain((0..200).step_by(4)) {
            assert!(site.get(&format!("/{at}"), "").await.is_some());
        }
    });
    site.memory.allow(80 * each);
    site.memory.trim();
    let left = |at: &usize| site.memory.peek(&key(&format!("/{at}"))).is_some();
    assert!((0..200).step_by(4).all(|at| left(&at)));
    assert!((0..200).filter(left).count() < 80);
}

#[test]
fn where_there_is_no_room_nothing_is_let_in_until_some_is_made() {
    let (site, each) = full(100);
    site.memory.allow(100 * each);
    assert!(site.memory.is_cramped());
    let fill = |path: &'static str| run(site.fill(plan(path, Identity), &text(10_000)));
    assert_eq!(fill("/new"), FillOutcome::Refused(Refusal::OverBudget));
    assert_eq!(site.memory.entries(), 100, "nor does anything go for it");
    site.memory.trim();
    assert!(!site.memory.is_cramped());
    assert!(matches!(fill("/new"), FillOutcome::Stored { .. }));
    site.memory.allow(u64::MAX);
    assert!(!site.memory.is_pressed() && !site.memory.is_cramped());
    assert_eq!(site.memory.allowed(), site.memory.capacity());
}

#[test]
fn a_purge_is_no_trim() {
    let (site, each) = full(10);
    site.memory.allow(5 * each);
    site.memory.trim();
    site.memory.allow(u64::MAX);
    run(async {
        for at in 0..10 {
            site.fill(plan(&format!("/{at}"), Identity), b"again").await;
        }
    });
    site.counts.evicted.lock().clear();
    site.memory.sweep(&Scope::Prefix("http://example.com/".into()), Effect::Remove);
    assert!(!site.counts.evicted.lock().contains(&EvictionCause::Pressure));
}
