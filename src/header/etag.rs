//! Entity tags (RFC 9110, section 8.8.3), and how one tag of the app becomes one tag a coding.
//!
//! Two representations may not share a strong tag (8.8.3.3: "Content codings are a property of the
//! representation data, so a strong entity tag for a content-encoded representation has to be
//! distinct"). So the coded form of `"abc"` is `"abc-br"`, and when a client sends that back, the
//! app is asked about `"abc"`.
//!
//! Where the app coded the body itself, its tag names the coded bytes. What is made of those gets an
//! ending too, and so do the identity bytes: `"abc-identity"`. None of the app's own endings is
//! taken off: `"abc-gzip"`, as some servers write it, becomes `"abc-gzip-br"` and is found again.
//!
//! The way back is ambiguous for an app whose own tags end in `-br`, `-zstd` or `-gzip`: nothing in
//! `"v1-br"` says whether vacpack or the app wrote the ending. Hence [`EntityTag::split_coding`] is
//! applied to what a client sends, never to what the app sends, and the app is asked about both
//! readings (see [`super::condition::TagCondition::for_app`]). The way there is not:
//! [`EntityTag::with_coding`] always appends, so that different tags stay different and each is
//! read back as it was.
//!
//! One coding of one content is other bytes each time it is made: an encoder flushes where the app
//! pauses, has a smaller window where memory is short, and a stored body is compressed again,
//! better. Parts of two such bodies must not be joined (8.8.3.1), so the tag says which one it is
//! by a [`Revision`], `"abc-br.1f9a03c7"`; it stands for `"abc"` as `"abc-br"` does. A weak tag
//! claims no bytes and stays as it is.

use std::fmt;

use bytes::Bytes;
use http::header::ETAG;
use http::{HeaderMap, HeaderValue};

use super::Coding;
use super::token::trim;

/// A validator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EntityTag {
    pub weak: bool,
    /// What is between the quotes. Any byte but the quote, controls and space; a backslash is an
    /// ordinary byte.
    pub opaque: Bytes,
}

impl EntityTag {
    /// A strong tag.
    pub fn strong(opaque: impl Into<Bytes>) -> Self {
        Self { weak: false, opaque: opaque.into() }
    }

    /// A weak tag.
    pub fn weak(opaque: impl Into<Bytes>) -> Self {
        Self { weak: true, opaque: opaque.into() }
    }

    /// The tag of a response; `None` if it has none, an invalid one, or several that do not agree.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(ETAG).into_iter();
        let first = lines.next()?;
        lines.all(|line| line == first).then(|| Self::parse(first.as_bytes()))?
    }

    /// One tag and nothing else: `"x"` or `W/"x"`. The `W` is case-sensitive; tags without quotes
    /// are not tags.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (tag, rest) = Self::read(trim(value))?;
        rest.is_empty().then_some(tag)
    }

    /// The tag that `value` starts with, and what follows it.
    pub(super) fn read(value: &[u8]) -> Option<(Self, &[u8])> {
        let (weak, quoted) = match value.strip_prefix(b"W/") {
            Some(rest) => (true, rest),
            None => (false, value),
        };
        let inside = quoted.strip_prefix(b"\"")?;
        let end = inside.iter().position(|byte| !is_etagc(*byte))?;
        let rest = inside[end..].strip_prefix(b"\"")?;
        Some((Self { weak, opaque: Bytes::copy_from_slice(&inside[..end]) }, rest))
    }

    /// The tag as a field value.
    pub fn to_header(&self) -> HeaderValue {
        let mut text = Vec::with_capacity(self.opaque.len() + 4);
        self.write(&mut text);
        HeaderValue::from_bytes(&text).expect("quotes and etagc are field bytes")
    }

    /// Appends the tag to a field value. Bytes that no tag may hold, which only a hand-made one
    /// has, are left out.
    pub(super) fn write(&self, text: &mut Vec<u8>) {
        text.extend_from_slice(if self.weak { b"W/\"" } else { b"\"" });
        text.extend(self.opaque.iter().copied().filter(|byte| is_etagc(*byte)));
        text.push(b'"');
    }

    /// The tag of the same content in `coding`. Identity is the tag itself; weak stays weak.
    pub fn with_coding(&self, coding: Coding) -> Self {
        if coding == Coding::Identity { self.clone() } else { self.ending_in(suffix(coding)) }
    }

    /// The tag of the identity bytes, where this one is that of bytes which the app coded.
    pub fn decoded(&self) -> Self {
        self.ending_in(suffix(Coding::Identity))
    }

    fn ending_in(&self, suffix: &[u8]) -> Self {
        Self { weak: self.weak, opaque: [&self.opaque, suffix].concat().into() }
    }

    /// The tag of the same content in `coding`, in the bytes of this revision.
    pub fn with_revision(&self, coding: Coding, revision: Revision) -> Self {
        let coded = self.with_coding(coding);
        if coded.weak || coding == Coding::Identity {
            return coded;
        }
        let opaque = [&coded.opaque, revision.to_string().as_bytes()].concat();
        Self { weak: false, opaque: opaque.into() }
    }

    /// What [`with_coding`](Self::with_coding), [`with_revision`](Self::with_revision) or
    /// [`decoded`](Self::decoded) was applied to, if one was.
    pub fn split_coding(&self) -> (Self, Option<Coding>) {
        let coded = Revision::strip(&self.opaque).unwrap_or(&self.opaque);
        for coding in Coding::ALL {
            if let Some(base) = coded.strip_suffix(suffix(coding)) {
                let opaque = self.opaque.slice(..base.len());
                return (Self { weak: self.weak, opaque }, Some(coding));
            }
        }
        (self.clone(), None)
    }

    /// 8.8.3.2: both are strong and their bytes are the same.
    pub fn strong_eq(&self, other: &Self) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// 8.8.3.2: their bytes are the same, weak or not.
    pub fn weak_eq(&self, other: &Self) -> bool {
        self.opaque == other.opaque
    }
}

