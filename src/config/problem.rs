//! What is wrong with a value, where, and what to write instead.

use std::fmt;

use super::conflict::Conflict;
use super::source::{Origin, Source};
use super::substitute::SubstitutionError;
use crate::units::UnitError;

/// One thing to mend. Printed on its own it is complete: place, key, reason, line, caret, remedy.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The path from the root: `route[0].match.path`.
    pub key: String,
    pub why: Why,
    pub origin: Origin,
}

/// Why a value cannot stand.
#[derive(Clone, Debug)]
pub enum Why {
    /// The file is no TOML at this place.
    Syntax {
        message: String,
        fix: Option<String>,
    },
    UnknownKey {
        name: String,
        suggestion: Suggestion,
    },
    /// A key of a later version.
    NotSupported,
    WrongType {
        expected: String,
        got: String,
        fix: Option<String>,
    },
    Unit {
        got: String,
        error: UnitError,
    },
    OutOfRange {
        got: String,
        min: String,
        max: String,
    },
    NotAWord {
        got: String,
        expected: String,
        near: Option<&'static str>,
    },
    Malformed {
        expected: &'static str,
        got: String,
        refusal: Refusal,
    },
    Missing {
        name: &'static str,
        example: String,
    },
    /// Said twice; `first` is where.
    Duplicate {
        got: String,
        first: String,
    },
    Variable(SubstitutionError),
    /// Each value may stand alone, but not beside the others.
    Conflict(Conflict),
}

/// What to do about an unknown key, by how much we can guess.
#[derive(Clone, Debug)]
pub enum Suggestion {
    Near(&'static str),
    /// The key exists, elsewhere.
    BelongsTo(String),
    Known(Vec<&'static str>),
}

/// Why a text does not have its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub why: &'static str,
    pub fix: Option<String>,
}

impl Why {
    fn message(&self) -> String {
        match self {
            Self::Syntax { message, .. } => message.clone(),
            Self::UnknownKey { name, .. } => format!("unknown key `{name}`"),
            Self::NotSupported => "not supported in this version".into(),
            Self::WrongType { expected, got, .. } => format!("expected {expected}, got {got}"),
            Self::Unit { got, error } => match error {
                UnitError::NoUnit { .. } => format!("`{got}` is a number without a unit"),
                _ => format!("`{got}` is no quantity"),
            },
            Self::OutOfRange { got, min, max } => format!("{got} is out of range, {min} to {max}"),
            Self::NotAWord { got, expected, .. } => format!("expected {expected}, got \"{got}\""),
            Self::Malformed { expected, got, refusal } => {
                format!("expected {expected}, got \"{got}\": {}", refusal.why)
            }
            Self::Missing { name, .. } => format!("`{name}` is missing"),
            Self::Duplicate { got, .. } => format!("\"{got}\" is used twice"),
            Self::Variable(error) => error.to_string(),
            Self::Conflict(conflict) => conflict.message(),
        }
    }

    fn fix(&self) -> Option<String> {
        match self {
            Self::Syntax { fix, .. } | Self::WrongType { fix, .. } => fix.clone(),
            Self::UnknownKey { suggestion, .. } => Some(match suggestion {
                Suggestion::Near(name) => format!("did you mean `{name}`?"),
                Suggestion::BelongsTo(home) => format!("it belongs to {home}"),
                Suggestion::Known(names) => format!("known here: {}", names.join(", ")),
            }),
            Self::NotSupported => Some("remove it".into()),
            Self::Unit { error: UnitError::NoUnit { fixed }, .. } => Some(format!("write \"{fixed}\"")),
            Self::Unit { error, .. } => Some(error.to_string()),
            Self::OutOfRange { min, max, .. } => Some(format!("choose from {min} to {max}")),
            Self::NotAWord { near, .. } => near.map(|near| format!("did you mean \"{near}\"?")),
            Self::Malformed { refusal, .. } => refusal.fix.clone(),
            Self::Missing { name, example } => Some(format!("add {name} = {example}")),
            Self::Duplicate { first, .. } => Some(format!("first used at {first}")),
            Self::Variable(error) => Some(error.fix()),
            Self::Conflict(conflict) => Some(conflict.fix()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = match self.key.as_str() {
            "" => self.why.message(),
            key => format!("{key}: {}", self.why.message()),
        };
        let fix = self.why.fix().map(|fix| format!(" {fix}")).unwrap_or_default();
        match &self.origin {
            Origin::Default => write!(f, "{message};{fix}"),
            Origin::Environment { variable: name, text } | Origin::Flag { flag: name, text } => {
                writeln!(f, "{name}: {message}")?;
                excerpt(f, "", text, 1, text.chars().count(), &fix)
            }
            Origin::File { source, span } => {
                let at = source.position(span.start);
                writeln!(f, "{}:{}:{}: {message}", source.name, at.line, at.column)?;
                let line = visible_line(source, span.start);
                excerpt(f, &at.line.to_string(), &line, at.column, source.width(span), &fix)
            }
        }
    }
}

/// A secret written into the file stays out of the report on it.
fn visible_line(source: &Source, offset: usize) -> String {
    let line = source.line(offset);
    match line.split_once('=') {
        Some((before, _)) if holds_secret(line) => format!("{before}= ..."),
        _ => line.into(),
    }
}

/// Whether a line assigns a secret, as far as the line alone can tell: what is said about a broken one has no path.
pub(super) fn holds_secret(line: &str) -> bool {
    line.split_once('=').is_some_and(|(key, _)| key.trim_end().ends_with("token"))
}

/// The longest line shown; what is beyond says nothing that the caret does not.
const LINE: usize = 160;

/// The line with its number, and a caret below the part in question.
fn excerpt(
    f: &mut fmt::Formatter<'_>,
    number: &str,
    line: &str,
    column: usize,
    width: usize,
    fix: &str,
) -> fmt::Result {
    let gutter = " ".repeat(number.len());
    // One column a character, whatever it is, or the caret would stand elsewhere.
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let skipped = column.saturating_sub(LINE);
    let shown: String = line.chars().skip(skipped).take(LINE).map(plain).collect();
    let before = column - 1 - skipped;
    let width = width.clamp(1, shown.chars().count().saturating_sub(before).max(1));
    writeln!(f, " {gutter} |")?;
    writeln!(f, " {number} | {}", shown.trim_end())?;
    write!(f, " {gutter} | {}{}{fix}", " ".repeat(before), "^".repeat(width))
}
