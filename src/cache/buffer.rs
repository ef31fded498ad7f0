//! A body on its way into the cache: grown in pieces, counted against the budget of all fills, copied once at the end.
//!
//! The chunks of a response may be slices of larger buffers that they keep alive, so they are copied in at once.
//! Pieces double up to a bound instead of one vector doubling: no re-copying, and what is held is what is counted. Who
//! reads along gets slices that share the pieces' memory; a piece is cut only where a reader has come to its end, and not
//! for a few bytes, so that a body nobody reads along costs no slice at all, and one that comes in crumbs not many.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};

/// The first piece: most compressed pages fit.
const FIRST: usize = 16 * 1024;
/// The largest: from here on the slack of the last piece is small beside the body.
const LARGEST: usize = 1024 * 1024;
/// A reader that is at the end of what has come gets a copy of less than this: a cut of each small chunk would cost more
/// than the chunk.
const LEAST: usize = 4 * 1024;

/// Memory that fills under way may hold together.
#[derive(Debug)]
pub struct FillBudget {
    held: AtomicU64,
    limit: AtomicU64,
}

impl FillBudget {
    pub fn new(limit: u64) -> Self {
        Self { held: AtomicU64::new(0), limit: AtomicU64::new(limit) }
    }

    /// What is held above a smaller limit is given back by and by.
    pub fn resize(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    fn reserve(&self, bytes: u64) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        let within = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= limit);
        self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).is_ok()
    }

    /// Counted, never refused: the copy at the end, whose pieces go as it is made; and a chunk of a relayed body, whose
    /// reader has made room for it.
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
    /// What can be read, by where in the body it starts.
    ready: VecDeque<(usize, Bytes)>,
    /// The piece that is being written, without what of it is `ready`.
    open: BytesMut,
    /// The sizes of the pieces; they follow each other without a gap.
    pieces: VecDeque<usize>,
    /// Everything before was let go.
    start: usize,
    len: usize,
    /// Where the last piece ends: there is room up to here.
    end: usize,
    held: u64,
    budget: Arc<FillBudget>,
}

impl Buffer {
    pub fn new(budget: Arc<FillBudget>) -> Self {
        Self {
            ready: VecDeque::new(),
            open: BytesMut::new(),
            pieces: VecDeque::new(),
            start: 0,
            len: 0,
            end: 0,
            held: 0,
            budget,
        }
    }

    /// Bytes written, whether or not they are still there.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The first byte that is still there.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Room for a body of known length, so that one of up to [`LARGEST`] is a single piece and finishing it copies
    /// nothing. Not for all of a larger one: a stalled app would hold budget for bytes that never come.
    pub fn prepare(&mut self, length: u64) -> Result<(), OverBudget> {
        self.grow(usize::try_from(length).unwrap_or(LARGEST).min(LARGEST))
    }

    /// Takes the chunk; over the budget, what is left of it there was no room for.
    pub fn write(&mut self, chunk: &mut Bytes) -> Result<(), OverBudget> {
        while !chunk.is_empty() {
            if self.len == self.end {
                self.grow(self.next_piece(chunk.len()))?;
            }
            self.take(chunk);
        }
        Ok(())
    }

    /// Takes the chunk whatever the budget says.
    pub fn force(&mut self, chunk: &mut Bytes) {
        self.take(chunk);
        if !chunk.is_empty() {
            self.budget.force(chunk.len() as u64);
            self.add_piece(chunk.len());
            self.take(chunk);
        }
    }

    /// Up to `most` bytes from a place in the body on; `None` where they have not come yet.
    pub fn slice(&mut self, from: usize, most: usize) -> Option<Bytes> {
        if from >= self.len {
            return None;
        }
        let open = self.len - self.open.len();
        if from >= open && self.open.len() < LEAST {
            let rest = &self.open[from - open..];
            return (most > 0).then(|| Bytes::copy_from_slice(&rest[..rest.len().min(most)]));
        }
        if from >= open {
            self.cut();
        }
        let next = self.ready.partition_point(|(start, _)| *start <= from);
        let (start, bytes) = self.ready.get(next.checked_sub(1)?)?;
        let rest = from - start..bytes.len().min((from - start).saturating_add(most));
        (!rest.is_empty()).then(|| bytes.slice(rest))
    }

