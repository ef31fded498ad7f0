//! A response, as a client read it: the bytes, how they ended, and when they came.

use super::cache_status::CacheStatus;
use super::decode;
use super::wire::{Fields, Framing};
use std::time::{Duration, Instant};

#[derive(Clone, Debug)]
pub struct Response {
    pub version: String,
    pub status: u16,
    pub fields: Fields,
    /// The content as it was coded, without its transfer framing.
    pub body: Vec<u8>,
    pub framing: Framing,
    pub trailers: Fields,
    /// 1xx responses that came ahead.
    pub interim: Vec<(u16, Fields)>,
    /// Why the body ended before its framing said so.
    pub cut: Option<String>,
    pub asked: Instant,
    pub ended: Instant,
}

impl Response {
    /// The body ended as its framing promised.
    pub fn complete(&self) -> bool {
        self.cut.is_none()
    }

    /// The value of a field that may come once only.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.one(name)
    }

    /// The entity tag of its content and coding, without what tells its bytes from others of the same.
    pub fn tag(&self) -> Option<String> {
        let tag = self.field("ETag")?;
        let revision = |end: &str| {
            end.len() == 9 && end.strip_suffix('"').is_some_and(|end| end.chars().all(|c| c.is_ascii_hexdigit()))
        };
        match tag.rsplit_once('.') {
            Some((tag, end)) if revision(end) => Some(format!("{tag}\"")),
            _ => Some(tag.to_owned()),
        }
    }

    pub fn members(&self, name: &str) -> Vec<String> {
        self.fields.members(name)
    }

    pub fn varies_on(&self, name: &str) -> bool {
        self.members("Vary").contains(&name.to_ascii_lowercase())
    }

    pub fn coding(&self) -> &str {
        self.field("Content-Encoding").unwrap_or("identity")
    }

    /// Its strong tag is that of the app's `"opaque"` in the coding it has; for identity with its name only if the app sent
    /// something else.
    pub fn is_tagged(&self, opaque: &str) -> bool {
        let coding = self.coding().trim_start_matches("x-");
        let plain = coding == "identity" && self.field("ETag") == Some(&format!("\"{opaque}\""));
        plain || self.tag() == Some(format!("\"{opaque}-{coding}\""))
    }

    /// The content without its coding, as somebody else's decoder reads it.
    pub fn content(&self) -> Vec<u8> {
        assert!(self.complete(), "{} ended early: {:?}", self.status, self.cut);
        decode::foreign(self.coding(), &self.body)
    }

    /// The content as text: short bodies that say which answer of the app this is.
    pub fn text(&self) -> String {
        String::from_utf8(self.content()).expect("text")
    }

    pub fn cache(&self) -> CacheStatus {
        CacheStatus::parse(&self.fields.all("Cache-Status"))
    }

    /// What the cache did, in a word of [`CacheStatus::word`].
    pub fn outcome(&self) -> &'static str {
        self.cache().word()
    }

    pub fn age(&self) -> Option<u64> {
        self.field("Age").map(|age| age.parse().expect("Age is an integer"))
    }

    pub fn took(&self) -> Duration {
        self.ended - self.asked
    }
}
