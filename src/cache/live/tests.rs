//! One writer and many readers, in every order that chance finds: nobody misses a byte, nobody takes a part for the whole.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

use super::body::{Body, Next, Place, Relay, WINDOW};
use crate::cache::buffer::FillBudget;

/// Long enough that only something that never happens takes it.
const NEVER: Duration = Duration::from_secs(60);

fn body(limit: u64) -> (Arc<Body>, Arc<FillBudget>) {
    let budget = Arc::new(FillBudget::new(limit));
    (Arc::new(Body::new(budget.clone())), budget)
}

/// How a reader goes about it.
#[derive(Clone, Debug)]
struct Pace {
    joins_at: usize,
    most: usize,
    pauses: usize,
    leaves_after: Option<usize>,
}

/// What the writer does once it has written this many chunks.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Aborts(usize),
    Outgrows(usize),
    Nothing,
}

#[derive(Debug, PartialEq, Eq)]
enum Saw {
    End,
    Cut,
    Left,
}

async fn read(mut place: Place, pace: Pace) -> (Vec<u8>, Saw) {
    let mut seen = Vec::new();
    loop {
        if pace.leaves_after.is_some_and(|after| seen.len() >= after) {
            return (seen, Saw::Left);
        }
        match place.next(seen.len(), pace.most).await {
            Next::Bytes(bytes) => seen.extend_from_slice(&bytes),
            Next::End => return (seen, Saw::End),
            Next::Cut => return (seen, Saw::Cut),
            Next::Wait => panic!("a wait that returned"),
        }
        for _ in 0..pace.pauses {
            yield_now().await;
        }
    }
}

/// The writer's side of a fill: as `Fill` goes about it.
async fn write(body: &Body, chunks: &[Vec<u8>], turn: Turn, mut at: impl FnMut(usize)) {
    let mut relaying = false;
    for (nth, chunk) in chunks.iter().enumerate() {
        at(nth);
        match turn {
            Turn::Aborts(when) if when == nth => return body.abort(),
            Turn::Outgrows(when) if when == nth => {
                relaying = body.outgrow();
                if !relaying {
                    return;
                }
            }
            _ => {}
        }
        let mut chunk = Bytes::copy_from_slice(chunk);
        if relaying {
            if body.relay(chunk).await == Relay::Unwanted {
                return;
            }
        } else {
            body.write(&mut chunk).unwrap();
        }
        yield_now().await;
    }
    match relaying {
        true => body.relayed(),
        false => {
            let whole = body.finish();
            yield_now().await;
            body.complete(whole);
        }
    }
}

async fn run(chunks: Vec<Vec<u8>>, paces: Vec<Pace>, turn: Turn) {
    let (body, budget) = body(u64::MAX);
    let mut readers = JoinSet::new();
    write(&body, &chunks, turn, |nth| {
        for pace in paces.iter().filter(|pace| pace.joins_at == nth) {
            if let Some(place) = body.join() {
                readers.spawn(read(place, pace.clone()));
            }
        }
    })
    .await;
    assert!(body.join().is_none(), "too late");
    let whole = chunks.concat();
    while let Some(reader) = timeout(NEVER, readers.join_next()).await.expect("no reader waits for ever") {
        let (seen, saw) = reader.unwrap();
        assert!(whole.starts_with(&seen));
        match saw {
            Saw::End => assert_eq!(seen.len(), whole.len(), "a part, taken for the whole"),
            Saw::Cut => assert!(matches!(turn, Turn::Aborts(_)), "cut off by nobody"),
            Saw::Left => {}
        }
        if matches!(turn, Turn::Aborts(when) if when < chunks.len()) {
            assert_ne!(saw, Saw::End);
        }
    }
    drop(body);
    assert_eq!(budget.held(), 0);
}

fn chunks() -> impl Strategy<Value = Vec<Vec<u8>>> {
    // Some as large as a window is small: a relay then has to wait for its readers.
    let chunk = (any::<u8>(), prop_oneof![0..200_usize, 0..40_000_usize, 0..700_000_usize]);
    let chunk = chunk.prop_map(|(first, length)| {
        let period: Vec<u8> = (0..251).map(|at| first.wrapping_add(at)).collect();
        let mut chunk = period.repeat(length / 251 + 1);
        chunk.truncate(length);
        chunk
    });
    proptest::collection::vec(chunk, 1..12)
}

fn paces() -> impl Strategy<Value = Vec<Pace>> {
    let leaves = proptest::option::weighted(0.2, 0..500_000_usize);
    let pace = (0..12_usize, prop_oneof![50_000..200_000_usize, 1000..5000_usize], 0..4_usize, leaves);
    let pace = pace.prop_map(|(joins_at, most, pauses, leaves_after)| Pace { joins_at, most, pauses, leaves_after });
    proptest::collection::vec(pace, 0..8)
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![Just(Turn::Nothing), (0..12_usize).prop_map(Turn::Aborts), (0..12_usize).prop_map(Turn::Outgrows)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_reader_gets_all_of_it_or_is_told(chunks in chunks(), paces in paces(), turn in turn(), threads in 1..3_usize) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_time().build().unwrap();
        runtime.block_on(async { tokio::spawn(run(chunks, paces, turn)).await.unwrap() });
    }
}

