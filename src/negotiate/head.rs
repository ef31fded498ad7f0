//! The head of a coded representation, from the head of another one of the same content.

use http::HeaderMap;
use http::header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName};

use crate::header::coding::Applied;
use crate::header::{Coding, Edit, EntityTag, Revision};

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

/// The edits that turn the app's head into that of the same content in `coding`; none if both are
/// identity. Only what is there is removed. `Vary` is not touched: see [`super::varies`].
///
/// `revision` tells the bytes from others of the same content in the same coding.
///
/// The app may have coded the body itself. Then its tag is that of its coded bytes, and everything
/// made of them gets a tag of its own: also identity, and also other bytes in the same coding.
pub fn coded_head(headers: &HeaderMap, coding: Coding, revision: Option<Revision>) -> Vec<Edit> {
    let identity = Applied::parse(headers) == Applied::Known(Coding::Identity);
    if identity && coding == Coding::Identity {
        return Vec::new();
    }
    let mut edits: Vec<Edit> =
        OF_THE_BYTES.into_iter().filter(|name| headers.contains_key(name)).map(Edit::Remove).collect();
    edits.push(match coding {
        Coding::Identity => Edit::Remove(CONTENT_ENCODING),
        _ => Edit::Set(CONTENT_ENCODING, coding.to_header()),
    });
    edits.extend(tag(headers, coding, revision));
    edits
}

/// The edit for a body that stays as the app coded it, and becomes one of several representations:
/// the app's own tag would be taken for that of the identity.
pub fn kept_head(headers: &HeaderMap, coding: Coding) -> Vec<Edit> {
    tag(headers, coding, None).into_iter().collect()
}

/// RFC 9110, 8.8.3.3: a strong tag "for a content-encoded representation has to be distinct from
/// the entity tag of an unencoded representation". A tag that cannot be read cannot be made
/// distinct and goes.
fn tag(headers: &HeaderMap, coding: Coding, revision: Option<Revision>) -> Option<Edit> {
    if !headers.contains_key(ETAG) {
        return None;
    }
    let Some(tag) = EntityTag::of(headers) else {
        return Some(Edit::Remove(ETAG));
    };
    let distinct = match revision {
        _ if coding == Coding::Identity => tag.decoded(),
        Some(revision) => tag.with_revision(coding, revision),
        None => tag.with_coding(coding),
    };
    Some(Edit::Set(ETAG, distinct.to_header()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::{apply, testing};

    fn coded(lines: &[(&'static str, &str)], coding: Coding) -> HeaderMap {
        let mut headers = testing::fields(lines);
        apply(coded_head(&headers, coding, None), &mut headers);
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
    fn each_time_it_is_made_it_is_told_apart() {
        for (app, told) in [("\"a\"", "\"a-br.0000002a\""), ("W/\"a\"", "W/\"a-br\"")] {
            let mut headers = testing::fields(&[("etag", app)]);
            apply(coded_head(&headers, Coding::Brotli, Some(Revision(42))), &mut headers);
            assert_eq!(headers["etag"], told);
        }
    }

    #[test]
    fn tags_and_codings() {
        let table = [
            (None, r#""abc""#, Coding::Gzip, Some(r#""abc-gzip""#)),
            (None, r#"W/"abc""#, Coding::Zstd, Some(r#"W/"abc-zstd""#)),
            (Some("identity"), r#""abc""#, Coding::Brotli, Some(r#""abc-br""#)),
            (None, r#""abc""#, Coding::Identity, Some(r#""abc""#)),
            // The app coded it: its tag is that of its bytes, and nobody else's.
            (Some("gzip"), r#""abc""#, Coding::Brotli, Some(r#""abc-br""#)),
            (Some("gzip"), r#""abc""#, Coding::Identity, Some(r#""abc-identity""#)),
            (Some("gzip"), r#""abc""#, Coding::Gzip, Some(r#""abc-gzip""#)),
            (Some("deflate"), r#"W/"abc""#, Coding::Identity, Some(r#"W/"abc-identity""#)),
            // The app's own ending is part of its tag, whatever it stands for.
            (None, r#""abc-br""#, Coding::Brotli, Some(r#""abc-br-br""#)),
            (Some("gzip"), r#""abc-gzip""#, Coding::Brotli, Some(r#""abc-gzip-br""#)),
            (Some("gzip"), r#""abc-gzip""#, Coding::Identity, Some(r#""abc-gzip-identity""#)),
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
        assert_eq!(headers, testing::fields(&[("etag", "\"a-identity\"")]));
        let headers = coded(&[("content-encoding", "x-gzip"), ("content-md5", "x")], Coding::Gzip);
        assert_eq!(headers, testing::fields(&[("content-encoding", "gzip")]));
    }

    #[test]
    fn what_stays_as_it_came_keeps_all_but_its_tag() {
        let app = [("content-encoding", "gzip"), ("content-length", "10"), ("digest", "x"), ("etag", "\"a\"")];
        let mut headers = testing::fields(&app);
        apply(kept_head(&headers, Coding::Gzip), &mut headers);
        let wanted = [("content-encoding", "gzip"), ("content-length", "10"), ("digest", "x"), ("etag", "\"a-gzip\"")];
        assert_eq!(headers, testing::fields(&wanted));
        assert!(kept_head(&testing::fields(&app[..2]), Coding::Gzip).is_empty());
    }
}
