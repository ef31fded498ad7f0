//! Content codings (RFC 9110, section 8.4.1) that vacpack speaks.

/// A coding of a representation. `Identity` is the absence of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Coding {
    Identity,
    Brotli,
    Zstd,
    Gzip,
}

impl Coding {
    /// The token in `Content-Encoding` and `Accept-Encoding`, and the metric label.
    pub const fn token(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }
}
