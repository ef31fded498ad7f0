//! From an error to the response a client gets, and to the word the metrics use for it.
//!
//! One function decides the status, so that whose fault a failure was reads in one table. Nothing of the error's text
//! reaches the client: it may quote what the app, or another client, sent.

use h2::Reason;
use http::StatusCode;
use pingora::protocols::http::v2::client::PING_TIMEDOUT;
use pingora::{Error, ErrorSource, ErrorType};

use super::overload;
use crate::metrics::{Label, Limit, Shed, UpstreamError};

/// Whose fault, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The client went away or stopped reading.
    ClientGone,
    /// The request was refused; the status says why.
    Refused(u16),
    /// The app was not asked.
    Shed(Shed),
    /// The app did not answer, or not with HTTP.
    Upstream(UpstreamError),
    /// Our own fault.
    Internal,
}

impl Failure {
    pub fn of(error: &Error) -> Self {
        if let Some(reason) = overload::reason(error.etype()) {
            return Self::Shed(reason);
        }
        match (error.esource(), error.etype()) {
            (_, ErrorType::HTTPStatus(status)) => Self::Refused(*status),
            (ErrorSource::Upstream, _) if is_of_tls(error) => Self::Upstream(UpstreamError::Tls),
            (ErrorSource::Upstream, kind) => Self::Upstream(http2(error).unwrap_or_else(|| upstream(kind))),
            (ErrorSource::Downstream, ErrorType::InvalidHTTPHeader) => Self::Refused(400),
            (ErrorSource::Downstream, ErrorType::ReadTimedout) => Self::Refused(408),
            (ErrorSource::Downstream, _) => Self::ClientGone,
            (ErrorSource::Internal | ErrorSource::Unset, _) => Self::Internal,
        }
    }

    /// The status for the client; None when there is nobody left to tell.
    pub fn status(self) -> Option<StatusCode> {
        match self {
            Self::ClientGone => None,
            Self::Refused(status) => Some(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST)),
            Self::Shed(_) => Some(StatusCode::SERVICE_UNAVAILABLE),
            Self::Upstream(UpstreamError::Timeout) => Some(StatusCode::GATEWAY_TIMEOUT),
            Self::Upstream(_) => Some(StatusCode::BAD_GATEWAY),
            Self::Internal => Some(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// What `Cache-Status` says of it.
    pub fn detail(self) -> &'static str {
        match self {
            Self::Shed(reason) => reason.label(),
            _ => "error",
        }
    }

    /// The content of the response: what happened, in words for the person who sees it.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::ClientGone => "",
            Self::Refused(400) => "vacpack refused the request: it is not well-formed HTTP.\n",
            Self::Refused(408) => "vacpack gave up on the request: it did not arrive in time.\n",
            Self::Refused(414) => "vacpack refused the request: its URL is longer than listen.max_url allows.\n",
            Self::Refused(413) => "vacpack refused the request: its content is larger than listen.max_body allows.\n",
            Self::Refused(431) => {
                "vacpack refused the request: its header is larger than listen.max_header_size or \
                 listen.max_header_count allow.\n"
            }
            Self::Refused(501) => "vacpack refused the request: it does not know this transfer coding.\n",
            Self::Refused(504) => "vacpack has no stored response for it, and the request is only-if-cached.\n",
            Self::Refused(_) => "vacpack refused the request.\n",
            Self::Shed(Shed::AppDown) => "The app does not answer at the moment.\n",
            Self::Shed(_) => "The app has more to do than it can at the moment.\n",
            Self::Upstream(UpstreamError::Refused) => "vacpack could not reach the app: it refused the connection.\n",
            Self::Upstream(UpstreamError::Connect) => "vacpack could not reach the app.\n",
            Self::Upstream(UpstreamError::Tls) => "vacpack and the app do not agree on TLS.\n",
            Self::Upstream(UpstreamError::Timeout) => "The app did not answer in time.\n",
            Self::Upstream(UpstreamError::Closed) => "The app closed the connection before it answered.\n",
            Self::Upstream(UpstreamError::Reset) => "The app gave the request up before it answered.\n",
            Self::Upstream(UpstreamError::Protocol) => "What the app answered is not HTTP.\n",
            Self::Internal => "vacpack failed; its log says why.\n",
        }
    }
}

