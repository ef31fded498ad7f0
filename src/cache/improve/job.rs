//! One body, compressed again: decoded from what is stored, encoded, decoded once more to be sure, swapped in.

use std::sync::Arc;

use bytes::Bytes;

use super::super::derive::source;
use super::super::events::{Improvement, Unimproved};
use super::super::key::ResourceKey;
use super::super::memory::Memory;
use super::super::representation::Representation;
use super::super::variant::Variant;
use super::backlog::{Backlog, Item};
use super::pace::{Halt, Pace};
use super::plan::{Body, Task, plan};
use crate::encode::{Live, Reservation, TranscodeError, Transcoder, setup};
use crate::header::Coding;

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    Improved(Improvement),
    Unimproved(Unimproved),
    /// It was done meanwhile, or is not worth it any more.
    NotWanted,
    Failed(String),
    Halted(Halt),
}

/// Why it was broken off.
enum Broken {
    NoGain,
    Gone,
    Corrupt(String),
    Failed(String),
    Halted(Halt),
}

/// What is to be done about a body that was taken up.
pub enum Due {
    Job(Job),
    /// It is not there any more.
    Gone,
    /// It was done meanwhile, or is not worth it any more.
    Left,
    /// Others need the memory.
    NoRoom,
}

/// One body to be improved.
pub struct Job {
    memory: &'static Memory,
    key: ResourceKey,
    variant: Arc<Variant>,
    /// What is to be replaced, or what clients get for want of it.
    old: Arc<Representation>,
    task: Task,
    began: u64,
    /// Of the memory of all encoders, until it is over.
    _room: Reservation,
}

impl Job {
    pub fn of(memory: &'static Memory, backlog: &Backlog, item: &Item, began: u64) -> Due {
        let found = || {
            let variant = memory.peek(&item.key)?.generation(item.generation)?.clone();
            let old = variant.representation(item.coding).or_else(|| smallest(&variant))?.clone();
            Some((variant, old))
        };
        let Some((variant, old)) = found() else {
            return Due::Gone;
        };
        let encoders = backlog.encoders();
        let body = Body::of(&variant, &old, item.coding);
        let Some(Ok(task)) = backlog.config().map(|config| plan(&body, &config, encoders.spare())) else {
            return Due::Left;
        };
        match encoders.reserve_spare(task.heap) {
            Some(room) => Due::Job(Self { memory, key: item.key, variant, old, task, began, _room: room }),
            None => Due::NoRoom,
        }
    }

    pub fn run(self, pace: &mut Pace<'_>) -> Outcome {
        match self.made(pace) {
            Ok(body) => self.swap(body),
            Err(Broken::NoGain) => Outcome::Unimproved(Unimproved::NoGain),
            Err(Broken::Gone) => Outcome::Unimproved(Unimproved::Gone),
            Err(Broken::Failed(why)) => Outcome::Failed(why),
            Err(Broken::Halted(halt)) => Outcome::Halted(halt),
            Err(Broken::Corrupt(why)) => {
                tracing::warn!(coding = self.old.coding.token(), "a stored body does not decode and is dropped: {why}");
                self.memory.discard(self.key, self.variant.generation);
                Outcome::Unimproved(Unimproved::Corrupt)
            }
        }
    }

    /// The smaller body, proved to hold the same content.
    fn made(&self, pace: &mut Pace<'_>) -> Result<Bytes, Broken> {
        let from = source(&self.variant).ok_or(Broken::NoGain)?;
        let mut body = Vec::new();
        for piece in self.transcoder(from)? {
            body.extend_from_slice(&piece.map_err(|error| blame(&error))?);
            if body.len() as u64 > self.task.limit {
                return Err(Broken::NoGain);
            }
            pace.breathe()?;
            if !self.is_stored() {
                return Err(Broken::Gone);
            }
        }
        let body = Bytes::from(body.into_boxed_slice());
        let was = self.content(&from.body, from.coding, pace)?;
        let is = self.content(&body, self.task.setup.coding, pace);
        match is {
            Ok(is) if is == was => Ok(body),
            Err(Broken::Halted(halt)) => Err(Broken::Halted(halt)),
            Ok(_) | Err(_) => Err(Broken::Failed("what came out decodes to something else".to_owned())),
        }
    }

    /// What is worked on is still there: seconds may have passed since it was taken up.
    fn is_stored(&self) -> bool {
        let resource = self.memory.peek(&self.key);
        resource.is_some_and(|resource| resource.generation(self.variant.generation).is_some())
    }

    fn transcoder(&self, from: &Representation) -> Result<Transcoder<Bytes>, Broken> {
        let transcoder = Transcoder::new(from.body.clone(), from.coding, &self.task.setup, self.longest());
        transcoder.map_err(|error| blame(&error))
    }

    /// A digest of the content of a body.
    fn content(&self, body: &Bytes, coding: Coding, pace: &mut Pace<'_>) -> Result<blake3::Hash, Broken> {
        let plain = setup(Coding::Identity, Live::Auto, None);
        let mut digest = blake3::Hasher::new();
        let pieces = Transcoder::new(body.clone(), coding, &plain, self.longest()).map_err(|error| blame(&error))?;
        for piece in pieces {
            digest.update(&piece.map_err(|error| blame(&error))?);
            pace.breathe()?;
        }
        Ok(digest.finalize())
    }

    /// More identity bytes than there were when it was stored are a corrupt body.
    fn longest(&self) -> u64 {
        self.variant.identity_length.unwrap_or(u64::MAX)
    }

    fn swap(&self, body: Bytes) -> Outcome {
        let (coding, before, after) = (self.task.setup.coding, self.old.body.len() as u64, body.len() as u64);
        let Ok(new) = Representation::improved(self.variant.common(), coding, body) else {
            return Outcome::Failed("no head for it".to_owned());
        };
        let new = new.at_level(Some(self.task.setup.level));
        if !self.memory.swap(self.key, self.variant.generation, &self.old, &new, self.began) {
            return Outcome::Unimproved(Unimproved::Gone);
        }
        tracing::debug!(coding = coding.token(), before, after, "improved");
        Outcome::Improved(Improvement { coding, before, after })
    }
}

fn smallest(variant: &Variant) -> Option<&Arc<Representation>> {
    variant.representations().iter().min_by_key(|one| one.body.len())
}

fn blame(error: &TranscodeError) -> Broken {
    match error {
        TranscodeError::Decode(error) => Broken::Corrupt(error.to_string()),
        TranscodeError::Encode(error) => Broken::Failed(error.to_string()),
    }
}

impl From<Halt> for Broken {
    fn from(halt: Halt) -> Self {
        Self::Halted(halt)
    }
}
