//! The operator's own question to the app: is it ready?
//!
//! A request for `ready_path`, each time on a connection of its own, as the kubelet would ask: an answer from 200 to 399 in a
//! second means that it is.

use http::header::{HOST, USER_AGENT};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::lb::health_check::{HealthCheck, HttpHealthCheck};
use pingora::{Error, ErrorType};

use super::{Address, ResolveError};

/// A probe of an app that is known by this address.
pub fn of(address: &Address, path: &str) -> Result<Box<dyn HealthCheck + Send + Sync>, ResolveError> {
    let host = match address {
        Address::Tcp { .. } => address.to_string(),
        Address::Unix(_) => "localhost".to_owned(),
    };
    let request = request(&host, path).map_err(|_| ResolveError::Probe(path.to_owned()))?;
    let mut check = HttpHealthCheck::new("localhost", false);
    check.req = request;
    check.validator = Some(Box::new(is_ready));
    Ok(Box::new(check))
}

fn request(host: &str, path: &str) -> pingora::Result<RequestHeader> {
    let mut request = RequestHeader::build("GET", path.as_bytes(), Some(2))?;
    request.insert_header(HOST, host)?;
    request.insert_header(USER_AGENT, concat!("vacpack/", env!("CARGO_PKG_VERSION"), " (ready_path)"))?;
    Ok(request)
}

/// As the kubelet judges its probes.
fn is_ready(response: &ResponseHeader) -> pingora::Result<()> {
    match response.status.as_u16() {
        200..400 => Ok(()),
        status => Error::e_explain(ErrorType::HTTPStatus(status), "the app says that it is not ready"),
    }
}
