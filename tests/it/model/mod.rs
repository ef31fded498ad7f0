//! Random traffic against a model: whatever vacpack answers must be something that the app has said, that may be said
//! again, to this client, now.
//!
//! The app ([`origin`]) has a resource for each way to say what a cache may do ([`profile`]); its contents change, it is
//! slow at times, and it fails. Visitors ([`visitor`]) read, write, purge and leave early, over HTTP/1.0, 1.1 and 2, with
//! conditions, ranges, codings and directives of all kinds ([`request`]). The model ([`world`]) holds what the app has
//! said and when, and what was made invalid; [`judge`] compares each response with it: the content is that of a version
//! that may be served, decoded by foreign programs; nothing is for somebody else; a part is a part of the whole; a tag
//! names the same bytes for ever; an error is the app's.
//!
//! A run of some seconds is part of every test run; `make model` is one of ten minutes, or of `MODEL_SECONDS`.
//! `MODEL_SEED` repeats the requests of a run, though not the order in which threads come to run. A violation is told with
//! the history of its resource.

mod content;
mod judge;
mod origin;
mod profile;
mod ranges;
mod request;
mod visitor;
mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::harness::{Vacpack, together};
use visitor::{Counts, Visitor};
use world::World;

/// Small enough that some bodies do not fit, and that something has to go now and then.
const SETTINGS: &str = "
cache.max_object = \"160KiB\"
memory.budget = \"48MiB\"
";

const VISITORS: usize = 8;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[expect(clippy::print_stdout, reason = "how a long run went is what it is for")]
fn tell(seed: u64, time: Duration, world: &World, sum: &Counts) {
    println!("seed {seed}, {time:?}, {} different coded bodies", world.decoded());
    for (what, count) in sum {
        println!("{count:8} {what}");
    }
}

/// Lets visitors in for so long; panics at the first response that the model does not allow.
fn run(seed: u64, time: Duration) -> Counts {
    let world = Arc::new(World::new());
    let origin = origin::start(&world);
    let vacpack = Vacpack::with(&origin, SETTINGS);
    let until = Instant::now() + time;
    let counts = together(VISITORS, |index| Visitor::new(&world, &vacpack, seed + index as u64).visit(until));
    world.finish();
    if let Some(violation) = world.violation() {
        panic!("MODEL_SEED={seed}: {violation}");
    }
    let mut sum = Counts::new();
    for (what, count) in counts.into_iter().flatten() {
        *sum.entry(what).or_default() += count;
    }
    tell(seed, time, &world, &sum);
    sum
}

#[test]
fn no_response_differs_from_what_the_model_allows() {
    let counts = run(setting("MODEL_SEED", 1), Duration::from_secs(6));
    for kind in ["GET 200 hit", "GET 200 miss", "GET 304 hit", "GET 206 hit", "purge"] {
        assert!(counts.contains_key(kind), "no {kind} in {counts:?}");
    }
}

#[test]
#[ignore = "as long as MODEL_SECONDS says"]
fn for_a_long_time() {
    run(setting("MODEL_SEED", 1), Duration::from_secs(setting("MODEL_SECONDS", 600)));
}
