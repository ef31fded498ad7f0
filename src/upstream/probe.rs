//! The operator's own question to the app: is it ready?
//!
//! A request for `ready_path`, each time on a connection of its own, as the kubelet would ask, and in the way that every
//! other request goes: an answer from 200 to 399 in a second means that it is.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{HOST, USER_AGENT};
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::lb::Backend;
use pingora::lb::health_check::HealthCheck;
use pingora::protocols::http::client::HttpSession;
use pingora::{Error, ErrorType, OkOrErr, OrErr};
use tokio::time::timeout;

use super::peer::{Peers, Purpose};
use super::{Address, ResolveError};

/// As long as the kubelet waits, unless it is told otherwise.
const PATIENCE: Duration = Duration::from_secs(1);

/// A probe of an app that is known by this address.
pub fn of(
    address: &Address,
    path: &str,
    peers: Arc<Peers>,
) -> Result<Box<dyn HealthCheck + Send + Sync>, ResolveError> {
    let request = request(&address.authority(), path).map_err(|_| ResolveError::Probe(path.to_owned()))?;
    Ok(Box::new(Probe { peers, request, connector: Connector::new(None) }))
}

struct Probe {
    peers: Arc<Peers>,
    request: RequestHeader,
    connector: Connector,
}

fn request(host: &str, path: &str) -> pingora::Result<RequestHeader> {
    let mut request = RequestHeader::build("GET", path.as_bytes(), Some(2))?;
    request.insert_header(HOST, host)?;
    request.insert_header(USER_AGENT, concat!("vacpack/", env!("CARGO_PKG_VERSION"), " (ready_path)"))?;
    Ok(request)
}

impl Probe {
    /// The status of the answer.
    async fn ask(&self, session: &mut HttpSession) -> pingora::Result<u16> {
        session.write_request_header(Box::new(self.request.clone())).await?;
        session.finish_request_body().await?;
        session.read_response_header().await?;
        let answer = session.response_header();
        answer.map(|head| head.status.as_u16()).or_err(ErrorType::InvalidHTTPHeader, "no head")
    }
}

#[async_trait]
impl HealthCheck for Probe {
    async fn check(&self, target: &Backend) -> pingora::Result<()> {
        // Like a retry's, its connection is nobody else's.
        let peer = self.peers.at(&target.addr, Purpose::Retry)?;
        let (mut session, _) = self.connector.get_http_session(&*peer).await?;
        let asked = timeout(PATIENCE, self.ask(&mut session)).await;
        if let HttpSession::H2(_) = session {
            // The platform keeps a connection of HTTP/2 until it is told that nobody uses it.
            self.connector.release_http_session(session, &*peer, peer.options.idle_timeout).await;
        }
        // As the kubelet judges its probes.
        match asked.or_err(ErrorType::ReadTimedout, "the app did not say whether it is ready")?? {
            200..400 => Ok(()),
            status => Error::e_explain(ErrorType::HTTPStatus(status), "the app says that it is not ready"),
        }
    }

    fn health_threshold(&self, _success: bool) -> usize {
        1
    }
}
