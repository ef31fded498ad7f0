//! One response body on its way through an encoder: chunks in, coded chunks out, the end mark exactly once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

use super::budget::{Admission, Parked, Reservation};
use super::codec::{self, Codec, CodecError};
use super::level::Setup;
use super::padding::Padding;
use crate::header::Coding;

/// Encodes one response body and counts what it cost.
///
/// After `finish` it never emits another byte; after an error neither, so that plain bytes can never follow coded ones.
pub struct BodyEncoder {
    setup: Setup,
    stage: Stage,
    /// Its part of the memory of all encoders, until the end. None: it is not counted.
    reservation: Option<Reservation>,
    out: BytesMut,
    /// Bytes were written since the last flush.
    unflushed: bool,
    input_bytes: u64,
    output_bytes: u64,
    busy: Duration,
}

enum Stage {
    Open(Box<dyn Codec>),
    /// Everything was flushed: the budget may take memory back, until the next chunk comes.
    Paused(Arc<Mutex<Parked>>),
    Finished,
    Failed,
}

impl BodyEncoder {
    /// An encoder for a plan of [`super::setup`]. Identity is not a coding to encode with.
    pub fn new(setup: &Setup) -> Result<Self, CodecError> {
        let started = Instant::now();
        let codec = codec::encoder(setup)?.ok_or_else(|| CodecError::Refused {
            coding: Coding::Identity,
            why: "identity bytes need no encoder".to_owned(),
        })?;
        Ok(Self {
            setup: *setup,
            stage: Stage::Open(codec),
            reservation: None,
            out: BytesMut::new(),
            unflushed: false,
            input_bytes: 0,
            output_bytes: 0,
            busy: started.elapsed(),
        })
    }

    /// An encoder as the budget has room for it.
    pub fn admitted(admission: Admission) -> Result<Self, CodecError> {
        let mut encoder = Self::new(&admission.setup)?;
        encoder.reservation = Some(admission.reservation);
        encoder.account();
        Ok(encoder)
    }

    /// Its output is longer than it would have to be.
    pub fn padded(mut self, padding: &Padding) -> Result<Self, CodecError> {
        if let Stage::Open(codec) = &mut self.stage {
            codec.pad(padding.as_bytes(), &mut self.out)?;
        }
        Ok(self)
    }

    /// Takes a chunk; returns what is ready, often nothing. With `flush`, everything taken so far becomes decodable.
    pub fn push(&mut self, chunk: &[u8], flush: bool) -> Result<Bytes, CodecError> {
        self.unflushed |= !chunk.is_empty();
        if self.is_open() && !self.unflushed {
            // Writing nothing, or flushing twice, would add bytes that say nothing.
            return Ok(Bytes::new());
        }
        self.resume();
        let Stage::Open(codec) = &mut self.stage else {
            return Err(self.closed());
        };
        let started = Instant::now();
        let result =
            codec.write(chunk, &mut self.out).and_then(|()| if flush { codec.flush(&mut self.out) } else { Ok(()) });
        self.busy += started.elapsed();
        self.input_bytes += chunk.len() as u64;
        self.unflushed = !flush;
        let coded = self.settle(result)?;
        if flush {
            self.pause();
        }
        Ok(coded)
    }

    /// Ends the body: the rest and the end mark, also for a body without a byte. A second call gives `None`.
    pub fn finish(&mut self) -> Result<Option<Bytes>, CodecError> {
        self.resume();
        match std::mem::replace(&mut self.stage, Stage::Finished) {
            Stage::Open(codec) => {
                let started = Instant::now();
                let result = codec.finish(&mut self.out);
                self.busy += started.elapsed();
                self.settle(result).map(Some)
            }
            Stage::Finished | Stage::Paused(_) => Ok(None),
            Stage::Failed => {
                self.stage = Stage::Failed;
                Err(self.closed())
            }
        }
    }

    fn settle(&mut self, result: Result<(), CodecError>) -> Result<Bytes, CodecError> {
        if let Err(error) = result {
            self.stage = Stage::Failed;
            self.out = BytesMut::new();
            self.account();
            return Err(error);
        }
        // Given away whole: a buffer shared with what is on its way to the client would be memory that nobody counts.
        // One that nothing was written to stays for the next chunk.
        let coded = if self.out.is_empty() { Bytes::new() } else { std::mem::take(&mut self.out).freeze() };
        self.output_bytes += coded.len() as u64;
        self.account();
        Ok(coded)
    }

    /// Tells the budget what is held now; a body that has ended needs nothing any more.
    fn account(&mut self) {
        if !self.is_open() {
            self.out = BytesMut::new();
            self.reservation = None;
        }
        let resident = self.resident() as u64;
        if let Some(reservation) = &mut self.reservation {
            reservation.hold(resident);
        }
    }

