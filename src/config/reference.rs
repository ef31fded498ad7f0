//! The key table as a file: `conf/reference.toml`.

use std::fmt::Write;

use super::keys::{Key, ROOT};
use super::kind::Kind;

const HEAD: &str = "\
#:schema ./vacpack.schema.json
# Every key of vacpack.toml with its default. Written from the code's own list of keys; a test compares the two.
#
# A file needs to hold only what differs. Durations and sizes carry their unit (\"250ms\", \"64MiB\"); any text may
# name variables: ${VAR}, ${VAR:-default}, ${VAR:?message}; `$$` is a plain `$`.
# A file that changes is read again, and applied while requests are served; a key marked `at start` waits for a restart.
";

const ROUTE_HEAD: &str = "\
# Tables are merged key by key, lists and maps are replaced; the fields of [headers] are added to. `name` and one key of
# `match` are needed; the other lines show what a route can hold, with its default where there is one.
";

/// `conf/reference.toml`.
pub fn reference() -> String {
    let mut out = String::from(HEAD);
    for key in ROOT {
        out.push('\n');
        match key.kind {
            Kind::Table(keys) => {
                let _ = write!(out, "# {}\n[{}]\n", key.doc, key.name);
                entries(keys, "", "", key.restart, &mut out);
            }
            Kind::Tables(keys) => {
                let _ = write!(out, "# {}\n{ROUTE_HEAD}#\n# [[{}]]\n", key.doc, key.name);
                entries(keys, "", "# ", false, &mut out);
            }
            _ => entry(key, "", "", false, &mut out),
        }
    }
    out
}

/// `within` a table that only a start reads.
fn entries(keys: &[Key], prefix: &str, comment: &str, within: bool, out: &mut String) {
    for key in keys {
        entry(key, prefix, comment, within, out);
    }
}

fn entry(key: &Key, prefix: &str, comment: &str, within: bool, out: &mut String) {
    let name = format!("{prefix}{}", key.name);
    if let Kind::Table(keys) | Kind::Switch(keys) = key.kind {
        sentence(&format!("{}: {}", key.name, key.doc), comment, out);
        return entries(keys, &format!("{name}."), comment, within || key.restart, out);
    }
    let at_start = if within || key.restart { "; at start" } else { "" };
    let _ = writeln!(out, "{comment}# {} ({}{at_start})", key.doc, key.kind.described());
    let _ = match (key.default, key.example) {
        (Some(default), None) => writeln!(out, "{comment}{name} = {default}"),
        (Some(default), Some(example)) => {
            writeln!(out, "{comment}{name} = {default}  # e.g. {example}")
        }
        // In a route everything is an example already.
        (None, Some(example)) if !comment.is_empty() => {
            writeln!(out, "{comment}{name} = {example}")
        }
        (None, example) => writeln!(out, "# {name} = {}", example.unwrap_or_default()),
    };
}

/// A comment, broken where a terminal would break it anyhow.
fn sentence(text: &str, comment: &str, out: &mut String) {
    const WIDTH: usize = 110;
    let mut line = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if line == 0 || line + 1 + length > WIDTH {
            let end = if line == 0 { "" } else { "\n" };
            let _ = write!(out, "{end}{comment}# {word}");
            line = length;
        } else {
            let _ = write!(out, " {word}");
            line += 1 + length;
        }
    }
    out.push('\n');
}
