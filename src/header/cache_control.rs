//! `Cache-Control` (RFC 9111, section 5.2): request and response directives, read by one lenient
//! parser.
//!
//! RFC 9111 leaves the malformed to the cache and asks it to be careful: "caches are encouraged to
//! consider responses that have invalid freshness information (e.g., a max-age directive with a
//! non-integer value) to be stale" (4.2.1). So:
//!
//! * names are case-insensitive; arguments are tokens or quoted strings, whichever the directive
//!   asks for (5.2): `max-age="60"` is 60 seconds;
//! * a time that is not `delta-seconds` - `1.5`, `-1`, `'5'`, `60s`, missing - counts as zero:
//!   stale, nothing granted; so does one with whitespace at its `=`, which the grammar does not
//!   have;
//! * more than [2^31 seconds](super::delta_seconds::GREATEST) counts as that (1.2.2);
//! * of a time given twice the first counts (4.2.1), of several lists of names their union, and a
//!   directive without a list of names is stricter than one with;
//! * a directive that restricts does so whatever its argument (`no-store=0`); one that permits
//!   (`public`, `immutable`, `must-understand`) counts only in its own form, without one;
//! * unknown directives are ignored (5.2.3).
//!
//! No allocation, unless a directive lists field names.

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, HeaderName};

use super::token::{trim, unquote};
use super::{delta_seconds, list};

/// What all lines of one field say. Requests and responses share it; a directive that means nothing
/// there is just data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// 5.2.1.5, 5.2.2.5
    pub no_store: bool,
    /// 5.2.1.4, 5.2.2.4
    pub no_cache: Option<Scope>,
    /// 5.2.2.7
    pub private: Option<Scope>,
    /// 5.2.2.9
    pub public: bool,
    /// 5.2.1.1, 5.2.2.1
    pub max_age: Option<Duration>,
    /// 5.2.2.10
    pub s_maxage: Option<Duration>,
    /// 5.2.2.2
    pub must_revalidate: bool,
    /// 5.2.2.8
    pub proxy_revalidate: bool,
    /// 5.2.2.3
    pub must_understand: bool,
    /// 5.2.1.6, 5.2.2.6
    pub no_transform: bool,
    /// 5.2.1.7
    pub only_if_cached: bool,
    /// 5.2.1.3
    pub min_fresh: Option<Duration>,
    /// 5.2.1.2; the inner `None` accepts a stale response of any age.
    pub max_stale: Option<Option<Duration>>,
    /// RFC 5861, section 3
    pub stale_while_revalidate: Option<Duration>,
    /// RFC 5861, section 4
    pub stale_if_error: Option<Duration>,
    /// RFC 8246
    pub immutable: bool,
}

/// How much of a response `no-cache` or `private` is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of it: the directive has no list, or one that holds anything but field names.
    Whole,
    /// These fields only, each once, in order.
    Fields(Vec<HeaderName>),
}

impl CacheControl {
    /// Reads all lines of `name`, which is `Cache-Control` or a field in its syntax, such as
    /// `Surrogate-Control`.
    pub fn parse(headers: &HeaderMap, name: &HeaderName) -> Self {
        let mut directives = Self::default();
        for member in list::members(headers, name) {
            let (name, argument) = split(member);
            directives.record(name, argument);
        }
        directives
    }

    /// One directive, from this syntax or from a structured one (see [`super::targeted`]).
    pub(super) fn record(&mut self, name: &[u8], argument: Argument<'_>) {
        let mut buffer = [0; LONGEST_NAME];
        match lower(name, &mut buffer) {
            b"no-store" => self.no_store = true,
            b"no-cache" => Scope::extend(&mut self.no_cache, argument),
            b"private" => Scope::extend(&mut self.private, argument),
            b"public" => self.public |= argument.is_absent(),
            b"max-age" => first(&mut self.max_age, argument.seconds()),
            b"s-maxage" => first(&mut self.s_maxage, argument.seconds()),
            b"must-revalidate" => self.must_revalidate = true,
            b"proxy-revalidate" => self.proxy_revalidate = true,
            b"must-understand" => self.must_understand |= argument.is_absent(),
            b"no-transform" => self.no_transform = true,
            b"only-if-cached" => self.only_if_cached = true,
            b"min-fresh" => first(&mut self.min_fresh, argument.seconds()),
            b"max-stale" => first(&mut self.max_stale, (!argument.is_absent()).then(|| argument.seconds())),
            b"stale-while-revalidate" => first(&mut self.stale_while_revalidate, argument.seconds()),
            b"stale-if-error" => first(&mut self.stale_if_error, argument.seconds()),
            b"immutable" => self.immutable |= argument.is_absent(),
            _ => {}
        }
    }
}

