//! Which of its many forms a coded body will be: drawn, as its tag goes out ahead of its bytes.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::header::Revision;

/// Unlike any other of the same content: 32 random bits. The standard library's hash keys are the operating system's
/// randomness, with another one for each state.
pub fn draw_revision() -> Revision {
    let bits = RandomState::new().build_hasher().finish();
    Revision(u32::try_from(bits & u64::from(u32::MAX)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_are_alike() {
        let drawn: HashSet<u32> = (0..1000).map(|_| draw_revision().0).collect();
        assert!(drawn.len() > 998, "{}", drawn.len());
    }
}
