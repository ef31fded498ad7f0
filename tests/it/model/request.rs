//! What clients of the model ask, at random.

use std::time::Instant;

use super::origin::{path, variant};
use super::profile::{PROFILES, Profile};
use crate::harness::Call;
use crate::harness::payload::Random;

/// A request, and what of it the model has to know.
#[derive(Clone, Debug)]
pub struct Asked {
    pub call: Call,
    pub resource: usize,
    /// What the selecting field says, if one selects.
    pub variant: String,
    /// Who logs in.
    pub user: Option<String>,
    pub no_cache: bool,
    pub only_if_cached: bool,
    pub max_age: Option<u64>,
    pub max_stale: Option<u64>,
    pub begin: Instant,
}

const CODINGS: [&str; 14] = [
    "",
    "br",
    "gzip",
    "zstd",
    "gzip, deflate, br, zstd",
    "gzip, deflate, br, zstd",
    "br;q=0.2, gzip",
    "identity",
    "*",
    "br;q=0, gzip;q=0, *",
    "zstd;q=0.5, identity;q=0.8",
    "identity;q=0, br",
    "x-gzip",
    "deflate",
];

const RANGES: [&str; 12] = [
    "bytes=0-0",
    "bytes=0-499",
    "bytes=10-",
    "bytes=-20",
    "bytes=-0",
    "bytes=100-199,300-399",
    "bytes=0-9, -10",
    "bytes=5-2",
    "bytes=9999999-",
    "bytes=0-99999999",
    "lines=1-2",
    "bytes=1000-1100, 0-10, 50-60",
];

const DIRECTIVES: [&str; 9] = [
    "no-cache",
    "no-store",
    "max-age=0",
    "max-age=1",
    "max-stale",
    "max-stale=2",
    "min-fresh=1",
    "only-if-cached",
    "no-cache, no-store, max-age=0",
];

/// How often, of a hundred.
fn often(random: &mut Random, percent: usize) -> bool {
    random.below(100) < percent
}

/// Any resource, some far more than others.
pub fn resource(random: &mut Random) -> usize {
    let one = random.below(PROFILES.len());
    one.min(random.below(PROFILES.len() * 2))
}

/// A read. `tags` are those of the resource that clients hold; `modified` a date that somebody was told.
pub fn read(random: &mut Random, resource: usize, tags: &[String], modified: Option<String>) -> Asked {
    let profile = &PROFILES[resource];
    let method = if often(random, 8) { "HEAD" } else { "GET" };
    let mut asked = plain(random, method, resource, profile);
    asked.call = asked.call.accepting(CODINGS[random.below(CODINGS.len())]);
    if often(random, 8) {
        asked.call = asked.call.http10();
    }
    if often(random, 12) {
        direct(&mut asked, DIRECTIVES[random.below(DIRECTIVES.len())]);
    }
    if often(random, 20) {
        asked.call = asked.call.field("If-None-Match", &condition(random, tags));
    } else if let Some(modified) = modified.filter(|_| often(random, 20)) {
        asked.call = asked.call.field("If-Modified-Since", &modified);
    }
    if often(random, 15) {
        asked.call = asked.call.field("Range", RANGES[random.below(RANGES.len())]);
        if often(random, 40) {
            asked.call = asked.call.field("If-Range", &one(random, tags));
        }
    }
    if often(random, 4) {
        asked.call = asked.call.field("If-Match", &condition(random, tags));
    }
    asked
}

/// An unsafe request.
pub fn write(random: &mut Random, resource: usize, tags: &[String]) -> Asked {
    let method = ["PUT", "POST", "DELETE", "PATCH"][random.below(4)];
    let mut asked = plain(random, method, resource, &PROFILES[resource]);
    if method != "DELETE" {
        asked.call.body = b"new content".to_vec();
        asked.call = asked.call.field("Content-Length", "11");
    }
    if often(random, 30) {
        asked.call = asked.call.field("If-Match", &one(random, tags));
    }
    asked
}

fn plain(random: &mut Random, method: &str, resource: usize, profile: &Profile) -> Asked {
    const VARIANTS: [Option<&str>; 4] = [None, Some("a"), Some("b"), Some("c")];
    const LANGUAGES: [Option<&str>; 6] =
        [None, Some("en"), Some("EN"), Some("en, de"), Some("en,de"), Some("fr;q=0.5, en")];

    let mut call = Call::new(method, &path(resource));
    let choices = match profile.vary {
        Some("Accept-Language") => &LANGUAGES[..],
        _ => &VARIANTS[..],
    };
    let value = choices[random.below(choices.len())];
    if let (Some(name), Some(value)) = (profile.vary, value) {
        call = call.field(name, value);
    }
    // Somebody in particular, whom only some answers are about.
    call = call.field("X-User", &format!("u{}", random.below(5)));
    let user = often(random, 6).then(|| format!("Basic {}", random.below(3)));
    if let Some(user) = &user {
        call = call.field("Authorization", user);
    }
    Asked {
        call,
        resource,
        variant: profile.vary.map(|_| variant(value)).unwrap_or_default(),
        user,
        no_cache: false,
        only_if_cached: false,
        max_age: None,
        max_stale: None,
        begin: Instant::now(),
    }
}

fn direct(asked: &mut Asked, directives: &str) {
    asked.no_cache = directives.contains("no-cache");
    asked.only_if_cached = directives.contains("only-if-cached");
    asked.max_age = directives.split("max-age=").nth(1).and_then(|seconds| seconds.parse().ok());
    asked.max_stale = match directives {
        "max-stale" => Some(1 << 31),
        "max-stale=2" => Some(2),
        _ => None,
    };
    asked.call = asked.call.clone().field("Cache-Control", directives);
}

/// Some tags that were seen, or none that ever was.
fn condition(random: &mut Random, tags: &[String]) -> String {
    match random.below(10) {
        0 => "*".to_owned(),
        1 => "\"never\"".to_owned(),
        2..=4 => format!("{}, {}", one(random, tags), one(random, tags)),
        _ => one(random, tags),
    }
}

fn one(random: &mut Random, tags: &[String]) -> String {
    if tags.is_empty() { "\"none-yet\"".to_owned() } else { tags[random.below(tags.len())].clone() }
}
