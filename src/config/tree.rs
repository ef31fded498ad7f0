//! Values that have been checked against the key table, each with where it came from; and laying one layer over another.

use std::collections::BTreeMap;

use super::keys::Key;
use super::kind::Kind;
use super::read;
use super::source::Origin;
use crate::units::{ByteSize, Percent, Span};

/// A checked value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Bool(bool),
    Integer(u64),
    Float(f64),
    Text {
        text: String,
        /// As it stands in the file, when variables were substituted.
        written: Option<String>,
    },
    Size(ByteSize),
    Time(Span),
    Percent(Percent),
    List(Vec<Node>),
    Table(Table),
}

/// A value and its origin.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub value: Value,
    pub origin: Origin,
}

/// The same value, wherever it is written.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// Named values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Table(pub BTreeMap<String, Node>);

impl Table {
    /// The value at a path of names, `cache.key.headers`.
    pub(super) fn at(&self, path: &str) -> Option<&Node> {
        match path.split_once('.') {
            None => self.0.get(path),
            Some((name, rest)) => match &self.0.get(name)?.value {
                Value::Table(table) => table.at(rest),
                _ => None,
            },
        }
    }

    /// The tables of a list of tables, with their origins.
    pub(super) fn tables(&self, name: &str) -> Vec<(&Table, &Origin)> {
        let Some(Node { value: Value::List(nodes), .. }) = self.0.get(name) else {
            return Vec::new();
        };
        nodes
            .iter()
            .filter_map(|node| match &node.value {
                Value::Table(table) => Some((table, &node.origin)),
                _ => None,
            })
            .collect()
    }

    pub(super) fn put(&mut self, name: &str, node: Node) {
        self.0.insert(name.to_owned(), node);
    }

    /// Lays `upper` over this: tables of ours merge key by key, lists of them follow each other, anything else is replaced.
    pub(super) fn overlay(&mut self, upper: &Table, keys: &'static [Key]) {
        for (name, node) in &upper.0 {
            let inner = keys.iter().find(|key| key.name == name).and_then(|key| key.kind.keys());
            match (self.0.get_mut(name), &node.value, inner) {
                (Some(Node { value: Value::Table(below), .. }), Value::Table(above), Some(inner)) => {
                    below.overlay(above, inner);
                }
                (Some(Node { value: Value::List(below), .. }), Value::List(above), Some(_)) => {
                    below.extend_from_slice(above);
                }
                _ => self.put(name, node.clone()),
            }
        }
    }

    /// Only what `keys` know: what a route can inherit from the tables above.
    pub(super) fn known(&self, keys: &[Key]) -> Table {
        let known = |name: &String| keys.iter().any(|key| key.name == name);
        Table(self.0.iter().filter(|(name, _)| known(name)).map(|(name, node)| (name.clone(), node.clone())).collect())
    }

    /// Fills what nobody said with its default.
    pub(super) fn complete(&mut self, keys: &'static [Key]) {
        for key in keys {
            if let Kind::Table(_) | Kind::Switch(_) = key.kind {
                let empty = || Node { value: Value::Table(Table::default()), origin: Origin::Default };
                self.0.entry(key.name.to_owned()).or_insert_with(empty);
            }
            if let (None, Some(default)) = (self.0.get(key.name), key.default) {
                self.put(key.name, read::default(key, default));
            }
            if let (Some(Node { value: Value::Table(table), .. }), Some(inner)) =
                (self.0.get_mut(key.name), key.kind.keys())
            {
                table.complete(inner);
            }
        }
    }
}
