//! One coded form of a variant: the bytes, and the head that goes out with them, ready made.
//!
//! The head is built when the representation is stored, not when it is sent: a hit clones it and is done. It is the
//! app's head as identity, edited for the coding, with the length, the validator and the `Vary` that are due.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use pingora::Result;
use pingora::http::ResponseHeader;

use super::weight;
use crate::encode::draw_revision;
use crate::header::{Coding, EntityTag, Revision, Vary, apply};
use crate::negotiate::coded_head;

/// The body and head of a variant in one coding.
#[derive(Debug)]
pub struct Representation {
    pub coding: Coding,
    pub body: Bytes,
    pub head: ResponseHeader,
    pub etag: EntityTag,
    /// What tells its bytes from others of the same content in the same coding; none where the coding is not ours.
    pub revision: Option<Revision>,
    /// Of the encoder that made the body; none where no encoder of ours did.
    pub level: Option<i32>,
    /// As small as it gets.
    pub improved: bool,
}

/// What the representations of one variant have in common, as far as their heads depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Common<'a> {
    pub status: StatusCode,
    pub head: &'a HeaderMap,
    /// The tag of the identity content: the app's, or one made from a digest.
    pub tag: &'a EntityTag,
    /// vacpack may code this body. If not, head and tag go out as the app sent them.
    pub codable: bool,
    /// The app had coded it: `tag` is of the coded bytes, and every other form has one of its own.
    pub app_coded: bool,
}

impl Representation {
    /// As it was sent to its first client, under the same tag.
    pub fn new(common: Common<'_>, coding: Coding, body: Bytes, revision: Option<Revision>) -> Result<Self> {
        let etag = common.etag(coding, revision);
        let head = common.tagged_head(coding, &etag, Some(body.len() as u64))?;
        Ok(Self { coding, body, head, etag, revision, level: None, improved: false })
    }

    /// Encoded anew from stored bytes, under a tag of its own (RFC 9110, section 8.8.3): another encoder, with other
    /// settings or pauses, has made other bytes of the same content.
    pub fn derived(common: Common<'_>, coding: Coding, body: Bytes) -> Result<Self> {
        let revision = Revision::of(&body);
        Self::new(common, coding, body, Some(revision))
    }

    /// The same, by the best means.
    pub fn improved(common: Common<'_>, coding: Coding, body: Bytes) -> Result<Self> {
        Ok(Self { improved: true, ..Self::derived(common, coding, body)? })
    }

    /// The same bytes under another head (a 304 came). The body is shared.
    pub fn with_common(&self, common: Common<'_>) -> Result<Self> {
        let same = Self::new(common, self.coding, self.body.clone(), self.revision)?;
        Ok(Self { improved: self.improved, level: self.level, ..same })
    }

    /// Says which level the body was encoded at.
    pub fn at_level(self, level: Option<i32>) -> Self {
        Self { level, ..self }
    }

    pub fn weight(&self) -> u64 {
        weight::REPRESENTATION + self.body.len() as u64 + weight::fields(&self.head.headers)
    }
}

impl Common<'_> {
    /// The validator of one coding.
    pub fn etag(&self, coding: Coding, revision: Option<Revision>) -> EntityTag {
        match revision {
            _ if coding == Coding::Identity && self.app_coded => self.tag.decoded(),
            _ if coding == Coding::Identity => self.tag.clone(),
            _ if !self.codable => self.tag.clone(),
            Some(revision) => self.tag.with_revision(coding, revision),
            None => self.tag.with_coding(coding),
        }
    }

    /// The head of one coding whose bytes are still to be made, with the tag in it; `length` where it is known all the same.
    pub fn head(&self, coding: Coding, length: Option<u64>) -> Result<(ResponseHeader, EntityTag)> {
        let etag = self.etag(coding, Some(draw_revision()));
        Ok((self.tagged_head(coding, &etag, length)?, etag))
    }

    /// The head of one coding under the tag of its bytes.
    pub fn tagged_head(&self, coding: Coding, etag: &EntityTag, length: Option<u64>) -> Result<ResponseHeader> {
        let mut fields = self.head.clone();
        if self.codable {
            if coding != Coding::Identity {
                apply(coded_head(&fields, coding, None), &mut fields);
            }
            // RFC 9110, section 12.5.5: what another client gets may differ in coding.
            let vary = Vary::parse(&fields).add(&header::ACCEPT_ENCODING);
            apply(vary, &mut fields);
        }
        fields.insert(header::ETAG, etag.to_header());
        if let Some(length) = length.filter(|_| has_length(self.status)) {
            fields.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        // Names keep no case of their own: RFC 9110, section 5.1, and a third of the memory.
        let mut head = ResponseHeader::build_no_case(self.status, Some(fields.len()))?;
        for (name, value) in &fields {
            head.append_header(name.clone(), value.clone())?;
        }
        Ok(head)
    }
}

