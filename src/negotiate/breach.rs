//! The guard against BREACH: what compression gives away about secrets.
//!
//! Who can make a browser ask for a page, puts guesses into it (the query that the page repeats) and
//! sees how long the coded answer is, learns a secret on the same page - a CSRF token, say - byte by
//! byte: a right guess is a longer match and a shorter answer. It takes all three of a secret, a
//! reflection and a visible length; only the app knows whether a page has the first two, so the
//! guard is off unless a route asks for it.
//!
//! It is about answers made for one person: to requests with credentials, and not stored, since what
//! is stored is sent to everybody.

use super::facts::{Offer, RequestFacts, ResponseFacts};

/// What a route does about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Breach {
    #[default]
    Off,
    /// Coded bodies are longer by a random number of bytes. A length then has to be averaged over
    /// thousands of answers before it says anything: dearer, not impossible.
    Pad,
    /// Such bodies are not coded, and what the app coded is decoded: nothing is given away.
    NoCompression,
}

/// The guard that this response needs.
pub fn guard(request: &RequestFacts, response: &ResponseFacts<'_>, offer: &Offer) -> Breach {
    if request.credentials && !response.stored { offer.breach } else { Breach::Off }
}
