//! Whether a request that cannot go to the app now may wait: pure.
//!
//! The app gets so many requests at once. What comes beyond that waits, in a queue that is bounded in length and time, and
//! by priority: whoever is more important goes first, and takes the place of the least important where the queue is full.
//! Among those who are as important, who has fewer in the queue takes the place of who has more: [`line`](super::line).
//! Nothing that is answered from the store ever comes here.

use std::time::Duration;

use crate::metrics::{Label, Priority};

/// How much the app is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests at once.
    pub requests: usize,
    /// Requests that wait for one of those to end.
    pub queued: usize,
    /// How long one waits.
    pub wait: Duration,
}

/// What becomes of a request for which there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Wait,
    /// In the place of the one of this priority that is to go last.
    WaitInsteadOf(Priority),
    /// There is no place to wait in either.
    Shed,
}

/// How many wait, by priority.
pub type Waiting = [usize; Priority::ALL.len()];

/// Who may wait, of whom there may be `most`. `overtakes`: it is to go before somebody of its own priority.
pub fn admit(waiting: &Waiting, most: usize, priority: Priority, overtakes: bool) -> Admission {
    if waiting.iter().sum::<usize>() < most {
        return Admission::Wait;
    }
    let first = priority.index() + usize::from(!overtakes);
    let waits = |other: &&Priority| waiting[other.index()] > 0;
    match Priority::ALL.iter().skip(first).rev().find(waits) {
        Some(least) => Admission::WaitInsteadOf(*least),
        None => Admission::Shed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_important_gives_way() {
        use Admission::{Shed, Wait, WaitInsteadOf};
        use Priority::{Critical, High, Low, Normal};
        // Waiting: critical, high, normal, low.
        let rows: [(Waiting, Priority, bool, Admission); 12] = [
            ([0; 4], Low, false, Wait),
            ([0, 0, 0, 2], Low, false, Wait),
            ([0, 0, 0, 3], Low, false, Shed),
            ([0, 0, 0, 3], Low, true, WaitInsteadOf(Low)),
            ([0, 0, 0, 3], Normal, false, WaitInsteadOf(Low)),
            ([0, 1, 1, 1], Critical, false, WaitInsteadOf(Low)),
            ([0, 1, 2, 0], Critical, false, WaitInsteadOf(Normal)),
            ([0, 1, 2, 0], Normal, false, Shed),
            ([0, 1, 2, 0], Normal, true, WaitInsteadOf(Normal)),
            ([0, 0, 2, 1], Normal, true, WaitInsteadOf(Low)),
            ([0, 0, 2, 0], Normal, true, Wait),
            ([2, 1, 0, 0], High, false, Shed),
        ];
        for (waiting, priority, overtakes, admission) in rows {
            let admitted = admit(&waiting, 3, priority, overtakes);
            assert_eq!(admitted, admission, "{waiting:?} {priority:?} {overtakes}");
        }
        assert_eq!(admit(&[0; 4], 0, Critical, false), Shed);
    }
}
