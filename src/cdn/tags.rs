//! Purge tags: `Surrogate-Key` (separated by spaces), `Cache-Tag` (by commas), `xkey` (by either).

use std::collections::HashSet;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::rules::HeaderRules;
use crate::header::Edit;

const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");
const XKEY: HeaderName = HeaderName::from_static("xkey");

/// The tags the app gave a response, each once, in the order in which they first appear. A purge
/// has to look at the operator's own [`HeaderRules::tags`], too.
pub fn tags(response: &HeaderMap) -> Vec<String> {
    let fields = [SURROGATE_KEY, CACHE_TAG, XKEY];
    let found = once(fields.iter().flat_map(|field| written(response, field)));
    found.map(str::to_owned).collect()
}

/// Can this be a tag in each of the fields? Visible ASCII without a separator.
pub fn is_tag(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// The operator's tags in the operator's field, after those the app already has there.
pub fn emitted(rules: &HeaderRules, response: &HeaderMap) -> Vec<Edit> {
    let field = &rules.tag_field;
    let ours = rules.tags.iter().map(String::as_str).filter(|tag| is_tag(tag));
    if ours.clone().all(|tag| written(response, field).any(|app| app == tag)) {
        return Vec::new();
    }
    let all: Vec<&str> = once(written(response, field).chain(ours)).collect();
    let value = HeaderValue::try_from(all.join(separator(field)));
    value.map(|value| Edit::Set(field.clone(), value)).into_iter().collect()
}

/// The tags on all lines of one field. Bytes that are no text cannot be named in a purge either.
fn written<'a>(response: &'a HeaderMap, field: &'a HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = response.get_all(field).iter();
    let texts = lines.filter_map(|line| std::str::from_utf8(line.as_bytes()).ok());
    let tags = texts.flat_map(move |text| text.split(move |c| separates(field, c)).map(str::trim));
    tags.filter(|tag| !tag.is_empty())
}

/// Each tag where it first appears; an app may send thousands.
fn once<'a>(tags: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    let mut seen = HashSet::new();
    tags.filter(move |tag| seen.insert(*tag))
}

/// `Cache-Tag` alone lets a tag have spaces inside.
fn separates(field: &HeaderName, c: char) -> bool {
    match c {
        ' ' | '\t' => *field != CACHE_TAG,
        ',' => *field != SURROGATE_KEY,
        _ => false,
    }
}

fn separator(field: &HeaderName) -> &'static str {
    if [SURROGATE_KEY, XKEY].contains(field) { " " } else { "," }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn response(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[rustfmt::skip]
    #[test]
    fn each_field_has_its_separators() {
        for (lines, expected) in [
            (&[][..], &[][..]),
            (&[("surrogate-key", "a b  c")], &["a", "b", "c"]),
            (&[("surrogate-key", "a,b c")], &["a,b", "c"]),
            (&[("cache-tag", "a, b,,c d ")], &["a", "b", "c d"]),
            (&[("xkey", "a b,c"), ("xkey", "d")], &["a", "b", "c", "d"]),
            (&[("cache-tag", "a,b"), ("surrogate-key", "b c"), ("xkey", "c a d")], &["b", "c", "a", "d"]),
            (&[("cache-tag", " , ")], &[]),
        ] {
            assert_eq!(tags(&response(lines)), expected, "{lines:?}");
        }
    }

    #[rustfmt::skip]
    #[test]
    fn ours_come_after_the_apps() {
        for (field, lines, ours, expected) in [
            ("cache-tag", &[][..], &["x", "y"][..], Some("x,y")),
            ("surrogate-key", &[], &["x", "y"], Some("x y")),
            ("xkey", &[("xkey", "a,b")], &["x"], Some("a b x")),
            ("cache-tag", &[("cache-tag", "a"), ("cache-tag", "b")], &["x"], Some("a,b,x")),
            ("cache-tag", &[("cache-tag", "a,x")], &["x"], None),
            ("cache-tag", &[("cache-tag", "a")], &[], None),
            ("cache-tag", &[], &["not a tag", "x,y", ""], None),
        ] {
            let rules = HeaderRules {
                tag_field: HeaderName::from_static(field),
                tags: ours.iter().map(|tag| (*tag).to_owned()).collect(),
                ..HeaderRules::default()
            };
            let wanted: Vec<Edit> = expected
                .map(|value| {
                    Edit::Set(
                        HeaderName::from_static(field),
                        HeaderValue::from_static(value),
                    )
                })
                .into_iter()
                .collect();
            assert_eq!(
                emitted(&rules, &response(lines)),
                wanted,
                "{field} {lines:?} {ours:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_tags_that_are_whole_and_single(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                for field in [SURROGATE_KEY, CACHE_TAG, XKEY] {
                    headers.append(field, value.clone());
                }
            }
            let found = tags(&headers);
            for (at, tag) in found.iter().enumerate() {
                prop_assert!(!tag.is_empty() && tag.trim() == tag);
                prop_assert!(!found[..at].contains(tag));
            }
        }
    }
}