/// Polls until a condition holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            yield_now().await;
        }
    };
    timeout(NEVER, wait).await.unwrap_or_else(|_| panic!("waited for {what}"));
}

#[tokio::test]
async fn a_relay_holds_a_window_and_goes_at_the_slowest_ones_pace() {
    const CHUNK: usize = 256 * 1024;
    let (body, budget) = body(u64::MAX);
    let (mut fast, mut slow) = (body.join().unwrap(), body.join().unwrap());
    body.write(&mut Bytes::from(vec![0; 3 * WINDOW])).unwrap();
    assert!(body.outgrow() && body.join().is_none());
    let writer = tokio::spawn({
        let body = body.clone();
        async move {
            for _ in 0..40 {
                assert_eq!(body.relay(Bytes::from(vec![1; CHUNK])).await, Relay::Taken);
            }
            body.relayed();
        }
    });
    let whole = 3 * WINDOW + 40 * CHUNK;
    let reads = async |place: &mut Place, from: &mut usize, to: usize| {
        while *from < to {
            match place.next(*from, to - *from).await {
                Next::Bytes(bytes) => *from += bytes.len(),
                other => panic!("{other:?} at {from}"),
            }
        }
        place.done_with(*from);
    };
    let (mut fast_at, mut slow_at) = (0, 0);
    // Held up by the slow one, whatever the other one takes.
    reads(&mut fast, &mut fast_at, 3 * WINDOW).await;
    for step in [WINDOW, 2 * WINDOW, 3 * WINDOW, 5 * WINDOW, 9 * WINDOW, whole] {
        until("the writer to fill the window", || body.written() >= (slow_at + WINDOW).min(whole)).await;
        assert!(
            body.written() <= (slow_at + WINDOW + CHUNK).max(3 * WINDOW),
            "{} is ahead of {slow_at}",
            body.written()
        );
        assert!(budget.held() <= (3 * WINDOW + CHUNK) as u64);
        let to = step.min(whole);
        tokio::join!(reads(&mut slow, &mut slow_at, to), reads(&mut fast, &mut fast_at, to));
    }
    assert_eq!(slow.next(whole, 1).await, Next::End);
    assert_eq!(fast.next(whole, 1).await, Next::End);
    writer.await.unwrap();
    assert!(budget.held() <= CHUNK as u64, "what both have is let go: {}", budget.held());
}

#[tokio::test]
async fn a_relay_ends_with_its_last_reader() {
    let (body, budget) = body(u64::MAX);
    let place = body.join().unwrap();
    body.write(&mut Bytes::from(vec![0; 2 * WINDOW])).unwrap();
    assert!(body.outgrow());
    let writer = tokio::spawn({
        let body = body.clone();
        async move { body.relay(Bytes::from_static(b"more")).await }
    });
    yield_now().await;
    drop(place);
    assert_eq!(timeout(NEVER, writer).await.expect("it does not wait for nobody").unwrap(), Relay::Unwanted);
    drop(body);
    assert_eq!(budget.held(), 0);
}

#[tokio::test]
async fn when_it_is_stored_readers_go_on_in_the_stored_bytes() {
    let (body, budget) = body(u64::MAX);
    let mut place = body.join().unwrap();
    body.write(&mut Bytes::from(vec![7; 100_000])).unwrap();
    assert!(matches!(place.next(0, 10).await, Next::Bytes(bytes) if bytes == [7; 10][..]));
    let whole = body.finish();
    body.complete(whole.clone());
    assert_eq!(budget.held(), 0, "the pieces are gone");
    match place.next(10, usize::MAX).await {
        Next::Bytes(rest) => assert_eq!(rest.as_ptr(), whole[10..].as_ptr(), "one copy of the body"),
        other => panic!("{other:?}"),
    }
    assert_eq!(place.next(100_000, 1).await, Next::End);
}

#[tokio::test]
async fn those_who_wait_for_the_outcome_hear_of_every_one() {
    for end in [
        |body: &Body| body.abort(),
        |body: &Body| body.complete(Bytes::new()),
        |body: &Body| assert!(!body.outgrow(), "nobody reads"),
    ] {
        let (body, _) = body(u64::MAX);
        let waiting = tokio::spawn({
            let body = body.clone();
            async move { body.decided().await }
        });
        yield_now().await;
        body.write(&mut Bytes::from_static(b"some")).unwrap();
        yield_now().await;
        assert!(!waiting.is_finished());
        end(&body);
        timeout(NEVER, waiting).await.expect("told").unwrap();
    }
}
