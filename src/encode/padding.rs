//! Random bytes that make a coded body longer, so that its length says less about its content.

use std::io;

/// 1 to 64 bytes: of random number, and themselves random, so that no layer below compresses them.
///
/// The number has a standard deviation of 18. Whoever wants to see a difference of one byte through that has to average
/// over more than a thousand answers for each guess, where without it two suffice; the cost is 33 bytes an answer.
#[derive(Clone, Copy)]
pub struct Padding {
    bytes: [u8; MOST],
    length: usize,
}

const MOST: usize = 64;

impl Padding {
    /// From the kernel's generator: a sequence that can be predicted would be subtracted from what is seen.
    pub fn random() -> io::Result<Self> {
        let mut random = [0; MOST + 1];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let [dice, bytes @ ..] = random;
        Ok(Self::new(dice, bytes))
    }

    /// The number is taken from `dice`: 256 is a multiple of 64, so that each is as likely.
    pub fn new(dice: u8, bytes: [u8; MOST]) -> Self {
        Self { bytes, length: usize::from(dice) % MOST + 1 }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_is_as_likely() {
        let mut seen = [0; MOST + 1];
        for dice in 0..=255 {
            seen[Padding::new(dice, [0; MOST]).as_bytes().len()] += 1;
        }
        assert_eq!(seen[0], 0);
        assert!(seen[1..].iter().all(|count| *count == 4));
    }

    #[test]
    fn two_are_not_alike() {
        let (one, other) = (Padding::random().unwrap(), Padding::random().unwrap());
        assert_ne!(one.bytes, other.bytes);
    }
}
