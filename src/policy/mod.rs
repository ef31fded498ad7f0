//! RFC 9111 as pure functions: what may be stored, for how long, and what a stored response may
//! answer.
//!
//! One question a file, in the order in which a request meets them:
//!
//! | question | answer | file |
//! |---|---|---|
//! | in which of few values is the app asked (§4.1)? | edits of the request | [`mod@normalise`] |
//! | may the stored response answer this request (§4, §5.2.1)? | [`Lookup`] | [`mod@lookup`] |
//! | a part is asked for, and nothing stored answers: is the whole fetched? | [`Part`] | [`mod@part`] |
//! | is it the right variant (§4.1)? | [`Selector`] | [`variant`] |
//! | does the client have it already (RFC 9110, §13)? | [`Precondition`] | [`condition`] |
//! | may the app's answer be stored (§3)? | [`Freshness`] or [`NotStored`] | [`mod@store`] |
//! | which of its fields (§3.1)? | [`unstored_fields`] | [`fields`] |
//! | for how long, and how stale after that (§4.2)? | [`Freshness`] | [`freshness`], [`age`], [`stale`] |
//! | a refresh failed: when is the next one due? | [`Backoff`] | [`backoff`] |
//! | what does a 304 change (§4.3.4)? | edits of the head | [`revalidate`] |
//! | what does an unsafe method make invalid (§4.4)? | targets | [`invalidate`] |
//! | does it vary by what every client says differently? | [`OverVarying`] | [`overvary`] |
//! | what became of the request, in one word? | [`CacheOutcome`] | [`outcome`] |
//!
//! Nothing here reads a clock, keeps state or knows how bytes are kept: `now` is an argument, and
//! the same arguments always get the same answer. A refusal carries its reason, which is the metric
//! label and the word in the log.
//!
//! Where the RFC leaves a choice, the one taken is written above the branch. Where vacpack stores
//! *less* than the RFC allows it is because the response answers one client or one connection
//! ([`status`]) or because the platform pays for each useless entry with a queue of waiting
//! requests ([`mod@store`]). It never stores more, except on the operator's word.

pub mod age;
pub mod backoff;
pub mod condition;
pub mod fields;
pub mod freshness;
pub mod governing;
pub mod invalidate;
pub mod lookup;
pub mod normalise;
pub mod outcome;
pub mod overvary;
pub mod part;
pub mod revalidate;
pub mod rules;
pub mod stale;
pub mod status;
pub mod store;
pub mod variant;

#[cfg(test)]
pub(crate) mod testing;

pub use backoff::Backoff;
pub use condition::{Precondition, Validators, precondition, range_applies};
pub use fields::unstored_fields;
pub use freshness::{Freshness, FreshnessSource};
pub use invalidate::{Target, invalidated_targets, invalidates};
pub use lookup::{Lookup, RequestDirectives, StoredFreshness, lookup};
pub use normalise::Normalise;
pub use outcome::CacheOutcome;
pub use overvary::OverVarying;
pub use part::{Part, PartFacts, part};
pub use revalidate::merge_304;
pub use rules::{Rules, SetCookie};
pub use store::{NotStored, StoreRequest, StoreResponse, permits_authorized, store};
pub use variant::Selector;
