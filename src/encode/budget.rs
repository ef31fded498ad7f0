//! The memory of all encoders together: reserved before one is made, given back when its body ends.
//!
//! A body cannot be refused once its head is out, and an encoder in use cannot be made smaller, so what it may come to hold
//! ([`Setup::heap`]) is reserved before the head is written. What it really holds is counted beside that, for the gauge.
//!
//! # Who gets how much
//!
//! Whoever comes first must not take it all: a thousand bodies that are sent slowly would be three good encoders and
//! nothing for the rest. So what one may take falls with the square of the free part of the budget, `limit / 2 * free²`.
//! With 16 MiB, two bodies are encoded as planned whatever their length, pages of 10 KB sixteen at a time, and a hundred
//! bodies at a time somehow. What does not fit goes down the [ladder](fit).
//!
//! Work that can wait, for stored bodies, takes of what is left ([`Budget::reserve_spare`]) and goes when others come.
//!
//! # Streams that pause
//!
//! An event stream may live for hours, and what it held at its first event would be gone for as long. Brotli can go on
//! without what it has learnt ([`super::Codec::shrink`]), so the encoder of a stream that was just flushed is parked, and
//! whoever finds no room for all that was planned first shrinks the parked ones to a few KiB each, the longest parked first.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::codec::Codec;
use super::ladder::{Rung, fit};
use super::level::Setup;
use crate::header::Coding;

/// What live encoders may hold together.
#[derive(Debug)]
pub struct Budget {
    limit: AtomicU64,
    reserved: AtomicU64,
    /// Of `reserved`, what is given back when others need it.
    waiting: AtomicU64,
    held: AtomicU64,
    /// The longest parked first. Those that went on are gone from it when somebody looks.
    parked: Mutex<VecDeque<Weak<Mutex<Parked>>>>,
}

/// An encoder may be made.
#[derive(Debug)]
pub struct Admission {
    pub setup: Setup,
    pub rung: Rung,
    pub reservation: Reservation,
}

impl Budget {
    pub fn new(limit: u64) -> Self {
        let none = || AtomicU64::new(0);
        Self { limit: AtomicU64::new(limit), reserved: none(), waiting: none(), held: none(), parked: Mutex::default() }
    }

    pub fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// What is reserved above a smaller limit is given back as bodies end.
    pub fn resize(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Room for so many bytes of something else than an encoder, if there is any.
    pub fn reserve(self: &Arc<Self>, bytes: u64) -> Option<Reservation> {
        while self.take(self.limit(), bytes).is_none() {
            if !self.shrink_parked() {
                return None;
            }
        }
        Some(self.reservation(bytes, bytes))
    }

    /// Room for so many bytes of a decoder: no more of what is free than an encoder would get.
    pub fn admit_decoder(self: &Arc<Self>, bytes: u64) -> Option<Reservation> {
        loop {
            let reserved = self.reserved();
            if bytes <= self.for_one(reserved) {
                // Nothing else is published with this number.
                let (now, then) = (reserved, reserved + bytes);
                if self.reserved.compare_exchange(now, then, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                    return Some(self.reservation(bytes, 0));
                }
            } else if !self.shrink_parked() {
                return None;
            }
        }
    }

    /// So many bytes, whether or not there is room: for what has to be done all the same.
    pub fn overdraw(self: &Arc<Self>, bytes: u64) -> Reservation {
        self.reserved.fetch_add(bytes, Ordering::Relaxed);
        self.reservation(bytes, 0)
    }

    /// Room for so many bytes of work that can wait. A quarter of the whole is never given to it, so that who cannot
    /// wait finds some at any time.
    pub fn reserve_spare(self: &Arc<Self>, bytes: u64) -> Option<Reservation> {
        self.take(self.spare(), bytes)?;
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        let mut reservation = self.reservation(bytes, bytes);
        reservation.waiting = bytes;
        Some(reservation)
    }

    fn take(&self, limit: u64, bytes: u64) -> Option<()> {
        let within = |reserved: u64| reserved.checked_add(bytes).filter(|total| *total <= limit);
        // Nothing else is published with this number.
        self.reserved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).ok().map(|_| ())
    }

    fn reservation(self: &Arc<Self>, reserved: u64, held: u64) -> Reservation {
        self.held.fetch_add(held, Ordering::Relaxed);
        Reservation { budget: self.clone(), reserved, waiting: 0, held }
    }

