//! Acceptance: the real payloads, to the byte, in every coding, over every protocol, from the app and from the cache.
//!
//! They need the corpus and some minutes, so that `make test` leaves them out and `make acceptance` runs them. Asked to
//! run without the corpus, they fail.

mod apps;
mod parts;
mod payloads;
mod representations;

/// Every coding a client may ask for alone.
const CODINGS: [&str; 4] = ["br", "zstd", "gzip", "identity"];
