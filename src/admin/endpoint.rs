//! The table of endpoints, and which one a request means.

use http::Method;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Index,
    Startup,
    Live,
    Ready,
    Metrics,
    Explain,
    Purge,
    Reload,
    Drain,
    PauseImproving,
    ResumeImproving,
}

/// What a request asked for that is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoEndpoint {
    /// The path exists, the method does not: the `Allow` field (RFC 9110, section 15.5.6).
    Method {
        allow: &'static str,
    },
    Path,
}

impl Endpoint {
    pub const ALL: [Self; 11] = [
        Self::Index,
        Self::Startup,
        Self::Live,
        Self::Ready,
        Self::Metrics,
        Self::Explain,
        Self::Purge,
        Self::Reload,
        Self::Drain,
        Self::PauseImproving,
        Self::ResumeImproving,
    ];

    pub const fn path(self) -> &'static str {
        match self {
            Self::Index => "/",
            Self::Startup => "/startupz",
            Self::Live => "/livez",
            Self::Ready => "/readyz",
            Self::Metrics => "/metrics",
            Self::Explain => "/api/explain",
            Self::Purge => "/purge",
            Self::Reload => "/reload",
            Self::Drain => "/drain",
            Self::PauseImproving => "/improve/pause",
            Self::ResumeImproving => "/improve/resume",
        }
    }

    /// One sentence for the index.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Index => "this page",
            Self::Startup => "200 once the configuration is read and the listeners are bound",
            Self::Live => "200 while the workers answer; 503 when none has for ten seconds",
            Self::Ready => "200 while traffic should come; 503 with the reason otherwise",
            Self::Metrics => "Prometheus metrics",
            Self::Explain => {
                "?url=http://host/path says what a request would get, and why; from 127.0.0.1 or with the admin token"
            }
            Self::Purge => {
                "?url=http://host/path removes it from the cache, tag=, prefix=, host= or everything=true what they cover; soft=true, dry_run=true; from 127.0.0.1 or with the admin token"
            }
            Self::Reload => "reads the configuration again: 200 when it is in force, 422 with what is wrong with it",
            Self::Drain => "ends the process as SIGTERM does: not ready, then closed, then gone",
            Self::PauseImproving => "holds background recompression still, until it is resumed or restarted",
            Self::ResumeImproving => "lets it go on",
        }
    }

    pub const fn allow(self) -> &'static str {
        match self {
            Self::Purge | Self::Reload | Self::Drain | Self::PauseImproving | Self::ResumeImproving => "POST",
            Self::Index | Self::Startup | Self::Live | Self::Ready | Self::Metrics | Self::Explain => "GET, HEAD",
        }
    }

    pub fn find(method: &Method, path: &str) -> Result<Self, NoEndpoint> {
        let found = Self::ALL.into_iter().find(|endpoint| endpoint.path() == path).ok_or(NoEndpoint::Path)?;
        let allow = found.allow();
        // Methods are case-sensitive (RFC 9110, section 9.1).
        let allowed = allow.split(", ").any(|each| each == method.as_str());
        if allowed { Ok(found) } else { Err(NoEndpoint::Method { allow }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_get_and_changing_is_post() {
        assert_eq!(Endpoint::find(&Method::GET, "/metrics"), Ok(Endpoint::Metrics));
        assert_eq!(Endpoint::find(&Method::HEAD, "/readyz"), Ok(Endpoint::Ready));
        assert_eq!(Endpoint::find(&Method::POST, "/purge"), Ok(Endpoint::Purge));
        assert_eq!(Endpoint::find(&Method::GET, "/purge"), Err(NoEndpoint::Method { allow: "POST" }));
        assert_eq!(Endpoint::find(&Method::HEAD, "/purge"), Err(NoEndpoint::Method { allow: "POST" }));
        assert_eq!(Endpoint::find(&Method::POST, "/livez"), Err(NoEndpoint::Method { allow: "GET, HEAD" }));
    }

    #[test]
    fn paths_are_exact() {
        for path in ["", "/metrics/", "/Metrics", "//metrics", "/metrics?", "*", "/../metrics"] {
            assert_eq!(Endpoint::find(&Method::GET, path), Err(NoEndpoint::Path), "{path}");
        }
    }
}
