//! The engine alone: the modules of `src/` that code bodies, without the proxy.
//!
//! The platform brings an older brotli crate that defines the names of the C library, so that one program cannot hold
//! both; and what has no proxy in it is built in a minute.

#[path = "../../../src/encode/mod.rs"]
pub mod encode;
#[path = "../../../src/header/mod.rs"]
pub mod header;
#[path = "../../../src/units.rs"]
pub mod units;
