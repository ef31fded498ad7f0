//! The head of a coded representation, from the head of another one of the same content.

use http::HeaderMap;
use http::header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName};

use crate::header::coding::Applied;
use crate::header::{Coding, Edit, EntityTag};

/// Fields that are about the very bytes of the other representation: their number, their positions
/// (RFC 9110, 8.6, 14.3 and 14.4) and their digests (RFC 1864, RFC 3230, RFC 9530).
const OF_THE_BYTES: [HeaderName; 7] = [
    CONTENT_LENGTH,
    ACCEPT_RANGES,
    CONTENT_RANGE,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];

/// The edits that turn `headers` into the head of the same content in `coding`; none if that is
/// what it already is. Only what is there is removed. `Vary` is not touched: see [`super::varies`].
///
/// `headers` is usually the app's head, of the identity. It may be coded itself, and `coding` may
/// be identity, for a representation derived from another: the ending of the old coding then comes
/// off the tag before that of the new one goes on, so that a tag never carries two of ours.
pub fn coded_head(headers: &HeaderMap, coding: Coding) -> Vec<Edit> {
    let applied = Applied::parse(headers);
    if applied == Applied::Known(coding) {
        return Vec::new();
    }
    let mut edits: Vec<Edit> =
        OF_THE_BYTES.into_iter().filter(|name| headers.contains_key(name)).map(Edit::Remove).collect();
    edits.push(match coding {
        Coding::Identity => Edit::Remove(CONTENT_ENCODING),
        _ => Edit::Set(CONTENT_ENCODING, coding.to_header()),
    });
    edits.extend(tag(headers, applied, coding));
    edits
}

/// RFC 9110, 8.8.3.3: a strong tag "for a content-encoded representation has to be distinct from
/// the entity tag of an unencoded representation". A tag that cannot be read cannot be made
/// distinct and goes.
fn tag(headers: &HeaderMap, applied: Applied, coding: Coding) -> Option<Edit> {
    if !headers.contains_key(ETAG) {
        return None;
    }
    let Some(tag) = EntityTag::of(headers) else {
        return Some(Edit::Remove(ETAG));
    };
    let plain = match (tag.split_coding(), applied) {
        ((plain, Some(ending)), Applied::Known(applied)) if ending == applied => plain,
        _ => tag,
    };
    Some(Edit::Set(ETAG, plain.with_coding(coding).to_header()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::{apply, testing};

    fn coded(lines: &[(&'static str, &str)], coding: Coding) -> HeaderMap {
        let mut headers = testing::fields(lines);
        apply(coded_head(&headers, coding), &mut headers);
        headers
    }

    #[test]
    fn what_was_about_the_bytes_goes() {
        let app = [
            ("content-type", "text/css"),
            ("content-length", "10"),
            ("accept-ranges", "bytes"),
            ("content-md5", "x"),
            ("digest", "x"),
            ("content-digest", "x"),
            ("repr-digest", "x"),
            ("etag", "\"abc\""),
            ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ];
        let wanted = testing::fields(&[
            ("content-type", "text/css"),
            ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("content-encoding", "br"),
            ("etag", "\"abc-br\""),
        ]);
        assert_eq!(coded(&app, Coding::Brotli), wanted);
    }

    #[test]
    fn tags_and_codings() {
        let table = [
            (None, r#""abc""#, Coding::Gzip, Some(r#""abc-gzip""#)),
            (None, r#"W/"abc""#, Coding::Zstd, Some(r#"W/"abc-zstd""#)),
            (Some("identity"), r#""abc""#, Coding::Brotli, Some(r#""abc-br""#)),
            // From one of our representations to another: one ending at a time.
            (Some("br"), r#""abc-br""#, Coding::Gzip, Some(r#""abc-gzip""#)),
            (Some("br"), r#""abc-br""#, Coding::Identity, Some(r#""abc""#)),
            (Some("gzip"), r#""abc""#, Coding::Identity, Some(r#""abc""#)),
            // The head is already that of this coding: nothing is added twice.
            (Some("br"), r#""abc-br""#, Coding::Brotli, Some(r#""abc-br""#)),
            (None, r#""abc""#, Coding::Identity, Some(r#""abc""#)),
            // The app's own ending on an identity body is part of its tag.
            (None, r#""abc-br""#, Coding::Brotli, Some(r#""abc-br-br""#)),
            (Some("gzip"), r#""abc-br""#, Coding::Identity, Some(r#""abc-br""#)),
            // Not a tag.
            (None, "abc", Coding::Brotli, None),
        ];
        for (encoding, tag, coding, wanted) in table {
            let lines: Vec<_> =
                encoding.map(|it| ("content-encoding", it)).into_iter().chain([("etag", tag)]).collect();
            let headers = coded(&lines, coding);
            let seen = headers.get(ETAG).map(|value| value.as_bytes());
            assert_eq!(seen, wanted.map(str::as_bytes), "{encoding:?} {tag} {coding:?}");
        }
    }

    #[test]
    fn the_encoding_is_said_once() {
        let headers = coded(&[("content-encoding", "identity")], Coding::Zstd);
        assert_eq!(headers, testing::fields(&[("content-encoding", "zstd")]));
        let headers = coded(&[("content-encoding", "gzip"), ("etag", "\"a\"")], Coding::Identity);
        assert_eq!(headers, testing::fields(&[("etag", "\"a\"")]));
    }
}
