//! The integration binary: origin -> vacpack -> client over real sockets, on port 0.
//!
//! Every test reads as *given an origin, when requests come, then this sequence* (`miss, hit, hit`).

#![expect(clippy::panic, reason = "a test fails by it; Clippy knows tests only by their attribute, not what they call")]

mod harness;

mod admin;
mod cache;
mod cdn;
mod compression;
mod corpus;
mod explain;
mod floods;
mod frames;
mod h2c;
mod hygiene;
mod lifecycle;
mod manifests;
mod model;
mod overload;
mod proxy_protocol;
mod readme;
mod reload;
mod streaming;
mod tls;
mod upstream;
