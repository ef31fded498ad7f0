//! The memory of all encoders together: reserved before one is made, given back when its body ends.
//!
//! A body cannot be refused once its head is out, and an encoder in use cannot be made smaller. So what it may come to
//! hold ([`super::Setup::heap`]) is reserved before the head is written; where there is no room, the caller chooses a
//! coding that takes less, or none. A thousand bodies that are sent slowly cost compression, never the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What live encoders may hold together.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    reserved: AtomicU64,
}

/// The part of a [`Budget`] that one encoder has, until this is dropped.
#[derive(Debug)]
#[must_use = "the budget has it back when this is dropped"]
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Budget {
    pub fn new(limit: u64) -> Self {
        Self { limit, reserved: AtomicU64::new(0) }
    }

    /// Room for so many bytes, if there is any.
    pub fn reserve(self: &Arc<Self>, bytes: u64) -> Option<Reservation> {
        self.reserve_below(self.limit, bytes)
    }

    /// Room for so many bytes of work that can wait. A quarter of the whole is never given to it, so that who cannot
    /// wait finds some at any time.
    pub fn reserve_spare(self: &Arc<Self>, bytes: u64) -> Option<Reservation> {
        self.reserve_below(self.spare(), bytes)
    }

    fn reserve_below(self: &Arc<Self>, limit: u64, bytes: u64) -> Option<Reservation> {
        let within = |reserved: u64| reserved.checked_add(bytes).filter(|total| *total <= limit);
        // Nothing else is published with this number.
        self.reserved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).ok()?;
        Some(Reservation { budget: self.clone(), bytes })
    }

    /// The most that [`Self::reserve_spare`] ever gives.
    pub fn spare(&self) -> u64 {
        self.limit / 4 * 3
    }

    /// Hardly any room is left: who has some that can wait gives it back.
    pub fn is_short(&self) -> bool {
        self.limit - self.reserved().min(self.limit) < self.limit / 8
    }

    /// What live encoders may come to hold.
    pub fn reserved(&self) -> u64 {
        self.reserved.load(Ordering::Relaxed)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.reserved.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_never_passes_the_limit_and_comes_back() {
        let budget = Arc::new(Budget::new(100));
        let first = budget.reserve(60).expect("there is room");
        assert!(budget.reserve(41).is_none());
        assert!(budget.reserve(u64::MAX).is_none(), "no sum is too large to be compared");
        let second = budget.reserve(40).expect("to the last byte");
        assert_eq!(budget.reserved(), 100);
        drop(first);
        assert_eq!(budget.reserved(), 40);
        drop(second);
        assert_eq!(budget.reserved(), 0);
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
        drop((live, again));
        assert_eq!(budget.reserved(), 0);
    }

    #[test]
    fn many_threads_share_one_limit() {
        let budget = Arc::new(Budget::new(10));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        if let Some(reservation) = budget.reserve(4) {
                            assert!(budget.reserved() <= 10);
                            drop(reservation);
                        }
                    }
                });
            }
        });
        assert_eq!(budget.reserved(), 0);
    }
}
