//! A body on its way into the cache: grown in pieces, counted against the budget of all fills, copied once at the end.
//!
//! The chunks of a response may be slices of larger buffers that they keep alive, so they are copied in at once.
//! Pieces double up to a bound instead of one vector doubling: no re-copying, and what is held is what is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

/// The first piece: most compressed pages fit.
const FIRST: usize = 16 * 1024;
/// The largest: from here on the slack of the last piece is small beside the body.
const LARGEST: usize = 1024 * 1024;

/// Memory that fills under way may hold together.
#[derive(Debug)]
pub struct FillBudget {
    held: AtomicU64,
    limit: u64,
}

impl FillBudget {
    pub fn new(limit: u64) -> Self {
        Self { held: AtomicU64::new(0), limit }
    }

    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    fn reserve(&self, bytes: u64) -> bool {
        self.held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                held.checked_add(bytes).filter(|sum| *sum <= self.limit)
            })
            .is_ok()
    }

    /// For the copy at the end: counted, never refused - the body has arrived, and its pieces go as it is copied.
    fn force(&self, bytes: u64) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    fn release(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Room for bytes of a fill that wait outside of its buffer. Given back when dropped.
#[derive(Debug)]
pub struct Share {
    bytes: u64,
    budget: Arc<FillBudget>,
}

impl Share {
    pub fn of(budget: &Arc<FillBudget>, bytes: u64) -> Option<Self> {
        budget.reserve(bytes).then(|| Self { bytes, budget: budget.clone() })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.release(self.bytes);
    }
}

/// Fills hold their share of the memory already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverBudget;

/// One body. What it holds is given back to the budget when it is finished or dropped.
#[derive(Debug)]
pub struct Buffer {
    pieces: Vec<Vec<u8>>,
    len: usize,
    held: u64,
    budget: Arc<FillBudget>,
}

impl Buffer {
    pub fn new(budget: Arc<FillBudget>) -> Self {
        Self { pieces: Vec::new(), len: 0, held: 0, budget }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Room for a body of known length, so that one of up to [`LARGEST`] is a single piece and finishing it copies
    /// nothing. Not for all of a larger one: a stalled app would hold budget for bytes that never come.
    pub fn prepare(&mut self, length: u64) -> Result<(), OverBudget> {
        self.grow(usize::try_from(length).unwrap_or(LARGEST).min(LARGEST))
    }

    pub fn write(&mut self, mut chunk: &[u8]) -> Result<(), OverBudget> {
        while !chunk.is_empty() {
            let room = self.pieces.last().map_or(0, |piece| piece.capacity() - piece.len());
            if room == 0 {
                self.grow(self.next_piece(chunk.len()))?;
                continue;
            }
            let (now, later) = chunk.split_at(room.min(chunk.len()));
            if let Some(piece) = self.pieces.last_mut() {
                piece.extend_from_slice(now);
            }
            self.len += now.len();
            chunk = later;
        }
        Ok(())
    }

    /// The body in one allocation of exactly its size.
    pub fn finish(mut self) -> Bytes {
        let mut pieces = std::mem::take(&mut self.pieces).into_iter();
        if pieces.len() == 1 {
            return pieces.next().map(|piece| Bytes::from(piece.into_boxed_slice())).unwrap_or_default();
        }
        self.budget.force(self.len as u64);
        self.held += self.len as u64;
        let mut body = Vec::with_capacity(self.len);
        for piece in pieces {
            body.extend_from_slice(&piece);
        }
        Bytes::from(body)
    }

    fn next_piece(&self, wanted: usize) -> usize {
        let doubled = self.pieces.last().map_or(FIRST, |piece| piece.capacity() * 2);
        doubled.max(wanted).min(LARGEST)
    }

    fn grow(&mut self, bytes: usize) -> Result<(), OverBudget> {
        if bytes == 0 {
            return Ok(());
        }
        if !self.budget.reserve(bytes as u64) {
            return Err(OverBudget);
        }
        self.held += bytes as u64;
        self.pieces.push(Vec::with_capacity(bytes));
        Ok(())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.budget.release(self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn over_the_budget_is_an_error_and_dropping_gives_back() {
        let budget = Arc::new(FillBudget::new(20 * 1024));
        let mut one = Buffer::new(budget.clone());
        one.write(&[1; 100]).unwrap();
        assert_eq!(budget.held(), FIRST as u64);
        let mut two = Buffer::new(budget.clone());
        assert_eq!(two.write(&[1]), Err(OverBudget));
        drop(one);
        assert_eq!(budget.held(), 0);
        two.write(&[1]).unwrap();
        assert_eq!(two.finish().len(), 1);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn what_waits_outside_takes_from_the_same_budget() {
        let budget = Arc::new(FillBudget::new(100));
        let share = Share::of(&budget, 60).unwrap();
        assert!(Share::of(&budget, 60).is_none());
        drop(share);
        assert!(Share::of(&budget, 60).is_some());
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn a_known_length_is_one_piece() {
        let budget = Arc::new(FillBudget::new(1 << 30));
        let mut buffer = Buffer::new(budget.clone());
        buffer.prepare(300_000).unwrap();
        (0..3).for_each(|i| buffer.write(&[i; 100_000]).unwrap());
        assert_eq!((buffer.pieces.len(), budget.held()), (1, 300_000));
        assert_eq!(buffer.finish().len(), 300_000);
    }

    #[test]
    fn pieces_are_bounded() {
        let mut buffer = Buffer::new(Arc::new(FillBudget::new(1 << 30)));
        buffer.write(&vec![7; 5_000_000]).unwrap();
        assert!(buffer.pieces.iter().all(|piece| piece.capacity() <= LARGEST));
        assert_eq!(buffer.finish().len(), 5_000_000);
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40_000), 0..6)) {
            let budget = Arc::new(FillBudget::new(u64::MAX));
            let mut buffer = Buffer::new(budget.clone());
            for chunk in &chunks {
                buffer.write(chunk).unwrap();
            }
            prop_assert!(budget.held() >= buffer.len() as u64);
            prop_assert_eq!(buffer.finish(), chunks.concat());
            prop_assert_eq!(budget.held(), 0);
        }
    }
}
