//! The second listener: what Kubernetes, Prometheus and operators ask of the process itself.
//!
//! Two tiers on one address. Reading (`/startupz`, `/livez`, `/readyz`, `/metrics`) is open, because kubelet and
//! Prometheus come from other addresses. Changing something (`POST /purge`, `/reload`, `/drain`, `/improve/pause`) and seeing what is stored
//! (`/api/explain`) is for loopback or for who has the token ([`access`]); a change never happens by GET. Nothing of the
//! app is served here, and nothing here is on the main listener.
//!
//! [`endpoint`] is the table of what exists, [`app`] answers, [`lifecycle`] is what the probes report.

pub mod access;
mod app;
mod drain;
mod endpoint;
pub mod explain;
pub mod improvement;
pub mod lifecycle;
pub mod purge;
mod query;
pub mod reload;
mod reply;

pub use access::{Access, Token};
pub use app::AdminApp;
pub use explain::Explain;
pub use improvement::Pause;
pub use lifecycle::{Lifecycle, State};
pub use purge::{Order, Purge, Purged, Target};
pub use reload::Reload;
