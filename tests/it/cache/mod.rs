//! What is kept, for whom, how long, and what is answered from it (RFC 9111), over the wire.

mod conditions;
mod fills;
mod first_client;
mod freshness;
mod invalidation;
mod keys;
mod malformed;
mod normalising;
mod parts;
mod purges;
mod ranges;
mod representations;
mod reuse;
mod revalidation;
mod sharing;
mod stale;
mod storing;
