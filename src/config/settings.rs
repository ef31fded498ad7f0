//! Reads a table that was checked against the key table and completed with its defaults.
//!
//! The expectations in here are about the key table and the code that reads it, never about what an operator wrote:
//! building the configuration of `conf/reference.toml` in a test meets each of them.

use std::str::FromStr;
use std::time::Duration;

use super::tree::{Node, Table, Value};
use crate::units::{ByteSize, Span};

/// A completed table.
#[derive(Clone, Copy)]
pub(super) struct Settings<'a>(pub &'a Table);

impl<'a> Settings<'a> {
    pub(super) fn optional(self, name: &str) -> Option<&'a Node> {
        self.0.0.get(name)
    }

    pub(super) fn node(self, name: &str) -> &'a Node {
        self.optional(name).expect("the key has a default")
    }

    pub(super) fn section(self, name: &str) -> Self {
        let Value::Table(table) = &self.node(name).value else {
            unreachable!("`{name}` holds a table");
        };
        Self(table)
    }

    pub(super) fn flag(self, name: &str) -> bool {
        let Value::Bool(on) = self.node(name).value else {
            unreachable!("`{name}` holds a flag");
        };
        on
    }

    /// A whole number, or `None` where a word stands in its place ("auto").
    pub(super) fn integer_or_word(self, name: &str) -> Option<u64> {
        match self.node(name).value {
            Value::Integer(number) => Some(number),
            _ => None,
        }
    }

    /// A whole number. The key's limits keep it within `T`.
    pub(super) fn integer<T: TryFrom<u64>>(self, name: &str) -> T {
        let number = self.integer_or_word(name).expect("the key holds a whole number");
        T::try_from(number).ok().expect("the key's limits fit its type")
    }

    pub(super) fn ratio(self, name: &str) -> f64 {
        let Value::Float(number) = self.node(name).value else {
            unreachable!("`{name}` holds a ratio");
        };
        number
    }

    /// A size in bytes, or `None` where a word stands in its place ("unlimited").
    pub(super) fn size_or_word(self, name: &str) -> Option<u64> {
        match self.node(name).value {
            Value::Size(ByteSize(bytes)) => Some(bytes),
            _ => None,
        }
    }

    pub(super) fn size(self, name: &str) -> u64 {
        self.size_or_word(name).expect("the key holds a size")
    }

    /// A duration, or `None` where a word stands in its place ("unlimited").
    pub(super) fn time_or_word(self, name: &str) -> Option<Duration> {
        self.node(name).time()
    }

    pub(super) fn time(self, name: &str) -> Duration {
        self.node(name).time().expect("the key holds a duration")
    }

    pub(super) fn text(self, name: &str) -> &'a str {
        self.node(name).text().expect("the key holds a text")
    }

    pub(super) fn parsed<T: FromStr>(self, name: &str) -> T {
        parsed(self.text(name))
    }

    /// The elements of a list; none when an optional list is not there.
    pub(super) fn texts(self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.nodes(name).filter_map(Node::text)
    }

    pub(super) fn list<T: FromStr>(self, name: &str) -> Vec<T> {
        self.texts(name).map(parsed).collect()
    }

    pub(super) fn times(self, name: &str) -> Vec<Duration> {
        self.nodes(name).filter_map(Node::time).collect()
    }

    /// The entries of a table of the operator's names; a list of values gives an entry for each.
    pub(super) fn entries(self, name: &str) -> Vec<(&'a str, &'a Node)> {
        let Some(Node { value: Value::Table(table), .. }) = self.optional(name) else {
            return Vec::new();
        };
        table
            .0
            .iter()
            .flat_map(|(name, node)| match &node.value {
                Value::List(nodes) => nodes.iter().map(|node| (name.as_str(), node)).collect(),
                _ => vec![(name.as_str(), node)],
            })
            .collect()
    }

    fn nodes(self, name: &str) -> impl Iterator<Item = &'a Node> + use<'a> {
        match self.optional(name) {
            Some(Node { value: Value::List(nodes), .. }) => nodes.iter(),
            _ => [].iter(),
        }
    }
}

/// A text whose form was checked, as what it stands for.
pub(super) fn parsed<T: FromStr>(text: &str) -> T {
    text.parse().ok().expect("the form of this key was checked when it was read")
}

impl Node {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    pub(super) fn time(&self) -> Option<Duration> {
        match self.value {
            Value::Time(Span(time)) => Some(time),
            _ => None,
        }
    }
}
