//! What keeps being hit is compressed again, as well as it can be, and swapped in place.
//!
//! ```text
//!   hit --count--> due? --plan()--> Backlog --take()--> Job: decode, encode, compare --swap()--> Memory
//!                                   most valuable first        |
//!                                   bounded                    `-- Pace: a turn of work, a rest at least as long
//! ```
//!
//! A live encoder has a millisecond; a body that a thousand clients will get deserves a second. One thread does it, one
//! body at a time, at a priority at which the kernel gives it only what nobody else wants, and even of that at most half
//! a core (see [`Pace`]). A hit costs what it cost before: the counter it adds to says by itself when it is due.
//!
//! The result is swapped in only if it is smaller by a margin, decodes to the same content, and what it was made of is
//! still what is stored: the purge log and the generation refuse it otherwise, as they refuse any late write. Its strong
//! tag is a new one (RFC 9110, section 8.8.3: "a strong validator changes whenever [...] the representation data"); the
//! older one still gives 304, since the content is the same, and no part is ever joined to parts of the other.

mod backlog;
mod job;
mod pace;
mod plan;
mod thread;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::{io, thread as threads};

pub(super) use backlog::Backlog;
use backlog::Item;
use job::{Job, Outcome};
use pace::Pace;
pub use pace::{Load, Pressure};
pub use plan::Config;
use plan::{Body, plan};

use super::events::Unimproved;
use super::key::ResourceKey;
use super::memory::Memory;
use super::representation::Representation;
use super::variant::Variant;

impl Memory {
    /// Counts a hit, and takes note of it where the body is worth improving.
    pub(super) fn hit(&self, key: ResourceKey, variant: &Variant, one: &Representation) {
        let hits = variant.count_hit(one.coding);
        let Some(backlog) = self.backlog().filter(|backlog| backlog.is_due(hits)) else {
            return;
        };
        if let Ok(task) = plan(&Body::of(variant, one), backlog.config()) {
            backlog.offer(Item { key, generation: variant.generation, coding: one.coding, failures: 0 }, task.worth);
        }
    }

    /// Bytes of heap that the improver may hold now.
    pub fn improvement_heap(&self) -> u64 {
        self.backlog().map_or(0, |backlog| backlog.held())
    }
}

/// The thread that works the backlog off, until this is dropped.
pub struct Improver {
    backlog: Arc<Backlog>,
    thread: Option<JoinHandle<()>>,
}

impl Improver {
    /// `None` where `memory` takes no note of what could be improved.
    pub fn start(memory: &'static Memory, pressure: Pressure) -> io::Result<Option<Self>> {
        let Some(backlog) = memory.backlog().cloned() else {
            return Ok(None);
        };
        let work = move || {
            thread::lower_priority();
            work_off(memory, &pressure);
        };
        let thread = threads::Builder::new().name("improver".to_owned()).spawn(work)?;
        Ok(Some(Self { backlog, thread: Some(thread) }))
    }
}

/// Stops between two turns of work, which is a fraction of a second away.
impl Drop for Improver {
    fn drop(&mut self) {
        self.backlog.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work_off(memory: &'static Memory, pressure: &Pressure) {
    let Some(backlog) = memory.backlog() else {
        return;
    };
    let mut pace = Pace::new(backlog, pressure, memory.events());
    while let Some(item) = backlog.take() {
        if pace.begin().is_err() {
            return;
        }
        let outcome = improve(memory, backlog, &item, &mut pace);
        pace.settle();
        conclude(memory, backlog, item, outcome);
    }
}

/// One body. What is not worth it any more is passed over.
fn improve(memory: &'static Memory, backlog: &Backlog, item: &Item, pace: &mut Pace<'_>) -> Outcome {
    // Before the look at what is stored: a purge from here on wins.
    let began = memory.purge_epoch();
    let job = match Job::of(memory, backlog, item, began) {
        None => return Outcome::Unimproved(Unimproved::Gone),
        Some(Err(_)) => return Outcome::NotWanted,
        Some(Ok(job)) => job,
    };
    // A defect of a codec on this one body must not end the improvement of all others.
    catch_unwind(AssertUnwindSafe(|| job.run(pace)))
        .unwrap_or_else(|_| Outcome::Failed("the encoder panicked".to_owned()))
}

fn conclude(memory: &Memory, backlog: &Backlog, item: Item, outcome: Outcome) {
    let settle = || {
        let resource = memory.peek(&item.key);
        if let Some(variant) = resource.as_ref().and_then(|resource| resource.generation(item.generation)) {
            variant.settle(item.coding);
        }
    };
    match outcome {
        Outcome::Improved(improvement) => memory.events().improved(improvement),
        Outcome::NotWanted | Outcome::Stopped => {}
        Outcome::Unimproved(reason) => {
            if reason == Unimproved::NoGain {
                settle();
            }
            memory.events().unimproved(reason);
        }
        Outcome::Failed(why) if item.failures == 0 => {
            tracing::debug!(coding = item.coding.token(), "not improved, once more: {why}");
            backlog.retry(item);
        }
        Outcome::Failed(why) => {
            tracing::warn!(coding = item.coding.token(), "not improved: {why}");
            settle();
            memory.events().unimproved(Unimproved::Failed);
        }
    }
}
