//! The model's app: it evaluates conditions and ranges, changes its content, works slowly, and fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::content::{content, label, modified, tag};
use super::profile::{End, PROFILES, Profile, Validator};
use super::ranges::{self, Slice};
use super::world::{Kind, Made, World};
use crate::harness::payload::Random;
use crate::harness::{Answer, Origin, Part, Seen};

/// Serves every resource of the model.
pub fn start(world: &Arc<World>) -> Origin {
    let origin = Origin::start();
    for (number, profile) in PROFILES.iter().enumerate() {
        let world = Arc::clone(world);
        origin.on_path(&path(number), move |seen| App { world: &world, number, profile }.answer(seen));
    }
    origin
}

pub fn path(number: usize) -> String {
    format!("/model/{number}")
}

/// What the selecting field means, whoever spells it how.
pub fn variant(value: Option<&str>) -> String {
    value.map(|value| value.to_ascii_lowercase().replace(' ', "")).unwrap_or_default()
}

struct App<'a> {
    world: &'a World,
    number: usize,
    profile: &'static Profile,
}

/// How an answer goes wrong, or slowly.
struct Fate {
    works: Duration,
    fails: Option<Failure>,
}

#[derive(Clone, Copy, Debug)]
enum Failure {
    Status(u16),
    HangsUp,
    Cut,
    Reset,
}

impl App<'_> {
    fn answer(&self, seen: &Seen) -> Answer {
        let serial = self.world.next_serial();
        let mut random = Random::new(serial);
        // Compressed here, or not at all.
        let codings = seen.fields.members("Accept-Encoding");
        assert!(codings.is_empty() || codings == ["identity"], "the app is asked for {codings:?}");
        let fate = Fate::of(&mut random);
        let answer = match seen.method.as_str() {
            "GET" | "HEAD" => self.read(seen, serial, &fate),
            _ => self.write(seen, serial, &fate, &mut random),
        };
        let answer = answer.field("X-Event", &serial.to_string());
        if fate.works.is_zero() { answer } else { answer.first(Part::Pause(fate.works)) }
    }

    fn made(&self, seen: &Seen, version: u64) -> Made {
        let variant = self.profile.vary.map(|name| variant(seen.field(name))).unwrap_or_default();
        // What is for all does not name anybody.
        let user = if self.profile.control.contains("private") { seen.field("X-User") } else { None };
        Made { resource: self.number, version, variant, user: user.unwrap_or_default().to_owned() }
    }

    /// Decides and remembers in one go: nothing changes between the two.
    fn read(&self, seen: &Seen, serial: u64, fate: &Fate) -> Answer {
        let mut resource = self.world.resource(self.number);
        let made = self.made(seen, resource.version());
        let body = content(&made);
        let reply = reply(self.profile, &made, &body, seen, fate.fails);
        let for_one = seen.field("Authorization").is_some() && !self.profile.public
            || seen.fields.members("Cache-Control").contains(&"no-store".to_owned());
        resource.said(serial, made.clone(), reply.kind(), for_one, fate.works);
        let conditions = ["If-None-Match", "If-Modified-Since", "Range", "If-Range", "If-Match", "Cache-Control"];
        let asked: Vec<String> =
            conditions.iter().filter_map(|name| Some(format!("{name}: {}", seen.field(name)?))).collect();
        let since = self.world.since(Instant::now());
        resource.tell(since, format_args!("  app {} {asked:?} -> {serial} {reply:?} {}", seen.method, label(&made)));
        drop(resource);
        self.head(reply.answer(self.profile, &body, &made), &made, &reply)
    }

    /// The fields of an answer that is about the content.
    fn head(&self, answer: Answer, made: &Made, reply: &Reply) -> Answer {
        if let Reply::Failed(_) = reply {
            return answer;
        }
        let profile = self.profile;
        let mut answer = answer.field("X-Made", &label(made));
        if !profile.control.is_empty() {
            answer = answer.fresh(profile.control);
        }
        if let Some(name) = profile.vary {
            answer = answer.field("Vary", name);
        }
        if profile.cookie {
            answer = answer.field("Set-Cookie", &format!("seen={}", made.version));
        }
        let tag = tag(made);
        answer = match profile.validator {
            Validator::None | Validator::Date => answer,
            Validator::Weak => answer.field("ETag", &format!("W/\"{tag}\"")),
            Validator::Strong | Validator::StrongAndDate => answer.field("ETag", &format!("\"{tag}\"")),
        };
        if let Validator::Date | Validator::StrongAndDate = profile.validator {
            answer = answer.field("Last-Modified", &modified(made.version));
        }
        answer
    }

    fn write(&self, seen: &Seen, serial: u64, fate: &Fate, random: &mut Random) -> Answer {
        let mut resource = self.world.resource(self.number);
        let before = self.made(seen, resource.version());
        let unmet = self.refuses_write(seen, &before);
        let (answer, kind) = match fate.fails {
            Some(Failure::Status(status)) => (Answer::status(status), Kind::Failed),
            Some(_) => (Answer::hang_up(), Kind::Failed),
            None if unmet => (Answer::status(412), Kind::Part),
            None if random.below(6) == 0 => (Answer::status(409).body("no"), Kind::Part),
            None => {
                resource.edit();
                let success = if seen.method == "DELETE" { Answer::status(204) } else { Answer::html("done") };
                (success, Kind::Written)
            }
        };
        let made = Made { version: resource.version(), ..before };
        resource.said(serial, made.clone(), kind, true, fate.works);
        let since = self.world.since(Instant::now());
        resource.tell(since, format_args!("  app {} -> {serial} {kind:?} {}", seen.method, label(&made)));
        answer.field("X-Made", &label(&made))
    }

    /// RFC 9110, section 13.1.1, for those who change what they have read.
    fn refuses_write(&self, seen: &Seen, now: &Made) -> bool {
        let Some(condition) = seen.field("If-Match") else {
            return false;
        };
        let has_tag = matches!(self.profile.validator, Validator::Strong | Validator::StrongAndDate);
        !(condition == "*" || has_tag && tags(condition).any(|named| named == format!("\"{}\"", tag(now))))
    }
}

