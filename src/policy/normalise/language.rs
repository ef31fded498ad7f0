//! `Accept-Language` cut down to one of the languages that the app speaks (RFC 9110, section 12.5.4).
//!
//! By *lookup* (RFC 4647, section 3.4): each range of the client, in the order of its weights, is shortened from its end
//! until it is a listed tag. What fits nothing gets the first of the list.

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

use crate::header::{QValue, list};

/// Longer lists of ranges than this are nobody's: the rest is not read.
const MOST_RANGES: usize = 32;

/// The tags of the languages that there are, the default first. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Languages(Vec<String>);

impl Languages {
    /// None without a tag.
    pub fn new(tags: Vec<String>) -> Option<Self> {
        (!tags.is_empty()).then_some(Self(tags))
    }

    fn default_tag(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// The tag, as it is listed, that this request is asked in.
    pub fn best(&self, request: &HeaderMap) -> &str {
        let (mut wanted, refused): (Vec<Range>, Vec<Range>) =
            ranges(request).partition(|range| range.weight != QValue::ZERO);
        // Stable: of equal weights the first one written.
        wanted.sort_by_key(|range| std::cmp::Reverse(range.weight));
        let allowed = |tag: &&String| !refused.iter().any(|range| range.covers(tag));
        let found = wanted.iter().find_map(|range| match range.tag {
            // Section 3.4: "*" "matches any [...] tag that would not have been matched by any other range".
            b"*" => self.0.iter().find(allowed),
            tag => self.lookup(tag).filter(allowed),
        });
        found.or_else(|| self.0.iter().find(allowed)).map_or(self.default_tag(), String::as_str)
    }

    /// Section 3.4: "the language range is progressively truncated from the end until a matching language tag is located".
    fn lookup(&self, range: &[u8]) -> Option<&String> {
        let mut range = range;
        loop {
            if let Some(tag) = self.0.iter().find(|tag| tag.as_bytes().eq_ignore_ascii_case(range)) {
                return Some(tag);
            }
            range = &range[..range.iter().rposition(|byte| *byte == b'-')?];
            // "Single letter or digit subtags (including both the letter "x" [...]) are removed as well".
            if let [rest @ .., b'-', _] = range {
                range = rest;
            }
        }
    }
}

/// One language range with its weight.
struct Range<'a> {
    tag: &'a [u8],
    weight: QValue,
}

impl Range<'_> {
    /// Basic filtering (section 3.3.1): the range is the tag, or a prefix of it that ends at a subtag.
    fn covers(&self, tag: &str) -> bool {
        let (range, tag) = (self.tag, tag.as_bytes());
        range == b"*"
            || tag.get(..range.len()).is_some_and(|start| start.eq_ignore_ascii_case(range))
                && matches!(tag.get(range.len()), None | Some(b'-'))
    }
}

/// What cannot be read is left out.
fn ranges(request: &HeaderMap) -> impl Iterator<Item = Range<'_>> {
    list::members(request, &ACCEPT_LANGUAGE).take(MOST_RANGES).filter_map(|member| {
        let mut parts = member.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let tag = parts.next().filter(|tag| !tag.is_empty())?;
        let mut weight = QValue::ONE;
        for parameter in parts {
            if let [b'q' | b'Q', b'=', value @ ..] = parameter {
                weight = QValue::parse(value)?;
            }
        }
        Some(Range { tag, weight })
    })
}
