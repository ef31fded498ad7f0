//! Whether a request may go to the app now: pure.
//!
//! The app gets so many requests at once. What comes beyond that waits, in a queue that is bounded in length and time, and
//! by priority: whoever is more important goes first, and takes the place of the least important where the queue is full.
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

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Go,
    Wait,
    /// In the place of the one of this priority that came last.
    WaitInsteadOf(Priority),
    /// There is no place to wait in either.
    Shed,
}

/// How many wait, by priority.
pub type Waiting = [usize; Priority::ALL.len()];

/// Who may go, while `occupied` requests are with the app.
pub fn admit(occupied: usize, waiting: &Waiting, limits: &Limits, priority: Priority) -> Admission {
    if occupied < limits.requests {
        return Admission::Go;
    }
    if waiting.iter().sum::<usize>() < limits.queued {
        return Admission::Wait;
    }
    let less_important = Priority::ALL.iter().rev().take_while(|other| other.index() > priority.index());
    let waits = |other: &&Priority| waiting[other.index()] > 0;
    match { less_important }.find(waits) {
        Some(least) => Admission::WaitInsteadOf(*least),
        None => Admission::Shed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { requests: 2, queued: 3, wait: Duration::from_secs(1) };

    #[test]
    fn the_least_important_gives_way() {
        use Admission::{Go, Shed, Wait, WaitInsteadOf};
        use Priority::{Critical, High, Low, Normal};
        // Waiting: critical, high, normal, low.
        let rows: [(usize, Waiting, Priority, Admission); 10] = [
            (0, [0; 4], Low, Go),
            (1, [0; 4], Low, Go),
            (2, [0; 4], Low, Wait),
            (2, [0, 0, 0, 2], Low, Wait),
            (2, [0, 0, 0, 3], Low, Shed),
            (2, [0, 0, 0, 3], Normal, WaitInsteadOf(Low)),
            (2, [0, 1, 1, 1], Critical, WaitInsteadOf(Low)),
            (2, [0, 1, 2, 0], Critical, WaitInsteadOf(Normal)),
            (2, [0, 1, 2, 0], Normal, Shed),
            (2, [2, 1, 0, 0], High, Shed),
        ];
        for (occupied, waiting, priority, admission) in rows {
            assert_eq!(admit(occupied, &waiting, &LIMITS, priority), admission, "{occupied} {waiting:?} {priority:?}");
        }
        let none = Limits { queued: 0, ..LIMITS };
        assert_eq!(admit(2, &[0; 4], &none, Critical), Shed);
    }
}
