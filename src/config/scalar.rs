//! One TOML value that is no list and no table, against its kind.

use std::ops::RangeInclusive;

use toml::de::DeValue;

use super::kind::{Form, Kind};
use super::problem::Why;
use super::suggest;
use super::tree::Value;
use crate::units::{ByteSize, Percent, Span, UnitError};

/// A text, variables already substituted, as the kind wants it.
pub(super) fn from_text(text: &str, written: Option<String>, kind: &Kind) -> Result<Value, Why> {
    match *kind {
        Kind::Size { min, max } => {
            let size = unit(text)?;
            within(size, ByteSize(min)..=ByteSize(max)).map(Value::Size)
        }
        Kind::Time { min, max } => {
            let span = unit(text)?;
            within(span, Span(min)..=Span(max)).map(Value::Time)
        }
        Kind::Budget if text.contains('%') => within(unit(text)?, Percent(1.0)..=Percent(90.0)).map(Value::Percent),
        Kind::Budget => within(unit(text)?, ByteSize(1 << 20)..=ByteSize(1 << 40)).map(Value::Size),
        Kind::Text(form) => match form.check(text) {
            Ok(()) => Ok(Value::Text { text: text.into(), written }),
            Err(refusal) => {
                let got = if form == Form::Secret { "..." } else { text }.into();
                Err(Why::Malformed { expected: form.expected(), got, refusal })
            }
        },
        Kind::Word(words) if words.contains(&text) => Ok(Value::Text { text: text.into(), written }),
        Kind::Word(words) => Err(Why::NotAWord {
            got: text.into(),
            expected: kind.expected(),
            near: suggest::nearest(text, words.iter().copied()),
        }),
        Kind::WordOr(word, _) if word == text => Ok(Value::Text { text: text.into(), written }),
        Kind::WordOr(word, inner) => match inner {
            Kind::Integer { .. } | Kind::Table(_) => {
                let near = suggest::nearest(text, [word].into_iter());
                Err(Why::NotAWord { got: text.into(), expected: kind.expected(), near })
            }
            _ => from_text(text, written, inner),
        },
        Kind::Bool | Kind::Integer { .. } | Kind::Ratio => {
            Err(wrong_type(kind, format!("\"{text}\""), literal(text, kind)))
        }
        Kind::List(inner) => Err(wrong_type(kind, format!("\"{text}\""), listed(text, inner))),
        _ => Err(wrong_type(kind, format!("\"{text}\""), None)),
    }
}

/// A number or a boolean, as the kind wants it.
pub(super) fn from_literal(raw: &DeValue<'_>, kind: &Kind) -> Result<Value, Why> {
    match (raw, *kind) {
        (DeValue::Boolean(on), Kind::Bool) => Ok(Value::Bool(*on)),
        (DeValue::Integer(_), Kind::Integer { min, max }) => {
            let got = || raw_text(raw);
            let out = || Why::OutOfRange { got: got(), min: min.to_string(), max: max.to_string() };
            integer(raw).filter(|number| (min..=max).contains(number)).map(Value::Integer).ok_or_else(out)
        }
        (DeValue::Integer(_) | DeValue::Float(_), Kind::Ratio) => {
            let out = || Why::OutOfRange { got: raw_text(raw), min: "0".into(), max: "1".into() };
            let number: Option<f64> = raw_text(raw).parse().ok();
            number.filter(|number| (0.0..=1.0).contains(number)).map(Value::Float).ok_or_else(out)
        }
        (DeValue::Integer(_) | DeValue::Float(_), Kind::Size { .. } | Kind::Time { .. } | Kind::Budget) => {
            Err(bare_number(&raw_text(raw), kind))
        }
        (_, Kind::WordOr(_, inner)) if !matches!(inner, Kind::Table(_)) => {
            from_literal(raw, inner).map_err(|why| match why {
                Why::WrongType { got, .. } => wrong_type(kind, got, None),
                other => other,
            })
        }
        (_, Kind::Text(Form::Secret)) => {
            Err(wrong_type(kind, "something else".into(), Some("write it in quotes".into())))
        }
        (DeValue::Integer(_) | DeValue::Float(_), Kind::Text(_)) => {
            Err(wrong_type(kind, described(raw), Some(format!("write \"{}\"", raw_text(raw)))))
        }
        _ => Err(wrong_type(kind, described(raw), None)),
    }
}

/// What a value is, in the words of a problem.
pub(super) fn described(raw: &DeValue<'_>) -> String {
    match raw {
        DeValue::String(text) => format!("\"{text}\""),
        DeValue::Integer(_) | DeValue::Float(_) => format!("the number {}", raw_text(raw)),
        DeValue::Boolean(on) => on.to_string(),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

pub(super) fn wrong_type(kind: &Kind, got: String, fix: Option<String>) -> Why {
    Why::WrongType { expected: kind.expected(), got, fix }
}

fn raw_text(raw: &DeValue<'_>) -> String {
    match raw {
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        other => described(other),
    }
}

fn integer(raw: &DeValue<'_>) -> Option<u64> {
    let number = raw.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// `min_size = 1024`: what was it, bytes or kibibytes?
fn bare_number(number: &str, kind: &Kind) -> Why {
    let parsed = match kind {
        Kind::Time { .. } => number.parse::<Span>().err(),
        Kind::Budget => number.parse::<Percent>().err(),
        _ => number.parse::<ByteSize>().err(),
    };
    match parsed {
        Some(error) => Why::Unit { got: number.into(), error },
        None => wrong_type(kind, format!("the number {number}"), None),
    }
}

fn unit<T: std::str::FromStr<Err = UnitError>>(text: &str) -> Result<T, Why> {
    text.parse().map_err(|error| Why::Unit { got: text.into(), error })
}

fn within<T: PartialOrd + std::fmt::Display>(got: T, range: RangeInclusive<T>) -> Result<T, Why> {
    if range.contains(&got) {
        return Ok(got);
    }
    Err(Why::OutOfRange { got: got.to_string(), min: range.start().to_string(), max: range.end().to_string() })
}

/// `max_retries = "1"`: the quotes are too much.
fn literal(text: &str, kind: &Kind) -> Option<String> {
    let meant = match kind {
        Kind::Bool => match text.to_lowercase().as_str() {
            "true" | "yes" | "on" => "true",
            "false" | "no" | "off" => "false",
            _ => return None,
        },
        _ => text.parse::<f64>().ok().map(|_| text)?,
    };
    Some(format!("write {meant}, without quotes"))
}

/// `algorithms = "br"`: the brackets are missing.
fn listed(text: &str, inner: &Kind) -> Option<String> {
    from_text(text, None, inner).ok().map(|_| format!("write [\"{text}\"]"))
}
