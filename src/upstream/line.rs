//! Who waits before the places of the app, and who of them is next: pure.
//!
//! The most important goes first. Among those who are as important it is not whoever asked first, or one connection of HTTP/2
//! that asks for a hundred things at once would have a hundred turns before the next one's first: it is each connection's
//! turn, one after the other. So each request is given the number of the round that it belongs to. The first that a
//! connection has in line belongs to the round that is being served, its second to the one after, and so on; within a round,
//! whoever came first goes first. That is start-time fair queueing (Goyal, Vin and Cheng, 1996) of requests that are all
//! taken for equally large.
//!
//! Nobody is remembered for it but in the connection itself ([`Party`]). What it has asked for and then left stays asked: a
//! client that gives up its requests gets no more turns by that.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::admission::{Admission, Waiting, admit};
use crate::metrics::{Label, Priority};

/// One of those who take turns: a connection. One that has a single request at a time, as in HTTP/1, needs none.
#[derive(Debug, Default)]
pub struct Party {
    /// The round of the next request that it asks.
    next: AtomicU64,
}

/// Where one stands: in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    round: u64,
    /// In the order of arrival.
    number: u64,
}

/// Those who wait, each with a way to be told something.
#[derive(Debug)]
pub struct Line<T> {
    queues: [BTreeMap<Rank, T>; Priority::ALL.len()],
    /// The round that is being served.
    round: u64,
    /// The first that nobody belongs to yet.
    unused: u64,
    /// The number of the next who comes.
    number: u64,
}

/// What becomes of one who comes.
#[derive(Debug, PartialEq, Eq)]
pub enum Joined<T> {
    Waits(Rank),
    /// There was room for it only since this one leaves.
    WaitsInsteadOf(T, Rank),
    Full,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { queues: Default::default(), round: 0, unused: 0, number: 0 }
    }
}

impl<T> Line<T> {
    /// One more, who cannot go now. There may be `most` of them.
    pub fn join(&mut self, most: usize, priority: Priority, party: Option<&Party>, waiter: T) -> Joined<T> {
        let round = party.map_or(self.round, |party| party.next.load(Ordering::Relaxed).max(self.round));
        let last = self.queues[priority.index()].last_key_value();
        let overtakes = last.is_some_and(|(last, _)| round < last.round);
        let gone = match admit(&self.waiting(), most, priority, overtakes) {
            Admission::Shed => return Joined::Full,
            Admission::Wait => None,
            Admission::WaitInsteadOf(other) => self.queues[other.index()].pop_last(),
        };
        let rank = Rank { round, number: self.number };
        self.number += 1;
        self.unused = self.unused.max(round + 1);
        if let Some(party) = party {
            // All that changes it is under the lock of whoever has the line.
            party.next.store(round + 1, Ordering::Relaxed);
        }
        self.queues[priority.index()].insert(rank, waiter);
        match gone {
            Some((_, gone)) => Joined::WaitsInsteadOf(gone, rank),
            None => Joined::Waits(rank),
        }
    }

    /// Takes whoever is next out of the line.
    pub fn next(&mut self) -> Option<T> {
        let (rank, waiter) = self.queues.iter_mut().find_map(BTreeMap::pop_first)?;
        self.round = self.round.max(rank.round);
        self.forget();
        Some(waiter)
    }

    /// Somebody does not wait any longer.
    pub fn leave(&mut self, priority: Priority, rank: Rank) {
        self.queues[priority.index()].remove(&rank);
        self.forget();
    }

