//! Many at once.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_requests_cause_one_derivation() {
    for size in [20_000, 400_000] {
        let site = site();
        let body = text(size);
        site.fill(plan("/a", Brotli), &body).await;
        let requests: Vec<_> = (0..64)
            .map(|_| {
                let (site, body) = (site.clone(), body.clone());
                tokio::spawn(async move {
                    let hit = site.get("/a", "gzip").await.unwrap();
                    assert!(hit.plain() == body);
                })
            })
            .collect();
        for request in requests {
            request.await.unwrap();
        }
        assert_eq!(site.counts.derived.load(Ordering::Relaxed), 1, "{size} bytes");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_derivation_outlives_the_client_that_caused_it() {
    let site = site();
    site.fill(plan("/a", Brotli), &text(2_000_000)).await;
    let gone = site.clone();
    let request = tokio::spawn(async move { gone.get("/a", "gzip").await.map(|hit| hit.body.len()) });
    tokio::task::yield_now().await;
    request.abort();
    let _ = request.await;
    // Whether the client left before, while or after it was made: at most once, and it is there.
    site.get("/a", "gzip").await.unwrap();
    assert_eq!(site.counts.derived.load(Ordering::Relaxed), 1);
    assert_eq!(site.stored_codings("/a"), [Brotli, Gzip]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_derivation_never_lands_on_a_newer_answer_or_a_purge() {
    let site = site();
    for round in 0..40_usize {
        let old = text(100_000 + round);
        site.fill(FillPlan { purge_epoch: site.memory.purge_epoch(), ..plan("/a", Brotli) }, &old).await;
        let deriving = site.clone();
        let reader = tokio::spawn(async move { deriving.get("/a", "gzip").await });
        let new = text(50_000 + round);
        match round % 2 {
            0 => drop(site.memory.purge(&key("/a"))),
            _ => drop(site.fill(FillPlan { purge_epoch: site.memory.purge_epoch(), ..plan("/a", Brotli) }, &new).await),
        }
        if let Some(hit) = reader.await.unwrap() {
            assert!(hit.plain() == old || hit.plain() == new, "one of them, whole");
        }
        match round % 2 {
            0 => assert!(site.memory.peek(&key("/a")).is_none(), "purged stays purged"),
            _ => assert!(site.get("/a", "gzip").await.unwrap().plain() == new),
        }
    }
}

/// Fills, hits, derivations and purges over each other: every answer is whole and one that was put there, and after a
/// purge has returned nothing begun before it is ever seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_purged_is_served_after_the_purge() {
    let site = site();
    // The body says which epoch it was fetched in.
    let fill = async |site: &Site, path: &str| {
        let purge_epoch = site.memory.purge_epoch();
        tokio::task::yield_now().await;
        let body = format!("{purge_epoch} ").repeat(200);
        site.fill(FillPlan { purge_epoch, ..plan(path, Brotli) }, body.as_bytes()).await;
    };
    let busy: Vec<_> = (0..6_usize)
        .map(|task| {
            let site = site.clone();
            tokio::spawn(async move {
                for round in 0..300 {
                    let path = format!("/{}", (task + round) % 3);
                    match round % 3 {
                        0 => fill(&site, &path).await,
                        1 => drop(site.get(&path, "gzip").await),
                        _ => drop(site.get(&path, "identity").await),
                    }
                }
            })
        })
        .collect();
    let mut purges = 0_u64;
    while busy.iter().any(|task| !task.is_finished()) {
        let path = format!("/{}", purges % 3);
        site.memory.purge(&key(&path));
        let epoch = site.memory.purge_epoch();
        if let Some(hit) = site.get(&path, "identity").await {
            let said = String::from_utf8(hit.plain().to_vec()).unwrap();
            let fetched: u64 = said.split(' ').next().unwrap().parse().unwrap();
            assert!(fetched >= epoch, "fetched in epoch {fetched}, purged in {epoch}");
        }
        purges += 1;
        tokio::task::yield_now().await;
    }
    for task in busy {
        task.await.unwrap();
    }
    assert!(purges > 10);
    site.memory.sweep(&Scope::Everything, Effect::Remove);
    assert_eq!((site.memory.bytes(), site.memory.fills_in_flight()), (0, 0));
}
