//! What a byte of the cache serves: clients of several codings, more resources than there is room for.
//!
//! `cargo bench --bench mix`, after `make corpus`. Real payloads are cut into resources of 2 to 128 KB; nine in ten
//! clients take brotli, most others gzip alone, some nothing. Prints markdown: how many requests were answered from the
//! cache, how many derivations and how much of their time that took, and what the cache was full of in the end.

#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

mod stored;

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use pingora_cache::storage::Storage;
use pingora_cache::trace::Span;
use stored::{fill, now};
use vacpack::cache::{BodyFacts, Derivation, Events, FillPlan, Memory, ResourceKey, cache_key};
use vacpack::encode::{Live, setup, transcode};
use vacpack::header::Coding;

const REQUESTS: usize = 60_000;
/// Of one file, so that no kind of text is most of it.
const MOST_OF_A_FILE: usize = 4 << 20;
/// How much more often the first is asked for than the second, and so on.
const ZIPF: f64 = 0.9;
/// Of a hundred clients.
const POPULATION: [(u64, &str, Coding); 3] =
    [(90, "gzip, deflate, br, zstd", Coding::Brotli), (8, "gzip", Coding::Gzip), (2, "", Coding::Identity)];
/// Capacities, as parts of what everything would take in brotli.
const PARTS: [u64; 5] = [20, 10, 5, 2, 1];

#[derive(Default)]
struct Counts {
    derived: AtomicU64,
    nanos: AtomicU64,
}

impl Events for Counts {
    fn derived(&self, derivation: Derivation) {
        self.derived.fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(u64::try_from(derivation.elapsed.as_nanos()).unwrap_or(0), Ordering::Relaxed);
    }
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

struct Resource {
    key: ResourceKey,
    body: Bytes,
    digest: [u8; 32],
    coded: HashMap<Coding, Bytes>,
}

fn resources(dice: &mut Dice) -> Vec<Resource> {
    let folder = std::env::var("CORPUS").unwrap_or_else(|_| "corpus".to_owned());
    let mut files: Vec<_> = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut pieces = Vec::new();
    for file in files {
        let text = ["js", "css", "svg", "json", "html"];
        if !file.extension().is_some_and(|end| text.iter().any(|each| end == *each)) {
            continue;
        }
        let whole = Bytes::from(fs::read(&file).unwrap_or_default());
        let mut rest = whole.slice(..whole.len().min(MOST_OF_A_FILE));
        while rest.len() > 2_000 {
            let length = (2_000.0 * 64_f64.powf(dice.roll())) as usize;
            pieces.push(rest.split_to(length.min(rest.len())));
        }
    }
    for at in (1..pieces.len()).rev() {
        pieces.swap(at, (dice.roll() * (at + 1) as f64) as usize);
    }
    let resource = |(number, body): (usize, Bytes)| Resource {
        key: stored::key(&format!("/{number}")),
        digest: *blake3::hash(&body).as_bytes(),
        coded: HashMap::new(),
        body,
    };
    pieces.into_iter().enumerate().map(resource).collect()
}

impl Resource {
    fn coded(&mut self, coding: Coding) -> Bytes {
        let body = &self.body;
        let make = || {
            let plan = setup(coding, Live::Auto, Some(body.len() as u64));
            transcode(body, Coding::Identity, &plan, u64::MAX).unwrap_or_default()
        };
        self.coded.entry(coding).or_insert_with(make).clone()
    }

    fn plan(&self, coding: Coding) -> FillPlan {
        let body = BodyFacts::default();
        let _ = body.identity_length.set(self.body.len() as u64);
        let _ = body.digest.set(self.digest);
        FillPlan { body: Arc::new(body), ..stored::plan(self.key, coding) }
    }
}

/// Requests in a row; the first half warms the cache and is not counted. How many of the others were hits.
fn run(memory: &'static Memory, counts: &Counts, all: &mut [Resource], dice: &mut Dice) -> u64 {
    let mut weights: Vec<f64> = (1..=all.len()).map(|rank| (rank as f64).powf(-ZIPF)).collect();
    for at in 1..weights.len() {
        weights[at] += weights[at - 1];
    }
    let total = weights[weights.len() - 1];
    let mut hits = 0;
    for number in 0..REQUESTS {
        if number == REQUESTS / 2 {
            hits = 0;
            counts.derived.store(0, Ordering::Relaxed);
            counts.nanos.store(0, Ordering::Relaxed);
        }
        let at = dice.roll() * total;
        let resource = &mut all[weights.partition_point(|sum| *sum < at)];
        let mut client = (dice.roll() * 100.0) as u64;
        let (_, accept, first) = POPULATION
            .into_iter()
            .find(|(share, ..)| {
                let found = client < *share;
                client = client.saturating_sub(*share);
                found
            })
            .unwrap_or(POPULATION[0]);
        let key = cache_key(stored::view(resource.key, accept));
        match now(memory.lookup(&key, &Span::inactive().handle())) {
            Ok(Some(_)) => hits += 1,
            _ => {
                let body = resource.coded(first);
                // What does not fit is fetched again.
                let _kept = fill(memory, resource.plan(first), body);
            }
        }
    }
    hits
}

fn held(memory: &Memory, all: &[Resource]) -> HashMap<Coding, u64> {
    let mut held = HashMap::new();
    for resource in all.iter().filter_map(|resource| memory.peek(&resource.key)) {
        for one in resource.variants().iter().flat_map(|variant| variant.representations()) {
            *held.entry(one.coding).or_default() += one.weight();
        }
    }
    held
}

fn main() {
    let mut all = resources(&mut Dice(1));
    let plain: usize = all.iter().map(|resource| resource.body.len()).sum();
    let whole: u64 = all.iter_mut().map(|resource| resource.coded(Coding::Brotli).len() as u64 + 2_000).sum();
    println!("{} resources, {plain} bytes, {whole} in brotli; {} requests\n", all.len(), REQUESTS / 2);
    println!("| capacity | hits | fetches | derived | ms for them | held br | gzip | identity |");
    println!("|---|---|---|---|---|---|---|---|");
    for part in PARTS {
        let counts = Arc::new(Counts::default());
        let memory = stored::memory(whole / part, counts.clone());
        let hits = run(memory, &counts, &mut all, &mut Dice(7));
        memory.settle();
        let held = held(memory, &all);
        let share = |coding| held.get(&coding).map_or(0, |bytes| bytes * 100 / memory.bytes().max(1));
        let requests = REQUESTS as u64 / 2;
        println!(
            "| 1/{part} | {:.1} % | {} | {} | {} | {} % | {} % | {} % |",
            hits as f64 * 100.0 / requests as f64,
            requests - hits,
            counts.derived.load(Ordering::Relaxed),
            counts.nanos.load(Ordering::Relaxed) / 1_000_000,
            share(Coding::Brotli),
            share(Coding::Gzip),
            share(Coding::Identity),
        );
    }
}
