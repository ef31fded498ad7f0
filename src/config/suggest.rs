//! "Did you mean": the nearest of the names that would have been right.

use super::keys::{Key, ROOT};
use super::problem::Suggestion;

/// The nearest candidate, if it is near enough that a slip of the hand explains the difference.
pub(super) fn nearest(written: &str, candidates: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let plain = written.to_lowercase().replace('-', "_");
    candidates
        .map(|name| (strsim::damerau_levenshtein(&plain, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4 && *distance < name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// What to say about an unknown key of the table at `path`.
pub(super) fn for_key(written: &str, keys: &'static [Key]) -> Suggestion {
    if let Some(name) = nearest(written, keys.iter().map(|key| key.name)) {
        return Suggestion::Near(name);
    }
    // A key below the wrong [header] is TOML's commonest slip.
    match home(written, ROOT, "").as_slice() {
        [home] => Suggestion::BelongsTo(home.clone()),
        _ => Suggestion::Known(keys.iter().map(|key| key.name).collect()),
    }
}

/// The tables that do have this key.
fn home(written: &str, keys: &'static [Key], path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for key in keys {
        if key.name == written {
            found.push(if path.is_empty() { "the top of the file".into() } else { format!("[{path}]") });
        }
        // A route repeats what the tables above have; the tables are where it is looked for first.
        if let (Some(inner), true) = (key.kind.keys(), key.name != "route") {
            let path = if path.is_empty() { key.name.into() } else { format!("{path}.{}", key.name) };
            found.extend(home(written, inner, &path));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_hand() {
        let names = ["min_size", "max_size", "types", "br", "connect_timeout"];
        let table = [
            ("min_sise", Some("min_size")),
            ("min-size", Some("min_size")),
            ("MIN_SIZE", Some("min_size")),
            ("mni_size", Some("min_size")),
            ("conect_timout", Some("connect_timeout")),
            ("type", Some("types")),
            ("colour", None),
            ("b", Some("br")),
            ("x", None),
        ];
        for (written, want) in table {
            assert_eq!(nearest(written, names.into_iter()), want, "{written}");
        }
    }

    #[test]
    fn a_key_below_the_wrong_header() {
        let known = for_key("max_object", ROOT);
        assert!(matches!(known, Suggestion::BelongsTo(home) if home == "[cache]"));
        assert!(matches!(for_key("zzz", ROOT), Suggestion::Known(names) if names.contains(&"cache")));
    }
}
