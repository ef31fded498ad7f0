//! What keeps being hit is compressed again, as well as it can be, and swapped in place.
//!
//! ```text
//!   hit --count--> due? --plan()--> Backlog --take()--> Job: decode, encode, compare --swap()--> Memory
//!                                   most valuable first        |
//!                                   bounded                    `-- Pace: a turn of work, a rest at least as long
//! ```
//!
//! That is the coding which most clients would like best of all that are offered, even where another one is stored: a
//! crawler that came first and takes gzip alone does not decide what browsers get.
//!
//! A live encoder has a millisecond; a body that a thousand clients will get deserves a second. One thread does it, one
//! body at a time, at a priority at which the kernel gives it only what nobody else wants, and even of that at most half
//! a core (see [`Pace`]). A hit costs what it cost before: the counter it adds to says by itself when it is due.
//!
//! Its memory is of the encoders' budget ([`Budget::reserve_spare`](crate::encode::Budget::reserve_spare)), as far as those
//! who serve leave it, and it gives it back in the middle of a body when they need it. What had to make way, or failed,
//! is tried again after a while; what failed three times is counted and left as it is.
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
use std::{io, thread as threads};

pub(super) use backlog::{Backlog, Item};
use job::{Due, Job, Outcome};
use pace::{Halt, Pace};
pub use pace::{Load, Pressure};
pub use plan::Config;
use plan::{Body, plan};

use super::events::Unimproved;
use super::key::ResourceKey;
use super::memory::Memory;
use super::representation::Representation;
use super::variant::Variant;
use crate::header::Coding;

impl Memory {
    /// Counts a hit of a client that gets `one` and likes `wanted` best, and takes note of it where that is worth having
    /// in a better form.
    pub(super) fn hit(&self, key: ResourceKey, variant: &Variant, one: &Representation, wanted: Coding) {
        let hits = variant.count_hit(one.coding, wanted);
        let Some(backlog) = self.backlog().filter(|backlog| backlog.is_due(hits)) else {
            return;
        };
        let Some(config) = backlog.config() else {
            return;
        };
        if let Ok(task) = plan(&Body::of(variant, one, wanted), &config, backlog.encoders().spare()) {
            backlog.offer(Item::new(key, variant.generation, wanted, task.worth));
        }
    }
}

/// The thread that works the backlog off, until this is dropped.
pub struct Improver {
    backlog: Arc<Backlog>,
    #[cfg(test)]
    thread: threads::JoinHandle<()>,
}

impl Improver {
    /// `None` where `memory` takes no note of what could be improved.
    pub fn start(memory: &'static Memory, pressure: Pressure) -> io::Result<Option<Self>> {
        let Some(backlog) = memory.backlog().cloned() else {
            return Ok(None);
        };
        let work = move || {
            // Among tests it would wait for all others.
            if cfg!(not(test)) {
                thread::lower_priority();
            }
            work_off(memory, &pressure);
        };
        let _thread = threads::Builder::new().name("improver".to_owned()).spawn(work)?;
        Ok(Some(Self {
            backlog,
            #[cfg(test)]
            thread: _thread,
        }))
    }
}

/// It stops between two turns of work. Nobody waits for that: a thread that gets only what is left may take its time on
/// a busy machine, and the end of the process has none.
impl Drop for Improver {
    fn drop(&mut self) {
        self.backlog.stop();
    }
}

#[cfg(test)]
impl Improver {
    /// Waits until it has stopped: nothing happens after that.
    pub fn stopped(self) {
        self.backlog.stop();
        while !self.thread.is_finished() {
            threads::yield_now();
        }
    }
}

fn work_off(memory: &'static Memory, pressure: &Pressure) {
    let Some(backlog) = memory.backlog() else {
        return;
    };
    let mut pace = Pace::new(backlog, pressure, memory.events());
    while backlog.wait() && pace.begin().is_ok() {
        let Some(item) = backlog.take() else {
            continue;
        };
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
        Due::Gone => return Outcome::Unimproved(Unimproved::Gone),
        Due::Left => return Outcome::NotWanted,
        Due::NoRoom => return Outcome::Halted(Halt::Postponed),
        Due::Job(job) => job,
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
        Outcome::NotWanted | Outcome::Halted(Halt::Stopped) => {}
        Outcome::Halted(Halt::Postponed) => backlog.postpone(item),
        Outcome::Unimproved(reason) => {
            if reason == Unimproved::NoGain {
                settle();
            }
            memory.events().unimproved(reason);
        }
        Outcome::Failed(why) => {
            let again = backlog.retry(item);
            tracing::warn!(coding = item.coding.token(), failures = item.failures + 1, again, "not improved: {why}");
            if !again {
                settle();
                memory.events().unimproved(Unimproved::Failed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::events::Events;
    use super::super::memory::Limits;
    use super::*;
    use crate::encode::{Best, Budget};
    use parking_lot::Mutex;

    #[derive(Default)]
    struct Counts(Mutex<Vec<Unimproved>>);

    impl Events for Counts {
        fn unimproved(&self, reason: Unimproved) {
            self.0.lock().push(reason);
        }
    }

    #[test]
    fn what_fails_three_times_is_counted_and_left() {
        let counts = Arc::new(Counts::default());
        let limits = Limits { capacity: 1 << 20, fills: 1 << 20, max_object: 1 << 20, max_variants: 1 };
        let config = Config { after_hits: 1, best: Best::default(), min_size: 0 };
        let memory = Memory::new(limits, Arc::new(Budget::new(0)), counts.clone()).improving(config);
        let backlog = memory.backlog().unwrap();
        let mut item = Item::new(ResourceKey([0; 16]), 1, Coding::Brotli, 7);
        for failures in 1..=2 {
            conclude(&memory, backlog, item, Outcome::Failed("once".to_owned()));
            item = backlog.waiting()[0];
            assert_eq!((item.failures, backlog.waiting().len(), counts.0.lock().len()), (failures, 1, 0));
        }
        let backlog = Backlog::new(Some(config), Arc::new(Budget::new(0)), counts.clone());
        conclude(&memory, &backlog, item, Outcome::Failed("again".to_owned()));
        assert_eq!((backlog.waiting().len(), counts.0.lock().as_slice()), (0, &[Unimproved::Failed][..]));
    }
}
