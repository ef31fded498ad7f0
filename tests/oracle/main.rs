//! The pure rules of `policy` against another implementation of RFC 9111: the crate http-cache-semantics.
//!
//! Requests, responses and instants are generated ([`generate`]), each value with what it *means*: `max-age="60"` and
//! `Max-Age=60` are sixty seconds, `max-age=+60` is none. Both implementations then answer the same questions
//! ([`Opinion`]): is it stored, for how long is it fresh, how old is it, must it be validated once stale, does it answer
//! another request at another time?
//!
//! Where they differ, the difference has to be accounted for: `known.tsv` lists each cause with its clause and who is
//! right, and [`readings`] says the same in code, as a change of the question or of the oracle's answer. So it is not the
//! *presence* of something odd that excuses a difference: the oracle, told how the RFC reads the odd thing, must come to
//! our answer exactly. A cause that by itself accounts for no difference at all is an error, too: the list holds nothing
//! that is not so any more.
//!
//! `ORACLE_CASES` sets the number of cases of each thread.

#![expect(clippy::panic, reason = "a test fails by it; Clippy knows tests only by their attribute, not what they call")]

mod case;
mod generate;
mod known;
mod opinion;
mod readings;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::thread;

use case::Case;
use known::Known;
use opinion::Opinion;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRunner};
use readings::{READINGS, Reading};

/// Of each of the two threads: some seconds without optimisation.
const CASES: u32 = 60_000;

#[test]
fn every_difference_is_accounted_for() {
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let threads = [scope.spawn(run), scope.spawn(run)];
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    println!("{} cases, {} differ", sum(|tally| tally.cases), sum(|tally| tally.differing));
    let mut idle = Vec::new();
    for reading in READINGS {
        let counts = tallies.iter().filter_map(|tally| tally.by_reading.get(reading.id));
        let (concerned, alone) = counts.fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
        println!("{:28} {concerned:7} {alone:7}", reading.id);
        if alone == 0 {
            idle.push(reading.id);
        }
    }
    assert!(idle.is_empty(), "no case differs for one of these causes alone: take them out of the list: {idle:?}");
}

/// How the differences of one thread went.
#[derive(Default)]
struct Tally {
    cases: u64,
    differing: u64,
    /// For each cause: the differing cases that it may have to do with; and of one in 64 of them those it explains alone.
    by_reading: BTreeMap<&'static str, (u64, u64)>,
}

fn run() -> Tally {
    let cases = std::env::var("ORACLE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let config =
        Config { cases, failure_persistence: None, rng_algorithm: RngAlgorithm::XorShift, ..Config::default() };
    let tally = RefCell::new(Tally::default());
    match TestRunner::new(config).run(&generate::case(), |case| judge(&case, &mut tally.borrow_mut())) {
        Ok(()) => tally.into_inner(),
        Err(TestError::Fail(difference, _)) => panic!("not accounted for: {difference}"),
        Err(aborted) => panic!("{aborted}"),
    }
}

fn judge(case: &Case, tally: &mut Tally) -> Result<(), TestCaseError> {
    let ours = opinion::ours(case);
    let told = theirs(case, READINGS);
    prop_assert_eq!(&ours, &told, "ours, and the oracle's once it is told, on\n{}", case);
    tally.cases += 1;
    if opinion::theirs(case) == ours {
        return Ok(());
    }
    tally.differing += 1;
    for reading in READINGS.iter().filter(|reading| reading.concerns(case)) {
        let (concerned, alone) = tally.by_reading.entry(reading.id).or_default();
        *concerned += 1;
        // Once a cause has been seen alone, one case in many is enough to count it by.
        if *alone == 0 || *concerned % 64 == 0 {
            *alone += u64::from(theirs(case, &[*reading]) == ours);
        }
    }
    Ok(())
}

/// What the oracle says when these readings are told to it.
fn theirs(case: &Case, readings: &[Reading]) -> Opinion {
    let mut read = case.clone();
    for reading in readings {
        reading.change(&mut read);
    }
    let mut opinion = opinion::theirs(&read);
    for reading in readings {
        reading.correct(case, &mut opinion);
    }
    opinion.forgetting_what_is_not_stored()
}

#[test]
fn the_list_and_the_code_name_the_same_causes() {
    let listed = Known::read();
    let listed: Vec<&str> = listed.iter().map(|known| known.id).collect();
    let told: Vec<&str> = READINGS.iter().map(|reading| reading.id).collect();
    assert_eq!(listed, told, "known.tsv and readings.rs, in the same order");
}
