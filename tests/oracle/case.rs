//! One question to both implementations: a request, the response to it, and a later request; every value as it is written
//! and as the RFC reads it.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// RFC 9111, 1.2.2.
pub const GREATEST: u64 = 1 << 31;

/// What one written value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    Nothing,
    /// A directive that is just there, or a word that is.
    Flag(&'static str),
    /// A directive with a time; zero where the time cannot be read.
    Seconds(&'static str, u64),
    /// `no-cache` about some fields only; whether `Set-Cookie` is one of them.
    Fields {
        cookie: bool,
    },
}

/// A directive (or another token) and its meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub text: String,
    pub means: Meaning,
    /// The reading that says so; empty where nobody reads it otherwise.
    pub reading: &'static str,
}

/// A date, or what stands in the place of one: seconds from the moment of receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenDate {
    pub text: String,
    pub means: Option<i64>,
    pub reading: &'static str,
}

/// One line of `Age`, and what its first member means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenAge {
    pub text: Cow<'static, str>,
    pub means: Option<u64>,
    pub reading: &'static str,
}

/// A field in the syntax of `Cache-Control`: lines of directives.
pub type Lines = Vec<Vec<Written>>;

/// A targeted field: its text, and the directives in it unless it does not parse.
pub type Targeted = (&'static str, Option<Vec<Written>>);

/// The fields of a request that select a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selecting {
    pub accept_encoding: Option<&'static str>,
    /// Lines, and the one line that means the same.
    pub accept_language: (Vec<&'static str>, Option<&'static str>),
    pub x_a: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Section 4.2.2 is switched on.
    pub heuristic: bool,
    pub method: Method,
    pub status: u16,
    pub request: Lines,
    pub authorized: bool,
    pub selecting: Selecting,

    pub response: Lines,
    pub targeted: Option<Targeted>,
    pub surrogate: Option<Targeted>,
    pub pragma: Option<Written>,
    pub date: Vec<WrittenDate>,
    pub expires: Vec<WrittenDate>,
    pub last_modified: Vec<WrittenDate>,
    pub age: Vec<WrittenAge>,
    pub etag: bool,
    pub set_cookie: bool,
    pub vary: Vec<&'static str>,

    pub asked: Lines,
    pub asked_pragma: Option<Written>,
    pub asked_authorized: bool,
    pub asked_selecting: Selecting,
    /// Whole seconds from receipt to the later request.
    pub asked_after: u64,
}

/// When every response is received.
pub fn received() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

impl Case {
    pub fn asked_at(&self) -> SystemTime {
        received() + Duration::from_secs(self.asked_after)
    }

    pub fn request_head(&self) -> HeaderMap {
        let mut head = self.selecting.head();
        append_lines(&mut head, "cache-control", &self.request);
        append_all(&mut head, "authorization", self.authorized.then_some("Basic eDp5"));
        head
    }

    pub fn asked_head(&self) -> HeaderMap {
        let mut head = self.asked_selecting.head();
        append_lines(&mut head, "cache-control", &self.asked);
        append_all(&mut head, "pragma", self.asked_pragma.as_ref().map(|pragma| pragma.text.as_str()));
        append_all(&mut head, "authorization", self.asked_authorized.then_some("Basic eDp5"));
        head
    }

    pub fn response_head(&self) -> HeaderMap {
        let mut head = HeaderMap::new();
        append_lines(&mut head, "cache-control", &self.response);
        append_all(&mut head, "cdn-cache-control", self.targeted.as_ref().map(|(text, _)| *text));
        append_all(&mut head, "surrogate-control", self.surrogate.as_ref().map(|(text, _)| *text));
        append_all(&mut head, "pragma", self.pragma.as_ref().map(|pragma| pragma.text.as_str()));
        append_all(&mut head, "date", self.date.iter().map(|date| date.text.as_str()));
        append_all(&mut head, "expires", self.expires.iter().map(|date| date.text.as_str()));
        append_all(&mut head, "last-modified", self.last_modified.iter().map(|date| date.text.as_str()));
        append_all(&mut head, "age", self.age.iter().map(|age| &*age.text));
        append_all(&mut head, "etag", self.etag.then_some("\"a\""));
        append_all(&mut head, "set-cookie", self.set_cookie.then_some("a=b"));
        append_all(&mut head, "vary", self.vary.iter().copied());
        head
    }