    /// The most that [`Self::reserve_spare`] ever gives.
    pub fn spare(&self) -> u64 {
        self.limit() / 4 * 3
    }

    /// Hardly any room is left: who has some that can wait gives it back.
    pub fn is_short(&self) -> bool {
        let limit = self.limit();
        limit.saturating_sub(self.reserved()) < limit / 8
    }

    /// What live encoders may come to hold.
    pub fn reserved(&self) -> u64 {
        self.reserved.load(Ordering::Relaxed)
    }

    /// What live encoders held when each was last used.
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Room for `plan`, or for the best below it that there is room for. `allowed` are the codings it may be changed to.
    pub fn admit(self: &Arc<Self>, plan: &Setup, allowed: &[Coding]) -> Option<Admission> {
        let mut reserved = self.reserved();
        loop {
            if plan.heap() > self.for_one(reserved) && self.shrink_parked() {
                reserved = self.reserved();
                continue;
            }
            let (setup, rung) = self.offer(plan, allowed, reserved)?;
            let bytes = setup.heap();
            // Nothing else is published with this number.
            match self.reserved.compare_exchange_weak(reserved, reserved + bytes, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return Some(Admission { setup, rung, reservation: self.reservation(bytes, 0) }),
                Err(now) => reserved = now,
            }
        }
    }

    /// Takes back what the longest parked encoder does not need. Whether there was one.
    fn shrink_parked(&self) -> bool {
        loop {
            let Some(parked) = self.parked.lock().pop_front() else {
                return false;
            };
            if parked.upgrade().is_some_and(|parked| parked.lock().shrink()) {
                return true;
            }
        }
    }

    fn offer(&self, plan: &Setup, allowed: &[Coding], reserved: u64) -> Option<(Setup, Rung)> {
        let free = self.limit().saturating_sub(reserved);
        // The smallest encoders are for whoever finds nothing else, to the last byte.
        fit(plan, allowed, self.for_one(reserved)).or_else(|| fit(plan, allowed, free.min(LEAST)))
    }

    /// What one encoder may take while so much is reserved. What can wait does not make it less, as long as there is room.
    fn for_one(&self, reserved: u64) -> u64 {
        let live = reserved.saturating_sub(self.waiting.load(Ordering::Relaxed));
        let limit = self.limit();
        share(limit, live).min(limit.saturating_sub(reserved))
    }
}

/// Room for the smallest encoder there is.
const LEAST: u64 = 24 << 10;

/// The part of `limit` for one encoder while `reserved` of it is taken.
fn share(limit: u64, reserved: u64) -> u64 {
    let free = limit.saturating_sub(reserved);
    // In 128 bits: the square of 4 GiB is more than 64 hold.
    let share = u128::from(free) * u128::from(free) / u128::from(limit.max(1)) / 2;
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// The part of a [`Budget`] that one encoder has. Given back when this is dropped.
#[derive(Debug)]
#[must_use = "the budget has it back when this is dropped"]
pub struct Reservation {
    budget: Arc<Budget>,
    reserved: u64,
    waiting: u64,
    held: u64,
}

impl Reservation {
    /// What the encoder holds now. Should it ever be more than was reserved, the books follow the facts.
    pub(super) fn hold(&mut self, bytes: u64) {
        add(&self.budget.held, self.held, bytes);
        self.held = bytes;
        if bytes > self.reserved {
            self.reserve(bytes);
        }
    }

    /// Holds so much now, within what is reserved or what there is room for. Otherwise nothing changes.
    pub(super) fn grow(&mut self, bytes: u64) -> bool {
        if let Some(more) = bytes.checked_sub(self.reserved).filter(|more| *more > 0) {
            match self.budget.reserve(more) {
                Some(added) => self.join(added),
                None => return false,
            }
        }
        self.hold(bytes);
        true
    }

    /// Room for so many bytes more, apart from this.
    pub(super) fn beside(&self, bytes: u64) -> Option<Self> {
        self.budget.reserve(bytes)
    }

    /// Room apart from this for so many bytes that can go elsewhere: nobody gives way for them.
    pub(super) fn spare(&self, bytes: u64) -> Option<Self> {
        self.budget.reserve_spare(bytes)
    }

    /// What the other one has is part of this.
    fn join(&mut self, mut other: Self) {
        self.reserved += std::mem::take(&mut other.reserved);
        self.held += std::mem::take(&mut other.held);
    }

    /// For an encoder that pauses.
    pub(super) fn park(self, codec: Box<dyn Codec>) -> Arc<Mutex<Parked>> {
        let shrinks = self.reserved > LEAST;
        let budget = self.budget.clone();
        let parked = Arc::new(Mutex::new(Parked(Some((codec, self)))));
        if shrinks {
            let mut queue = budget.parked.lock();
            if queue.len() == queue.capacity() {
                queue.retain(|parked| parked.strong_count() > 0);
            }
            queue.push_back(Arc::downgrade(&parked));
        }
        parked
    }

    fn reserve(&mut self, bytes: u64) {
        add(&self.budget.reserved, self.reserved, bytes);
        self.reserved = bytes;
    }
}

/// The encoder of a stream that pauses, until the stream goes on.
pub struct Parked(Option<(Box<dyn Codec>, Reservation)>);

impl fmt::Debug for Parked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Parked").field(&self.ask(|codec| codec.heap())).finish()
    }
}

