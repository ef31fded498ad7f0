//! What a purge of a tenth of the cache by its tag takes, and what lookups wait for meanwhile.
//!
//! `cargo bench --bench purge [-- ENTRIES]` fills a cache with so many small answers (200,000), ten tags among them, and
//! purges five of the tags while two threads look other answers up. `benches/e2e/purge` asks the same of the whole process.

#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

mod stored;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use pingora_cache::storage::Storage;
use pingora_cache::trace::Span;
use stored::{fill, now};
use vacpack::cache::{Effect, FillPlan, Memory, ResourceKey, Scope, Silent, cache_key};
use vacpack::header::Coding;

const TAGS: usize = 10;
const PURGED: usize = 5;
const BETWEEN: Duration = Duration::from_millis(500);

fn key(at: usize) -> ResourceKey {
    stored::key(&format!("/item/{at}"))
}

fn plan(at: usize) -> FillPlan {
    let tags = vec!["all".to_owned(), format!("tag-{}", at % TAGS)];
    FillPlan { tags, ..stored::plan(key(at), Coding::Identity) }
}

/// Looks answers up until told to end: when each lookup began, and how long it took.
fn look_up(memory: &'static Memory, entries: usize, seed: u64, end: &AtomicBool) -> Vec<(Instant, Duration)> {
    let span = Span::inactive().handle();
    let mut took = Vec::with_capacity(4_000_000);
    let mut state = seed;
    while !end.load(Ordering::Relaxed) {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        // Of the last tag, which stays.
        let at = (state >> 33) as usize % (entries / TAGS) * TAGS + TAGS - 1;
        let key = cache_key(stored::view(key(at), ""));
        let started = Instant::now();
        let found = now(memory.lookup(&key, &span)).expect("no error").is_some();
        took.push((started, started.elapsed()));
        assert!(black_box(found), "it stays");
    }
    took
}

fn told(name: &str, mut lookups: Vec<Duration>, more: &str) {
    lookups.sort_unstable();
    let at = |share: f64| {
        let index = (lookups.len() as f64 * share) as usize;
        lookups.get(index.min(lookups.len().saturating_sub(1))).map_or(0.0, |took| took.as_secs_f64() * 1e6)
    };
    println!(
        "{name:10} {:>9} lookups, us: p50 {:.1}, p99 {:.1}, p99.9 {:.1}, longest {:.1} {more}",
        lookups.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

fn main() {
    let entries = std::env::args().filter_map(|text| text.parse().ok()).next().unwrap_or(200_000);
    let memory = stored::memory(64 << 30, Arc::new(Silent));
    let started = Instant::now();
    (0..entries).for_each(|at| assert!(fill(memory, plan(at), Bytes::from_static(b"some text"))));
    memory.settle();
    println!(
        "{} entries, filled in {:.1} us each",
        memory.objects(),
        started.elapsed().as_secs_f64() * 1e6 / entries as f64
    );

    let end = AtomicBool::new(false);
    let begun = Instant::now();
    std::thread::scope(|threads| {
        let lookers = [1_u64, 2].map(|seed| {
            threads.spawn({
                let end = &end;
                move || look_up(memory, entries, seed, end)
            })
        });
        std::thread::sleep(BETWEEN * 2);
        let first = Instant::now();
        let purges: Vec<_> = (0..PURGED)
            .map(|tag| {
                let started = Instant::now();
                let purged = memory.sweep(&Scope::Tag(format!("tag-{tag}").into()), Effect::Remove);
                let ended = Instant::now();
                std::thread::sleep(BETWEEN);
                (started, ended, purged.objects)
            })
            .collect();
        end.store(true, Ordering::Relaxed);
        let all: Vec<_> = lookers.into_iter().flat_map(|one| one.join().expect("no panic")).collect();
        let between = |from: Instant, to: Instant| {
            all.iter().filter(|(at, took)| *at < to && *at + *took > from).map(|(_, took)| *took).collect()
        };
        told("before", between(begun, first), "");
        for (tag, (started, ended, objects)) in purges.into_iter().enumerate() {
            let took = ended.duration_since(started);
            let more = format!(
                "; {objects} purged in {:.1} ms, {:.2} us each",
                took.as_secs_f64() * 1e3,
                took.as_secs_f64() * 1e6 / objects.max(1) as f64
            );
            told(&format!("tag {tag}"), between(started, ended), &more);
        }
    });
}
