//! Which coding a body gets, or why none (RFC 9110, sections 8.4 and 12.5.3). Pure.
//!
//! Three questions are asked about one response, each once, by whoever holds the facts:
//!
//! * [`plan`](plan()) - a body comes from the app: is it encoded, and into what? If the app coded it
//!   already, is that undone?
//! * [`varies`] - might another client have got it in another coding? Then `Vary` has to say so.
//! * [`select`](select()) - the response is stored: which representation answers this client, and
//!   does it have to be derived first?
//!
//! Encoding is opt-in by everyone involved: the client accepts it, the app does not forbid it, the
//! operator lists the type. Whatever is in doubt is passed through untouched, with a
//! [`SkipReason`].

mod breach;
mod facts;
mod head;
mod plan;
mod preference;
mod reason;
mod select;
mod transcode;

pub use breach::{Breach, guard};
pub use facts::{COMPRESS_HINT, Offer, RequestFacts, ResponseFacts};
pub use head::{coded_head, kept_head};
pub use plan::{BodyPlan, codable, plan, varies};
pub use reason::SkipReason;
pub use select::{Selection, select};
