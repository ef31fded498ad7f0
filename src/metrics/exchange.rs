//! One finished request: everything that is known about it, and the one place that counts it and logs it.
//!
//! The proxy fills an [`Exchange`] while the request passes and records it once at the end. A figure on `/metrics` and
//! the line in the access log cannot disagree, because both are written from this value.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use http::{Method, StatusCode, Version};

use super::Metrics;
use super::access_log::{AccessLog, Rules};
use super::compression::{Encoded, ratio};
use super::label::{Label, Reused, Sharing, Shed, Side, Transcoding, UpstreamError};
use super::phases::Phases;
use super::registry::seconds;
use super::requests::RouteMeters;
use crate::header::Coding;
use crate::header::coding::Source;
use crate::negotiate::SkipReason;
use crate::policy::{CacheOutcome, FreshnessSource, NotStored};

/// Borrowed from the request's own state; nothing is copied unless a line is written.
#[derive(Clone)]
pub struct Exchange<'a> {
    pub cause: Cause,
    pub route: &'a RouteMeters,

    pub method: &'a Method,
    /// Without the query: that is where secrets travel.
    pub path: &'a str,
    /// The authority that the client asked for.
    pub host: &'a str,
    pub version: Version,
    /// As the trusted proxies tell it, not necessarily the peer.
    pub client: Option<IpAddr>,
    pub user_agent: Option<&'a [u8]>,
    pub request_id: Option<&'a [u8]>,
    /// W3C Trace Context, as received.
    pub traceparent: Option<&'a [u8]>,

    /// None where the client left before it got a head.
    pub status: Option<StatusCode>,
    pub cache: CacheOutcome,
    pub storing: Storing,
    pub sharing: Option<Sharing>,
    pub body: BodyCoding,
    /// What the app had coded and was decoded, and how that ended.
    pub transcoded: Option<(Source, Transcoding)>,
    /// Body bytes that the app sent.
    pub upstream_bytes: u64,
    /// Body bytes that the client was sent.
    pub client_bytes: u64,
    /// The connection that the app was asked on, if it was.
    pub upstream: Option<Reused>,
    pub error: Option<ErrorType>,

    pub started: SystemTime,
    pub duration: Duration,
    /// From the request's head to the response's; none where there was no response.
    pub first_byte: Option<Duration>,
    pub phases: Phases,
}

/// For whom the request was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Client,
    /// A refresh of a stale object in the background. It moves bytes and asks the app, but nobody waits for it: it is
    /// in no request count, no duration and not in the access log.
    Refresh,
}

/// What the cache did with the app's response, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storing {
    /// There was no response to decide on: a hit, or no answer.
    Undecided,
    /// Stored, for the lifetime found there.
    Stored(FreshnessSource),
    Refused(NotStored),
}

/// How the body went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyCoding {
    /// No body was planned: an error of our own, or the client left.
    None,
    Skipped(SkipReason),
    /// An encoder ran for this response.
    Encoded(Encoded),
    /// A stored coding was sent as it is. `identity` is the length before coding, where it is known.
    Stored {
        coding: Coding,
        identity: Option<u64>,
    },
}

/// What went wrong: `error.type` of the access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType {
    /// The app; counted attempt by attempt in `vacpack_upstream_errors_total`, so not here.
    Upstream(UpstreamError),
    /// It was not sent to the app.
    Shed(Shed),
    /// The client left, or took too long.
    Client,
    /// The request was refused before the app was asked.
    Request,
    /// An encoder failed and the response was cut.
    Compression,
    /// Ours.
    Internal,
}

/// How much a line should be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    Info,
    /// A client failed, or left.
    Warn,
    /// The app failed, or vacpack did.
    Error,
}

impl Severity {
    /// OpenTelemetry's short names.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

impl ErrorType {
    pub fn label(self) -> &'static str {
        match self {
            Self::Upstream(UpstreamError::Connect) => "upstream_connect",
            Self::Upstream(UpstreamError::Refused) => "upstream_refused",
            Self::Upstream(UpstreamError::Timeout) => "upstream_timeout",
            Self::Upstream(UpstreamError::Tls) => "upstream_tls",
            Self::Upstream(UpstreamError::Protocol) => "upstream_protocol",
            Self::Upstream(UpstreamError::Closed) => "upstream_closed",
            Self::Upstream(UpstreamError::Reset) => "upstream_reset",
            Self::Shed(Shed::QueueFull) => "queue_full",
            Self::Shed(Shed::QueueTimeout) => "queue_timeout",
            Self::Shed(Shed::Displaced) => "displaced",
            Self::Shed(Shed::AppDown) => "app_down",
            Self::Client => "client",
            Self::Request => "request",
            Self::Compression => "compression",
            Self::Internal => "internal",
        }
    }
}

