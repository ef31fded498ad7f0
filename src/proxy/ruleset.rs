//! What an operator can change while we serve: one value, swapped as a whole.
//!
//! A request takes the ruleset when it begins and keeps it to its end, so that no response is made half by one file and
//! half by another. What is stored was made by the rules of its time, and keeps the lifetime it was stored with.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use ipnet::IpNet;

use super::connection::ConnectionLimits;
use super::forward::TrustedProxies;
use super::intake::RequestLimits;
use super::route::Routes;
use super::trace::TraceRules;
use crate::cache::ResourceKey;
use crate::metrics::RouteMeters;
use crate::metrics::access_log::Rules as AccessRules;

/// The rules of one configuration file.
pub struct Ruleset {
    pub routes: Routes,
    /// The meters of each route, at its index.
    pub meters: Vec<Arc<RouteMeters>>,
    /// Who may send `PURGE`; where it is empty, the method is none of ours.
    pub purge_from: Vec<IpNet>,
    /// How long a request waits for another one's fetch.
    pub coalesce: Duration,
    /// A part of every key.
    pub generation: String,
    pub limits: RequestLimits,
    /// Of connections that begin.
    pub connection: Arc<ConnectionLimits>,
    pub trusted_proxies: TrustedProxies,
    pub status_header: bool,
    pub server_timing: bool,
    /// Begin a chain of `Forwarded` towards the app.
    pub forwarded: bool,
    pub trace: TraceRules,
    pub access_rules: AccessRules,
}

impl Ruleset {
    /// The key under which a URL is stored: that of the route which a `GET` of it would take.
    pub fn keys_of(&self, scheme: &str, authority: &str, path_and_query: &str) -> ResourceKey {
        let path = path_and_query.split('?').next().unwrap_or(path_and_query);
        let (_, route) = self.routes.find(&Method::GET, &authority.to_ascii_lowercase(), path);
        crate::cache::resource_key(&self.generation, scheme, authority, path_and_query, &route.key)
    }
}
