//! Pieces of a body that came one behind the other, for one turn of the encoder.
//!
//! The platform reads up to 64 KiB at a time, and handing the worker over for a turn ([`super::turn`]) costs as much as 3 KB
//! of brotli. While the app has more to be read nobody waits for what the codec would make of a piece, as it would keep that
//! to itself: so pieces wait for each other until the app pauses, or until they are as long as what brotli codes at a time.
//! They are of the memory budget, of what nobody else needs. Where there is none each has a turn of its own.
//!
//! Only pieces for brotli do: an encoder of gzip is no larger than a batch, and a hundred streams at once had the process grow
//! by twice what their encoders hold.

use bytes::Bytes;

use crate::encode::Reservation;

/// Of one turn; a metablock of brotli 4 to 9 is as long.
pub(super) const MOST: usize = 256 << 10;

#[derive(Default)]
pub(super) struct Batch {
    pieces: Vec<Bytes>,
    length: usize,
    room: Option<Reservation>,
}

impl Batch {
    /// Whether the piece waits for the next, of which it is known that it `comes`, if there is `room` for [`MOST`] bytes.
    pub(super) fn add(&mut self, piece: Bytes, comes: bool, room: impl FnOnce() -> Option<Reservation>) -> bool {
        self.length += piece.len();
        self.pieces.push(piece);
        if !comes || self.length >= MOST {
            return false;
        }
        if self.room.is_none() {
            self.room = room();
        }
        self.room.is_some()
    }

    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Each in the order they came; the last one is told so. Nothing is left, also if one fails.
    pub(super) fn each<E>(&mut self, mut take: impl FnMut(Bytes, bool) -> Result<(), E>) -> Result<(), E> {
        let mut left = self.pieces.len();
        self.length = 0;
        let done = self.pieces.drain(..).try_for_each(|piece| {
            left -= 1;
            take(piece, left == 0)
        });
        self.room = None;
        done
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::encode::Budget;

    fn piece(length: usize) -> Bytes {
        vec![b'x'; length].into()
    }

    fn taken(batch: &mut Batch) -> Vec<(usize, bool)> {
        let mut taken = Vec::new();
        let done: Result<(), ()> = batch.each(|piece, is_last| {
            taken.push((piece.len(), is_last));
            Ok(())
        });
        assert!(done.is_ok());
        taken
    }

    #[test]
    fn pieces_wait_while_more_comes_and_there_is_room() {
        let budget = Arc::new(Budget::new(1 << 20));
        let room = || budget.reserve(MOST as u64);
        let mut batch = Batch::default();
        assert!(!batch.add(piece(7), false, room), "the app pauses");
        assert_eq!((taken(&mut batch), budget.reserved()), (vec![(7, true)], 0));
        assert!(!batch.add(piece(7), true, || None), "there is no room");
        assert_eq!(taken(&mut batch), [(7, true)]);
        assert!(!batch.add(piece(MOST), true, room), "it is enough for a turn");
        assert_eq!(taken(&mut batch), [(MOST, true)]);
        assert!(batch.add(piece(1), true, room) && batch.add(piece(2), true, || unreachable!("it has some")));
        assert_eq!((batch.length(), budget.reserved()), (3, MOST as u64));
        assert!(!batch.add(piece(MOST), true, room));
        assert_eq!(taken(&mut batch), [(1, false), (2, false), (MOST, true)]);
        assert_eq!((batch.length(), budget.reserved()), (0, 0));
    }

    #[test]
    fn nothing_is_left_of_a_batch_whose_encoder_failed() {
        let mut batch = Batch::default();
        let budget = Arc::new(Budget::new(1 << 20));
        batch.add(piece(1), true, || budget.reserve(MOST as u64));
        batch.add(piece(1), false, || None);
        assert_eq!(batch.each(|_, _| Err("broken")), Err("broken"));
        assert_eq!((taken(&mut batch), batch.length(), budget.reserved()), (vec![], 0, 0));
    }
}
