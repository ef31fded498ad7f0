//! What the cache wants to know of the identity bytes: they pass the encoder, and what is stored is coded.

use std::sync::Arc;

use crate::cache::BodyFacts;

/// The identity bytes of one body as they pass: counted, and taken the digest of where a validator will be made of it.
pub(super) struct Identity {
    facts: Option<Arc<BodyFacts>>,
    digest: Option<Box<blake3::Hasher>>,
    length: u64,
}

impl Identity {
    /// Nobody asks where there are no `facts`.
    pub(super) fn new(facts: Option<Arc<BodyFacts>>) -> Self {
        Self { facts, digest: None, length: 0 }
    }

    pub(super) fn see(&mut self, bytes: &[u8]) {
        self.begin();
        self.length += bytes.len() as u64;
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
    }

    /// With the first byte and no sooner: the platform asks the cache about a head after its encoder was made.
    fn begin(&mut self) {
        if self.length == 0 && self.facts.as_ref().is_some_and(|facts| facts.wants_digest()) {
            self.digest = Some(Box::default());
        }
    }

    /// The body has ended. Said once.
    pub(super) fn tell(&mut self) {
        self.begin();
        let Some(facts) = &self.facts else {
            return;
        };
        let _ = facts.identity_length.set(self.length);
        if let Some(digest) = &self.digest {
            let _ = facts.digest.set(*digest.finalize().as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pieces: &[&str], wanted: bool) -> Arc<BodyFacts> {
        let facts = Arc::new(BodyFacts::default());
        let mut identity = Identity::new(Some(facts.clone()));
        // The store is asked in between.
        if wanted {
            facts.want_digest();
        }
        pieces.iter().for_each(|piece| identity.see(piece.as_bytes()));
        identity.tell();
        facts
    }

    #[test]
    fn the_digest_is_of_all_pieces_and_taken_only_where_it_is_wanted() {
        for pieces in [&["one ", "", "body"][..], &["", "one body"], &[""], &[]] {
            let whole = pieces.concat();
            let facts = told(pieces, true);
            assert_eq!(facts.digest.get(), Some(blake3::hash(whole.as_bytes()).as_bytes()), "{pieces:?}");
            assert_eq!(facts.identity_length.get(), Some(&(whole.len() as u64)), "{pieces:?}");
            let facts = told(pieces, false);
            assert_eq!((facts.digest.get(), facts.identity_length.get()), (None, Some(&(whole.len() as u64))));
        }
    }
}