    /// Lets go of what comes before a place in the body, as far as it makes whole pieces.
    pub fn release_to(&mut self, place: usize) {
        // A reader of a range may be ahead of what has come.
        let place = place.min(self.len);
        while self.ready.front().is_some_and(|(start, bytes)| start + bytes.len() <= place) {
            self.ready.pop_front();
        }
        while let Some(piece) = self.pieces.front().copied().filter(|piece| self.start + piece <= place) {
            self.pieces.pop_front();
            self.start += piece;
            self.held -= piece as u64;
            self.budget.release(piece as u64);
        }
    }

    /// The body in one allocation of exactly its size.
    pub fn finish(mut self) -> Bytes {
        self.cut();
        if self.ready.len() <= 1 && self.held == self.len as u64 {
            return self.ready.pop_front().map(|(_, whole)| whole).unwrap_or_default();
        }
        self.budget.force(self.len as u64);
        self.held += self.len as u64;
        let mut body = Vec::with_capacity(self.len);
        for (_, bytes) in std::mem::take(&mut self.ready) {
            body.extend_from_slice(&bytes);
        }
        Bytes::from(body)
    }

    /// As much of the chunk as the last piece has room for.
    fn take(&mut self, chunk: &mut Bytes) {
        let now = chunk.split_to(chunk.len().min(self.end - self.len));
        self.open.extend_from_slice(&now);
        self.len += now.len();
        if self.len == self.end {
            self.cut();
        }
    }

    /// Makes everything written so far ready to be read. The rest of an unfinished piece stays to be written.
    fn cut(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let start = self.len - self.open.len();
        let written = match self.len == self.end {
            true => std::mem::take(&mut self.open),
            false => self.open.split(),
        };
        self.ready.push_back((start, written.freeze()));
    }

    fn next_piece(&self, wanted: usize) -> usize {
        let doubled = self.pieces.back().map_or(FIRST, |piece| piece * 2);
        doubled.max(wanted).min(LARGEST)
    }

    fn grow(&mut self, bytes: usize) -> Result<(), OverBudget> {
        if bytes == 0 {
            return Ok(());
        }
        if !self.budget.reserve(bytes as u64) {
            return Err(OverBudget);
        }
        self.add_piece(bytes);
        Ok(())
    }