/// RFC 9110, section 8.6: no Content-Length in a 204; a 1xx or 304 is never stored.
fn has_length(status: StatusCode) -> bool {
    status != StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(weak: bool, opaque: &'static str) -> EntityTag {
        match weak {
            true => EntityTag::weak(opaque),
            false => EntityTag::strong(opaque),
        }
    }

    fn head(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut head = HeaderMap::new();
        for (name, value) in fields {
            head.append(*name, HeaderValue::from_static(value));
        }
        head
    }

    fn built(
        fields: &[(&'static str, &'static str)],
        tag: &EntityTag,
        codable: bool,
        coding: Coding,
    ) -> Representation {
        let head = head(fields);
        let common = Common { status: StatusCode::OK, head: &head, tag, codable, app_coded: false };
        Representation::new(common, coding, Bytes::from_static(b"12345"), None).unwrap()
    }

    fn field(of: &Representation, name: &str) -> Vec<String> {
        of.head.headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_coded_head_says_so() {
        let of = built(&[("content-type", "text/html"), ("vary", "Origin")], &tag(false, "abc"), true, Coding::Brotli);
        assert_eq!(field(&of, "content-encoding"), ["br"]);
        assert_eq!(field(&of, "content-length"), ["5"]);
        assert_eq!(field(&of, "etag"), ["\"abc-br\""]);
        assert_eq!(field(&of, "vary"), ["Origin", "accept-encoding"]);
        assert_eq!(field(&of, "content-type"), ["text/html"]);
    }

    #[test]
    fn an_identity_head_of_a_codable_body_varies_too() {
        let of = built(&[("vary", "accept-encoding")], &tag(true, "abc"), true, Coding::Identity);
        assert_eq!(field(&of, "content-encoding"), [""; 0]);
        assert_eq!(field(&of, "etag"), ["W/\"abc\""]);
        assert_eq!(field(&of, "vary"), ["accept-encoding"]);
        assert_eq!(
            field(&built(&[], &tag(true, "a"), true, Coding::Gzip), "etag"),
            ["W/\"a-gzip\""],
            "weak stays weak"
        );
    }

    #[test]
    fn what_the_app_coded_goes_out_as_it_came() {
        let of = built(&[("content-encoding", "gzip")], &tag(false, "abc"), false, Coding::Gzip);
        assert_eq!(field(&of, "content-encoding"), ["gzip"]);
        assert_eq!(field(&of, "etag"), ["\"abc\""]);
        assert_eq!(field(&of, "vary"), [""; 0]);
    }

    #[test]
    fn other_bytes_have_another_strong_tag_and_keep_it() {
        let (head, strong, weak) = (HeaderMap::new(), tag(false, "abc"), tag(true, "abc"));
        let common = |tag| Common { status: StatusCode::OK, head: &head, tag, codable: true, app_coded: false };
        let revised = |tag, body: &'static str| {
            Representation::improved(common(tag), Coding::Brotli, Bytes::from_static(body.as_bytes())).unwrap()
        };
        let one = revised(&strong, "12345");
        let tag_of_one = field(&one, "etag");
        assert!(tag_of_one[0].starts_with("\"abc-br.") && tag_of_one[0].len() == 17, "{tag_of_one:?}");
        assert_ne!(field(&revised(&strong, "12346"), "etag"), tag_of_one);
        assert_eq!(field(&revised(&strong, "12345"), "etag"), tag_of_one, "wherever it is made");
        assert_eq!(field(&revised(&weak, "12345"), "etag"), ["W/\"abc-br\""]);
        assert_eq!(field(&one.with_common(common(&strong)).unwrap(), "etag"), tag_of_one, "a 304 came");
        assert_eq!(one.etag.split_coding(), (strong, Some(Coding::Brotli)));
    }

    #[test]
    fn no_content_has_no_length() {
        let (head, tag) = (HeaderMap::new(), tag(false, "a"));
        let common =
            Common { status: StatusCode::NO_CONTENT, head: &head, tag: &tag, codable: false, app_coded: false };
        let of = Representation::new(common, Coding::Identity, Bytes::new(), None).unwrap();
        assert_eq!(field(&of, "content-length"), [""; 0]);
    }

    #[test]
    fn weight_is_body_and_lines_and_a_constant() {
        let of = built(&[("x-a", "1")], &tag(false, "abc"), false, Coding::Identity);
        let lines = ["x-a1", "etag\"abc\"", "content-length5"].map(|line| line.len() as u64 + weight::FIELD);
        assert_eq!(of.weight(), weight::REPRESENTATION + 5 + lines.iter().sum::<u64>());
    }
}