impl Exchange<'_> {
    /// Counts the request and writes its line. Called once, when the last byte is out or given up.
    pub fn record(&self, metrics: &Metrics, log: &AccessLog, rules: &Rules) {
        self.count_work(metrics);
        if self.cause == Cause::Client {
            self.count_request(metrics);
            log.write(self, rules);
        }
    }

    /// What was done, for whomever.
    fn count_work(&self, metrics: &Metrics) {
        metrics.response_bytes.of(Side::Upstream).inc_by(self.upstream_bytes);
        metrics.phases.record(&self.phases);
        if let Some(reused) = self.upstream {
            metrics.upstream.connected(reused);
        }
        if let Storing::Refused(reason) = self.storing {
            metrics.cache.not_stored(reason);
        }
        if let Some((source, ended)) = self.transcoded {
            metrics.compression.transcoded(source, ended);
        }
        match &self.body {
            BodyCoding::Encoded(encoded) => metrics.compression.encoded(encoded),
            BodyCoding::Skipped(reason) => metrics.compression.skipped(*reason),
            BodyCoding::None | BodyCoding::Stored { .. } => {}
        }
    }

    /// What a client saw.
    fn count_request(&self, metrics: &Metrics) {
        metrics.response_bytes.of(Side::Client).inc_by(self.client_bytes);
        metrics.cache.requested(self.cache);
        if let Some(sharing) = self.sharing {
            metrics.cache.shared(sharing);
        }
        self.route.requests(self.method, self.status).inc();
        let timing = self.route.timing(self.cache);
        timing.duration.observe(seconds(self.duration));
        if let Some(first_byte) = self.first_byte {
            timing.first_byte.observe(seconds(first_byte));
        }
    }

    pub(super) fn severity(&self) -> Severity {
        let answered_5xx = self.status.is_some_and(|status| status.is_server_error());
        match self.error {
            Some(ErrorType::Client | ErrorType::Request) => Severity::Warn,
            Some(_) => Severity::Error,
            None if answered_5xx => Severity::Error,
            None if self.status.is_none() => Severity::Warn,
            None => Severity::Info,
        }
    }

    /// The coding on the wire, if there is one.
    pub(super) fn coding(&self) -> Option<Coding> {
        match self.body {
            BodyCoding::Encoded(encoded) => Some(encoded.coding),
            BodyCoding::Stored { coding: Coding::Identity, .. } => None,
            BodyCoding::Stored { coding, .. } => Some(coding),
            BodyCoding::None | BodyCoding::Skipped(_) => None,
        }
    }

    /// Coded length over identity length, where both are known.
    pub(super) fn ratio(&self) -> Option<f64> {
        match self.body {
            BodyCoding::Encoded(encoded) => encoded.ratio(),
            BodyCoding::Stored { coding, identity: Some(identity) }
                if coding != Coding::Identity && self.sent_whole() =>
            {
                ratio(identity, self.client_bytes)
            }
            BodyCoding::Stored { .. } | BodyCoding::None | BodyCoding::Skipped(_) => None,
        }
    }

    /// Whether the bytes sent are a whole representation: not no body, not a part, not cut off.
    fn sent_whole(&self) -> bool {
        let whole = !matches!(self.status, Some(StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED) | None);
        whole && *self.method != Method::HEAD && self.error.is_none()
    }

    /// Why there is no coding, in one word.
    pub(super) fn skipped(&self) -> Option<&'static str> {
        match self.body {
            BodyCoding::Skipped(reason) => Some(reason.label()),
            BodyCoding::None | BodyCoding::Encoded(_) | BodyCoding::Stored { .. } => None,
        }
    }

    pub(super) fn stored(&self) -> Option<bool> {
        match self.storing {
            Storing::Undecided => None,
            Storing::Stored(_) => Some(true),
            Storing::Refused(_) => Some(false),
        }
    }

    /// Why it was stored or not, in one word.
    pub(super) fn why_stored(&self) -> Option<&'static str> {
        match self.storing {
            Storing::Undecided => None,
            Storing::Stored(source) => Some(source.label()),
            Storing::Refused(reason) => Some(Label::label(reason)),
        }
    }
}

#[cfg(test)]
pub(super) mod sample {
    use super::*;

    /// A small page, fetched and compressed for a client that was in no hurry.
    pub fn exchange(route: &RouteMeters) -> Exchange<'_> {
        Exchange {
            cause: Cause::Client,
            route,
            method: &Method::GET,
            path: "/",
            host: "shop.example",
            version: Version::HTTP_11,
            client: Some(IpAddr::from([192, 0, 2, 7])),
            user_agent: Some(b"curl/8.0"),
            request_id: None,
            traceparent: None,
            status: Some(StatusCode::OK),
            cache: CacheOutcome::Miss,
            storing: Storing::Stored(FreshnessSource::MaxAge),
            sharing: None,
            body: BodyCoding::Encoded(Encoded {
                coding: Coding::Brotli,
                mode: crate::metrics::Mode::Live,
                input: 1000,
                output: 250,
                busy: Duration::from_millis(2),
            }),
            transcoded: None,
            upstream_bytes: 1000,
            client_bytes: 250,
            upstream: Some(Reused::No),
            error: None,
            started: SystemTime::UNIX_EPOCH + Duration::from_millis(1_789_000_000_123),
            duration: Duration::from_micros(12_345),
            first_byte: Some(Duration::from_millis(10)),
            phases: Phases::default(),
        }
    }
}
