//! One budget, three takers: what encoders, fills and the cache may each hold, so that together they never pass it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::encode::Budget;
use crate::metrics::MemoryGauges;

/// Of the budget, encoders may take one part in so many, but [`FEW_DOZEN`] where that is no more than half.
///
/// A fixed part, because neither side could give back what it borrowed: the cache is not to be emptied by a burst of slow
/// clients, and a body that is being encoded cannot be taken back.
const ENCODERS: u64 = 4;
/// Encodes a hundred and more bodies at a time, and several hundred streams that pause.
const FEW_DOZEN: u64 = 32 << 20;
/// Of the rest, fills take this part beside the cache: a quarter of the cache's own ([`crate::cache::Limits`]).
const FILLS: u64 = 5;

/// What each may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    pub encoders: u64,
    pub fills: u64,
    pub cache: u64,
}

impl Shares {
    /// Fills have room for one object of the largest size, as long as half of the rest is left to the cache.
    pub fn of(budget: u64, max_object: u64) -> Self {
        let encoders = (budget / ENCODERS).max(FEW_DOZEN.min(budget / 2));
        let rest = budget - encoders;
        let fills = (rest / FILLS).max(max_object.min(rest / 2));
        Self { encoders, fills, cache: rest - fills }
    }
}

/// The books, as the metrics see them.
pub struct Books {
    budget: AtomicU64,
    encoders: Arc<Budget>,
}

impl Books {
    pub fn new(budget: u64, encoders: Arc<Budget>) -> Self {
        Self { budget: AtomicU64::new(budget), encoders }
    }

    /// Another budget from now on.
    pub fn resize(&self, budget: u64, shares: Shares) {
        self.budget.store(budget, Ordering::Relaxed);
        self.encoders.resize(shares.encoders);
    }
}

impl MemoryGauges for Books {
    fn budget(&self) -> u64 {
        self.budget.load(Ordering::Relaxed)
    }

    fn encoders_held(&self) -> u64 {
        self.encoders.held()
    }

    fn encoders_reserved(&self) -> u64 {
        self.encoders.reserved()
    }

    fn encoders_capacity(&self) -> u64 {
        self.encoders.limit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_shares_are_the_budget_and_fills_take_an_object() {
        // (budget, largest object, encoders, fills, cache) in MiB
        let cases = [
            (640, 4, 160, 96, 384),
            (112, 4, 32, 16, 64),
            (72, 4, 32, 8, 32),
            (40, 4, 20, 4, 16),
            (40, 8, 20, 8, 12),
            (40, 1024, 20, 10, 10),
            (0, 4, 0, 0, 0),
        ];
        for (budget, object, encoders, fills, cache) in cases {
            let shares = Shares::of(budget * MIB, object * MIB);
            let expected = Shares { encoders: encoders * MIB, fills: fills * MIB, cache: cache * MIB };
            assert_eq!(shares, expected, "{budget} {object}");
        }
        for budget in [1, 3, 1000, u64::MAX] {
            let shares = Shares::of(budget, 4 * MIB);
            assert_eq!(shares.encoders + shares.fills + shares.cache, budget);
        }
    }
}