/// Pure: the limit of time that ended a request, if one did. `answered`: the app had begun to answer.
pub fn limit_of(error: &Error, answered: bool) -> Option<Limit> {
    use ErrorType::{ConnectTimedout, ReadTimedout, WriteTimedout};
    match (error.esource(), error.etype()) {
        (ErrorSource::Upstream, ConnectTimedout) => Some(Limit::UpstreamConnect),
        (ErrorSource::Upstream, WriteTimedout) => Some(Limit::UpstreamWrite),
        (ErrorSource::Upstream, ReadTimedout) if answered => Some(Limit::UpstreamRead),
        (ErrorSource::Upstream, ReadTimedout) => Some(Limit::UpstreamFirstByte),
        (ErrorSource::Downstream, ReadTimedout) => Some(Limit::BodyTime),
        (ErrorSource::Downstream, WriteTimedout) => Some(Limit::WriteTime),
        _ => None,
    }
}

/// Pure: the app has not begun with the request, so that any may be sent again (RFC 9113, section 8.7): it said so, or that it
/// takes no more on this connection, or not in this version.
pub fn is_unprocessed(error: &Error) -> bool {
    let Some(cause) = cause(error).filter(|cause| cause.is_remote()) else {
        return false;
    };
    match cause.reason() {
        Some(Reason::NO_ERROR) => cause.is_go_away(),
        Some(Reason::REFUSED_STREAM | Reason::HTTP_1_1_REQUIRED) => cause.is_reset(),
        _ => false,
    }
}

fn cause(error: &Error) -> Option<&h2::Error> {
    error.root_cause().downcast_ref()
}

/// What became of a stream, where it is HTTP/2 that failed.
fn http2(error: &Error) -> Option<UpstreamError> {
    let cause = cause(error)?;
    Some(match cause {
        _ if cause.is_io() || cause.is_go_away() && cause.is_remote() => UpstreamError::Closed,
        _ if cause.is_reset() && cause.is_remote() => UpstreamError::Reset,
        _ => UpstreamError::Protocol,
    })
}

/// RFC 8446, section 4.4.2.4: an app that does not like our certificate says so only after the handshake, as we see it.
fn is_of_tls(error: &Error) -> bool {
    let io = error.root_cause().downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    io.is_some_and(|cause| cause.is::<rustls::Error>())
}

fn upstream(kind: &ErrorType) -> UpstreamError {
    use ErrorType::{
        ConnectError, ConnectNoRoute, ConnectRefused, ConnectTimedout, ConnectionClosed, InvalidCert, ReadError,
        ReadTimedout, SocketError, TLSHandshakeFailure, TLSHandshakeTimedout, WriteError, WriteTimedout,
    };
    match kind {
        ConnectRefused => UpstreamError::Refused,
        ConnectError | ConnectNoRoute | SocketError => UpstreamError::Connect,
        ConnectTimedout | ReadTimedout | WriteTimedout => UpstreamError::Timeout,
        kind if *kind == PING_TIMEDOUT => UpstreamError::Timeout,
        TLSHandshakeFailure | TLSHandshakeTimedout | InvalidCert => UpstreamError::Tls,
        ConnectionClosed | ReadError | WriteError => UpstreamError::Closed,
        _ => UpstreamError::Protocol,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_its_status() {
        use ErrorType::*;
        let rows = [
            (ErrorSource::Upstream, ConnectRefused, Some(502)),
            (ErrorSource::Upstream, ConnectTimedout, Some(504)),
            (ErrorSource::Upstream, ConnectNoRoute, Some(502)),
            (ErrorSource::Upstream, ReadTimedout, Some(504)),
            (ErrorSource::Upstream, ConnectionClosed, Some(502)),
            (ErrorSource::Upstream, InvalidHTTPHeader, Some(502)),
            (ErrorSource::Downstream, InvalidHTTPHeader, Some(400)),
            (ErrorSource::Downstream, ReadTimedout, Some(408)),
            (ErrorSource::Downstream, HTTPStatus(413), Some(413)),
            (ErrorSource::Downstream, WriteError, None),
            (ErrorSource::Internal, InternalError, Some(500)),
        ];
        for (source, kind, status) in rows {
            let mut error = Error::new(kind);
            error.esource = source;
            let failure = Failure::of(&error);
            assert_eq!(failure.status().map(|status| status.as_u16()), status, "{error}");
        }
    }
}