    /// The directives that a shared cache obeys: of the first field that governs.
    pub fn governing(&self) -> Vec<&Written> {
        let fields = [&self.targeted, &self.surrogate].into_iter().flatten();
        match fields.filter_map(|(_, said)| said.as_ref()).next() {
            Some(said) => said.iter().collect(),
            None => self.response.iter().flatten().chain(self.pragma_in_force()).collect(),
        }
    }

    /// Does a targeted field or its like govern, so that `Expires` is not looked at?
    pub fn is_targeted(&self) -> bool {
        [&self.targeted, &self.surrogate].into_iter().flatten().any(|(_, said)| said.is_some())
    }

    fn pragma_in_force(&self) -> Option<&Written> {
        self.pragma.as_ref().filter(|_| self.response.is_empty())
    }

    /// The one date that several lines make; `None` where they do not agree, or it is none.
    pub fn instant(lines: &[WrittenDate]) -> Option<i64> {
        let (first, rest) = lines.split_first()?;
        rest.iter().all(|line| line.text == first.text).then_some(first.means)?
    }
}

impl Selecting {
    fn head(&self) -> HeaderMap {
        let mut head = HeaderMap::new();
        append_all(&mut head, "accept-encoding", self.accept_encoding);
        append_all(&mut head, "accept-language", self.accept_language.0.iter().copied());
        append_all(&mut head, "x-a", self.x_a);
        head
    }
}

impl Written {
    /// Without anything odd about it.
    pub fn plain(means: Meaning) -> Self {
        let mut written = Self { text: String::new(), means, reading: "" };
        written.rewrite();
        written
    }

    /// Writes it the way nobody misreads.
    pub fn rewrite(&mut self) {
        self.text = match self.means {
            Meaning::Nothing => String::new(),
            Meaning::Flag(name) => name.to_owned(),
            Meaning::Seconds(name, seconds) => format!("{name}={seconds}"),
            Meaning::Fields { .. } => "no-cache=\"x-a\"".to_owned(),
        };
        self.reading = "";
    }

    /// The name of the directive, known or not.
    pub fn name(&self) -> String {
        match self.means {
            Meaning::Flag(name) | Meaning::Seconds(name, _) => name.to_owned(),
            Meaning::Fields { .. } => "no-cache=".to_owned(),
            Meaning::Nothing => self.text.split('=').next().unwrap_or_default().trim().to_owned(),
        }
    }
}

/// Is a directive there that has no argument, or needs none?
pub fn says(directives: &[&Written], name: &str) -> bool {
    directives.iter().any(|said| matches!(said.means, Meaning::Flag(flag) if flag == name))
}

/// The time of a directive: the first one given counts.
pub fn seconds(directives: &[&Written], name: &str) -> Option<u64> {
    directives.iter().find_map(|said| match said.means {
        Meaning::Seconds(of, seconds) if of == name => Some(seconds),
        _ => None,
    })
}

/// An IMF-fixdate, so many seconds from receipt.
pub fn fixdate(offset: i64) -> String {
    let seconds = 1_800_000_000_u64.saturating_add_signed(offset);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

fn append_lines(head: &mut HeaderMap, name: &'static str, lines: &Lines) {
    let joined =
        lines.iter().map(|line| line.iter().map(|written| written.text.as_str()).collect::<Vec<_>>().join(", "));
    let joined: Vec<String> = joined.collect();
    append_all(head, name, joined.iter().map(String::as_str));
}

/// Characters are octets: a text holds none beyond Latin-1.
fn append_all<'a>(head: &mut HeaderMap, name: &'static str, lines: impl IntoIterator<Item = &'a str>) {
    for line in lines {
        let bytes: Vec<u8> =
            line.chars().map(|character| u8::try_from(u32::from(character)).expect("Latin-1")).collect();
        head.append(HeaderName::from_static(name), HeaderValue::from_bytes(&bytes).expect("a field value"));
    }
}

impl fmt::Display for Case {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = |to: &mut fmt::Formatter<'_>, head: &HeaderMap| {
            head.iter().try_for_each(|(name, value)| writeln!(to, "    {name}: {}", value.as_bytes().escape_ascii()))
        };
        writeln!(to, "  heuristic {}, request {}", self.heuristic, self.method)?;
        head(to, &self.request_head())?;
        writeln!(to, "  response {} at {}", self.status, fixdate(0))?;
        head(to, &self.response_head())?;
        writeln!(to, "  asked {} s later", self.asked_after)?;
        head(to, &self.asked_head())
    }
}
