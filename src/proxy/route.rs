//! The rules of one kind of request: the first route that matches is the request's, whole.

use std::fmt;
use std::sync::Arc;

use globset::{Candidate, GlobMatcher};
use http::Method;
use http::header::{HeaderName, HeaderValue};

use crate::cache::KeyRules;
use crate::cdn::HeaderRules;
use crate::encode::Live;
use crate::header::Coding;
use crate::metrics::Priority;
use crate::negotiate::Offer;
use crate::policy::{Normalise, Rules};

/// Everything that is decided by the route, resolved: nothing is looked up elsewhere at request time.
#[derive(Clone, Debug)]
pub struct Route {
    /// The value of the `route` label.
    pub name: String,
    pub matcher: Matcher,
    /// Of its requests to the app.
    pub priority: Priority,
    pub cache: Rules,
    pub key: KeyRules,
    pub normalise: Normalise,
    pub offer: Offer,
    /// `offer.codings`, shared with each lookup.
    pub codings: Arc<[Coding]>,
    pub live: Live,
    pub headers: HeaderRules,
    pub request_headers: RequestHeaderRules,
}

/// Fields of the request that the app gets otherwise than the client sent them.
#[derive(Clone, Debug, Default)]
pub struct RequestHeaderRules {
    pub set: Vec<(HeaderName, HeaderValue)>,
    pub remove: Vec<HeaderName>,
}

/// Which requests a route is for; what is empty matches everything.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    pub paths: Vec<GlobMatcher>,
    pub methods: Vec<Method>,
    /// Lower-case, without a port.
    pub hosts: Vec<GlobMatcher>,
}

/// What of a matcher matched; None where it asks for nothing.
#[derive(Clone, Copy, Debug)]
pub struct Matched<'a> {
    pub path: Option<&'a GlobMatcher>,
    pub method: Option<&'a Method>,
    pub host: Option<&'a GlobMatcher>,
}

impl Matcher {
    /// Matches where each condition that is given does.
    fn find(&self, method: &Method, host: &str, path: &str) -> Option<Matched<'_>> {
        let method = match self.methods.is_empty() {
            true => None,
            false => Some(self.methods.iter().find(|one| *one == method)?),
        };
        Some(Matched { method, path: first(&self.paths, path)?, host: first(&self.hosts, host)? })
    }
}

/// The first pattern that matches; `Some(None)` where there is none to match.
fn first<'a>(globs: &'a [GlobMatcher], text: &str) -> Option<Option<&'a GlobMatcher>> {
    if globs.is_empty() {
        return Some(None);
    }
    let candidate = Candidate::from_bytes(text.as_bytes());
    globs.iter().find(|glob| glob.is_match_candidate(&candidate)).map(Some)
}

impl fmt::Display for Matched<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.map(|glob| format!("path {}", glob.glob()));
        let method = self.method.map(|method| format!("method {method}"));
        let host = self.host.map(|glob| format!("host {}", glob.glob()));
        let all: Vec<String> = [path, method, host].into_iter().flatten().collect();
        f.write_str(&all.join(", "))
    }
}

/// The routes in the order of the file, and the one for what none of them matches.
#[derive(Clone, Debug)]
pub struct Routes {
    pub listed: Vec<Arc<Route>>,
    pub fallback: Arc<Route>,
}

impl Routes {
    /// The route of a request to a lower-case host, and its place among [`Routes::names`].
    pub fn find(&self, method: &Method, host: &str, path: &str) -> (usize, &Arc<Route>) {
        let host = without_port(host);
        self.listed
            .iter()
            .enumerate()
            .find(|(_, route)| route.matcher.find(method, host, path).is_some())
            .unwrap_or((self.listed.len(), &self.fallback))
    }

    /// Why [`Routes::find`] gives the route at `index`, in words.
    pub fn because(&self, index: usize, method: &Method, host: &str, path: &str) -> String {
        let host = without_port(host);
        let matched = self.listed.get(index).and_then(|route| route.matcher.find(method, host, path));
        match (matched, self.listed.len()) {
            (Some(matched), _) => matched.to_string(),
            (None, 0) => "there are no routes".to_owned(),
            (None, _) => "no route matches".to_owned(),
        }
    }

    /// The names, each at the index that [`Routes::find`] gives.
    pub fn names(&self) -> Vec<String> {
        let all = self.listed.iter().chain([&self.fallback]);
        all.map(|route| route.name.clone()).collect()
    }
}

/// The lower-case host without its port; an IPv6 literal keeps its brackets.
fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        _ => host,
    }
}