    /// Nothing is held back: until the next chunk the budget may shrink what brotli remembers.
    fn pause(&mut self) {
        if self.setup.coding != Coding::Brotli {
            return;
        }
        match (std::mem::replace(&mut self.stage, Stage::Failed), self.reservation.take()) {
            (Stage::Open(codec), Some(reservation)) => self.stage = Stage::Paused(reservation.park(codec)),
            (stage, reservation) => (self.stage, self.reservation) = (stage, reservation),
        }
    }

    fn resume(&mut self) {
        let Stage::Paused(parked) = &self.stage else {
            return;
        };
        let taken = parked.lock().take();
        if let Some((codec, reservation)) = taken {
            self.stage = Stage::Open(codec);
            self.reservation = Some(reservation);
        }
    }

    fn closed(&self) -> CodecError {
        CodecError::Closed { coding: self.setup.coding }
    }

    /// Room for so many bytes beside it, if that is nobody else's. None also where nothing is counted, or while it is paused.
    pub fn spare(&self, bytes: u64) -> Option<Reservation> {
        self.reservation.as_ref()?.spare(bytes)
    }

    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open(_) | Stage::Paused(_))
    }

    /// Identity bytes taken so far.
    pub fn input_bytes(&self) -> u64 {
        self.input_bytes
    }

    /// Coded bytes handed out so far.
    pub fn output_bytes(&self) -> u64 {
        self.output_bytes
    }

    /// Time spent inside the codec, from its making to its end.
    pub fn busy(&self) -> Duration {
        self.busy
    }

    /// Bytes of heap held now; nothing is left after the end.
    pub fn heap(&self) -> usize {
        self.ask(|codec| codec.heap()) + self.out.capacity()
    }

    /// What of it was written to.
    pub fn resident(&self) -> usize {
        self.ask(|codec| codec.resident()) + self.out.capacity()
    }

    fn ask(&self, question: impl Fn(&dyn Codec) -> usize) -> usize {
        match &self.stage {
            Stage::Open(codec) => question(codec.as_ref()),
            Stage::Paused(parked) => parked.lock().ask(question),
            Stage::Finished | Stage::Failed => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::{Live, setup};

    /// Takes one chunk and breaks at the next call.
    struct Broken(u32);

    impl Codec for Broken {
        fn pad(&mut self, _: &[u8], _: &mut BytesMut) -> Result<(), CodecError> {
            Err(broken())
        }

        fn write(&mut self, input: &[u8], out: &mut BytesMut) -> Result<(), CodecError> {
            self.0 += 1;
            out.extend_from_slice(input);
            if self.0 == 1 { Ok(()) } else { Err(broken()) }
        }

        fn flush(&mut self, _: &mut BytesMut) -> Result<(), CodecError> {
            Err(broken())
        }

        fn finish(self: Box<Self>, _: &mut BytesMut) -> Result<(), CodecError> {
            Err(broken())
        }

        fn heap(&self) -> usize {
            1 << 20
        }
    }

    fn broken() -> CodecError {
        CodecError::Refused { coding: Coding::Gzip, why: "broken".to_owned() }
    }

    fn with_broken_codec() -> BodyEncoder {
        let mut encoder = BodyEncoder::new(&setup(Coding::Gzip, Live::Auto, None)).unwrap();
        encoder.stage = Stage::Open(Box::new(Broken(0)));
        assert_eq!(encoder.push(b"one", false).unwrap(), "one");
        encoder
    }

    #[test]
    fn an_error_is_the_end_whatever_is_tried_next() {
        let closed = CodecError::Closed { coding: Coding::Gzip };
        for flush in [false, true] {
            let mut encoder = with_broken_codec();
            assert_eq!(encoder.push(b"two", flush), Err(broken()));
            assert_eq!(encoder.push(b"three", flush), Err(closed.clone()));
            assert_eq!(encoder.finish(), Err(closed.clone()));
            assert_eq!(encoder.finish(), Err(closed.clone()));
            // What the codec wrote before it broke went nowhere.
            assert_eq!(encoder.output_bytes(), 3);
            assert_eq!(encoder.heap(), 0);
            assert!(!encoder.is_open());
        }
    }

    #[test]
    fn an_end_mark_that_fails_is_an_error() {
        let mut encoder = with_broken_codec();
        assert_eq!(encoder.finish(), Err(broken()));
        assert!(encoder.finish().is_err());
        assert_eq!(encoder.output_bytes(), 3);
    }
}
