//! The key table as Markdown: the tables of `conf/README.md`.

use std::fmt::Write;

use crate::config::keys::{Key, ROOT};
use crate::config::kind::Kind;

pub fn table() -> String {
    let mut out = String::new();
    for key in ROOT.iter().filter(|key| key.kind.keys().is_some()) {
        let header = match key.kind {
            Kind::Tables(_) => format!("[[{}]]", key.name),
            _ => format!("[{}]", key.name),
        };
        let _ = write!(out, "### `{header}`\n\n{}\n\n| key | value | default | |\n|---|---|---|---|\n", key.doc);
        rows(key.kind.keys().unwrap_or_default(), "", &mut out);
        out.push('\n');
    }
    out
}

fn rows(keys: &[Key], prefix: &str, out: &mut String) {
    for key in keys {
        let name = format!("{prefix}{}", key.name);
        let cell = |text: &str| text.replace('|', "\\|");
        if let Kind::Table(keys) | Kind::Switch(keys) = key.kind {
            if matches!(key.kind, Kind::Switch(_)) {
                let _ = writeln!(out, "| `{name}` | {} | | {} |", key.kind.described(), cell(key.doc));
            }
            rows(keys, &format!("{name}."), out);
            continue;
        }
        let default = key.default.map(|default| format!("`{}`", cell(default))).unwrap_or_default();
        let _ = writeln!(out, "| `{name}` | {} | {default} | {} |", cell(&key.kind.described()), cell(key.doc));
    }
}
