//! `If-Match` and `If-None-Match` (RFC 9110, sections 13.1.1 and 13.1.2): conditions on entity
//! tags.
//!
//! The list is read by its own scanner: in a tag a backslash escapes nothing and a comma separates
//! nothing, so the general list syntax would cut `"a\", "b"` in the wrong place.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::EntityTag;

/// The most tags that are compared. A client that has more than these of one resource is not a
/// browser; those beyond are as good as unknown, which costs it a whole answer.
const MOST: usize = 64;

/// What a condition names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagCondition {
    /// `*`: any current representation.
    Any,
    /// One of these. Empty if the field is there and holds no tag: nothing matches it.
    Tags(Vec<EntityTag>),
}

impl TagCondition {
    /// Reads all lines of `name`; `None` if there are none.
    ///
    /// `*` counts only by itself, as the grammar has it. Members that are not tags are passed over.
    pub fn parse(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let mut lines = headers.get_all(name).into_iter().peekable();
        lines.peek()?;
        let mut condition = Scan::default();
        for line in lines {
            condition.read(line.as_bytes());
        }
        Some(if condition.star && condition.alone() { Self::Any } else { Self::Tags(condition.tags) })
    }

    /// Whether `tag` is named, by weak comparison: the one for `If-None-Match` (13.1.2).
    pub fn weakly_names(&self, tag: &EntityTag) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|named| named.weak_eq(tag)),
        }
    }

    /// Whether `tag` is named, by strong comparison: the one for `If-Match` (13.1.1).
    pub fn strongly_names(&self, tag: &EntityTag) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|named| named.strong_eq(tag)),
        }
    }

    /// The condition in the app's own tags: what is left of each tag without the ending of a
    /// coding, then the tag as it came, since the ending may have been the app's own.
    pub fn for_app(&self) -> Self {
        let Self::Tags(tags) = self else {
            return Self::Any;
        };
        let mut own: Vec<EntityTag> = Vec::with_capacity(tags.len());
        for tag in tags {
            let (plain, coding) = tag.split_coding();
            for reading in [Some(plain), coding.map(|_| tag.clone())].into_iter().flatten() {
                if !own.contains(&reading) {
                    own.push(reading);
                }
            }
        }
        Self::Tags(own)
    }

    /// The condition as a field value; `None` if it names nothing, which no value can say.
    pub fn to_header(&self) -> Option<HeaderValue> {
        let tags = match self {
            Self::Any => return Some(HeaderValue::from_static("*")),
            Self::Tags(tags) if tags.is_empty() => return None,
            Self::Tags(tags) => tags,
        };
        let mut text = Vec::new();
        for tag in tags {
            if !text.is_empty() {
                text.extend_from_slice(b", ");
            }
            tag.write(&mut text);
        }
        Some(HeaderValue::from_bytes(&text).expect("tags, commas and spaces are field bytes"))
    }
}

/// What the lines read so far hold.
#[derive(Default)]
struct Scan {
    star: bool,
    other: bool,
    tags: Vec<EntityTag>,
}

impl Scan {
    fn alone(&self) -> bool {
        !self.other && self.tags.is_empty()
    }

    fn read(&mut self, mut line: &[u8]) {
        while let Some(start) = line.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b',')) {
            line = &line[start..];
            line = match EntityTag::read(line) {
                Some((tag, rest)) if ends(rest) => {
                    if self.tags.len() < MOST {
                        self.tags.push(tag);
                    }
                    rest
                }
                _ => self.pass_over(line),
            };
        }
    }

    /// A member that is no tag: up to the next comma.
    fn pass_over<'a>(&mut self, line: &'a [u8]) -> &'a [u8] {
        let end = line.iter().position(|byte| *byte == b',').unwrap_or(line.len());
        if line[..end].trim_ascii() == b"*" {
            self.star = true;
        } else {
            self.other = true;
        }
        &line[end..]
    }
}

