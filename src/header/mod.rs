//! HTTP's vocabulary: one RFC section a file. Pure: no I/O, no clock, no pingora type.
//!
//! Field values come from strangers. So every parser here takes the whole [`http::HeaderMap`] and
//! reads *all* lines of its field (RFC 9110, section 5.3), works on bytes (a value need not be
//! UTF-8), never panics, is linear in its input, and has a written answer for what is malformed -
//! always the one that transforms less, caches less, or reveals less.
//!
//! * syntax - [`token`], [`list`], [`structured`], [`delta_seconds`], [`date`];
//! * content negotiation - [`coding`], [`qvalue`], [`accept_encoding`], [`media_type`], [`vary`];
//! * validators - [`etag`], [`condition`];
//! * caching - [`cache_control`], [`targeted`], [`age`], [`cache_status`];
//! * messages - [`hop_by_hop`], [`forwarded`], [`edit`].

pub mod delta_seconds;
pub mod list;
pub mod structured;
pub mod token;

pub mod date;

pub mod accept_encoding;
pub mod coding;
pub mod media_type;
pub mod qvalue;
pub mod vary;

pub mod condition;
pub mod etag;

pub mod age;
pub mod cache_control;
pub mod cache_status;
pub mod targeted;

pub mod range;

pub mod edit;
pub mod forwarded;
pub mod hop_by_hop;

pub use accept_encoding::AcceptEncoding;
pub use cache_control::{CacheControl, Scope};
pub use cache_status::{CacheStatus, Forward};
pub use coding::Coding;
pub use condition::TagCondition;
pub use edit::{Edit, apply};
pub use etag::{EntityTag, Revision};
pub use media_type::{MediaType, MediaTypes};
pub use qvalue::QValue;
pub use vary::Vary;

#[cfg(test)]
pub(crate) mod testing;
