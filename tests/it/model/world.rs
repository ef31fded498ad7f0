//! What the app has said, and when: the model's memory, and its rules for what may be said again.
//!
//! Each answer of the app carries its serial number in `X-Event` and what it is made of in `X-Made`. So a response that a
//! client gets tells which answer it comes from, whatever happened to it on the way.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::profile::{PROFILES, Profile};
use super::request::Asked;
use crate::harness::decode;

/// For the time from the app's clock being read to vacpack's, and from vacpack's to the client's, on a busy machine.
const SLACK: Duration = Duration::from_secs(3);

/// How many lines of a resource's history are told with a violation.
const TOLD: usize = 80;

/// What a body is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Made {
    pub resource: usize,
    pub version: u64,
    /// What the selecting field of the request said, normalised; empty where nothing selects.
    pub variant: String,
    /// For whom; empty for all.
    pub user: String,
}

/// An answer of the app.
#[derive(Clone, Debug)]
pub struct Event {
    pub at: Instant,
    /// When its head was sent: a slow app works before that.
    pub answered: Instant,
    pub made: Made,
    pub kind: Kind,
    /// The request named somebody, or forbade to store the answer.
    pub for_one: bool,
    /// By whom it was received, where only one may receive it.
    taken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Whole,
    /// The body ended early.
    Cut,
    /// 304, or the answer to a HEAD.
    Confirmed,
    /// 206, 412, 416.
    Part,
    /// 5xx, or no answer at all.
    Failed,
    /// The answer to an unsafe method.
    Written,
}

/// How a request was answered.
#[derive(Clone, Copy)]
pub struct Heard<'a> {
    pub asked: &'a Asked,
    pub end: Instant,
    /// With what was on its way to another client.
    pub joined: bool,
}

/// From `done` on, nothing that was said before `from` may be heard.
#[derive(Clone, Copy, Debug)]
struct Invalidation {
    from: Instant,
    done: Instant,
}

/// A representation that some client has, by its entity tag.
#[derive(Clone, Debug)]
pub struct Known {
    pub made: Made,
    pub bytes: Arc<Vec<u8>>,
}

#[derive(Default)]
pub struct Resource {
    version: u64,
    events: BTreeMap<u64, Event>,
    invalidations: Vec<Invalidation>,
    failures: Vec<Instant>,
    known: HashMap<String, Known>,
    recent: VecDeque<String>,
    trace: VecDeque<String>,
}

pub struct World {
    start: Instant,
    serial: AtomicU64,
    resources: Vec<Mutex<Resource>>,
    violation: Mutex<Option<String>>,
    over: AtomicBool,
    /// The hash of each coded body that a foreign decoder has read, with that of what it read.
    decoded: Mutex<HashMap<blake3::Hash, blake3::Hash>>,
}

impl World {
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            serial: AtomicU64::new(1),
            resources: PROFILES.iter().map(|_| Mutex::default()).collect(),
            violation: Mutex::default(),
            over: AtomicBool::new(false),
            decoded: Mutex::default(),
        }
    }

    pub fn resource(&self, number: usize) -> MutexGuard<'_, Resource> {
        self.resources[number].lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn next_serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// The first violation ends the run.
    pub fn violated(&self, resource: usize, what: &str) {
        let history: Vec<String> = self.resource(resource).trace.iter().cloned().collect();
        let profile = &PROFILES[resource];
        let told = format!("{what}\n\nresource {resource}: {profile:?}\n{}", history.join("\n"));
        self.violation.lock().expect("no holder panics").get_or_insert(told);
        self.over.store(true, Ordering::Relaxed);
    }

    pub fn finish(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub fn violation(&self) -> Option<String> {
        self.violation.lock().expect("no holder panics").clone()
    }

    /// Remembers a line of a resource's history.
    pub fn tell(&self, resource: usize, line: fmt::Arguments<'_>) {
        let since = self.start.elapsed();
        self.resource(resource).tell(since, line);
    }

    /// What a foreign decoder reads in a body, as a hash: each body is decoded once.
    pub fn content_of(&self, coding: &str, body: &[u8]) -> blake3::Hash {
        let key = blake3::Hasher::new().update(coding.as_bytes()).update(b"/").update(body).finalize();
        if let Some(known) = self.decoded.lock().expect("no holder panics").get(&key) {
            return *known;
        }
        let content = blake3::hash(&decode::foreign(coding, body));
        self.decoded.lock().expect("no holder panics").insert(key, content);
        content
    }

    /// How many different coded bodies there were.
    pub fn decoded(&self) -> usize {
        self.decoded.lock().expect("no holder panics").len()
    }

    pub fn since(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.start)
    }
}

