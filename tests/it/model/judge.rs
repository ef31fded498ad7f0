//! Is a response one that the model allows?

use std::time::{Duration, Instant};

use super::content::{content, modified, read_label};
use super::origin::tags;
use super::profile::{PROFILES, Profile};
use super::ranges;
use super::request::Asked;
use super::world::{Heard, Kind, Made, World};
use crate::harness::Response;

type Verdict = Result<(), String>;

/// One response, against all that its resource has been.
pub struct Judge<'a> {
    pub world: &'a World,
    pub asked: &'a Asked,
    pub response: &'a Response,
    pub end: Instant,
}

impl Judge<'_> {
    /// Of a read.
    pub fn verdict(&self) -> Verdict {
        if self.response.cut.is_some() {
            return self.cut();
        }
        let status = self.response.status;
        match status {
            206 => self.part(),
            304 => self.not_modified(),
            412 => self.only_for("If-Match"),
            416 => self.unsatisfiable(),
            504 if self.asked.only_if_cached => Ok(()),
            500..=504 => self.failed(),
            _ if status == self.profile().status => self.whole(),
            other => Err(format!("nobody says {other}")),
        }
    }

    fn profile(&self) -> &'static Profile {
        &PROFILES[self.asked.resource]
    }

    fn heard(&self) -> Heard<'_> {
        Heard { asked: self.asked, end: self.end, joined: self.response.cache().collapsed }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.asked.call.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    fn serial(&self) -> Result<u64, String> {
        let serial = self.response.field("X-Event").and_then(|serial| serial.parse().ok());
        serial.ok_or_else(|| "it does not say where it comes from".to_owned())
    }

    fn whole(&self) -> Verdict {
        let made = self.said_by_the_app()?;
        self.conditions_were_met()?;
        if self.asked.call.method == "HEAD" {
            return Ok(());
        }
        let coding = self.response.coding();
        if !accepts(self.header("Accept-Encoding"), coding) {
            return Err(format!("nobody asked for {coding}"));
        }
        if self.world.content_of(coding, &self.response.body) != blake3::hash(&content(&made)) {
            return Err(format!("the content is not that of {made:?}"));
        }
        let Some(tag) = self.response.field("ETag") else {
            return Ok(());
        };
        let learnt = self.world.resource(self.asked.resource).learn(tag, &made, &self.response.body);
        learnt.map_err(|other| {
            let (now, then) = (self.response.body.len(), other.bytes.len());
            format!("{tag} names {now} bytes of {made:?} and {then} bytes of {:?}", other.made)
        })
    }

    /// What every answer with content, whole or part of it, has to be: something that the app has said, for this request.
    fn said_by_the_app(&self) -> Result<Made, String> {
        let serial = self.serial()?;
        let made = self.response.field("X-Made").and_then(read_label).ok_or("it does not say what it is made of")?;
        if made.resource != self.asked.resource {
            return Err(format!("of another resource: {made:?}"));
        }
        if made.variant != self.asked.variant {
            return Err(format!("another variant: {made:?}"));
        }
        if !made.user.is_empty() && Some(made.user.as_str()) != self.header("X-User") {
            return Err(format!("for somebody else: {made:?}"));
        }
        let mut resource = self.world.resource(self.asked.resource);
        resource.may_answer(self.profile(), serial, self.heard())?;
        if resource.event(serial).is_some_and(|event| event.made != made) {
            return Err(format!("{serial} was not made of {made:?}"));
        }
        let (least, most) = resource.age(serial, self.asked, self.end).unwrap_or_default();
        let from_store = matches!(self.response.outcome(), "hit" | "stale" | "revalidated");
        match self.response.age() {
            Some(age) if age < least || age > most => Err(format!("Age: {age}, and it is {least} to {most} s old")),
            None if from_store => Err("an answer from the store without Age".to_owned()),
            _ => Ok(made),
        }
    }

    /// A 200 where the client's conditions want another status.
    fn conditions_were_met(&self) -> Verdict {
        let Some(tag) = self.response.field("ETag") else {
            return Ok(());
        };
        // RFC 9110, 13.2.1: conditions are about what would be a success.
        let from_store = self.response.status == 200 && matches!(self.response.outcome(), "hit" | "stale");
        let held = self
            .header("If-None-Match")
            .is_some_and(|held| tags(held).any(|held| held == tag.trim_start_matches("W/")));
        if held && from_store && self.header("If-Match").is_none() {
            return Err(format!("200 for one who holds {tag}"));
        }
        let wanted = self.header("If-Match").filter(|wanted| *wanted != "*");
        if from_store && wanted.is_some_and(|wanted| !wanted.split(", ").any(|wanted| wanted == tag)) {
            return Err(format!("200 {tag} for one who wants only {wanted:?}"));
        }
        Ok(())
    }

    fn part(&self) -> Verdict {
        let made = self.said_by_the_app()?;
        let wanted = self.header("Range").and_then(ranges::parse).ok_or("206 without a range")?;
        let tag = self.response.field("ETag");
        if self.header("If-Range").is_some_and(|named| Some(named) != tag || named.starts_with("W/")) {
            return Err(format!("206 of {tag:?} in spite of If-Range"));
        }
        let whole = match self.response.coding() {
            "identity" => content(&made),
            _ => {
                let known = self.world.resource(self.asked.resource);
                match tag.filter(|tag| !tag.starts_with("W/")).and_then(|tag| known.known(tag)) {
                    // Nobody has had the whole of it, or its tag is one of several bodies: that cannot be compared.
                    None => return Ok(()),
                    Some(known) => known.bytes.to_vec(),
                }
            }
        };
        let slices = wanted.into_iter().filter_map(|wanted| wanted.of(whole.len()));
        let allowed: Vec<(String, &[u8])> =
            slices.map(|slice| (slice.content_range(whole.len()), &whole[slice.range()])).collect();
        let parts = parts(self.response)?;
        if parts
            .iter()
            .all(|(range, bytes)| allowed.iter().any(|allowed| *allowed == (range.clone(), bytes.as_slice())))
        {
            return Ok(());
        }
        let told: Vec<_> = parts.iter().map(|(range, bytes)| (range, bytes.len())).collect();
        Err(format!("parts {told:?} of {} bytes are not what was asked for", whole.len()))
    }

    fn not_modified(&self) -> Verdict {
        let resource = self.world.resource(self.asked.resource);
        let may = |fits: &dyn Fn(&Made) -> bool| {
            let of_variant = |made: &Made| made.variant == self.asked.variant && fits(made);
            resource.any_may_answer(self.profile(), self.heard(), of_variant)
        };
        let allowed = match (self.header("If-None-Match"), self.header("If-Modified-Since")) {
            (Some(held), _) => held.split(", ").any(|tag| match resource.known(tag) {
                Some(known) => may(&|made| *made == known.made),
                None => tag == "*" && may(&|_| true),
            }),
            (None, Some(since)) => {
                let since = httpdate::parse_http_date(since).map_err(|error| error.to_string())?;
                may(&|made| httpdate::parse_http_date(&modified(made.version)).is_ok_and(|at| at <= since))
            }
            (None, None) => return Err("304 to a request without a condition".to_owned()),
        };
        if allowed { Ok(()) } else { Err("304: what the client holds is not what may be served".to_owned()) }
    }

    fn unsatisfiable(&self) -> Verdict {
        let told = self.response.field("Content-Range").and_then(|range| range.strip_prefix("bytes */"));
        let length: usize = told.and_then(|length| length.parse().ok()).ok_or("416 without a length")?;
        let wanted = self.header("Range").and_then(ranges::parse).ok_or("416 without a range")?;
        match wanted.iter().find_map(|wanted| wanted.of(length)) {
            None => Ok(()),
            Some(slice) => Err(format!("416, and there is {}", slice.content_range(length))),
        }
    }

    fn only_for(&self, condition: &str) -> Verdict {
        self.header(condition).map(drop).ok_or_else(|| format!("{} without {condition}", self.response.status))
    }

    /// The app's own error, or ours about the app.
    fn failed(&self) -> Verdict {
        let resource = self.world.resource(self.asked.resource);
        if resource.failed_between(self.asked.begin, self.end) {
            return Ok(());
        }
        Err(format!("{} and the app has not failed", self.response.status))
    }

    fn cut(&self) -> Verdict {
        let serial = self.serial()?;
        let resource = self.world.resource(self.asked.resource);
        let event = resource.event(serial).ok_or("cut, and the app has never said it")?;
        if event.kind != Kind::Cut {
            return Err(format!("cut after {} bytes, and the app sent it whole", self.response.body.len()));
        }
        let age = self.asked.begin.saturating_duration_since(event.answered);
        if age > Duration::from_secs(1) {
            return Err(format!("{serial} was cut {age:?} before it was asked for"));
        }
        Ok(())
    }
}

