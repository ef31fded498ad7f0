//! Bodies: text that compresses as pages do, noise that does not; the same bytes every time.

/// Text of exactly `length` bytes, like a page of prose in markup.
pub fn page(length: usize) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "harbour",
        "<p class=\"line\">",
        "lantern",
        "</p>\n",
        "of",
        "the",
        "evening",
        "train",
        "<li>",
        "paper",
        "</li>",
        "and",
        "without",
        "river",
        "eleven",
        "window",
    ];
    let mut random = Random::new(length as u64);
    let mut text = String::with_capacity(length + 32);
    text += "<!doctype html>\n";
    while text.len() < length {
        text += WORDS[random.below(WORDS.len())];
        text += " ";
        if random.below(12) == 0 {
            text += &random.below(100_000).to_string();
        }
    }
    text.truncate(length);
    text.into_bytes()
}

/// A JSON array of exactly `length` bytes (at least a few hundred).
pub fn json(length: usize) -> Vec<u8> {
    let mut random = Random::new(length as u64);
    let mut text = String::from("[");
    let mut number = 0;
    while text.len() + 160 < length {
        let (price, stock) = (random.below(100_000), random.below(500));
        text += &format!("{{\"id\":{number},\"name\":\"article {price}\",\"price\":{price},\"stock\":{stock}}},");
        number += 1;
    }
    let filler = length - text.len() - 3;
    text += &format!("\"{}\"]", "x".repeat(filler));
    text.into_bytes()
}

/// Bytes that no coding makes smaller.
pub fn noise(length: usize) -> Vec<u8> {
    let mut random = Random::new(length as u64);
    (0..length).map(|_| u8::try_from(random.below(256)).expect("below 256")).collect()
}

/// xorshift64*: the same sequence on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).expect("31 bits") % limit
    }
}