impl Parked {
    pub(super) fn take(&mut self) -> Option<(Box<dyn Codec>, Reservation)> {
        self.0.take()
    }

    pub(super) fn ask(&self, question: impl Fn(&dyn Codec) -> usize) -> usize {
        self.0.as_ref().map_or(0, |(codec, _)| question(codec.as_ref()))
    }

    fn shrink(&mut self) -> bool {
        let Some((codec, reservation)) = &mut self.0 else {
            return false;
        };
        let Some(least) = codec.shrink() else {
            return false;
        };
        reservation.hold(codec.resident() as u64);
        reservation.reserve(least.min(reservation.reserved));
        true
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        add(&self.budget.held, self.held, 0);
        add(&self.budget.waiting, self.waiting, 0);
        add(&self.budget.reserved, self.reserved, 0);
    }
}

/// One part of a sum changes. A sum of parts never falls below any of them, so that nothing wraps.
fn add(sum: &AtomicU64, from: u64, to: u64) {
    if to > from {
        sum.fetch_add(to - from, Ordering::Relaxed);
    } else {
        sum.fetch_sub(from - to, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::*;
    use crate::encode::{BodyEncoder, Decoder, Live, sample, setup};

    const MIB: u64 = 1 << 20;

    fn stream() -> Setup {
        setup(Coding::Brotli, Live::Auto, None)
    }

    #[test]
    fn what_can_wait_leaves_a_quarter_and_knows_when_to_go() {
        let budget = Arc::new(Budget::new(80));
        assert_eq!(budget.spare(), 60);
        assert!(budget.reserve_spare(61).is_none() && budget.reserve_spare(u64::MAX).is_none());
        let idle = budget.reserve_spare(60).expect("all of the spare room");
        assert_eq!((budget.reserved(), budget.is_short()), (60, false));
        let live = budget.reserve(11).expect("what is kept for it");
        assert!(budget.is_short(), "9 of 80 are free");
        drop(idle);
        assert!(!budget.is_short());
        assert!(budget.reserve_spare(50).is_none(), "a quarter of the whole is kept, whoever has the rest");
        let again = budget.reserve_spare(49).expect("what is left");
        assert_eq!(budget.reserved(), 60);
        assert_eq!(budget.held(), 60, "what is no encoder is held as it is reserved");
        drop((live, again));
        assert_eq!((budget.reserved(), budget.held()), (0, 0));
    }

    #[test]
    fn what_can_wait_makes_no_encoder_smaller_that_there_is_room_for() {
        let budget = Arc::new(Budget::new(32 * MIB));
        let waiting = budget.reserve_spare(24 * MIB).expect("room");
        let first = budget.admit(&stream(), &[]).expect("room");
        assert_eq!((first.rung, budget.is_short()), (Rung::Full, true));
        let second = budget.admit(&stream(), &[]).expect("room");
        assert_ne!(second.rung, Rung::Full, "the rest of the room is less");
        drop(waiting);
        assert_eq!(budget.admit(&stream(), &[]).expect("room").rung, Rung::Full);
    }

    #[test]
    fn what_one_may_take_falls_with_the_square_of_what_is_free() {
        let cases = [(0, 8 * MIB), (4 * MIB, 9 * MIB / 2), (8 * MIB, 2 * MIB), (12 * MIB, MIB / 2), (16 * MIB, 0)];
        for (reserved, one) in cases {
            assert_eq!(share(16 * MIB, reserved), one, "{reserved}");
        }
        assert_eq!(share(16 * MIB, 17 * MIB), 0);
        assert_eq!(share(0, 0), 0);
        assert_eq!(share(u64::MAX, 0), u64::MAX / 2);
    }

    #[test]
    fn two_long_bodies_are_encoded_as_planned_in_16_mib_and_a_hundred_somehow() {
        let budget = Arc::new(Budget::new(16 * MIB));
        let admitted: Vec<_> = std::iter::from_fn(|| budget.admit(&stream(), &[Coding::Gzip])).collect();
        let full = admitted.iter().take_while(|admission| admission.rung == Rung::Full).count();
        assert_eq!(full, 2);
        assert!(admitted.len() >= 90, "{}", admitted.len());
        assert!(budget.reserved() <= budget.limit());
        // What is left is less than the smallest.
        assert!(budget.limit() - budget.reserved() < 32 << 10);
        drop(admitted);
        assert_eq!((budget.reserved(), budget.held()), (0, 0));
    }

    #[test]
    fn the_books_follow_what_is_held() {
        let budget = Arc::new(Budget::new(64 * MIB));
        let mut one = budget.admit(&stream(), &[]).expect("room").reservation;
        let planned = budget.reserved();
        assert_eq!(planned, stream().heap());
        one.hold(MIB);
        assert_eq!((budget.reserved(), budget.held()), (planned, MIB));
        one.hold(planned + 1);
        assert_eq!((budget.reserved(), budget.held()), (planned + 1, planned + 1));
        one.hold(5);
        one.reserve(1000);
        assert_eq!((budget.reserved(), budget.held()), (1000, 5));
        drop(one);
        assert_eq!((budget.reserved(), budget.held()), (0, 0));
    }

    #[test]
    fn no_budget_is_no_encoder() {
        let budget = Arc::new(Budget::new(0));
        assert!(budget.admit(&stream(), &[Coding::Gzip, Coding::Zstd]).is_none());
    }

    #[test]
    fn streams_that_pause_and_go_on_are_whole_while_others_want_their_memory() {
        let budget = Arc::new(Budget::new(16 * MIB));
        let body = sample::html(60_000);
        let encode = || {
            let Some(admission) = budget.admit(&stream(), &[]) else {
                return;
            };
            let mut encoder = BodyEncoder::admitted(admission).unwrap();
            let mut decoder = Decoder::new(Coding::Brotli, u64::MAX).unwrap();
            let mut out = BytesMut::new();
            for chunk in body.chunks(3000) {
                decoder.push(&encoder.push(chunk, true).unwrap(), &mut out).unwrap();
            }
            decoder.push(&encoder.finish().unwrap().unwrap(), &mut out).unwrap();
            decoder.finish().unwrap();
            assert!(out == body);
        };
        std::thread::scope(|scope| {
            (0..8).for_each(|_| {
                scope.spawn(|| (0..10).for_each(|_| encode()));
            });
        });
        assert_eq!((budget.reserved(), budget.held()), (0, 0));
        // Those that ended are not remembered.
        assert!(budget.parked.lock().iter().all(|parked| parked.strong_count() == 0));
        assert!(budget.parked.lock().len() <= 64, "{}", budget.parked.lock().len());
    }

    #[test]
    fn decoders_share_as_encoders_do() {
        let budget = Arc::new(Budget::new(16 * MIB));
        let decoder = 560 << 10;
        let admitted: Vec<_> = std::iter::from_fn(|| budget.admit_decoder(decoder)).collect();
        assert!((15..25).contains(&admitted.len()), "{}", admitted.len());
        assert!(budget.admit(&setup(Coding::Gzip, Live::Auto, None), &[]).is_some(), "there is some left for others");
        let forced = budget.overdraw(16 * MIB);
        assert!(budget.reserved() > budget.limit());
        assert!(budget.admit(&stream(), &[]).is_none() && budget.admit_decoder(1).is_none(), "it is on the books");
        drop((forced, admitted));
        assert_eq!((budget.reserved(), budget.held()), (0, 0));
    }

    #[test]
    fn a_decoder_that_needs_more_gets_it_from_those_that_pause() {
        let budget = Arc::new(Budget::new(16 * MIB));
        let paused: Vec<_> = (0..3)
            .map(|_| {
                let mut encoder = BodyEncoder::admitted(budget.admit(&stream(), &[]).unwrap()).unwrap();
                encoder.push(&sample::json(1000), true).unwrap();
                encoder
            })
            .collect();
        let mut decoder = budget.admit_decoder(MIB).unwrap();
        assert!(decoder.grow(12 * MIB) && budget.reserved() <= budget.limit());
        assert!(!decoder.grow(17 * MIB));
        assert_eq!(decoder.held, 12 * MIB, "nothing changed");
        drop((decoder, paused));
        assert_eq!((budget.reserved(), budget.held()), (0, 0));
    }

    #[test]
    fn many_threads_never_reserve_more_than_there_is() {
        let budget = Arc::new(Budget::new(16 * MIB));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..2000 {
                        let admitted: Vec<_> =
                            (0..round % 40).map_while(|_| budget.admit(&stream(), &[Coding::Gzip])).collect();
                        assert!(budget.reserved() <= budget.limit());
                        drop(admitted);
                    }
                });
            }
        });
        assert_eq!((budget.reserved(), budget.held()), (0, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// Whatever the room is when it begins, and whoever wants some of it at a pause.
        #[test]
        fn an_encoder_in_any_room_gives_the_body_back(
            coding in prop::sample::select(vec![Coding::Brotli, Coding::Zstd, Coding::Gzip]),
            known in any::<bool>(),
            at in 0usize..50_000,
            length in 0usize..400_000,
            cuts in prop::collection::vec((1usize..70_000, any::<bool>(), 0u64..16 * MIB), 1..8),
        ) {
            let body = &sample::json(at + length)[at..at + length];
            let plan = setup(coding, Live::Auto, known.then_some(length as u64));
            let budget = Arc::new(Budget::new(16 * MIB));
            budget.reserved.store(cuts[0].2, Ordering::Relaxed);
            let Some(admission) = budget.admit(&plan, &[Coding::Brotli, Coding::Gzip]) else {
                return Ok(());
            };
            let coding = admission.setup.coding;
            let mut encoder = BodyEncoder::admitted(admission).unwrap();
            let mut decoder = Decoder::new(coding, u64::MAX).unwrap();
            let mut out = BytesMut::new();
            let mut rest = body;
            for &(size, flush, others) in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let own = budget.reserved();
                let (chunk, later) = rest.split_at(size.min(rest.len()));
                rest = later;
                decoder.push(&encoder.push(chunk, flush).unwrap(), &mut out).unwrap();
                if flush {
                    prop_assert_eq!(out.len(), body.len() - rest.len());
                }
                // Somebody comes while so much is taken by others, and may find this one parked.
                budget.reserved.fetch_add(others, Ordering::Relaxed);
                drop(budget.admit(&stream(), &[]));
                budget.reserved.fetch_sub(others, Ordering::Relaxed);
                prop_assert!(budget.reserved() <= own, "it grew");
                prop_assert_eq!(budget.held(), encoder.resident() as u64);
                prop_assert!(encoder.resident() <= encoder.heap());
            }
            decoder.push(&encoder.finish().unwrap().unwrap(), &mut out).unwrap();
            decoder.finish().unwrap();
            prop_assert!(out == body);
            prop_assert_eq!((budget.reserved(), budget.held()), (cuts[0].2, 0));
        }
    }

    #[test]
    fn a_brotli_stream_that_pauses_holds_next_to_nothing_where_memory_is_short() {
        let budget = Arc::new(Budget::new(16 * MIB));
        let body = sample::json(128 << 10);
        let paused: Vec<_> = std::iter::from_fn(|| {
            let mut encoder = BodyEncoder::admitted(budget.admit(&stream(), &[])?).unwrap();
            encoder.push(&body, true).unwrap();
            Some(encoder)
        })
        .take(1000)
        .collect();
        assert!(paused.len() >= 700, "{}", paused.len());
        assert!(budget.held() < 16 * MIB, "{}", budget.held());
    }
}