/// Which bytes a coded content has, which a coding alone does not say: a few bits of their digest,
/// equal for equal bytes on whichever replica they were made; or drawn at random, where the tag
/// goes out ahead of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision(pub u32);

impl Revision {
    const DIGITS: usize = 8;

    /// Of these bytes.
    pub fn of(coded: &[u8]) -> Self {
        let digest = blake3::hash(coded);
        Self(digest.as_bytes().first_chunk().map_or(0, |bits| u32::from_be_bytes(*bits)))
    }

    /// `coded` without the revision that it ends in.
    fn strip(coded: &[u8]) -> Option<&[u8]> {
        let (rest, digits) = coded.split_at_checked(coded.len().checked_sub(Self::DIGITS)?)?;
        let hex = digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        if hex { rest.strip_suffix(b".") } else { None }
    }
}

/// As it is appended to a tag.
impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ".{:08x}", self.0)
    }
}

/// `etagc = %x21 / %x23-7E / obs-text`
const fn is_etagc(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x7e | 0x80..=0xff)
}

const fn suffix(coding: Coding) -> &'static [u8] {
    match coding {
        Coding::Identity => b"-identity",
        Coding::Brotli => b"-br",
        Coding::Zstd => b"-zstd",
        Coding::Gzip => b"-gzip",
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use proptest::prelude::*;

    fn tag(text: &str) -> EntityTag {
        EntityTag::parse(text.as_bytes()).expect("an entity tag")
    }

    #[test]
    fn tags_and_what_only_looks_like_one() {
        // RFC 9110, 8.8.3 gives the first three.
        for text in [r#""xyzzy""#, r#"W/"xyzzy""#, r#""""#, r#""a,b""#, r#""a\""#, "\"\u{e9}\""] {
            assert_eq!(tag(text).to_header().as_bytes(), text.as_bytes());
        }
        for text in
            ["", "xyzzy", r#"w/"x""#, r#""x"#, r#"x""#, r#""a b""#, r#""a"b""#, r#"W /"x""#, r#"W/x"#, r#""x", "y""#]
        {
            assert_eq!(EntityTag::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn comparison_table_of_8_8_3_2() {
        let table = [
            (r#"W/"1""#, r#"W/"1""#, false, true),
            (r#"W/"1""#, r#"W/"2""#, false, false),
            (r#"W/"1""#, r#""1""#, false, true),
            (r#""1""#, r#""1""#, true, true),
        ];
        for (one, other, strong, weak) in table {
            assert_eq!(tag(one).strong_eq(&tag(other)), strong, "{one} {other}");
            assert_eq!(tag(one).weak_eq(&tag(other)), weak, "{one} {other}");
        }
    }

    #[test]
    fn one_tag_a_coding() {
        let table = [
            (r#""abc""#, Coding::Brotli, r#""abc-br""#),
            (r#"W/"abc""#, Coding::Brotli, r#"W/"abc-br""#),
            (r#""abc""#, Coding::Zstd, r#""abc-zstd""#),
            (r#""abc""#, Coding::Gzip, r#""abc-gzip""#),
            (r#""abc""#, Coding::Identity, r#""abc""#),
            // The app's own ending is kept: a tag that came back unchanged would name two
            // representations.
            (r#""abc-br""#, Coding::Brotli, r#""abc-br-br""#),
        ];
        for (plain, coding, coded) in table {
            assert_eq!(tag(plain).with_coding(coding), tag(coded));
        }
    }

    #[test]
    fn only_our_own_endings_come_off() {
        let table = [
            (r#""abc-br""#, r#""abc""#, Some(Coding::Brotli)),
            (r#"W/"abc-gzip""#, r#"W/"abc""#, Some(Coding::Gzip)),
            (r#""abc-zstd""#, r#""abc""#, Some(Coding::Zstd)),
            (r#""-br""#, r#""""#, Some(Coding::Brotli)),
            (r#""abc""#, r#""abc""#, None),
            (r#""abcbr""#, r#""abcbr""#, None),
            (r#""abc-BR""#, r#""abc-BR""#, None),
            (r#""abc-identity""#, r#""abc""#, Some(Coding::Identity)),
            (r#""abc-gzip-identity""#, r#""abc-gzip""#, Some(Coding::Identity)),
            (r#""abc-x-gzip""#, r#""abc-x""#, Some(Coding::Gzip)),
            (r#""abc--br""#, r#""abc-""#, Some(Coding::Brotli)),
            (r#""abc-br.1f9a03c7""#, r#""abc""#, Some(Coding::Brotli)),
            (r#"W/"abc-zstd.00000000""#, r#"W/"abc""#, Some(Coding::Zstd)),
            // Not quite a revision, or one of nothing.
            (r#""abc-br.1F9A03C7""#, r#""abc-br.1F9A03C7""#, None),
            (r#""abc-br.1f9a03c""#, r#""abc-br.1f9a03c""#, None),
            (r#""abc-br1f9a03c7""#, r#""abc-br1f9a03c7""#, None),
            (r#""abc.1f9a03c7""#, r#""abc.1f9a03c7""#, None),
            (r#""1f9a03c7""#, r#""1f9a03c7""#, None),
        ];
        for (sent, plain, coding) in table {
            assert_eq!(tag(sent).split_coding(), (tag(plain), coding), "{sent}");
        }
    }

    #[test]
    fn other_bytes_have_another_strong_tag() {
        let revision = Revision(0x1f9a_03c7);
        let table = [
            (r#""abc""#, Coding::Brotli, r#""abc-br.1f9a03c7""#),
            (r#""abc-br""#, Coding::Brotli, r#""abc-br-br.1f9a03c7""#),
            // 8.8.3: a weak tag is not for bytes.
            (r#"W/"abc""#, Coding::Brotli, r#"W/"abc-br""#),
            // The content is what it is.
            (r#""abc""#, Coding::Identity, r#""abc""#),
        ];
        for (plain, coding, revised) in table {
            assert_eq!(tag(plain).with_revision(coding, revision), tag(revised));
        }
        let older = tag(r#""abc""#).with_coding(Coding::Brotli);
        let newer = tag(r#""abc""#).with_revision(Coding::Brotli, revision);
        assert!(!older.strong_eq(&newer) && !older.weak_eq(&newer));
        assert_eq!(older.split_coding(), newer.split_coding());
    }

    #[test]
    fn lines_that_disagree_are_no_tag() {
        let read = |lines| EntityTag::of(&testing::field("etag", lines));
        assert_eq!(read(&[r#""a""#, r#""a""#]), Some(EntityTag::strong("a")));
        assert_eq!(read(&[r#""a""#, r#""b""#]), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn a_hand_made_tag_cannot_break_a_head() {
        assert_eq!(EntityTag::weak("a\"\r\n b").to_header(), r#"W/"ab""#);
    }

    fn any_tag() -> impl Strategy<Value = EntityTag> {
        let opaque = prop_oneof!["[!#-~]{0,12}", "[a-c]{0,2}(-br|-zstd|-gzip|\\.[0-9a-f]{8}){0,3}"];
        (any::<bool>(), opaque).prop_map(|(weak, opaque)| EntityTag { weak, opaque: opaque.into() })
    }

    fn any_coding() -> impl Strategy<Value = Coding> {
        proptest::sample::select(&Coding::ALL[1..])
    }

    proptest! {
        #[test]
        fn a_coded_tag_is_read_back_as_it_was(plain in any_tag(), coding in any_coding()) {
            let coded = plain.with_coding(coding);
            prop_assert_eq!(&EntityTag::parse(coded.to_header().as_bytes()), &Some(coded.clone()));
            prop_assert_eq!(coded.split_coding(), (plain.clone(), Some(coding)));
            prop_assert_eq!(plain.decoded().split_coding(), (plain, Some(Coding::Identity)));
        }

        #[test]
        fn a_revised_tag_is_read_back_as_it_was(plain in any_tag(), coding in any_coding(), revision: u32) {
            let revised = plain.with_revision(coding, Revision(revision));
            prop_assert_eq!(&EntityTag::parse(revised.to_header().as_bytes()), &Some(revised.clone()));
            prop_assert_eq!(revised.split_coding(), (plain, Some(coding)));
        }

        #[test]
        fn codings_of_one_tag_never_share_one(plain in any_tag(), revision: u32) {
            let plain = EntityTag { weak: false, ..plain };
            let coded = Coding::ALL.map(|coding| plain.with_coding(coding).opaque);
            let revised = [Coding::Brotli, Coding::Zstd, Coding::Gzip]
                .map(|coding| plain.with_revision(coding, Revision(revision)).opaque);
            let coded: Vec<Bytes> = coded.into_iter().chain(revised).chain([plain.decoded().opaque]).collect();
            for (at, one) in coded.iter().enumerate() {
                prop_assert!(!coded[..at].contains(one));
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes in testing::line()) {
            if let Some(tag) = EntityTag::parse(&bytes) {
                let value = tag.to_header();
                prop_assert_eq!(value.as_bytes(), trim(&bytes));
            }
        }
    }
}