/// Whether a member ends here.
fn ends(rest: &[u8]) -> bool {
    rest.trim_ascii_start().first().is_none_or(|byte| *byte == b',')
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use http::header::IF_NONE_MATCH;
    use proptest::prelude::*;

    fn read(lines: &[&str]) -> Option<TagCondition> {
        TagCondition::parse(&testing::field("if-none-match", lines), &IF_NONE_MATCH)
    }

    fn shown(condition: Option<TagCondition>) -> String {
        match condition {
            None => "absent".into(),
            Some(condition) => condition
                .to_header()
                .map_or("nothing".into(), |value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        }
    }

    #[test]
    fn tags_of_all_lines() {
        let table: [(&[&str], &str); 17] = [
            (&[], "absent"),
            (&["*"], "*"),
            (&[" * "], "*"),
            (&["", "*"], "*"),
            // 13.1.2 gives these.
            (&[r#""xyzzy""#], r#""xyzzy""#),
            (&[r#"W/"xyzzy""#], r#"W/"xyzzy""#),
            (&[r#""xyzzy", "r2d2xxxx", "c3piozzzz""#], r#""xyzzy", "r2d2xxxx", "c3piozzzz""#),
            (&[r#"W/"xyzzy", W/"r2d2xxxx", W/"c3piozzzz""#], r#"W/"xyzzy", W/"r2d2xxxx", W/"c3piozzzz""#),
            (&[r#""a""#, r#""b","c""#], r#""a", "b", "c""#),
            (&[r#""a,b" ,, "c""#], r#""a,b", "c""#),
            (&[r#""a\", "b""#], r#""a\", "b""#),
            (&[""], "nothing"),
            (&["xyzzy"], "nothing"),
            (&[r#"xyzzy, "a""#], r#""a""#),
            (&[r#""a"x, "b""#], r#""b""#),
            (&[r#"*, "a""#], r#""a""#),
            (&["*, xyzzy"], "nothing"),
        ];
        for (lines, wanted) in table {
            assert_eq!(shown(read(lines)), wanted, "{lines:?}");
        }
    }

    #[test]
    fn the_app_is_asked_about_both_readings() {
        let table = [
            (r#""a-br""#, r#""a", "a-br""#),
            (r#"W/"a-gzip", "b""#, r#"W/"a", W/"a-gzip", "b""#),
            (r#""a", "a-br", "a-zstd""#, r#""a", "a-br", "a-zstd""#),
            (r#""a-br.1f9a03c7""#, r#""a", "a-br.1f9a03c7""#),
            ("*", "*"),
        ];
        for (sent, asked) in table {
            assert_eq!(shown(read(&[sent]).map(|condition| condition.for_app())), asked, "{sent}");
        }
    }

    #[test]
    fn comparisons() {
        let condition = read(&[r#""a", W/"b""#]).expect("a condition");
        let (a, b) = (EntityTag::strong("a"), EntityTag::strong("b"));
        assert!(condition.weakly_names(&a) && condition.strongly_names(&a));
        assert!(condition.weakly_names(&b) && !condition.strongly_names(&b));
        assert!(!condition.weakly_names(&EntityTag::strong("c")));
        assert!(TagCondition::Any.weakly_names(&b) && TagCondition::Any.strongly_names(&b));
    }

    #[test]
    fn the_number_of_tags_is_bounded() {
        let many = (0..5000).map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(",");
        let Some(TagCondition::Tags(tags)) = read(&[&many]) else { panic!("tags") };
        assert_eq!(tags.len(), MOST);
    }

    proptest! {
        #[test]
        fn any_lines_are_survived(headers in testing::any_field("if-none-match")) {
            let condition = TagCondition::parse(&headers, &IF_NONE_MATCH).expect("there are lines");
            condition.for_app().to_header();
        }

        #[test]
        fn what_is_written_is_read_back(
            tags in proptest::collection::vec((any::<bool>(), "[!#-~]{0,9}"), 1..6),
        ) {
            let tag = |(weak, opaque): (bool, String)| EntityTag { weak, opaque: opaque.into() };
            let condition = TagCondition::Tags(tags.into_iter().map(tag).collect());
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, condition.to_header().expect("there are tags"));
            prop_assert_eq!(TagCondition::parse(&headers, &IF_NONE_MATCH), Some(condition));
        }
    }
}
