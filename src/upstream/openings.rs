//! How fast the app is given new connections: pure.
//!
//! A connection that is made waits in the app's backlog until the app accepts it, and one that was closed meanwhile waits
//! there too. The backlogs in use begin at a hundred; what finds one full is tried again by the kernel after a second
//! (RFC 6298, section 2), which is as long as `upstream.connect_timeout`. So a crowd that comes at once does not get all its
//! connections at once, nor does one whose clients leave before the app has answered: each takes its connection along.
//!
//! Which request will need a new connection is not known when it gets its place. So each is counted from then on until it
//! is known that the app need not accept anything for it, as it has a kept connection or an answer; or until the app had
//! [`TIME`] to accept it. Where connections are kept that is over at once, and nobody waits.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// An app that accepts nothing for as long has other worries than one more connection.
const TIME: Duration = Duration::from_millis(50);

/// Of so many places one may be that of a request for which the app may have to accept a connection.
const SHARE: usize = 16;

/// Less than the smallest backlogs.
const FEWEST: usize = 16;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening(u64);

/// Those that the app may still have to accept.
#[derive(Debug)]
pub struct Openings {
    most: usize,
    /// In the order in which they began.
    open: VecDeque<(Opening, Instant)>,
    next: u64,
}

impl Openings {
    /// Before an app of so many places.
    pub fn before(places: usize) -> Self {
        Self { most: (places / SHARE).max(FEWEST), open: VecDeque::new(), next: 0 }
    }

    /// One more, if there may be one.
    pub fn begin(&mut self, now: Instant) -> Option<Opening> {
        while self.open.front().is_some_and(|(_, since)| now.saturating_duration_since(*since) >= TIME) {
            self.open.pop_front();
        }
        (self.open.len() < self.most).then(|| {
            let opening = Opening(self.next);
            self.next += 1;
            self.open.push_back((opening, now));
            opening
        })
    }

    /// The app need not accept anything for it. True if it was counted until now.
    pub fn end(&mut self, opening: Opening) -> bool {
        // Their numbers are in order.
        let found = self.open.binary_search_by_key(&opening.0, |(open, _)| open.0);
        found.is_ok_and(|index| self.open.remove(index).is_some())
    }

    /// When the next one will have been accepted.
    pub fn next_end(&self) -> Option<Instant> {
        self.open.front().map(|(_, since)| *since + TIME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(openings: &mut Openings, count: usize, now: Instant) -> Vec<Opening> {
        (0..count).map_while(|_| openings.begin(now)).collect()
    }

    #[test]
    fn there_are_so_many_at_a_time() {
        for (places, most) in [(1, 16), (256, 16), (1024, 64), (10_000, 625)] {
            assert_eq!(begin(&mut Openings::before(places), 2000, Instant::now()).len(), most, "{places}");
        }
    }

    #[test]
    fn one_that_has_met_the_app_is_none_any_more() {
        let (mut openings, now) = (Openings::before(1), Instant::now());
        let all = begin(&mut openings, 20, now);
        assert_eq!(openings.begin(now), None);
        assert!(openings.end(all[3]) && !openings.end(all[3]), "once");
        assert!(openings.begin(now).is_some() && openings.begin(now).is_none());
    }

    #[test]
    fn whatever_becomes_of_it_the_app_had_its_time() {
        let (mut openings, now) = (Openings::before(1), Instant::now());
        let first = begin(&mut openings, 10, now);
        begin(&mut openings, 6, now + TIME / 2);
        assert_eq!(openings.next_end(), Some(now + TIME));
        assert_eq!(begin(&mut openings, 20, now + TIME).len(), 10);
        assert!(!openings.end(first[0]));
        assert_eq!(openings.next_end(), Some(now + TIME / 2 + TIME));
        assert_eq!(begin(&mut openings, 20, now + 9 * TIME).len(), 16);
    }
}
