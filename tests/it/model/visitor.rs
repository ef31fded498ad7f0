//! Somebody who asks, again and again, over every protocol, and looks at each answer.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::content::modified;
use super::judge::Judge;
use super::origin::path;
use super::request::{self, Asked};
use super::world::World;
use crate::harness::payload::Random;
use crate::harness::{Call, Client, Framing, H2Client, HOST, Response, Vacpack};

/// How often each kind of answer came.
pub type Counts = BTreeMap<String, u64>;

pub struct Visitor<'a> {
    world: &'a World,
    vacpack: &'a Vacpack,
    random: Random,
    client: Option<Client>,
    h2: Option<H2Client>,
    counts: Counts,
}

impl<'a> Visitor<'a> {
    pub fn new(world: &'a World, vacpack: &'a Vacpack, seed: u64) -> Self {
        Self { world, vacpack, random: Random::new(seed), client: None, h2: None, counts: Counts::new() }
    }

    /// Until the run is over, or something is wrong.
    pub fn visit(mut self, until: Instant) -> Counts {
        while Instant::now() < until && !self.world.is_over() {
            let resource = request::resource(&mut self.random);
            let step = catch_unwind(AssertUnwindSafe(|| self.step(resource)));
            if let Err(panic) = step {
                let told = panic.downcast_ref::<String>().map_or("a panic", String::as_str);
                self.world.violated(resource, told);
            }
            std::thread::sleep(Duration::from_millis(self.random.below(12) as u64));
        }
        self.counts
    }

    fn step(&mut self, resource: usize) {
        match self.random.below(100) {
            0..3 => self.edit(resource),
            3..6 => self.purge(resource),
            6..10 => self.write(resource),
            10..12 => self.leave(resource),
            _ => self.read(resource),
        }
    }

    fn edit(&mut self, resource: usize) {
        self.world.resource(resource).edit();
        self.world.tell(resource, format_args!("edited"));
        self.count("the app changes its content");
    }

    fn purge(&mut self, resource: usize) {
        let begin = Instant::now();
        let response = self.vacpack.purge(HOST, &path(resource));
        assert_eq!(response.status, 200, "{}", response.text());
        self.world.resource(resource).invalidated(begin);
        self.world.tell(resource, format_args!("purged: {}", response.text()));
        self.count("purge");
    }

    fn write(&mut self, resource: usize) {
        let tags = self.world.resource(resource).recent();
        let asked = request::write(&mut self.random, resource, &tags);
        let (asked, response) = self.ask(asked);
        let serial: Option<u64> = response.field("X-Event").and_then(|serial| serial.parse().ok());
        let mut known = self.world.resource(resource);
        if (200..400).contains(&response.status) {
            let said = serial.and_then(|serial| known.event(serial)).map(|event| event.at);
            known.invalidated(said.expect("the app has said what it says"));
        } else if response.status >= 500 {
            assert!(
                known.failed_between(asked.begin, Instant::now()),
                "{} and the app has not failed",
                response.status
            );
        }
        drop(known);
        self.tell(&asked, &response);
        self.count(&format!("{} {}", asked.call.method, response.status));
    }

    /// Goes away before the end.
    fn leave(&mut self, resource: usize) {
        let asked = request::read(&mut self.random, resource, &[], None);
        let mut client = self.vacpack.client();
        if let Ok(mut incoming) = client.try_begin(&asked.call) {
            incoming.next_piece();
        }
        self.world.tell(resource, format_args!("{} and gone", line(&asked.call)));
        self.count("leaves early");
    }

    fn read(&mut self, resource: usize) {
        let (tags, version) = {
            let known = self.world.resource(resource);
            (known.recent(), known.version())
        };
        let earlier = version.saturating_sub(self.random.below(3) as u64);
        let asked = request::read(&mut self.random, resource, &tags, Some(modified(earlier)));
        let (asked, response) = self.ask(asked);
        let end = Instant::now();
        self.tell(&asked, &response);
        let verdict = Judge { world: self.world, asked: &asked, response: &response, end }.verdict();
        if let Err(why) = verdict {
            let told = format!("{why}\nin answer to {}\n{} {:?}", line(&asked.call), response.status, response.fields);
            self.world.violated(resource, &told);
        }
        let what = if response.cut.is_some() { "cut" } else { self.word(&response) };
        self.count(&format!("{} {} {what}", asked.call.method, response.status));
    }

    fn word(&self, response: &Response) -> &'static str {
        if response.fields.all("Cache-Status").is_empty() { "-" } else { response.outcome() }
    }

    /// Over some protocol, on a connection that may have served before.
    fn ask(&mut self, mut asked: Asked) -> (Asked, Response) {
        asked.begin = Instant::now();
        if asked.call.version == "HTTP/1.1" && self.random.below(5) == 0 {
            let h2 = self.h2.get_or_insert_with(|| H2Client::connect(self.vacpack.address()));
            let response = h2.ask(&asked.call);
            return (asked, response);
        }
        if let Some(response) = self.ask_again(&asked.call) {
            return (asked, response);
        }
        asked.begin = Instant::now();
        let mut client = self.vacpack.client();
        let response = client.ask(&asked.call);
        let closes = response.framing == Framing::Close
            || response.cut.is_some()
            || response.version == "HTTP/1.0"
            || asked.call.version == "HTTP/1.0"
            || response.members("Connection").contains(&"close".to_owned());
        self.client = (!closes).then_some(client);
        (asked, response)
    }

    /// On the connection of the last request; `None` if there is none, or it was closed meanwhile.
    fn ask_again(&mut self, call: &Call) -> Option<Response> {
        let mut client = self.client.take()?;
        // What is not idempotent is not sent twice.
        if call.method == "POST" || call.method == "PATCH" {
            return None;
        }
        let response = client.try_begin(call).ok()?.read_to_end();
        let stays = response.complete()
            && response.framing != Framing::Close
            && call.version == "HTTP/1.1"
            && !response.members("Connection").contains(&"close".to_owned());
        self.client = stays.then_some(client);
        Some(response)
    }

    fn tell(&self, asked: &Asked, response: &Response) {
        let about = ["X-Event", "X-Made", "ETag", "Age", "Cache-Status", "Content-Encoding"];
        let fields: Vec<String> =
            about.iter().filter_map(|name| Some(format!("{name}: {}", response.fields.all(name).first()?))).collect();
        let (begin, status, length) =
            (self.world.since(asked.begin).as_secs_f64(), response.status, response.body.len());
        let cut = if response.cut.is_some() { " CUT" } else { "" };
        let line = line(&asked.call);
        self.world.tell(asked.resource, format_args!("{line} at {begin:.3} -> {status} {length}{cut} {fields:?}"));
    }

    fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }
}

fn line(call: &Call) -> String {
    let fields =
        call.fields.iter().filter(|(name, _)| name != "X-User").map(|(name, value)| format!("{name}: {value}"));
    format!("{} {} {:?}", call.method, call.version, fields.collect::<Vec<_>>())
}
