//! vacpack: a sidecar that keeps any HTTP app's answers small and near.
//!
//! The modules are listed from the ground up; each one uses only those above it.
//!
//! * vocabulary - [`units`], [`header`]: sizes, durations and HTTP fields as types;
//! * decisions - [`negotiate`], [`policy`], [`cdn`]: pure functions that answer with a reason;
//! * explanation - [`explain`]: why a request is answered as it is, as a document;
//! * measures - [`metrics`]: every family in one table;
//! * mechanisms - [`encode`], [`cache`], [`tls`], [`upstream`]: they move bytes and decide nothing about HTTP;
//! * surfaces - [`proxy`], [`admin`]: the two listeners;
//! * assembly - [`config`], [`app`], [`cli`].

pub mod units;

pub mod header;

pub mod cdn;
pub mod negotiate;
pub mod policy;

pub mod explain;

pub mod metrics;

pub mod cache;
pub mod encode;
pub mod tls;
pub mod upstream;

pub mod admin;
pub mod proxy;

pub mod config;

pub mod app;
pub mod cli;
