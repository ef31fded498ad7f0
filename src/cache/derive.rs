//! A coding made from a stored one, for a client that accepts none of those that are there. Once, and kept.
//!
//! Requests for the same variant wait for one derivation; the work goes on if the client that caused it goes away.
//! What does not fit the cache whole is made while it is read instead (see [`super::streamed`]).
//!
//! What came from the app stays in the coding that its first client asked for: encoding it twice would cost every fill,
//! and what clients like better is made in idle time ([`super::improve`]). What was derived stays beside it while there
//! is room; where there is none, [`super::surplus`] decides. Measured (`cargo bench --bench mix`): 605 resources of real
//! text, nine in ten clients with brotli, 8 % with gzip alone, 2 % with nothing, and 30,000 requests. Hits, and in
//! brackets derivations:
//!
//! | room, of what all would take in br | all kept | none kept | no identity kept | what earns its room |
//! |---|---|---|---|---|
//! | 1/20 | 32.8 % (342) | 47.0 % (1,088) | 41.6 % (451) | 46.7 % (951) |
//! | 1/10 | 40.6 % (304) | 56.1 % (1,220) | 51.3 % (527) | 55.7 % (943) |
//! | 1/5 | 51.0 % (347) | 66.2 % (1,559) | 61.1 % (648) | 66.2 % (1,227) |
//! | 1/2 | 67.8 % (488) | 81.7 % (2,038) | 77.0 % (884) | 81.1 % (1,433) |
//! | all | 80.3 % (579) | 94.8 % (2,586) | 89.7 % (1,007) | 95.1 % (1,483) |
//!
//! One identity takes the room of four answers and is made again in half a millisecond: with a tenth of the room, keeping
//! all turns 4,500 more requests into fetches, to spare 640 derivations.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::OwnedMutexGuard;
use tokio::task;

use super::events::Derivation;
use super::key::ResourceKey;
use super::memory::Memory;
use super::representation::Representation;
use super::streamed::Streamed;
use super::variant::{Made, Variant};
use crate::encode::{Budget, CodecError, DecodeError, Live, Setup, TranscodeError, Transcoder, decoder_heap, setup};
use crate::header::Coding;

/// Up to this many identity bytes a derivation takes about a millisecond and is done where it is needed; above, off
/// the reactor.
const INLINE: u64 = 32 * 1024;

/// Identity this many times larger than what may be kept is not tried whole: text rarely shrinks further, and the
/// client would wait for an attempt in vain.
const RATIO: u64 = 16;

/// What came of a derivation.
pub enum Derived {
    Whole(Arc<Representation>),
    /// Too large to keep: made while it is read.
    Streamed(Box<Streamed>),
    /// It could not be made, but the one it was to be made from will do.
    Instead(Arc<Representation>),
    /// Nothing here answers this client.
    Failed,
}

impl Memory {
    /// `variant` in the coding `to`, which it is not stored in.
    pub(super) async fn derive(&'static self, key: ResourceKey, variant: &Arc<Variant>, to: Coding) -> Derived {
        let Some(from) = source(variant).cloned() else {
            return Derived::Failed;
        };
        let variant = variant.clone();
        let job = Job { memory: self, key, variant, from, to };
        if job.is_hopeless() {
            return job.stream();
        }
        let made = job.variant.derivations().lock_owned().await;
        if let Some(one) = job.made_meanwhile(&made) {
            return Derived::Whole(one);
        }
        match job.variant.identity_length {
            Some(length) if length <= INLINE => job.run(made),
            _ => job.run_aside(made).await,
        }
    }
}

/// The cheapest to decode of what is stored: nothing to do, then the fastest decoder.
pub fn source(variant: &Variant) -> Option<&Arc<Representation>> {
    [Coding::Identity, Coding::Zstd, Coding::Gzip, Coding::Brotli]
        .into_iter()
        .find_map(|coding| variant.representation(coding))
}

/// One derivation.
struct Job {
    memory: &'static Memory,
    key: ResourceKey,
    variant: Arc<Variant>,
    from: Arc<Representation>,
    to: Coding,
}

impl Job {
    /// It will not fit whole, for all that is known.
    fn is_hopeless(&self) -> bool {
        let largest = self.memory.limits().max_object;
        let fits = match self.to {
            Coding::Identity => largest,
            _ => largest.saturating_mul(RATIO),
        };
        self.variant.is_oversize(self.to) || self.variant.identity_length.is_some_and(|length| length > fits)
    }

    /// By a request that held the lock before: kept since, or not kept but still being sent - under the head that the
    /// answer has by now.
    fn made_meanwhile(&self, made: &Made) -> Option<Arc<Representation>> {
        let kept = || {
            let resource = self.memory.peek(&self.key)?;
            let variant = resource.generation(self.variant.generation)?;
            variant.representation(self.to).cloned()
        };
        let sent = || made[self.to as usize].upgrade()?.with_common(self.variant.common()).ok().map(Arc::new);
        kept().or_else(sent)
    }

    /// Off the reactor, as many at a time as there are cores. Lock and permit go along: who asked may leave.
    async fn run_aside(self, made: OwnedMutexGuard<Made>) -> Derived {
        let Ok(permit) = self.memory.derivations().clone().acquire_owned().await else {
            return Derived::Failed;
        };
        let work = move || {
            let derived = self.run(made);
            drop(permit);
            derived
        };
        task::spawn_blocking(work).await.unwrap_or(Derived::Failed)
    }