impl Scope {
    /// The union of what was said so far with what `argument` says; [`Scope::Whole`] is everything.
    fn extend(known: &mut Option<Self>, argument: Argument<'_>) {
        let listed = match &argument {
            Argument::Text(text) => names(text),
            Argument::Names(text) => names(text.as_bytes()),
            Argument::Absent | Argument::Seconds(_) | Argument::Unusable => None,
        };
        *known = Some(match known.take() {
            None => Self::union(Vec::new(), listed),
            Some(Self::Fields(fields)) => Self::union(fields, listed),
            Some(Self::Whole) => Self::Whole,
        });
    }

    fn union(mut fields: Vec<HeaderName>, listed: Option<Vec<HeaderName>>) -> Self {
        let Some(listed) = listed else {
            return Self::Whole;
        };
        for name in listed {
            if !fields.contains(&name) {
                fields.push(name);
            }
        }
        if fields.len() > MOST_NAMES { Self::Whole } else { Self::Fields(fields) }
    }
}

/// What follows the name of a directive.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Argument<'a> {
    /// Nothing.
    Absent,
    /// A token or a quoted string: in `Cache-Control` both can be a number or a list of names.
    Text(Cow<'a, [u8]>),
    /// A number that is one by type.
    Seconds(Duration),
    /// A list of names that is one by type, and can be nothing else.
    Names(Cow<'a, str>),
    /// Something no directive has.
    Unusable,
}

impl Argument<'_> {
    const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// A time; zero if it cannot be read.
    fn seconds(&self) -> Duration {
        match self {
            Self::Seconds(seconds) => *seconds,
            Self::Text(text) => delta_seconds::parse(text).unwrap_or_default(),
            Self::Absent | Self::Names(_) | Self::Unusable => Duration::ZERO,
        }
    }
}

/// `cache-directive = token [ "=" ( token / quoted-string ) ]`. Whitespace at the `=` leaves a name
/// that is known and an argument that is not.
fn split(member: &[u8]) -> (&[u8], Argument<'_>) {
    let Some(equals) = member.iter().position(|byte| *byte == b'=') else {
        return (member, Argument::Absent);
    };
    let (name, value) = (&member[..equals], &member[equals + 1..]);
    if trim(name) != name {
        return (trim(name), Argument::Unusable);
    }
    (name, unquote(value).map_or(Argument::Unusable, Argument::Text))
}

/// More names than this are not kept apart: then the directive is about the whole response. It also
/// bounds what a hostile list can cost.
const MOST_NAMES: usize = 64;

/// The field names in the argument of `no-cache` or `private`; `None` unless there are some and
/// nothing else.
fn names(text: &[u8]) -> Option<Vec<HeaderName>> {
    let names: Option<Vec<_>> =
        list::split(text).take(MOST_NAMES + 1).map(|name| HeaderName::from_bytes(name).ok()).collect();
    names.filter(|names| (1..=MOST_NAMES).contains(&names.len()))
}

/// The first occurrence counts.
fn first<T>(slot: &mut Option<T>, value: T) {
    slot.get_or_insert(value);
}

/// `stale-while-revalidate`
const LONGEST_NAME: usize = 22;

/// `name` in lower case; empty if it is longer than any directive.
fn lower<'b>(name: &[u8], buffer: &'b mut [u8; LONGEST_NAME]) -> &'b [u8] {
    let Some(lower) = buffer.get_mut(..name.len()) else {
        return &[];
    };
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    lower
}

#[cfg(test)]
mod tests;
