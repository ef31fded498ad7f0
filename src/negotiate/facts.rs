//! What the decisions are made from.

use http::{HeaderMap, HeaderName, StatusCode};

use super::breach::Breach;
use crate::header::{AcceptEncoding, Coding, MediaTypes};

/// With the value `off`, the app's word that a response must not be compressed. It is addressed to
/// this proxy; the client has no use for it.
pub const COMPRESS_HINT: HeaderName = HeaderName::from_static("x-compress-hint");

/// What the operator offers on a route.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    pub enabled: bool,
    /// In our order of preference, without [`Coding::Identity`].
    pub codings: Vec<Coding>,
    /// Bodies known to be shorter stay as they are.
    pub min_size: u64,
    /// The media types worth the work.
    pub types: MediaTypes,
    /// What the app coded itself may be put into another coding.
    pub transcode: bool,
    pub breach: Breach,
}

/// What the request contributes.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts {
    pub head: bool,
    /// HTTP/1.0 or older. It has no chunks, so a body whose length changes on the way could only
    /// end with the connection, and a cut one would look whole.
    pub http10: bool,
    /// There is a `Range`.
    pub range: bool,
    /// It asks for another protocol.
    pub upgrade: bool,
    pub accept: AcceptEncoding,
    /// `Cache-Control: no-transform`
    pub no_transform: bool,
    /// It says who is asking: `Cookie` or `Authorization`.
    pub credentials: bool,
}

/// What the response contributes.
#[derive(Clone, Copy, Debug)]
pub struct ResponseFacts<'a> {
    pub status: StatusCode,
    pub headers: &'a HeaderMap,
    /// Of the body as it is; `None` if that is only known at its end.
    pub length: Option<u64>,
    /// The head was all of it.
    pub end_of_stream: bool,
    /// It will be stored, for all that its head tells: what is made of it is made once, and it is
    /// the same for everybody.
    pub stored: bool,
}
