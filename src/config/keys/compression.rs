//! `[compression]`, and the same keys in a route.

use super::Key;
use crate::config::kind::{Form, Kind, SIZE_BELOW_1GIB};

/// Effort while the client waits, per coding.
pub(super) const LIVE: &[Key] = &[
    Key::new("br", Kind::Integer { min: 0, max: 11 }, "4", "Brotli quality."),
    Key::new("zstd", Kind::Integer { min: 1, max: 19 }, "3", "Zstandard level."),
    Key::new("gzip", Kind::Integer { min: 1, max: 9 }, "5", "Gzip level."),
];

const LIVE_TABLE: Kind = Kind::Table(LIVE);

/// Effort while nobody waits.
const IMPROVE: &[Key] = &[
    Key::new("enabled", Kind::Bool, "true", "Compress again what keeps being hit."),
    Key::new(
        "after_hits",
        Kind::Integer { min: 1, max: 1_000_000 },
        "3",
        "Hits by clients who like one coding best that make it worth the CPU.",
    ),
    Key::new("br", Kind::Integer { min: 0, max: 11 }, "11", "Brotli quality; above 1 MiB at most 10, above 4 MiB 9."),
    Key::new("zstd", Kind::Integer { min: 1, max: 19 }, "19", "Zstandard level."),
];

const ENABLED: Key = Key::new("enabled", Kind::Bool, "true", "Compress what the app sends uncompressed.");
const ALGORITHMS: Key = Key::new(
    "algorithms",
    Kind::List(&Kind::Word(&["br", "zstd", "gzip"])),
    r#"["br", "zstd", "gzip"]"#,
    "What is offered; the order settles it when a client weighs them the same.",
);
const MIN_SIZE: Key = Key::new(
    "min_size",
    SIZE_BELOW_1GIB,
    r#""1KiB""#,
    "Smaller bodies are left alone: the fields cost more than is saved.",
);
const TYPES: Key = Key::new(
    "types",
    Kind::List(&Kind::Text(Form::MediaRange)),
    r#"["text/*", "application/json", "application/javascript", "application/xml", "application/wasm", "image/svg+xml", "+json", "+xml"]"#,
    "Media types that are worth it: \"text/html\", \"text/*\", or a suffix like \"+json\".",
);
const LIVE_KEY: Key = Key::new(
    "live",
    Kind::WordOr("auto", &LIVE_TABLE),
    r#""auto""#,
    "Effort while the client waits: \"auto\" by length, or fixed levels like { br = 4, zstd = 3, gzip = 5 }.",
);

const TRANSCODE: Key = Key::new(
    "transcode",
    Kind::Bool,
    "true",
    "Undo the app's own compression where a client refuses it or the answer is stored; off, it passes as it is.",
);
const BREACH: Key = Key::new(
    "breach",
    Kind::Word(&["off", "pad", "no-compression"]),
    r#""off""#,
    "Answers to requests with Cookie or Authorization that are not stored: random padding, or no compression, hides how well a guess at a secret compresses.",
);

pub(super) const KEYS: &[Key] = &[
    ENABLED,
    ALGORITHMS,
    MIN_SIZE,
    TYPES,
    LIVE_KEY,
    TRANSCODE,
    BREACH,
    Key {
        name: "improve",
        kind: Kind::Switch(IMPROVE),
        default: None,
        example: None,
        doc: "Recompression, in idle CPU, of what is kept and keeps being hit; false for none.",
        required: false,
        restart: false,
    },
];

pub(super) const ROUTE: &[Key] = &[ENABLED, ALGORITHMS, MIN_SIZE, TYPES, LIVE_KEY, TRANSCODE, BREACH];
