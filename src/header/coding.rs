//! Content codings (RFC 9110, section 8.4.1) that vacpack speaks.

use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderValue};

use super::list;

/// A coding of a representation. `Identity` is the absence of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Coding {
    Identity,
    Brotli,
    Zstd,
    Gzip,
}

impl Coding {
    pub const ALL: [Self; 4] = [Self::Identity, Self::Brotli, Self::Zstd, Self::Gzip];

    /// The token in `Content-Encoding` and `Accept-Encoding`, and the metric label.
    pub const fn token(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// The token as a field value.
    pub const fn to_header(self) -> HeaderValue {
        HeaderValue::from_static(self.token())
    }

    /// The coding that `token` names; `None` for one that vacpack does not speak (`deflate`,
    /// `compress`, `dcb`).
    ///
    /// Codings are case-insensitive (RFC 9110, 8.4.1), and `x-gzip` is `gzip` (8.4.1.3).
    pub fn parse(token: &[u8]) -> Option<Self> {
        if token.eq_ignore_ascii_case(b"x-gzip") {
            return Some(Self::Gzip);
        }
        Self::ALL.into_iter().find(|coding| token.eq_ignore_ascii_case(coding.token().as_bytes()))
    }
}

/// A coding that vacpack undoes: each that it speaks, and `deflate`, which it reads and never
/// writes.
///
/// RFC 9110, 8.4.1.2: `deflate` is the zlib format, and "some non-conformant implementations send
/// the "deflate" compressed data without the zlib wrapper". Both are read; what nobody can be sure
/// to read is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    Coded(Coding),
    Deflate,
}

impl Source {
    /// The token in `Content-Encoding`, and the metric label.
    pub const fn token(self) -> &'static str {
        match self {
            Self::Coded(coding) => coding.token(),
            Self::Deflate => "deflate",
        }
    }
}

impl From<Coding> for Source {
    fn from(coding: Coding) -> Self {
        Self::Coded(coding)
    }
}

/// What `Content-Encoding` says has been done to a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// One coding that vacpack speaks, or none: `Identity`.
    Known(Coding),
    /// One that it can only undo.
    Deflate,
    /// Several codings, or one that vacpack cannot undo.
    Foreign,
}

impl Applied {
    /// Reads all lines. `identity` is "reserved for its special role in Accept-Encoding" (RFC 9110,
    /// 8.4.1) but sent all the same; it changes nothing.
    pub fn parse(headers: &HeaderMap) -> Self {
        let mut tokens =
            list::members(headers, &CONTENT_ENCODING).filter(|token| Coding::parse(token) != Some(Coding::Identity));
        match (tokens.next(), tokens.next()) {
            (None, _) => Self::Known(Coding::Identity),
            (Some(token), None) if token.eq_ignore_ascii_case(b"deflate") => Self::Deflate,
            (Some(token), None) => Coding::parse(token).map_or(Self::Foreign, Self::Known),
            (Some(_), Some(_)) => Self::Foreign,
        }
    }

    /// What a decoder would have to undo; `None` if there is nothing to undo, or no way.
    pub fn source(self) -> Option<Source> {
        match self {
            Self::Known(Coding::Identity) | Self::Foreign => None,
            Self::Known(coding) => Some(Source::Coded(coding)),
            Self::Deflate => Some(Source::Deflate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use Coding::{Brotli, Gzip, Identity, Zstd};

    #[test]
    fn tokens_in_any_case() {
        let table: [(&str, Option<Coding>); 12] = [
            ("br", Some(Brotli)),
            ("BR", Some(Brotli)),
            ("zstd", Some(Zstd)),
            ("gzip", Some(Gzip)),
            ("x-gzip", Some(Gzip)),
            ("X-GZip", Some(Gzip)),
            ("identity", Some(Identity)),
            ("deflate", None),
            ("compress", None),
            ("dcb", None),
            ("*", None),
            ("", None),
        ];
        for (token, coding) in table {
            assert_eq!(Coding::parse(token.as_bytes()), coding, "{token}");
        }
        for coding in Coding::ALL {
            assert_eq!(Coding::parse(coding.to_header().as_bytes()), Some(coding));
        }
    }

    #[test]
    fn what_content_encoding_says() {
        let table: [(&[&str], Applied); 12] = [
            (&[], Applied::Known(Identity)),
            (&[""], Applied::Known(Identity)),
            (&["identity"], Applied::Known(Identity)),
            (&["gzip"], Applied::Known(Gzip)),
            (&["identity, br"], Applied::Known(Brotli)),
            (&["", "zstd"], Applied::Known(Zstd)),
            (&["x-gzip"], Applied::Known(Gzip)),
            (&["deflate"], Applied::Deflate),
            (&["identity", "Deflate"], Applied::Deflate),
            (&["deflate, gzip"], Applied::Foreign),
            (&["gzip, br"], Applied::Foreign),
            (&["gzip", "aes128gcm"], Applied::Foreign),
        ];
        for (lines, applied) in table {
            assert_eq!(Applied::parse(&testing::field("content-encoding", lines)), applied, "{lines:?}");
        }
    }
}
