//! The shop's language, and a choice of words that is the same on every run.

/// A sequence of choices that looks arbitrary and never changes (the `SplitMix64` sequence).
#[derive(Debug)]
pub(super) struct Choice(u64);

impl Choice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number under `end`, or 0 if there is none.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }

    pub(super) fn pick(&mut self, words: &[&'static str]) -> &'static str {
        let at = self.below(words.len() as u64);
        usize::try_from(at).ok().and_then(|at| words.get(at)).copied().unwrap_or_default()
    }

    pub(super) fn sentence(&mut self) -> String {
        let subject = format!("{} {} {}", self.pick(ARTICLES), self.pick(QUALITIES), self.pick(PARTS));
        let verb = self.pick(VERBS);
        let object = self.pick(OBJECTS);
        match self.below(3) {
            0 => format!("{subject} {verb} {object}."),
            1 => format!("{subject} {verb} {object} {}.", self.pick(CIRCUMSTANCES)),
            _ => format!("{} {} {verb} {object}.", capital(self.pick(CIRCUMSTANCES)), lower(&subject)),
        }
    }

    pub(super) fn paragraph(&mut self, sentences: usize) -> String {
        let sentences: Vec<_> = (0..sentences).map(|_| self.sentence()).collect();
        sentences.join(" ")
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn lower(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

pub(super) const CATEGORIES: &[&str] = &[
    "Tents",
    "Sleeping bags",
    "Backpacks",
    "Stoves",
    "Boots",
    "Jackets",
    "Ropes",
    "Lamps",
    "Kayaks",
    "Bicycles",
    "Climbing",
    "Navigation",
];

pub(super) const NAMES: &[&str] = &[
    "Alder", "Bruma", "Corrie", "Dovre", "Esker", "Fjell", "Glen", "Hafren", "Isar", "Juniper", "Kestrel", "Larch",
    "Moraine", "Nunatak", "Osprey", "Plateau", "Quarry", "Rowan", "Scree", "Tarn", "Umbra", "Vale", "Wisp", "Yarrow",
];

pub(super) const KINDS: &[&str] = &[
    "one-person tent",
    "down sleeping bag",
    "touring backpack",
    "gas stove",
    "hiking boot",
    "rain jacket",
    "dynamic rope",
    "head lamp",
    "folding kayak",
    "gravel bicycle",
    "chalk bag",
    "mirror compass",
    "dry bag",
    "trekking pole",
    "water filter",
    "insulated flask",
];

pub(super) const COLOURS: &[&str] =
    &["moss", "slate", "ochre", "navy", "rust", "sand", "black", "glacier", "plum", "lichen", "signal red"];

pub(super) const FIRST_NAMES: &[&str] = &[
    "Ada", "Bo", "Carla", "Deniz", "Emil", "Farah", "Goran", "Hana", "Ines", "Jonas", "Kaya", "Liv", "Mateo", "Nora",
    "Oskar", "Pia", "Quentin", "Rosa", "Sami", "Tilda", "Ugo", "Vera", "Wim", "Yara", "Zoe",
];

const ARTICLES: &[&str] = &["The", "Our", "Each", "Every", "This", "A"];

const QUALITIES: &[&str] = &[
    "reinforced",
    "lightweight",
    "waxed",
    "double-stitched",
    "removable",
    "adjustable",
    "breathable",
    "anodised",
    "seam-sealed",
    "recycled",
    "quick-drying",
    "hand-finished",
    "three-layer",
    "wind-proof",
    "padded",
    "replaceable",
    "water-repellent",
    "compact",
    "articulated",
    "ventilated",
];

const PARTS: &[&str] = &[
    "shoulder strap",
    "outer shell",
    "inner lining",
    "zip",
    "buckle",
    "seam",
    "frame",
    "sole",
    "hood",
    "guy line",
    "burner",
    "lid pocket",
    "hip belt",
    "cuff",
    "valve",
    "lens",
    "hem",
    "footbed",
    "fly sheet",
    "carrying case",
];

const VERBS: &[&str] = &[
    "keeps out",
    "carries",
    "stands up to",
    "takes up",
    "spreads",
    "saves",
    "protects",
    "holds",
    "sheds",
    "survives",
    "balances",
    "reduces",
    "absorbs",
    "secures",
    "withstands",
];

const OBJECTS: &[&str] = &[
    "heavy rain and sleet",
    "loads of up to 24 kg",
    "the weight of a week's food",
    "years of hard use",
    "cold draughts at the neck",
    "sharp rock and bramble",
    "condensation from the inside",
    "a full litre of water",
    "sudden gusts on open ridges",
    "mud, salt and sand",
    "your camera and two spare lenses",
    "the last of the daylight",
    "noise on the approach",
    "wear where it matters",
    "a season of daily commuting",
    "the strain of a steep descent",
    "more than it weighs",
    "frost down to minus nine degrees",
];

const CIRCUMSTANCES: &[&str] = &[
    "above the tree line",
    "on long winter tours",
    "after a night in the bivouac",
    "without adding bulk",
    "even when your hands are cold",
    "from the first day",
    "in our own field tests",
    "with a single pull",
    "for guides and beginners alike",
    "on the way to work",
    "when the path ends",
    "according to our repair workshop",
    "at a fraction of the price",
    "in less than two minutes",
];
