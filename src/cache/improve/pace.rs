//! How fast the improver goes: a turn of work, then a rest, and longer ones the less idle the machine is.
//!
//! Its priority alone does not keep it out of the way. Under a CPU quota the kernel counts what an idle-priority thread
//! uses like any other time, so it could spend in a moment what requests need in the next one; and some kernels have no
//! such priority. So it rests at least as long as it worked: half a core is the most it ever takes. It also sees for
//! itself how idle the machine is, by the share of the time in which it was let run.

use std::time::{Duration, Instant};

use super::super::events::Events;
use super::backlog::Backlog;
use super::thread;

/// How much the process has to do, as those who serve see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    Calm,
    /// More requests than workers: on at a crawl.
    Busy,
    /// No time to lose on this, or no time left: hold still.
    Saturated,
}

/// Asked between two turns of work.
pub type Pressure = Box<dyn Fn() -> Load + Send + Sync>;

/// Work shorter than this is not worth a rest.
const TURN: Duration = Duration::from_millis(20);
/// Between turns while the process is busy.
const CRAWL: Duration = Duration::from_secs(1);
/// The longest rest after one turn.
const LONGEST: Duration = Duration::from_secs(5);
/// How soon it is noticed that the load has gone.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How long memory is held for work that stands still.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why work is broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// It is time to stop.
    Stopped,
    /// Others need the memory, or there is no telling when it can go on: later, from the beginning.
    Postponed,
}

/// The clock of the improver.
pub struct Pace<'a> {
    backlog: &'a Backlog,
    pressure: &'a Pressure,
    events: &'a dyn Events,
    /// When the turn began, and the CPU time of the thread then.
    since: Instant,
    cpu: Duration,
}

impl<'a> Pace<'a> {
    pub fn new(backlog: &'a Backlog, pressure: &'a Pressure, events: &'a dyn Events) -> Self {
        Self { backlog, pressure, events, since: Instant::now(), cpu: thread::cpu_time() }
    }

    /// Before a job: not while there is no time for it.
    pub fn begin(&mut self) -> Result<(), Halt> {
        self.hold_still(Duration::MAX)?;
        self.since = Instant::now();
        Ok(())
    }

    /// Between two pieces of work: rests when a turn is over. Called often enough, it is how soon a stop is obeyed.
    pub fn breathe(&mut self) -> Result<(), Halt> {
        if self.backlog.is_stopped() {
            return Err(Halt::Stopped);
        }
        if self.backlog.encoders().is_short() {
            return Err(Halt::Postponed);
        }
        let wall = self.since.elapsed();
        if wall < TURN {
            return Ok(());
        }
        let cpu = self.settle();
        if self.backlog.rest(rest(wall, cpu, (self.pressure)())) {
            return Err(Halt::Stopped);
        }
        self.hold_still(PATIENCE)?;
        self.since = Instant::now();
        Ok(())
    }

    /// Counts the CPU time since the last count.
    pub fn settle(&mut self) -> Duration {
        let before = std::mem::replace(&mut self.cpu, thread::cpu_time());
        let used = self.cpu.saturating_sub(before);
        self.events.improve_worked(used);
        used
    }

    fn hold_still(&self, patience: Duration) -> Result<(), Halt> {
        let start = Instant::now();
        while (self.pressure)() == Load::Saturated {
            if start.elapsed() >= patience {
                return Err(Halt::Postponed);
            }
            if self.backlog.rest(LOOK_AGAIN) {
                return Err(Halt::Stopped);
            }
        }
        Ok(())
    }
}

/// How long to rest after a turn that took `wall`, and `cpu` of it running.
fn rest(wall: Duration, cpu: Duration, load: Load) -> Duration {
    // Others ran in its stead, or the quota was used up: there is less idle time than it wants.
    let crowded = cpu * 2 < wall;
    let rest = wall * if crowded { 3 } else { 1 };
    match load {
        Load::Calm => rest.min(LONGEST),
        Load::Busy | Load::Saturated => rest.clamp(CRAWL, LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::events::Silent;
    use super::*;
    use crate::cache::improve::Config;
    use crate::encode::{Best, Budget};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn backlog() -> Backlog {
        let config = Config { after_hits: 1, best: Best::default(), min_size: 0 };
        Backlog::new(Some(config), Arc::new(Budget::new(1 << 20)), Arc::new(Silent))
    }

    #[test]
    fn rests_grow_with_the_load() {
        let ms = Duration::from_millis;
        let table = [
            // (turn, of it on a core, load, rest)
            (ms(100), ms(100), Load::Calm, ms(100)),
            (ms(100), ms(60), Load::Calm, ms(100)),
            (ms(100), ms(20), Load::Calm, ms(300)),
            (ms(100), ms(100), Load::Busy, ms(1000)),
            (ms(1500), ms(1500), Load::Busy, ms(1500)),
            (ms(9000), ms(9000), Load::Calm, ms(5000)),
            (ms(9000), ms(10), Load::Busy, ms(5000)),
        ];
        for (wall, cpu, load, wanted) in table {
            assert_eq!(rest(wall, cpu, load), wanted, "{wall:?} {cpu:?} {load:?}");
        }
    }

    #[test]
    fn a_stop_is_obeyed_while_holding_still() {
        let backlog = backlog();
        let asked = Arc::new(AtomicBool::new(false));
        let pressure: Pressure = {
            let asked = asked.clone();
            Box::new(move || {
                asked.store(true, Ordering::Relaxed);
                Load::Saturated
            })
        };
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| Pace::new(&backlog, &pressure, &Silent).begin());
            while !asked.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            backlog.stop();
            assert_eq!(waiting.join().unwrap(), Err(Halt::Stopped));
        });
    }

    #[test]
    fn work_is_followed_by_a_rest_as_long() {
        let (backlog, calm): (_, Pressure) = (backlog(), Box::new(|| Load::Calm));
        let mut pace = Pace::new(&backlog, &calm, &Silent);
        pace.begin().unwrap();
        let start = Instant::now();
        while start.elapsed() < TURN {
            std::hint::spin_loop();
        }
        pace.breathe().unwrap();
        assert!(start.elapsed() >= 2 * TURN);
        let all = backlog.encoders().reserve(1 << 20);
        assert_eq!(pace.breathe(), Err(Halt::Postponed), "others need the memory");
        drop(all);
        assert_eq!(pace.breathe(), Ok(()));
        backlog.stop();
        assert_eq!(pace.breathe(), Err(Halt::Stopped));
    }
}
