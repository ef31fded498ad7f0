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

pub(super) const KEYS: &[Key] = &[
    Key::new("enabled", Kind::Bool, "true", "Compress what the app sends uncompressed."),
    Key::new(
        "algorithms",
        Kind::List(&Kind::Word(&["br", "zstd", "gzip"])),
        r#"["br", "zstd", "gzip"]"#,
        "What is offered; the order settles it when a client weighs them the same.",
    ),
    Key::new(
        "min_size",
        SIZE_BELOW_1GIB,
        r#""1KiB""#,
        "Smaller bodies are left alone: the fields cost more than is saved.",
    ),
    Key::new(
        "types",
        Kind::List(&Kind::Text(Form::MediaRange)),
        r#"["text/*", "application/json", "application/javascript", "application/xml", "application/wasm", "image/svg+xml", "+json", "+xml"]"#,
        "Media types that are worth it: \"text/html\", \"text/*\", or a suffix like \"+json\".",
    ),
    Key::new(
        "live",
        Kind::WordOr("auto", &LIVE_TABLE),
        r#""auto""#,
        "Effort while the client waits: \"auto\" by length, or fixed levels like { br = 4, zstd = 3, gzip = 5 }.",
    ),
];
