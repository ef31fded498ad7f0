//! What leaves for browsers and CDNs: lifetimes, tags and fields by the operator's rules.
//!
//! * [`rules`] - what the operator wrote, resolved for one route;
//! * [`edits`] - the edits of one response head, in their order;
//! * [`lifetime`] - `Cache-Control` and the CDN's own field from a `browser` and a `cdn` time;
//! * [`mod@tags`] - the tags a response has, and writing more of them;
//! * [`edge`] - which fields only an edge reads.
//!
//! Our own store is not concerned: it decides by what the *app* said ([`crate::policy`]), then
//! these rules write what others are told. They are applied to each answer on its way out, from the
//! app or from the store alike.

pub mod edge;
pub mod edits;
pub mod lifetime;
pub mod rules;
pub mod tags;

pub use edits::response_edits;
pub use rules::{HeaderRules, is_settable};
pub use tags::{is_tag, tags};
