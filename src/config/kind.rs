//! What a key may hold: the shapes of values, and the forms of texts.

use std::time::Duration;

use super::keys::Key;
use crate::units::{ByteSize, Span};

/// The shape of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Bool,
    Integer {
        min: u64,
        max: u64,
    },
    /// A number from 0 to 1.
    Ratio,
    Size {
        min: u64,
        max: u64,
    },
    Time {
        min: Duration,
        max: Duration,
    },
    /// A share of the memory limit, or a size.
    Budget,
    Text(Form),
    /// One of these words.
    Word(&'static [&'static str]),
    /// This word, or something else.
    WordOr(&'static str, &'static Kind),
    List(&'static Kind),
    /// A list, or one element written without its brackets.
    OneOrMany(&'static Kind),
    /// Names that the operator chooses. Replaced as a whole by a later layer, unlike a table.
    Map {
        name: Form,
        value: &'static Kind,
    },
    /// Names that we choose. Merged key by key with a later layer.
    Table(&'static [Key]),
    /// A table, or `false` for `enabled = false`.
    Switch(&'static [Key]),
    /// A list of tables.
    Tables(&'static [Key]),
}

/// A timeout cannot be switched off: everything ends at some time.
pub(super) const TIMEOUT: Kind = Kind::Time { min: Duration::from_millis(1), max: Duration::from_hours(24) };
/// RFC 9111, section 1.2.2: 2^31 seconds stand for "forever"; ten years do as well, and cannot overflow a clock.
pub(super) const LIFETIME: Kind = Kind::Time { min: Duration::ZERO, max: Duration::from_hours(24 * 3650) };
/// A wait that somebody sits through; zero is none.
pub(super) const SHORT_WAIT: Kind = Kind::Time { min: Duration::ZERO, max: Duration::from_hours(1) };
pub(super) const SIZE_BELOW_1GIB: Kind = Kind::Size { min: 0, max: 1 << 30 };

/// What a text stands for. `form.rs` knows which texts are well-formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Any,
    CookieName,
    FieldName,
    FieldValue,
    File,
    Host,
    HostGlob,
    Label,
    Language,
    Mapping,
    MediaRange,
    Method,
    NameGlob,
    NormalisedField,
    Network,
    PathGlob,
    RemovableField,
    SettableField,
    RouteName,
    ServerName,
    /// Never printed.
    Secret,
    Socket,
    Status,
    Tag,
    Upstream,
}

impl Kind {
    /// What was expected, in the words of a problem: "expected ...".
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Bool => "true or false".into(),
            Self::Integer { .. } => "a whole number".into(),
            Self::Ratio => "a number from 0 to 1".into(),
            Self::Size { .. } => "a size such as \"64MiB\"".into(),
            Self::Time { .. } => "a duration such as \"10s\"".into(),
            Self::Budget => "a share such as \"40%\" or a size such as \"256MiB\"".into(),
            Self::Text(form) => form.expected().into(),
            Self::Word(words) => one_of(words),
            Self::WordOr(word, kind) => format!("\"{word}\" or {}", kind.expected()),
            Self::List(kind) => format!("a list, each {}", kind.expected()),
            Self::OneOrMany(kind) => format!("{}, or a list of such", kind.expected()),
            Self::Map { .. } | Self::Table(_) => "a table".into(),
            Self::Switch(_) => "false or a table".into(),
            Self::Tables(_) => "a list of tables ([[...]])".into(),
        }
    }

    /// The kind as the documentation names it, with its limits.
    pub(super) fn described(&self) -> String {
        match self {
            Self::Bool => "true or false".into(),
            Self::Integer { min, max } if min == max => format!("{min}"),
            Self::Integer { min, max } => format!("number, {min} to {max}"),
            Self::Ratio => "number, 0 to 1".into(),
            Self::Size { min, max } => format!("size, {} to {}", ByteSize(*min), ByteSize(*max)),
            Self::Time { min, max } => format!("duration, {} to {}", Span(*min), Span(*max)),
            Self::Budget => "percentage or size".into(),
            Self::Text(form) => form.expected().trim_start_matches("an ").trim_start_matches("a ").into(),
            Self::Word(words) => one_of(words).replacen("one of ", "", 1),
            Self::WordOr(word, kind) => format!("\"{word}\" or {}", kind.described()),
            Self::List(kind) => format!("list of {}", kind.described()),
            Self::OneOrMany(kind) => format!("{}, or a list", kind.described()),
            Self::Map { name, value } => {
                format!("table: {} = {}", name.expected().trim_start_matches("a "), value.described())
            }
            Self::Table(_) => "table".into(),
            Self::Switch(_) => "false or table".into(),
            Self::Tables(_) => "list of tables".into(),
        }
    }

    /// The table within, if this kind can be one.
    pub(super) fn keys(&self) -> Option<&'static [Key]> {
        match self {
            Self::Table(keys) | Self::Switch(keys) | Self::Tables(keys) => Some(keys),
            Self::WordOr(_, kind) => kind.keys(),
            _ => None,
        }
    }
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    format!("one of {}", quoted.join(", "))
}