    fn add_piece(&mut self, bytes: usize) {
        self.held += bytes as u64;
        self.end += bytes;
        self.pieces.push_back(bytes);
        self.open = BytesMut::with_capacity(bytes);
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

    fn buffer(limit: u64) -> (Buffer, Arc<FillBudget>) {
        let budget = Arc::new(FillBudget::new(limit));
        (Buffer::new(budget.clone()), budget)
    }

    fn write(buffer: &mut Buffer, bytes: &[u8]) -> Result<(), OverBudget> {
        buffer.write(&mut Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn over_the_budget_is_an_error_and_dropping_gives_back() {
        let (mut one, budget) = buffer(20 * 1024);
        write(&mut one, &[1; 100]).unwrap();
        assert_eq!(budget.held(), FIRST as u64);
        let mut two = Buffer::new(budget.clone());
        assert_eq!(write(&mut two, &[1]), Err(OverBudget));
        drop(one);
        assert_eq!(budget.held(), 0);
        write(&mut two, &[1]).unwrap();
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
    fn what_there_was_no_room_for_is_left_in_the_chunk() {
        let (mut buffer, budget) = buffer(FIRST as u64);
        let mut chunk = Bytes::from(vec![7; FIRST + 5]);
        write(&mut buffer, &[7; 10]).unwrap();
        assert_eq!(buffer.write(&mut chunk), Err(OverBudget));
        assert_eq!((buffer.len(), chunk.len()), (FIRST, 15));
        buffer.force(&mut chunk);
        assert_eq!((buffer.len(), chunk.len(), budget.held()), (FIRST + 15, 0, FIRST as u64 + 15));
        buffer.release_to(FIRST);
        assert_eq!((buffer.start(), budget.held()), (FIRST, 15));
        assert_eq!(buffer.slice(FIRST, 100).unwrap().len(), 15);
    }

    #[test]
    fn a_known_length_is_one_piece_that_is_not_copied() {
        let (mut buffer, budget) = buffer(1 << 30);
        buffer.prepare(300_000).unwrap();
        (0..3).for_each(|i| write(&mut buffer, &[i; 100_000]).unwrap());
        assert_eq!((buffer.pieces.len(), budget.held()), (1, 300_000));
        let there = buffer.slice(0, 1).unwrap().as_ptr();
        let whole = buffer.finish();
        assert_eq!((whole.len(), whole.as_ptr()), (300_000, there));
    }

    #[test]
    fn pieces_are_bounded() {
        let (mut buffer, _) = buffer(1 << 30);
        write(&mut buffer, &vec![7; 5_000_000]).unwrap();
        assert!(buffer.pieces.iter().all(|piece| *piece <= LARGEST));
        assert_eq!(buffer.finish().len(), 5_000_000);
    }

    #[test]
    fn a_piece_is_cut_only_where_somebody_read() {
        let (mut buffer, _) = buffer(1 << 30);
        (0..100).for_each(|_| write(&mut buffer, &[1; 100]).unwrap());
        assert_eq!(buffer.ready.len(), 0);
        assert_eq!(buffer.slice(0, usize::MAX).unwrap().len(), 10_000);
        (0..10).for_each(|_| write(&mut buffer, &[2; 100]).unwrap());
        assert_eq!(buffer.slice(5_000, usize::MAX).unwrap().len(), 5_000);
        assert_eq!(buffer.ready.len(), 1);
        assert_eq!(buffer.slice(10_000, usize::MAX).unwrap(), [2; 1000][..]);
        assert_eq!(buffer.slice(11_000, usize::MAX), None);
    }

    #[test]
    fn crumbs_are_copied_and_not_cut_one_by_one() {
        let (mut buffer, _) = buffer(1 << 30);
        let mut read = 0;
        for crumb in 0..10_000_u32 {
            write(&mut buffer, &crumb.to_le_bytes()).unwrap();
            let slice = buffer.slice(read, usize::MAX).unwrap();
            assert_eq!(slice, crumb.to_le_bytes()[..]);
            read += slice.len();
        }
        assert!(buffer.ready.len() <= 40_000 / LEAST + buffer.pieces.len(), "{} cuts", buffer.ready.len());
        assert_eq!(buffer.slice(read, usize::MAX), None);
        assert_eq!(buffer.slice(read - 1, 0), None);
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40_000), 0..6)) {
            let (mut buffer, budget) = buffer(u64::MAX);
            for chunk in &chunks {
                write(&mut buffer, chunk).unwrap();
            }
            prop_assert!(budget.held() >= buffer.len() as u64);
            prop_assert_eq!(buffer.finish(), chunks.concat());
            prop_assert_eq!(budget.held(), 0);
        }

        /// Reading along changes nothing of what is read, nor of what is left at the end.
        #[test]
        fn what_is_read_along_is_what_was_written(
            steps in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..30_000), 0..50_000_usize), 0..8),
        ) {
            let (mut buffer, budget) = buffer(u64::MAX);
            let mut read = Vec::new();
            for (chunk, most) in &steps {
                write(&mut buffer, chunk).unwrap();
                let slice = buffer.slice(read.len(), *most).unwrap_or_default();
                prop_assert!(slice.len() <= *most);
                read.extend_from_slice(&slice);
            }
            while let Some(slice) = buffer.slice(read.len(), 10_000) {
                read.extend_from_slice(&slice);
            }
            let written: Vec<u8> = steps.into_iter().flat_map(|(chunk, _)| chunk).collect();
            prop_assert_eq!(&read, &written);
            buffer.release_to(read.len());
            prop_assert_eq!(buffer.start() + usize::try_from(budget.held()).unwrap(), buffer.end);
            drop(buffer);
            prop_assert_eq!(budget.held(), 0);
        }
    }
}
