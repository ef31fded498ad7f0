//! Ranges (RFC 9110, section 14), written once more and apart from vacpack's: for the app, and for whoever checks.

use std::ops::Range;

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    From(usize),
    Between(usize, usize),
    Last(usize),
}

/// First and last octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice(usize, usize);

/// The ranges of a `Range` field in bytes; `None` where it is none, and to be ignored.
pub fn parse(field: &str) -> Option<Vec<Wanted>> {
    field.strip_prefix("bytes=")?.split(',').map(|range| wanted(range.trim())).collect()
}

fn wanted(range: &str) -> Option<Wanted> {
    let (first, last) = range.split_once('-')?;
    Some(match (first, last) {
        ("", last) => Wanted::Last(last.parse().ok()?),
        (first, "") => Wanted::From(first.parse().ok()?),
        (first, last) => {
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            if first > last {
                return None;
            }
            Wanted::Between(first, last)
        }
    })
}

impl Wanted {
    /// Of a representation of this length; `None` where nothing of it is wanted.
    pub fn of(self, length: usize) -> Option<Slice> {
        let (first, end) = match self {
            Self::From(first) => (first, length),
            Self::Between(first, last) => (first, length.min(last + 1)),
            Self::Last(count) => (length.saturating_sub(count), length),
        };
        (first < end).then(|| Slice(first, end - 1))
    }
}

impl Slice {
    pub fn range(self) -> Range<usize> {
        self.0..self.1 + 1
    }

    pub fn content_range(self, length: usize) -> String {
        format!("bytes {}-{}/{length}", self.0, self.1)
    }
}