    fn run(self, mut made: OwnedMutexGuard<Made>) -> Derived {
        let start = Instant::now();
        let body = match self.body() {
            Ok(body) => body,
            Err(Unmade::TooLarge) => {
                self.variant.remember_oversize(self.to);
                return self.stream();
            }
            Err(unmade) => return self.failed(&unmade),
        };
        let derivation = Derivation {
            from: self.from.coding,
            to: self.to,
            input: self.variant.identity_length.unwrap_or(self.from.body.len() as u64),
            output: body.len() as u64,
            elapsed: start.elapsed(),
        };
        let Ok(one) = Representation::derived(self.variant.common(), self.to, body) else {
            return Derived::Failed;
        };
        let level = (self.to != Coding::Identity).then(|| plan(self.to, self.variant.identity_length).level);
        let one = Arc::new(one.at_level(level));
        made[self.to as usize] = Arc::downgrade(&one);
        // Counted before others can see it.
        self.memory.events().derived(derivation);
        self.memory.keep(self.key, &self.variant, &one);
        Derived::Whole(one)
    }

    /// The whole body, in memory of exactly its size.
    fn body(&self) -> Result<Bytes, Unmade> {
        let length = self.variant.identity_length;
        let mut body = Vec::new();
        for piece in transcoder(&self.from, self.to, length)? {
            let piece = piece?;
            if (body.len() + piece.len()) as u64 > self.memory.limits().max_object {
                return Err(Unmade::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        Ok(Bytes::from(body.into_boxed_slice()))
    }

    fn stream(self) -> Derived {
        let Self { memory, key, variant, from, to } = self;
        match Streamed::new(memory, key, &variant, &from, to) {
            Ok(streamed) => Derived::Streamed(Box::new(streamed)),
            Err(_) => Derived::Failed,
        }
    }

    /// Identity needs no decoding: it is as good as it was, and acceptable enough (RFC 9110, section 12.5.3). Coded
    /// bytes that do not decode will not decode for anyone; if it was the encoder, they are still good for others.
    fn failed(self, unmade: &Unmade) -> Derived {
        self.memory.derive_failed(self.key, self.variant.generation, &self.from, self.to, unmade);
        match self.from.coding {
            Coding::Identity => Derived::Instead(self.from),
            _ => Derived::Failed,
        }
    }
}

impl Memory {
    /// A derivation failed: said, and if the stored bytes are at fault, they go.
    pub(super) fn derive_failed(
        &self,
        key: ResourceKey,
        generation: u64,
        from: &Representation,
        to: Coding,
        unmade: &Unmade,
    ) {
        self.events().derive_failed(from.coding, to);
        tracing::warn!(from = from.coding.token(), to = to.token(), "not recoded: {unmade}");
        if matches!(unmade, Unmade::Source(_)) {
            self.discard(key, generation);
        }
    }
}

/// Why there is no such representation.
#[derive(Debug)]
pub enum Unmade {
    TooLarge,
    /// The stored bytes do not decode.
    Source(DecodeError),
    /// The encoder failed.
    Target(CodecError),
    /// There is no memory for the codecs, for as long as a client may take to read it.
    NoRoom,
    /// The head could not be built.
    Head,
}

impl fmt::Display for Unmade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("larger than may be kept"),
            Self::Source(error) => write!(f, "stored {error}"),
            Self::Target(error) => error.fmt(f),
            Self::NoRoom => f.write_str("no memory for it"),
            Self::Head => f.write_str("no head for it"),
        }
    }
}

impl From<TranscodeError> for Unmade {
    fn from(error: TranscodeError) -> Self {
        match error {
            TranscodeError::Decode(error) => Self::Source(error),
            TranscodeError::Encode(error) => Self::Target(error),
        }
    }
}

/// From a stored body to `to`, at once, and by no more at a time than there are cores. More identity bytes than there were when it was stored are a corrupt body.
pub fn transcoder(from: &Representation, to: Coding, length: Option<u64>) -> Result<Transcoder<Bytes>, Unmade> {
    let plan = plan(to, length);
    let transcoder = Transcoder::new(from.body.clone(), from.coding, &plan, length.unwrap_or(u64::MAX))?;
    Ok(transcoder)
}

/// The same for as long as a client reads it, in memory that `encoders` has room for.
pub fn lasting(
    from: &Representation,
    to: Coding,
    length: Option<u64>,
    encoders: &Arc<Budget>,
) -> Result<Transcoder<Bytes>, Unmade> {
    let heap = decoder_heap(from.coding, Some(from.body.len() as u64));
    let decoder = encoders.admit_decoder(heap).ok_or(Unmade::NoRoom)?;
    let encoder = match to {
        Coding::Identity => None,
        _ => Some(encoders.admit(&plan(to, length), &[]).ok_or(Unmade::NoRoom)?),
    };
    let limit = length.unwrap_or(u64::MAX);
    Ok(Transcoder::admitted(from.body.clone(), from.coding, encoder, limit, decoder)?)
}

fn plan(to: Coding, length: Option<u64>) -> Setup {
    setup(to, Live::Auto, length)
}
