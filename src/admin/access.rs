//! Who may change something: somebody on this host, or somebody with the token.
//!
//! A loopback peer is trusted as its user, which is only right while the request is that user's own. Two kinds of
//! request arrive over loopback for others: those that a proxy forwards, and those that a web page makes the browser of
//! an operator send through a port-forward. Both give themselves away by fields that a command line does not send.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::header::{AUTHORIZATION, FORWARDED, ORIGIN};
use http::{HeaderMap, HeaderName, Uri};

/// A secret that is known by its hash alone, so that no debug output and no dump of memory shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(blake3::Hash);

impl Token {
    /// None if it is empty: that would let everybody in.
    pub fn new(secret: &str) -> Option<Self> {
        let secret = secret.trim();
        (!secret.is_empty()).then(|| Self(blake3::hash(secret.as_bytes())))
    }

    /// Comparing hashes takes the same time wherever the first difference is, and says nothing of the length.
    fn is(&self, given: &[u8]) -> bool {
        blake3::hash(given) == self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The token in force, which may be another one tomorrow.
#[derive(Debug, Default)]
pub struct Access(ArcSwapOption<Token>);

impl Access {
    pub fn new(token: Option<Token>) -> Self {
        Self(ArcSwapOption::new(token.map(Arc::new)))
    }

    /// From now on this one.
    pub fn follow(&self, token: Option<Token>) {
        self.0.store(token.map(Arc::new));
    }

    /// The reason why a request may not change anything, if there is one, and what to do about it.
    pub fn refuse(&self, peer: Peer, headers: &HeaderMap) -> Option<(Refusal, &'static str)> {
        let token = self.0.load();
        let refusal = authorise(peer, headers, token.as_deref()).err()?;
        Some((refusal, refusal.advice(token.is_some())))
    }
}

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Address(IpAddr),
    /// A Unix socket: the file's permissions have decided already.
    Local,
    Unknown,
}

impl Peer {
    fn is_loopback(self) -> bool {
        match self {
            Self::Address(address) => address.to_canonical().is_loopback(),
            Self::Local => true,
            Self::Unknown => false,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.to_canonical().fmt(f),
            Self::Local => f.write_str("local"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// Why a request may not change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    NotLoopback,
    WrongToken,
    Forwarded,
    ForeignPage,
}

impl Refusal {
    /// What to do about it, for the one who was refused.
    pub fn advice(self, token_exists: bool) -> &'static str {
        match self {
            Self::NotLoopback if token_exists => "only from 127.0.0.1, or with `Authorization: Bearer <admin token>`",
            Self::NotLoopback => {
                "only from 127.0.0.1: run it inside the pod, or set an admin token and send it as `Authorization: Bearer <token>`"
            }
            Self::WrongToken if token_exists => "the bearer token is not the admin token",
            Self::WrongToken => "no admin token is configured: leave out Authorization and ask from 127.0.0.1",
            Self::Forwarded => {
                "the request was forwarded by a proxy: ask directly, or send `Authorization: Bearer <admin token>`"
            }
            Self::ForeignPage => {
                "the request was made by a web page of another origin: use a command line, or send `Authorization: Bearer <admin token>`"
            }
        }
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// May this request change something? A token that is sent decides alone, so that a typing error is noticed.
fn authorise(peer: Peer, headers: &HeaderMap, token: Option<&Token>) -> Result<(), Refusal> {
    if headers.contains_key(AUTHORIZATION) {
        let right = token.zip(bearer(headers)).is_some_and(|(token, given)| token.is(given));
        return if right { Ok(()) } else { Err(Refusal::WrongToken) };
    }
    if !peer.is_loopback() {
        return Err(Refusal::NotLoopback);
    }
    if headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(FORWARDED) {
        return Err(Refusal::Forwarded);
    }
    if from_foreign_page(headers) {
        return Err(Refusal::ForeignPage);
    }
    Ok(())
}

/// The credentials of exactly one `Authorization: Bearer` (RFC 6750, section 2.1); the scheme is case-insensitive
/// (RFC 9110, section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, given) = value.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| given.trim_ascii())
}

/// Browsers name the page that makes a request. Its own origin is not compared with `Host`: a name that was rebound to
/// 127.0.0.1 would pass. A page of ours has a loopback origin.
fn from_foreign_page(headers: &HeaderMap) -> bool {
    let crossed = headers.get(SEC_FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none");
    let foreign = headers.get_all(ORIGIN).iter().any(|origin| !is_loopback_origin(origin.as_bytes()));
    crossed || foreign
}

fn is_loopback_origin(origin: &[u8]) -> bool {
    let Ok(origin) = Uri::try_from(origin) else {
        return false;
    };
    let Some(host) = origin.host() else {
        return false;
    };
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    origin.scheme().is_some()
        && (host.eq_ignore_ascii_case("localhost") || literal.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
        };
        fields.iter().map(field).collect()
    }

    fn from(address: &str, fields: &[(&'static str, &str)], token: Option<&Token>) -> Result<(), Refusal> {
        authorise(Peer::Address(address.parse().expect("an address")), &headers(fields), token)
    }

    #[test]
    fn loopback_needs_no_token() {
        for address in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(from(address, &[], None), Ok(()), "{address}");
        }
        for address in ["10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "0.0.0.0"] {
            assert_eq!(from(address, &[], None), Err(Refusal::NotLoopback), "{address}");
        }
        assert_eq!(authorise(Peer::Local, &HeaderMap::new(), None), Ok(()));
        assert_eq!(authorise(Peer::Unknown, &HeaderMap::new(), None), Err(Refusal::NotLoopback));
    }

    #[test]
    fn the_token_lets_anybody_in_and_a_wrong_one_nobody() {
        let token = Token::new("s3cret\n");
        let token = token.as_ref();
        for good in ["Bearer s3cret", "bearer s3cret", "Bearer  s3cret "] {
            assert_eq!(from("10.0.0.1", &[("authorization", good)], token), Ok(()), "{good}");
        }
        for wrong in ["Bearer s3cre", "Bearer s3crets", "Bearer", "Bearer ", "Basic s3cret", "", "s3cret"] {
            assert_eq!(from("127.0.0.1", &[("authorization", wrong)], token), Err(Refusal::WrongToken), "{wrong}");
        }
        assert_eq!(from("127.0.0.1", &[("authorization", "Bearer s3cret")], None), Err(Refusal::WrongToken));
        let twice = [("authorization", "Bearer s3cret"), ("authorization", "Bearer other")];
        assert_eq!(from("127.0.0.1", &twice, token), Err(Refusal::WrongToken));
    }

    #[test]
    fn a_new_token_replaces_the_old_one() {
        let access = Access::new(Token::new("old"));
        let refused = |given: &str| access.refuse(Peer::Unknown, &headers(&[("authorization", given)])).is_some();
        assert_eq!((refused("Bearer old"), refused("Bearer new")), (false, true));
        access.follow(Token::new("new"));
        assert_eq!((refused("Bearer old"), refused("Bearer new")), (true, false));
        access.follow(None);
        assert_eq!((refused("Bearer old"), refused("Bearer new")), (true, true));
    }

    #[test]
    fn an_empty_token_is_none() {
        assert_eq!(Token::new(""), None);
        assert_eq!(Token::new(" \n"), None);
    }

    #[test]
    fn a_token_is_not_shown() {
        assert_eq!(format!("{:?}", Token::new("s3cret").expect("a token")), "Token(..)");
    }

    #[test]
    fn loopback_of_others_is_refused() {
        assert_eq!(from("127.0.0.1", &[("x-forwarded-for", "10.1.1.1")], None), Err(Refusal::Forwarded));
        assert_eq!(from("127.0.0.1", &[("forwarded", "for=10.1.1.1")], None), Err(Refusal::Forwarded));
        for origin in ["http://evil.example", "null", "http://127.0.0.1.evil.example", "http://localhost.evil.example"]
        {
            assert_eq!(from("127.0.0.1", &[("origin", origin)], None), Err(Refusal::ForeignPage), "{origin}");
        }
        assert_eq!(from("127.0.0.1", &[("sec-fetch-site", "cross-site")], None), Err(Refusal::ForeignPage));
        // A rebound name is its own origin.
        let rebound =
            [("host", "evil.example:9901"), ("origin", "http://evil.example:9901"), ("sec-fetch-site", "same-origin")];
        assert_eq!(from("127.0.0.1", &rebound, None), Err(Refusal::ForeignPage));
        for origin in ["http://localhost:9901", "http://127.0.0.1:9901", "http://[::1]:9901"] {
            assert_eq!(
                from("127.0.0.1", &[("origin", origin), ("sec-fetch-site", "same-origin")], None),
                Ok(()),
                "{origin}"
            );
        }
    }
}
