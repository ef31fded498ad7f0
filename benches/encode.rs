//! Encoders: speed for each coding, level and payload (criterion), and the tables of the essay in `src/encode/mod.rs`.
//!
//! ```text
//! cargo bench --bench encode               speed, by criterion
//! cargo bench --bench encode -- tables     memory, operating points and the price of flushing, as plain text
//! ```
//! The memory table is a check as well: it fails if an encoder outgrows its plan or miscounts what it holds.
//! Payloads are generated; files in `corpus/`, or in the directory that `CORPUS` names, are measured beside them.

#![expect(clippy::print_stdout, reason = "the tables are what it is run for")]

use std::hint::black_box;
use std::time::Duration;

use counting::Counting;
use criterion::{BenchmarkId, Criterion, Throughput};
use vacpack::encode::{BodyEncoder, Levels, Live, Setup, setup};
use vacpack::header::Coding;

#[path = "codecs/src/counting.rs"]
mod counting;
#[path = "../src/encode/sample.rs"]
mod sample;

const CODINGS: [Coding; 3] = [Coding::Brotli, Coding::Zstd, Coding::Gzip];
/// As much as a proxy reads from a socket at a time.
const CHUNK: usize = 16 << 10;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "tables") {
        print_memory();
        print_operating_points();
        print_flush_prices();
        return;
    }
    // `cargo test --benches` runs every benchmark once, and the check with it.
    if !arguments.iter().any(|argument| argument == "--bench") {
        check_memory();
    }
    let mut criterion = Criterion::default().configure_from_args();
    speed(&mut criterion);
    criterion.final_summary();
}

// ---- speed ----

fn speed(criterion: &mut Criterion) {
    for (name, body) in payloads() {
        let mut group = criterion.benchmark_group(format!("encode/{name}"));
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.sample_size(10).measurement_time(Duration::from_secs(2));
        for coding in CODINGS {
            for (label, live) in lives(coding) {
                let plan = setup(coding, live, Some(body.len() as u64));
                let id = BenchmarkId::new(coding.token(), label);
                group.bench_with_input(id, &body, |bencher, body| {
                    bencher.iter(|| encode(&plan, black_box(body), usize::MAX).coded);
                });
            }
        }
        group.finish();
    }
}

fn lives(coding: Coding) -> Vec<(String, Live)> {
    let levels: &[u32] = match coding {
        Coding::Brotli => &[1, 3, 4, 5, 6, 9],
        Coding::Zstd => &[1, 3, 6, 9],
        _ => &[1, 4, 6, 9],
    };
    let auto = [("auto".to_owned(), Live::Auto)];
    let fixed = levels.iter().map(|&level| (level.to_string(), fixed(level)));
    auto.into_iter().chain(fixed).collect()
}

fn fixed(level: u32) -> Live {
    Live::Fixed(Levels { brotli: level, zstd: level as i32, gzip: level })
}

fn payloads() -> Vec<(String, Vec<u8>)> {
    let mut payloads = vec![
        ("json-1k".to_owned(), sample::json(1 << 10)),
        ("json-10k".to_owned(), sample::json(10 << 10)),
        ("html-100k".to_owned(), sample::html(100 << 10)),
        ("json-2m".to_owned(), sample::json(2 << 20)),
    ];
    payloads.extend(corpus());
    payloads
}

fn corpus() -> Vec<(String, Vec<u8>)> {
    let directory = std::env::var("CORPUS").unwrap_or_else(|_| "corpus".to_owned());
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|file| file.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|file| {
            let name = file.file_name().into_string().ok()?;
            Some((name, std::fs::read(file.path()).ok()?))
        })
        .filter(|(_, body)| !body.is_empty())
        .collect();
    files.sort();
    files
}

struct Outcome {
    coded: u64,
    busy: Duration,
}

/// Streams a body through an encoder, flushing after each `flush_every` bytes.
fn encode(plan: &Setup, body: &[u8], flush_every: usize) -> Outcome {
    let mut encoder = BodyEncoder::new(plan).expect("an encoder");
    let mut taken = 0;
    for chunk in body.chunks(CHUNK.min(flush_every)) {
        taken += chunk.len();
        let flush = taken.is_multiple_of(flush_every);
        drop(encoder.push(chunk, flush).expect("coded"));
    }
    encoder.finish().expect("an end mark");
    Outcome { coded: encoder.output_bytes(), busy: encoder.busy() }
}

fn best(plan: &Setup, body: &[u8], flush_every: usize) -> Outcome {
    let rounds = (20_000_000 / body.len()).clamp(2, 300);
    (0..rounds)
        .map(|_| encode(plan, body, flush_every))
        .min_by_key(|outcome| outcome.busy)
        .expect("at least two rounds")
}

// ---- tables ----

fn print_operating_points() {
    println!("\nLive::Auto, length known: ratio and MB/s of one core, best of many");
    print!("{:<22}{:>9}", "payload", "bytes");
    for coding in CODINGS {
        print!("{:>18}", coding.token());
    }
    println!();
    for (name, body) in payloads() {
        print!("{name:<22}{:>9}", body.len());
        for coding in CODINGS {
            let plan = setup(coding, Live::Auto, Some(body.len() as u64));
            print!("{:>18}", figures(&body, &best(&plan, &body, usize::MAX)));
        }
        println!();
    }
}

