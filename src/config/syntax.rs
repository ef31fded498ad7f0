//! Errors of TOML itself, put beside the problems with values.
//!
//! The parser goes on after an error. Where it lost one value the rest of the file is still good to check; where it
//! lost the structure, everything it says afterwards is noise.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::problem::{Problem, Why, holds_secret};
use super::source::{Origin, Source};

/// One list in the order of the file, at most one syntax error a line.
pub(super) fn merge(source: &Arc<Source>, errors: &[toml::de::Error], problems: Vec<Problem>) -> Vec<Problem> {
    let mut faults: Vec<Fault> = errors.iter().map(|error| Fault::new(source, error)).collect();
    faults.sort_by_key(|fault| fault.span.start);
    if let Some(lost) = faults.iter().position(|fault| fault.structural) {
        faults.truncate(lost + 1);
    }
    let lost = faults.last().filter(|fault| fault.structural).map(|fault| fault.line);
    let mut by_line = BTreeMap::new();
    for fault in faults {
        by_line.entry(fault.line).or_insert(fault);
    }

    let mut all = Vec::new();
    for problem in problems {
        let line = line(source, &problem.origin);
        let missing = matches!(problem.why, Why::Missing { .. });
        match by_line.get(&line) {
            // `enabled = yes`: what was meant is known, and says more than "a text needs quotes".
            Some(fault) if fault.unquoted => {
                by_line.remove(&line);
                all.push(problem);
            }
            Some(_) => {}
            // What is missing may well stand in the part that was lost.
            None if lost.is_some_and(|lost| line > lost || missing) => {}
            None => all.push(problem),
        }
    }
    all.extend(by_line.into_values().map(|fault| fault.problem(source)));
    all
}

struct Fault {
    span: Range<usize>,
    line: usize,
    message: String,
    fix: Option<String>,
    structural: bool,
    unquoted: bool,
}

/// The parser's messages after which the rest of the file is still understood.
const LOCAL: [&str; 8] = [
    "string values must be quoted",
    "invalid float",
    "invalid integer",
    "invalid boolean",
    "invalid basic string",
    "invalid literal string",
    "unexpected leading zero",
    "duplicate key",
];

impl Fault {
    fn new(source: &Source, error: &toml::de::Error) -> Self {
        let message = error.message();
        let end = source.text.trim_end().len();
        let mut span = error.span().unwrap_or(end..end);
        let unquoted = message.starts_with("string values must be quoted");
        // At a line's end the caret would stand below the next one's beginning.
        if span.is_empty() && span.start > 0 && source.line(span.start).is_empty() {
            span = span.start - 1..span.start;
        }
        let line = source.position(span.start).line;
        let number = message.starts_with("invalid float") || message.starts_with("invalid integer");
        let value = bare_value(source.line(span.start)).filter(|_| unquoted || number);
        let (message, fix) = match (&value, message) {
            (Some(value), _) => {
                let at = source.text[..span.start.min(source.text.len())].rfind('\n').map_or(0, |at| at + 1);
                if let Some(column) = source.line(span.start).find(value) {
                    span = at + column..at + column + value.len();
                }
                let fix = match holds_secret(source.line(span.start)) {
                    true => "write it in quotes".to_owned(),
                    false => format!("write \"{value}\""),
                };
                ("a text needs quotes".to_owned(), Some(fix))
            }
            (None, "duplicate key") => (message.to_owned(), Some("keep one of them".into())),
            (None, _) => (message.to_owned(), None),
        };
        let structural = !LOCAL.iter().any(|local| error.message().starts_with(local));
        Self { span, line, message, fix, structural, unquoted }
    }

    fn problem(self, source: &Arc<Source>) -> Problem {
        let why = Why::Syntax { message: self.message, fix: self.fix };
        Problem { key: String::new(), why, origin: Origin::File { source: source.clone(), span: self.span } }
    }
}

/// The unquoted value of a plain `key = value` line.
fn bare_value(line: &str) -> Option<&str> {
    let (_, value) = line.split_once('=')?;
    let value = value.split('#').next()?.trim();
    let plain = !value.is_empty() && !value.contains(['"', '\'', '[', '{', ',', '}', ']']);
    plain.then_some(value)
}

fn line(source: &Source, origin: &Origin) -> usize {
    match origin {
        Origin::File { span, .. } => source.position(span.start).line,
        _ => 0,
    }
}
