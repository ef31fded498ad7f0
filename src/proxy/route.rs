//! The rules of one kind of request: the first route that matches is the request's, whole.

use std::sync::Arc;

use globset::{Candidate, GlobMatcher};
use http::Method;
use http::header::{HeaderName, HeaderValue};

use crate::cache::KeyRules;
use crate::cdn::HeaderRules;
use crate::encode::Live;
use crate::header::Coding;
use crate::negotiate::Offer;
use crate::policy::Rules;

/// Everything that is decided by the route, resolved: nothing is looked up elsewhere at request time.
#[derive(Clone, Debug)]
pub struct Route {
    /// The value of the `route` label.
    pub name: String,
    pub matcher: Matcher,
    pub cache: Rules,
    pub key: KeyRules,
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

impl Matcher {
    fn matches(&self, method: &Method, host: &str, path: &str) -> bool {
        (self.methods.is_empty() || self.methods.contains(method))
            && (self.paths.is_empty() || any(&self.paths, path))
            && (self.hosts.is_empty() || any(&self.hosts, host))
    }
}

fn any(globs: &[GlobMatcher], text: &str) -> bool {
    let candidate = Candidate::from_bytes(text.as_bytes());
    globs.iter().any(|glob| glob.is_match_candidate(&candidate))
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
            .find(|(_, route)| route.matcher.matches(method, host, path))
            .unwrap_or((self.listed.len(), &self.fallback))
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