    /// Once nobody waits, nobody is behind anybody.
    fn forget(&mut self) {
        if self.is_empty() {
            self.round = self.unused;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.queues.iter().all(BTreeMap::is_empty)
    }

    /// How many wait, by priority.
    pub fn waiting(&self) -> Waiting {
        self.queues.each_ref().map(BTreeMap::len)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn come<T>(line: &mut Line<T>, most: usize, priority: Priority, party: Option<&Party>, who: T) -> Joined<T> {
        line.join(most, priority, party, who)
    }

    fn all<T>(line: &mut Line<T>) -> Vec<T> {
        std::iter::from_fn(|| line.next()).collect()
    }

    #[test]
    fn connections_take_turns() {
        let (mut line, many, few) = (Line::default(), Party::default(), Party::default());
        let arriving = [
            (Some(&many), "many 1"),
            (Some(&many), "many 2"),
            (Some(&many), "many 3"),
            (Some(&few), "few 1"),
            (None, "one"),
            (Some(&few), "few 2"),
            (None, "another"),
        ];
        for (party, who) in arriving {
            assert!(matches!(come(&mut line, 9, Priority::Normal, party, who), Joined::Waits(_)));
        }
        assert_eq!(all(&mut line), ["many 1", "few 1", "one", "another", "many 2", "few 2", "many 3"]);
    }

    #[test]
    fn the_most_important_goes_first_whoever_has_had_turns() {
        let (mut line, party) = (Line::default(), Party::default());
        for (priority, who) in
            [(Priority::Low, 0), (Priority::Normal, 1), (Priority::Critical, 2), (Priority::Normal, 3)]
        {
            come(&mut line, 9, priority, Some(&party), who);
        }
        assert_eq!(all(&mut line), [2, 1, 3, 0]);
    }

    #[test]
    fn in_a_full_line_whoever_has_the_most_in_it_gives_way() {
        let (mut line, many) = (Line::default(), Party::default());
        for number in 1..=3 {
            come(&mut line, 3, Priority::Normal, Some(&many), number);
        }
        assert_eq!(come(&mut line, 3, Priority::Normal, Some(&many), 4), Joined::Full, "it has no better right");
        assert!(matches!(come(&mut line, 3, Priority::Normal, None, 5), Joined::WaitsInsteadOf(3, _)));
        assert!(matches!(come(&mut line, 3, Priority::Normal, None, 6), Joined::WaitsInsteadOf(2, _)));
        assert_eq!(come(&mut line, 3, Priority::Normal, None, 7), Joined::Full, "one each is left");
        assert_eq!(all(&mut line), [1, 5, 6]);
    }

    #[test]
    fn who_asks_and_leaves_gets_no_more_turns_by_that() {
        let (mut line, leaver, other) = (Line::default(), Party::default(), Party::default());
        come(&mut line, 9, Priority::Normal, Some(&other), "other 1");
        for _ in 0..3 {
            let Joined::Waits(rank) = come(&mut line, 9, Priority::Normal, Some(&leaver), "left") else {
                panic!("there is room");
            };
            line.leave(Priority::Normal, rank);
        }
        come(&mut line, 9, Priority::Normal, Some(&leaver), "stays");
        come(&mut line, 9, Priority::Normal, Some(&other), "other 2");
        assert_eq!(all(&mut line), ["other 1", "other 2", "stays"]);
        come(&mut line, 9, Priority::Normal, Some(&leaver), "later");
        come(&mut line, 9, Priority::Normal, None, "new");
        assert_eq!(all(&mut line), ["later", "new"], "nobody waited meanwhile: it is forgotten");
    }

    proptest! {
        /// Whoever has a request in line is served at least every other turn of any other party, in whatever order they came.
        #[test]
        fn nobody_has_two_turns_while_another_waits(arriving in proptest::collection::vec(0..4usize, 1..60)) {
            let (mut line, parties) = (Line::default(), [const { Party { next: AtomicU64::new(0) } }; 4]);
            for party in &arriving {
                come(&mut line, 100, Priority::Normal, Some(&parties[*party]), *party);
            }
            let served = all(&mut line);
            let count = |range: &[usize], party| range.iter().filter(|one| **one == party).count();
            for end in 0..served.len() {
                let waits = |party: &usize| served[end..].contains(party);
                for (one, other) in (0..4).flat_map(|one| (0..4).map(move |other| (one, other))) {
                    if waits(&one) {
                        prop_assert!(count(&served[..end], other) <= count(&served[..end], one) + 1, "{:?}", served);
                    }
                }
            }
        }
    }
}
