//! Which keys of a new configuration are not in force until the next start.

use super::effective::Effective;
use super::keys::{Key, ROOT};
use super::tree::{Table, Value};

impl Effective {
    /// The keys that only a start reads, and that differ from those of the start: `listen.address`.
    pub fn restart_needed(&self, new: &Self) -> Vec<String> {
        let mut found = Vec::new();
        differences(&self.0, &new.0, ROOT, "", false, &mut found);
        found
    }
}

fn differences(old: &Table, new: &Table, keys: &[Key], path: &str, within: bool, found: &mut Vec<String>) {
    for key in keys {
        let restart = within || key.restart;
        let path = format!("{path}{}", key.name);
        let (before, after) = (old.0.get(key.name), new.0.get(key.name));
        match (before.map(|node| &node.value), after.map(|node| &node.value), key.kind.keys()) {
            (Some(Value::Table(before)), Some(Value::Table(after)), Some(keys)) => {
                differences(before, after, keys, &format!("{path}."), restart, found);
            }
            (before, after, _) if restart && before != after => found.push(path),
            _ => {}
        }
    }
}