impl Fate {
    fn of(random: &mut Random) -> Self {
        let works = match random.below(12) {
            0 => Duration::from_millis(20 + random.below(300) as u64),
            _ => Duration::ZERO,
        };
        let fails = match random.below(60) {
            0..=1 => Some(Failure::Status(500)),
            2..=3 => Some(Failure::Status(503)),
            4 => Some(Failure::HangsUp),
            5 => Some(Failure::Cut),
            6 => Some(Failure::Reset),
            _ => None,
        };
        Self { works, fails }
    }
}

/// What the app answers to a read.
#[derive(Clone, Debug)]
enum Reply {
    Whole,
    Broken(Failure),
    NotModified,
    Part(Slice),
    Unsatisfiable,
    PreconditionFailed,
    Failed(Failure),
    Head,
}

impl Reply {
    fn kind(&self) -> Kind {
        match self {
            Self::Whole => Kind::Whole,
            Self::Broken(_) => Kind::Cut,
            Self::NotModified | Self::Head => Kind::Confirmed,
            Self::Part(_) | Self::Unsatisfiable | Self::PreconditionFailed => Kind::Part,
            Self::Failed(_) => Kind::Failed,
        }
    }

    fn answer(&self, profile: &Profile, body: &[u8], made: &Made) -> Answer {
        let media = if matches!(profile.body, super::profile::Body::Text) { "text/html" } else { "image/png" };
        let whole = || framed(Answer::status(profile.status).field("Content-Type", media).body(body), profile, made);
        match self {
            Self::Whole | Self::Head => whole(),
            Self::Broken(failure) => {
                let accident = if matches!(failure, Failure::Reset) { Part::Reset } else { Part::Cut };
                framed_plainly(Answer::status(profile.status).field("Content-Type", media).body(body), profile)
                    .then_at(body.len() / 2, accident)
            }
            Self::NotModified => Answer::status(304),
            Self::Part(slice) => Answer::status(206)
                .field("Content-Type", media)
                .field("Content-Range", &slice.content_range(body.len()))
                .body(&body[slice.range()]),
            Self::Unsatisfiable => Answer::status(416).field("Content-Range", &format!("bytes */{}", body.len())),
            Self::PreconditionFailed => Answer::status(412),
            Self::Failed(Failure::Status(status)) => Answer::status(*status).body("the app failed"),
            Self::Failed(_) => Answer::hang_up(),
        }
    }
}

fn framed(answer: Answer, profile: &Profile, made: &Made) -> Answer {
    let answer = framed_plainly(answer, profile);
    match profile.end {
        // Where the pauses are differs from one time to the next, as it does with apps.
        End::Dripping => answer.in_pieces(4_000 + made.version as usize % 7 * 1_000),
        _ => answer,
    }
}

fn framed_plainly(answer: Answer, profile: &Profile) -> Answer {
    match profile.end {
        End::Length => answer,
        End::Chunked | End::Dripping => answer.chunked(),
        End::Close => answer.until_close(),
    }
}

/// RFC 9110, section 13.2.2.
fn reply(profile: &Profile, made: &Made, body: &[u8], seen: &Seen, fails: Option<Failure>) -> Reply {
    match fails {
        Some(failure @ (Failure::Status(_) | Failure::HangsUp)) => return Reply::Failed(failure),
        Some(failure) if seen.method == "GET" && profile.end != End::Close => return Reply::Broken(failure),
        _ => {}
    }
    let own = tag(made);
    let has_tag = !matches!(profile.validator, Validator::None | Validator::Date);
    let is_strong = matches!(profile.validator, Validator::Strong | Validator::StrongAndDate);
    let names =
        |condition: &str| condition == "*" || has_tag && tags(condition).any(|named| named == format!("\"{own}\""));
    if seen.field("If-Match").is_some_and(|condition| !names(condition) || !is_strong && condition != "*") {
        return Reply::PreconditionFailed;
    }
    let has_date = matches!(profile.validator, Validator::Date | Validator::StrongAndDate);
    let held = match seen.field("If-None-Match") {
        Some(condition) => names(condition),
        None => {
            has_date
                && seen.field("If-Modified-Since").and_then(|since| httpdate::parse_http_date(since).ok())
                    >= httpdate::parse_http_date(&modified(made.version)).ok()
        }
    };
    if held {
        return Reply::NotModified;
    }
    if seen.method == "HEAD" {
        return Reply::Head;
    }
    if profile.status != 200 {
        return Reply::Whole;
    }
    let wanted = seen.field("Range").and_then(ranges::parse);
    let applies = seen.field("If-Range").is_none_or(|tag| is_strong && tag == format!("\"{own}\""));
    match wanted.filter(|_| applies) {
        // Of several ranges, an app may send all.
        Some(ranges) if ranges.len() == 1 => match ranges[0].of(body.len()) {
            Some(slice) => Reply::Part(slice),
            None => Reply::Unsatisfiable,
        },
        _ => Reply::Whole,
    }
}

/// The opaque tags of a condition, weak or strong.
pub fn tags(condition: &str) -> impl Iterator<Item = &str> {
    condition.split(',').map(|tag| tag.trim().trim_start_matches("W/"))
}