/// Each part with its `Content-Range`.
fn parts(response: &Response) -> Result<Vec<(String, Vec<u8>)>, String> {
    if let Some(range) = response.field("Content-Range") {
        return Ok(vec![(range.to_owned(), response.body.clone())]);
    }
    let media = response.field("Content-Type").unwrap_or_default();
    let boundary = media.split("boundary=").nth(1).ok_or("206 without a range or a boundary")?;
    let text: String = response.body.iter().copied().map(char::from).collect();
    let separator = format!("--{}", boundary.trim_matches('"'));
    let mut parts = Vec::new();
    for part in text.split(&separator).skip(1).filter(|part| !part.starts_with("--")) {
        let (head, body) = part.split_once("\r\n\r\n").ok_or("a part without a head")?;
        let range =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-range: ").map(str::to_owned));
        let body = body.strip_suffix("\r\n").ok_or("a part without an end")?;
        let bytes = body.chars().map(|byte| u8::try_from(u32::from(byte)).expect("it was one")).collect();
        parts.push((range.ok_or("a part without a range")?, bytes));
    }
    Ok(parts)
}

/// RFC 9110, section 12.5.3, once more.
fn accepts(field: Option<&str>, coding: &str) -> bool {
    let Some(field) = field else {
        return coding == "identity";
    };
    let weight = |name: &str| {
        field.split(',').find_map(|member| {
            let mut parts = member.split(';').map(str::trim);
            let named = parts.next().map(|named| named.trim_start_matches("x-")) == Some(name);
            named.then(|| {
                parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |weight| weight.parse().unwrap_or(0.0))
            })
        })
    };
    // What nobody forbids: identity may always stand in.
    coding == "identity" || weight(coding).or_else(|| weight("*")).is_some_and(|weight: f32| weight > 0.0)
}