impl Resource {
    pub fn tell(&mut self, since: Duration, line: fmt::Arguments<'_>) {
        if self.trace.len() >= TOLD {
            self.trace.pop_front();
        }
        self.trace.push_back(format!("{:9.3} {line}", since.as_secs_f64()));
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    /// The app's content changes.
    pub fn edit(&mut self) {
        self.version += 1;
    }

    pub fn said(&mut self, serial: u64, made: Made, kind: Kind, for_one: bool, works: Duration) {
        let at = Instant::now();
        if matches!(kind, Kind::Failed | Kind::Cut) {
            self.failures.push(at);
        }
        self.events.insert(serial, Event { at, answered: at + works, made, kind, for_one, taken: false });
    }

    pub fn event(&self, serial: u64) -> Option<&Event> {
        self.events.get(&serial)
    }

    /// All that was said before `from` is gone by now.
    pub fn invalidated(&mut self, from: Instant) {
        self.invalidations.push(Invalidation { from, done: Instant::now() });
    }

    /// Has the app failed at a request that was under way between the two?
    pub fn failed_between(&self, begin: Instant, end: Instant) -> bool {
        self.failures.iter().rev().any(|at| *at + SLACK >= begin && *at <= end)
    }

    pub fn known(&self, tag: &str) -> Option<&Known> {
        self.known.get(tag)
    }

    /// Some tags that clients hold, newest last.
    pub fn recent(&self) -> Vec<String> {
        self.recent.iter().cloned().collect()
    }

    /// A whole representation was received under this tag; what was received under it before, if that was another.
    pub fn learn(&mut self, tag: &str, made: &Made, bytes: &[u8]) -> Result<(), Known> {
        let is_weak = tag.starts_with("W/");
        match self.known.get(tag) {
            Some(known) if known.made != *made => Err(known.clone()),
            Some(known) if !is_weak && known.bytes.as_slice() != bytes => Err(known.clone()),
            Some(_) => Ok(()),
            None => {
                let known = Known { made: made.clone(), bytes: Arc::new(bytes.to_vec()) };
                self.known.insert(tag.to_owned(), known);
                self.recent.push_back(tag.to_owned());
                if self.recent.len() > 12 {
                    self.recent.pop_front();
                }
                Ok(())
            }
        }
    }

    /// May this answer of the app be what the request is answered with?
    pub fn may_answer(&mut self, profile: &Profile, serial: u64, heard: Heard<'_>) -> Result<(), String> {
        let Heard { asked, end, .. } = heard;
        let failed = self.failed_between(asked.begin, end);
        let Some(event) = self.events.get_mut(&serial) else {
            return Err(format!("the app has never said {serial}"));
        };
        if event.for_one || !profile.is_storable() {
            if event.taken {
                return Err(format!("{serial} was for one client, and a second one got it"));
            }
            event.taken = true;
        }
        let event = event.clone();
        if event.at >= asked.begin && event.at <= end {
            return Ok(());
        }
        if event.at > end {
            return Err(format!("{serial} was said after it was heard"));
        }
        // The app has just confirmed it, to a client who forbids to keep what it said with that.
        let confirms = |other: &Event| {
            other.kind == Kind::Confirmed && other.made == event.made && other.at >= asked.begin && other.at <= end
        };
        if event.kind == Kind::Whole && !event.for_one && self.events.values().rev().any(confirms) {
            return Ok(());
        }
        self.may_be_reused(profile, &event, heard, failed).map_err(|why| format!("{serial} from the store: {why}"))
    }

    /// Everything of section 4 of RFC 9111 that can be told from outside.
    fn may_be_reused(&self, profile: &Profile, event: &Event, heard: Heard<'_>, failed: bool) -> Result<(), String> {
        let asked = heard.asked;
        if event.for_one || !profile.is_storable() {
            return Err("it must not be stored".to_owned());
        }
        // What breaks off later has a head like any other: it answers a condition, or a HEAD, while it lasts.
        let under_way = event.kind == Kind::Cut && heard.joined;
        if !(matches!(event.kind, Kind::Whole | Kind::Confirmed) || under_way) {
            return Err(format!("it is {:?}", event.kind));
        }
        if asked.user.is_some() && !profile.public {
            return Err("it is not for those who log in".to_owned());
        }
        if self.invalidations.iter().any(|gone| gone.done <= asked.begin && event.at < gone.from) {
            return Err("it was made invalid before".to_owned());
        }
        if profile.no_cache || asked.no_cache {
            return Err("it is to be validated first".to_owned());
        }
        let age = asked.begin.saturating_duration_since(event.answered);
        let stale = Duration::from_secs(profile.stale_for(failed, asked.max_stale));
        let lifetime = profile.lifetime();
        if age > lifetime + stale + SLACK {
            return Err(format!("{age:?} old, fresh for {lifetime:?}, stale for {stale:?} (the app failed: {failed})"));
        }
        let limit = asked.max_age.map(Duration::from_secs);
        if limit.is_some_and(|limit| age > limit + SLACK) && !failed {
            return Err(format!("{age:?} old, wanted {limit:?}"));
        }
        Ok(())
    }

    /// Is there anything that says this version (or any that `fits`) and may answer?
    pub fn any_may_answer(&self, profile: &Profile, heard: Heard<'_>, fits: impl Fn(&Made) -> bool) -> bool {
        let Heard { asked, end, .. } = heard;
        let failed = self.failed_between(asked.begin, end);
        self.events.values().rev().filter(|event| fits(&event.made)).any(|event| {
            let live = event.at >= asked.begin && event.at <= end;
            live || self.may_be_reused(profile, event, heard, failed).is_ok()
        })
    }

    /// How old an answer from this event is at least and at most, when a client gets it.
    pub fn age(&self, serial: u64, asked: &Asked, end: Instant) -> Option<(u64, u64)> {
        let event = self.events.get(&serial)?;
        let least = asked.begin.saturating_duration_since(event.answered + SLACK);
        let most = end.saturating_duration_since(event.at);
        Some((least.as_secs(), most.as_secs() + 1))
    }
}
