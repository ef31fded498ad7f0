//! The cache: one resource, many representations. It moves bytes and decides nothing about HTTP.
//!
//! ```text
//!   ResourceKey --> Resource --> Variant (one selection of the app's Vary)
//!                                   |-- head, freshness, validators: the app's, as identity
//!                                   `-- Representation* {br, zstd, gzip, identity}: body + ready-made head
//! ```
//!
//! A response is stored in the coding its first client asked for, as it streamed ([`fill`]). A client that accepts
//! none of the stored codings gets one derived from a stored one, once, and it is kept (`derive`). A hit in a stored
//! coding runs no codec, parses no field and copies no body (`hit`). Who asks for what is just being fetched gets it while
//! it comes in ([`live`]). A purge is ordered with every write by one lock
//! ([`purge`]), so a fill, a 304 or a derivation that was under way when it came cannot bring the purged bytes back.
//!
//! What keeps being hit is compressed again while the CPU is idle, and swapped in place ([`improve`]). Where there is no
//! room, representations go before answers do (`surplus`). Where the container is short of memory, [`guard`] says by how much
//! the cache gets smaller, and `trim` what goes.
//!
//! What is asked from outside: [`memory::Memory`] is pingora's `Storage`. The proxy hands its facts in through typed
//! side channels - a [`RequestView`] in the cache key, a [`FillPlan`] or a [`RefreshPlan`] in the meta - and finds a
//! [`Found`] in the meta of a hit. Every decision about what may be stored or reused was made before, in `policy`.

mod buffer;
pub mod clock;
mod derive;
pub mod events;
pub mod fill;
pub mod guard;
mod head;
mod hit;
pub mod improve;
pub mod key;
pub mod live;
mod locks;
mod map;
pub mod memory;
mod moving;
pub mod purge;
mod refreshes;
pub mod representation;
pub mod resource;
pub mod scope;
pub mod sharing;
mod space;
pub mod storage;
mod streamed;
mod surplus;
mod sweep;
mod tagged;
#[cfg(test)]
mod tests;
mod trim;
pub mod variant;
mod weight;

pub use buffer::Share;
pub use clock::Moment;
pub use events::{Derivation, Events, EvictionCause, Improvement, Refusal, Silent, Unimproved};
pub use fill::{BodyFacts, FillOutcome, FillPlan};
pub use improve::{Improver, Load};
pub use key::{KeyParts, KeyRules, Partition, ResourceKey, resource_key, url};
pub use live::Joined;
pub use memory::{Limits, Memory, Purged};
pub use representation::Representation;
pub use resource::Resource;
pub use scope::Scope;
pub use sharing::{Alone, Sharing};
pub use storage::{Found, RefreshPlan, RequestView, bare_key, cache_key};
pub use sweep::Effect;
pub use variant::Variant;
