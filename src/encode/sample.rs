//! Generated payloads for tests and benches: the same bytes everywhere, shaped like what apps send.

/// xorshift64*: enough for text, and the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % sides
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.roll(words.len())]
    }
}

const SYLLABLES: [&str; 24] = [
    "al", "ber", "con", "da", "en", "fo", "gra", "hal", "in", "ja", "kel", "lo", "mar", "ne", "or", "pre", "qui", "ra",
    "sto", "ter", "un", "ver", "wa", "zi",
];
const PLACES: [&str; 8] = [
    "Harbour Street",
    "Mill Lane",
    "North Gate",
    "Old Market",
    "River Walk",
    "Station Road",
    "The Green",
    "Tower Hill",
];
const STATES: [&str; 4] = ["active", "pending", "archived", "under review"];

/// A listing as an API would send it, cut at `size`: much structure, fields that recur at a distance.
pub fn json(size: usize) -> Vec<u8> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let names: Vec<String> = (0..4000).map(|_| word(&mut dice)).collect();
    let mut text = String::from("[\n");
    while text.len() < size {
        let id = dice.roll(900_000) + 100_000;
        let (first, last) = (dice.roll(4000), dice.roll(4000));
        text.push_str(&format!(
            "  {{\"id\": {id}, \"name\": {{\"first\": \"{}\", \"last\": \"{}\"}}, \"state\": \"{}\",\n   \
             \"url\": \"https://registry.example/people/{id}/{}\", \"street\": \"{} {}\",\n   \
             \"since\": \"{}-{:02}-{:02}\", \"terms\": [{}, {}, {}]}},\n",
            names[first],
            names[last],
            dice.pick(&STATES),
            names[last],
            dice.roll(200) + 1,
            dice.pick(&PLACES),
            dice.roll(40) + 1980,
            dice.roll(12) + 1,
            dice.roll(28) + 1,
            dice.roll(10),
            dice.roll(100),
            dice.roll(1000),
        ));
    }
    text.truncate(size);
    text.into_bytes()
}

/// Prose in paragraphs of HTML, cut at `size`.
pub fn html(size: usize) -> Vec<u8> {
    let mut dice = Dice(0xd1b5_4a32_d192_ed03);
    let words: Vec<String> = (0..3000).map(|_| word(&mut dice)).collect();
    let mut text = String::from("<!doctype html>\n<title>Sample</title>\n");
    while text.len() < size {
        text.push_str("<p class=\"body\">");
        for _ in 0..dice.roll(60) + 20 {
            // The product of two throws: few words are common, most are rare.
            let rank = dice.roll(3000) * dice.roll(3000) / 3000;
            text.push_str(&words[rank]);
            text.push_str(if dice.roll(9) == 0 { ", " } else { " " });
        }
        text.push_str("</p>\n");
    }
    text.truncate(size);
    text.into_bytes()
}

/// Bytes that no coding makes smaller.
pub fn noise(size: usize) -> Vec<u8> {
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    (0..size).map(|_| dice.roll(256) as u8).collect()
}

fn word(dice: &mut Dice) -> String {
    (0..dice.roll(3) + 2).map(|_| dice.pick(&SYLLABLES)).collect()
}
