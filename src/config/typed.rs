//! The configuration as the program needs it: each component's own type, every route complete.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::admin::Token;
use crate::cache::improve;
use crate::metrics::log::{Format, Level};
use crate::metrics::{self, access_log};
use crate::proxy::{ConnectionLimits, RequestLimits, Routes, TraceRules, TrustedProxies};
use crate::{tls, upstream};

/// Everything that can be configured.
#[derive(Clone, Debug)]
pub struct Config {
    pub upstream: upstream::Config,
    pub listen: Listen,
    pub memory: Memory,
    pub cache: Cache,
    /// `None`: what is stored stays as it is.
    pub improve: Option<improve::Config>,
    pub routes: Routes,
    /// Say in `Server-Timing` where the time went.
    pub server_timing: bool,
    /// Begin a chain of `Forwarded` towards the app.
    pub forwarded: bool,
    pub trace: TraceRules,
    pub admin: Admin,
    pub metrics: metrics::Config,
    pub log: Log,
    pub runtime: Runtime,
}

#[derive(Clone, Debug)]
pub struct Listen {
    pub address: SocketAddr,
    /// None: without TLS.
    pub tls: Option<tls::Config>,
    pub connection: ConnectionLimits,
    pub request: RequestLimits,
    pub trusted_proxies: TrustedProxies,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// In bytes.
    pub budget: u64,
    pub source: BudgetSource,
    /// The container's memory limit, in bytes.
    pub limit: Option<u64>,
}

/// How the budget was found, for the log line that says so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BudgetSource {
    /// Written as a size.
    Fixed,
    /// A share of the container's limit.
    Share,
    /// A share was wanted, but there is no limit to take it from.
    NoLimit,
}

/// What holds for the cache as a whole; the rest is each route's.
#[derive(Clone, Debug)]
pub struct Cache {
    pub max_object: u64,
    pub coalesce: Duration,
    pub max_waiters: usize,
    pub max_variants: usize,
    /// A part of every key.
    pub generation: String,
    pub status_header: bool,
    /// Who may send `PURGE`; where it is empty, the method is none of ours.
    pub purge_from: Vec<IpNet>,
}

#[derive(Clone, Debug)]
pub struct Admin {
    pub address: SocketAddr,
    pub token: Option<Token>,
}

#[derive(Clone, Debug)]
pub struct Log {
    pub level: Level,
    /// `None` is text on a terminal and JSON elsewhere.
    pub format: Option<Format>,
    pub access: access_log::Rules,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    pub workers: usize,
    /// The container's CPU limit, in thousandths of a core.
    pub cpu_limit: Option<u64>,
    pub drain_delay: Duration,
    pub drain_limit: Duration,
    /// What the pod has for its end; only compared with the two.
    pub grace: Duration,
}