fn print_flush_prices() {
    const EVERY: [usize; 6] = [256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, usize::MAX];
    println!("\nThe price of flushing, length unknown: ratio and MB/s when flushed each so many bytes");
    print!("{:<22}{:<6}", "payload", "");
    for every in EVERY {
        match every {
            usize::MAX => print!("{:>14}", "never"),
            every => print!("{every:>14}"),
        }
    }
    println!();
    let generated = [("json-300k".to_owned(), sample::json(300_000)), ("html-300k".to_owned(), sample::html(300_000))];
    let middle = |body: &Vec<u8>| (90_000..2_000_000).contains(&body.len());
    let files = corpus().into_iter().filter(|(_, body)| middle(body));
    for (name, body) in generated.into_iter().chain(files) {
        for coding in CODINGS {
            print!("{name:<22}{:<6}", coding.token());
            let plan = setup(coding, Live::Auto, None);
            for every in EVERY {
                print!("{:>14}", figures(&body, &best(&plan, &body, every)));
            }
            println!();
        }
    }
}

fn figures(body: &[u8], outcome: &Outcome) -> String {
    let ratio = body.len() as f64 / outcome.coded as f64;
    let speed = body.len() as f64 / outcome.busy.as_secs_f64() / 1e6;
    format!("{ratio:.2} @ {speed:.0}")
}

// ---- memory ----

const KIB: usize = 1 << 10;
const POINTS: [usize; 4] = [KIB, 100 * KIB, 1024 * KIB, 8192 * KIB];

fn print_memory() {
    println!(
        "Heap of one encoder in KiB, after so much input (text in chunks of 16 KiB); all but zstd as the allocator"
    );
    println!("sees it, zstd as ZSTD_sizeof_CCtx does. `plan` is the bound that admission to the budget uses.");
    println!(
        "{:<8}{:>6}{:>10}{:>7}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}",
        "coding", "level", "length", "window", "1 KiB", "100 KiB", "1 MiB", "8 MiB", "peak", "plan"
    );
    for plan in plans() {
        let seen = measure(&plan, &sample::html(POINTS[3].min(length(&plan))));
        let known = plan.length.map_or("unknown".to_owned(), |n| n.to_string());
        print!("{:<8}{:>6}{known:>10}{:>7}", plan.coding.token(), plan.level, plan.window);
        for point in POINTS {
            match seen.held.iter().find(|(at, _)| *at == point) {
                Some((_, held)) => print!("{:>8}", held / KIB),
                None => print!("{:>8}", "-"),
            }
        }
        println!("{:>8}{:>8}", seen.peak / KIB, plan.heap() as usize / KIB);
    }
    check_memory();
}

/// No encoder outgrows its plan, and each knows what it holds.
fn check_memory() {
    for plan in plans() {
        let size = (1024 * KIB).min(length(&plan));
        for body in [sample::json(size), sample::html(size), sample::noise(size)] {
            let seen = measure(&plan, &body);
            assert!(seen.peak as u64 <= plan.heap(), "{plan:?}: {} bytes of {}", seen.peak, plan.heap());
            assert!(seen.miscounted <= 8 * KIB, "{plan:?} miscounts by {} bytes", seen.miscounted);
        }
    }
}

fn plans() -> Vec<Setup> {
    let mut plans = Vec::new();
    for coding in CODINGS {
        for length in [None, Some(1_000), Some(10_000), Some(100_000), Some(8 << 20)] {
            plans.push(setup(coding, Live::Auto, length));
        }
        let levels: &[u32] = match coding {
            Coding::Brotli => &[1, 3, 4, 6, 9],
            Coding::Zstd => &[1, 3, 9, 19],
            _ => &[1, 9],
        };
        plans.extend(levels.iter().map(|&level| setup(coding, fixed(level), None)));
    }
    plans
}

fn length(plan: &Setup) -> usize {
    plan.length.map_or(usize::MAX, |length| length as usize)
}

struct Seen {
    held: Vec<(usize, usize)>,
    peak: usize,
    /// The largest difference between the encoder's own count and the allocator's.
    miscounted: usize,
}

fn measure(plan: &Setup, body: &[u8]) -> Seen {
    let base = Counting::held();
    Counting::forget_peak();
    let mut seen = Seen { held: Vec::with_capacity(8), peak: 0, miscounted: 0 };
    let before = Counting::held() - base;
    let mut encoder = BodyEncoder::new(plan).expect("an encoder");
    let (mut at, mut points) = (0, POINTS.iter().peekable());
    while at < body.len() {
        // Small first chunks, so that the encoder cannot know that a short body is all there is.
        let end = body.len().min(at + if at < 16 * KIB { KIB } else { CHUNK });
        drop(encoder.push(&body[at..end], false).expect("coded"));
        at = end;
        let allocated = Counting::held() - base - before;
        let counted = encoder.heap();
        // zstd's heap is the C library's own; what the allocator sees of it is the output buffer.
        if plan.coding != Coding::Zstd {
            seen.miscounted = seen.miscounted.max(allocated.abs_diff(counted));
        }
        let held = allocated.max(counted);
        seen.peak = seen.peak.max(held);
        if points.next_if(|&&point| at >= point).is_some() {
            seen.held.push((POINTS[seen.held.len()], held));
        }
    }
    encoder.finish().expect("an end mark");
    seen.peak = seen.peak.max(Counting::peak() - base - before);
    seen
}
