//! The sample "legacy app": a shop that serves generated content and counts what it sends.
//!
//! It is an ordinary HTTP/1.1 program with the habits that vacpack meets in the field, one a resource:
//! lengths known and unknown, pages without validators, cookies, a page that takes its time, a stream.
//! It knows nothing of vacpack.

mod catalogue;
mod content;
mod request;
mod resource;
mod server;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(super) use resource::Resource;

/// The running app. It ends when this is dropped.
#[derive(Debug)]
pub struct Sample {
    address: SocketAddr,
    resources: Arc<[Resource]>,
    accepting: JoinHandle<()>,
}

/// What the app has sent: responses, and bytes of their bodies without the framing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    pub responses: u64,
    pub bytes: u64,
}

impl Sample {
    /// Generates the content and serves it on a free port of loopback.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let resources: Arc<[Resource]> = catalogue::resources().into();
        let accepting = tokio::spawn(server::serve(listener, Arc::clone(&resources)));
        Ok(Self { address, resources, accepting })
    }

    /// Where the app answers when nobody stands before it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn resources(&self) -> &[Resource] {
        &self.resources
    }

    pub(super) fn shared_resources(&self) -> Arc<[Resource]> {
        Arc::clone(&self.resources)
    }

    /// Everything sent so far.
    pub fn sent(&self) -> Sent {
        self.resources.iter().map(Resource::sent).fold(Sent::default(), |sum, one| Sent {
            responses: sum.responses + one.responses,
            bytes: sum.bytes + one.bytes,
        })
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
