//! What the operator says about caching, resolved for one route. Reading the file is left to
//! `config`.

use std::time::Duration;

use http::{HeaderName, StatusCode};

/// The caching rules of one route; a route inherits what it leaves out, so every field has a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    pub enabled: bool,
    /// For responses about which the app says nothing; zero leaves them out of the cache.
    pub default_ttl: Duration,
    /// At most this long for this route, counted from receipt; also the lifetime where the app
    /// gives none.
    pub ttl: Option<Duration>,
    /// `ttl` in place of what the app says, `no-store` and `private` included.
    pub override_app: bool,
    pub set_cookie: SetCookie,
    /// RFC 5861 windows beyond what the app grants itself; never against the app's word (see
    /// [`super::stale`]).
    pub stale_while_revalidate: Duration,
    pub stale_if_error: Duration,
    /// Nothing is served staler than this, whoever allows it.
    pub stale_limit: Duration,
    /// §4.2.2: a lifetime from `Last-Modified` where nothing else gives one.
    pub heuristic: bool,
    /// Lifetimes by status, where the app gives none; errors take theirs only from here.
    pub negative: Vec<(StatusCode, Duration)>,
    /// RFC 9213, §2.2: the targeted fields obeyed, first one first.
    pub targets: Vec<HeaderName>,
}

/// What to do with a response that sets a cookie: most of the time it was made for one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetCookie {
    /// Do not store it.
    Refuse,
    /// Store it without the cookie, and send it without: the client whose request fetched it sees what all others see.
    Strip,
    /// Store and replay it as RFC 9111, §7.3 allows: right only for cookies that are the same for
    /// everybody.
    Keep,
}

impl Default for Rules {
    /// RFC 9111 and nothing else: only what the app allows, stale only where the app says so.
    fn default() -> Self {
        Self {
            enabled: true,
            default_ttl: Duration::ZERO,
            ttl: None,
            override_app: false,
            set_cookie: SetCookie::Refuse,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            stale_limit: Duration::MAX,
            heuristic: false,
            negative: Vec::new(),
            targets: vec![HeaderName::from_static("cdn-cache-control")],
        }
    }
}
