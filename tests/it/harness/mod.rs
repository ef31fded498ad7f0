//! The stage of every test: a scripted origin, a whole vacpack on port 0, and strict clients.
//!
//! * [`h2_origin`] is one of HTTP/2, that answers frame by frame;
//! * [`Origin`] answers to the byte and remembers what it was asked; [`Terminator`] is TLS before it;
//! * [`Vacpack`] runs in this process, [`binary`] is the built program;
//! * [`Client`] speaks HTTP/1.1 to the letter, [`H2Client`] HTTP/2, [`frames`] its frames one by one;
//!   [`tls`] has certificates for them;
//! * [`decode`] reads bodies with programs that are not ours;
//! * [`wait`] polls for states until a deadline; nothing here sleeps and hopes.

pub mod binary;
mod cache_status;
mod call;
mod client;
pub mod decode;
pub mod encode;
pub mod frames;
pub mod h2_origin;
mod h2c;
mod metrics;
mod origin;
pub mod payload;
mod response;
mod self_test;
mod socket;
mod terminator;
pub mod tls;
pub mod vacpack;
pub mod wait;
mod wire;

pub use call::{Call, HOST};
pub use client::Client;
pub use frames::Frames;
pub use h2c::H2Client;
pub use metrics::Metrics;
pub use origin::{Answer, Origin, Part, Seen};
pub use response::Response;
pub use terminator::Terminator;
pub use vacpack::Vacpack;
pub use wait::{Gate, together, until};
pub use wire::Framing;

use std::path::PathBuf;

/// A directory that goes away with its test.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vacpack-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary directory is writable");
        Self(path)
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file and says where.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.join(name);
        std::fs::write(&path, content).expect("the temporary directory is writable");
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}
