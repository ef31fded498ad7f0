//! What a hit costs: time, allocations, and the memory that an entry is charged for against what it takes.
//!
//! `cargo bench --bench hit`. The figures that do not depend on the machine are checked before anything is timed.

#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

mod stored;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderMap, HeaderName, HeaderValue};
use pingora_cache::storage::Storage;
use pingora_cache::trace::Span;
use stored::{fill, now};
use vacpack::cache::{Effect, FillPlan, KeyRules, Memory, Scope, Silent, cache_key, resource_key};
use vacpack::encode::{Live, setup, transcode};
use vacpack::header::Coding;

/// Allocations of a hit: a ceiling, so that one more is a decision.
const ALLOCATIONS_OF_A_HIT: u64 = 12;
/// What is charged may be this far from what is taken, either way.
const TOLERANCE: f64 = 0.15;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: every call is passed on to the system's allocator unchanged.
#[expect(unsafe_code, reason = "counting allocations takes an allocator")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        LIVE.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller's promise is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller's promise is the system's.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn head() -> HeaderMap {
    let mut head = HeaderMap::new();
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "public, max-age=3600"),
        ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("server", "app/1.0"),
        ("x-request-id", "5f2b1f6e-3c1e-4a53-9d1c-0d5a1d6c9a11"),
        ("strict-transport-security", "max-age=31536000"),
        ("x-frame-options", "DENY"),
    ] {
        head.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    head
}

/// With as much of a head as an app sends.
fn plan(path: &str, coding: Coding) -> FillPlan {
    let key = stored::key(path);
    let tags = vec!["product-17".to_owned(), format!("page-{key}")];
    FillPlan { head: head(), tags, ..stored::plan(key, coding) }
}

fn text(length: usize) -> Vec<u8> {
    let words = ["cache ", "the ", "<p>", "response ", "of ", "</p>\n", "header ", "42 ", "representation "];
    let mut text = Vec::with_capacity(length + 16);
    let mut state = 1_u64;
    while text.len() < length {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        text.extend_from_slice(words[(state >> 33) as usize % words.len()].as_bytes());
    }
    text.truncate(length);
    text
}

/// The lookup and the whole body, as pingora does it. How many bytes.
fn hit(memory: &'static Memory, cache_key: &pingora_cache::CacheKey) -> usize {
    let span = Span::inactive().handle();
    let (meta, mut handler) = now(memory.lookup(cache_key, &span)).expect("no error").expect("a hit");
    let mut length = 0;
    while let Some(slice) = now(handler.read_body()).expect("no error") {
        length += black_box(slice).len();
    }
    black_box(meta);
    length
}

fn allocations_of_a_hit(memory: &'static Memory, cache_key: &pingora_cache::CacheKey) {
    hit(memory, cache_key);
    let rounds = 1000;
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    (0..rounds).for_each(|_| assert!(hit(memory, cache_key) > 0));
    let each = (ALLOCATIONS.load(Ordering::Relaxed) - before) as f64 / f64::from(rounds);
    println!("a hit: {each:.1} allocations");
    assert!(each <= ALLOCATIONS_OF_A_HIT as f64, "more than {ALLOCATIONS_OF_A_HIT}");
}

/// Live heap before and after so many entries, beside what they are charged.
fn memory_of_entries(entries: usize, length: usize) {
    let body = Bytes::from(text(length));
    let memory = stored::memory(1 << 30, Arc::new(Silent));
    assert!(fill(memory, plan("/warm", Coding::Identity), body.clone()));
    memory.settle();
    let (live, charged) = (LIVE.load(Ordering::Relaxed), memory.bytes());
    for at in 0..entries {
        assert!(fill(memory, plan(&format!("/{at}"), Coding::Identity), body.clone()));
    }
    (0..20).for_each(|_| memory.settle());
    let taken = LIVE.load(Ordering::Relaxed).wrapping_sub(live) as f64 / entries as f64;
    let charged = (memory.bytes() - charged) as f64 / entries as f64;
    println!(
        "an entry of {length} bytes: {taken:.0} taken, {charged:.0} charged ({:+.1} %)",
        (charged / taken - 1.0) * 100.0
    );
    assert!((charged / taken - 1.0).abs() <= TOLERANCE, "off by more than {TOLERANCE}");
    memory.sweep(&Scope::Everything, Effect::Remove);
}

fn benches(criterion: &mut Criterion) {
    let page = text(100_000);
    let setup = setup(Coding::Brotli, Live::Auto, Some(page.len() as u64));
    let coded = transcode(&page, Coding::Identity, &setup, u64::MAX).expect("brotli encodes");
    let memory = stored::memory(1 << 30, Arc::new(Silent));
    assert!(fill(memory, plan("/page", Coding::Brotli), coded.clone()));
    let cache_key = cache_key(stored::view(stored::key("/page"), "gzip, deflate, br, zstd"));
    assert_eq!(hit(memory, &cache_key), coded.len());

    allocations_of_a_hit(memory, &cache_key);
    [(20_000, 0), (20_000, 1_000), (2_000, 20_000)]
        .into_iter()
        .for_each(|(entries, length)| memory_of_entries(entries, length));

    let mut group = criterion.benchmark_group("hit");
    group.throughput(Throughput::Elements(1));
    group.bench_function("br_100kB", |bencher| bencher.iter(|| hit(memory, &cache_key)));
    group.finish();

    let rules = KeyRules { sort_query: true, ..KeyRules::default() };
    let target = "/shop/catalogue/products?page=2&sort=price&utm_source=letter&category=shoes";
    let mut group = criterion.benchmark_group("key");
    group.bench_function("plain", |bencher| {
        bencher.iter(|| resource_key("", "https", "www.example.com", black_box(target), &KeyRules::default()))
    });
    group.bench_function("sorted", |bencher| {
        bencher.iter(|| resource_key("", "https", "www.example.com", black_box(target), &rules))
    });
    group.finish();
}

criterion_group!(hits, benches);
criterion_main!(hits);
