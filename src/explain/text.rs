//! The explanation as a person reads it: the answer first, then where it comes from.

use std::fmt::{self, Display};

use super::report::{
    Answer, Body, Entry, Explanation, Field, Key, Lifetime, Next, OtherVariant, Reason, RepresentationKept, VariantKept,
};
use crate::units::Span;

/// Where the second column begins.
const COLUMN: usize = 11;

impl Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.request.method, self.request.url)?;
        for field in &self.request.fields {
            line(f, "", field)?;
        }
        line(f, "route", format_args!("{}: {}", self.route.name, self.route.because))?;
        if !self.normalised.is_empty() {
            line(f, "asked", format_args!("the app with {}", Fields(&self.normalised)))?;
        }
        line(f, "key", &self.key)?;
        line(f, "next", &self.next)?;
        if let Some(entry) = &self.stored {
            stored(f, entry)?;
        }
        if let Some(reason) = &self.last_refusal {
            line(f, "last", format_args!("the last answer was not stored: {reason}"))?;
        }
        if !self.needs.is_empty() {
            line(f, "needs", format_args!("to be stored: {}", self.needs.join("; ")))?;
        }
        if let Some(answer) = &self.answer {
            judged(f, answer)?;
        }
        for warning in &self.warnings {
            line(f, "warning", warning)?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, what: impl Display) -> fmt::Result {
    writeln!(f, "  {name:<width$}{what}", width = COLUMN - 2)
}

fn stored(f: &mut fmt::Formatter<'_>, entry: &Entry) -> fmt::Result {
    let Entry { variants, max_variants, bytes, .. } = entry;
    line(f, "stored", format_args!("{variants} of at most {max_variants} variants, {} in all", Bytes(*bytes)))?;
    if let Some(variant) = &entry.variant {
        kept(f, variant)?;
    }
    for other in &entry.others {
        line(f, "other", other)?;
    }
    Ok(())
}

fn kept(f: &mut fmt::Formatter<'_>, variant: &VariantKept) -> fmt::Result {
    line(f, "variant", format_args!("{}, {}, etag {}", variant.status, Hits(variant.hits), variant.etag))?;
    line(f, "", &variant.lifetime)?;
    if !variant.selected_by.is_empty() {
        line(f, "", format_args!("selected by {}", Fields(&variant.selected_by)))?;
    }
    if !variant.tags.is_empty() {
        line(f, "", format_args!("tags {}", variant.tags.join(", ")))?;
    }
    let whole = variant.identity_bytes.filter(|_| variant.codable);
    for one in &variant.representations {
        line(f, "", Kept { one, whole })?;
    }
    Ok(())
}

fn judged(f: &mut fmt::Formatter<'_>, answer: &Answer) -> fmt::Result {
    match &answer.not_stored {
        Some(reason) => line(f, "answer", format_args!("{}, not stored: {reason}", answer.status))?,
        None => line(f, "answer", format_args!("{}, stored", answer.status))?,
    }
    if let Some(lifetime) = &answer.lifetime {
        line(f, "", lifetime)?;
    }
    if !answer.selected_by.is_empty() {
        line(f, "", format_args!("selected by {}", Fields(&answer.selected_by)))?;
    }
    if !answer.tags.is_empty() {
        line(f, "", format_args!("tags {}", answer.tags.join(", ")))?;
    }
    line(f, "", format_args!("sent {}", answer.body))?;
    line(f, "then", &answer.then)
}

impl Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}://{}{}", self.hash, self.scheme, self.host, self.path)?;
        if let Some(query) = &self.query {
            write!(f, "?{query}")?;
        }
        if let Some(sent) = &self.sent_query {
            write!(f, " (sent: ?{sent})")?;
        }
        if !self.generation.is_empty() {
            write!(f, ", generation {}", self.generation)?;
        }
        if !self.fields.is_empty() {
            write!(f, ", {}", Fields(&self.fields))?;
        }
        if !self.cookies.is_empty() {
            write!(f, ", cookies {}", self.cookies.join(", "))?;
        }
        Ok(())
    }
}

impl Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.outcome.word())?;
        if let Some(status) = self.status {
            write!(f, " ({status})")?;
        }
        write!(f, ": {}", self.because)?;
        match &self.body {
            Some(body) => write!(f, "; {body}"),
            None => Ok(()),
        }
    }
}

impl Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.coding)?;
        match (self.made.as_str(), self.level) {
            ("recoded", Some(level)) => write!(f, ", in place of the app's own coding, level {level}")?,
            ("recoded", None) => f.write_str(", with the app's own coding undone")?,
            ("app", _) => f.write_str(", as the app sends it")?,
            ("stored", _) => f.write_str(", as it is stored")?,
            ("derived", _) => f.write_str(", made from what is stored, once")?,
            (_, Some(level)) => write!(f, ", encoded while it streams, level {level}")?,
            (made, None) => write!(f, ", {made}")?,
        }
        match &self.skipped {
            Some(reason) => write!(f, "; not compressed: {reason}"),
            None => Ok(()),
        }
    }
}

impl Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |seconds: u64| Span(std::time::Duration::from_secs(seconds));
        let left = self.fresh_for.unsigned_abs();
        match self.fresh_for {
            0.. => write!(f, "age {}, fresh for {} more", seconds(self.age), seconds(left))?,
            _ => write!(f, "age {}, stale for {}", seconds(self.age), seconds(left))?,
        }
        write!(f, "; lifetime {} from {} ({})", seconds(self.seconds), self.from, self.source)?;
        for (window, name) in
            [(self.stale_while_revalidate, "stale-while-revalidate"), (self.stale_if_error, "stale-if-error")]
        {
            if window > 0 {
                write!(f, ", {name} {}", seconds(window))?;
            }
        }
        if self.no_cache {
            f.write_str(", no-cache")?;
        }
        if self.must_revalidate {
            f.write_str(", must-revalidate")?;
        }
        Ok(())
    }
}

impl Display for OtherVariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { selected_by, hits, fresh_for, codings, .. } = self;
        let state = if *fresh_for >= 0 { "fresh" } else { "stale" };
        match selected_by.is_empty() {
            true => f.write_str("of another part of the key")?,
            false => write!(f, "{}", Fields(selected_by))?,
        }
        write!(f, ": {state}, {}, {}", Hits(*hits), codings.join(" "))
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} - {}", self.reason, self.meaning)
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}: {value}", self.name),
            None => write!(f, "{}: (absent)", self.name),
        }
    }
}

struct Fields<'a>(&'a [Field]);

impl Display for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&fields.join(", "))
    }
}

struct Hits(u64);

impl Display for Hits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 hit"),
            count => write!(f, "{count} hits"),
        }
    }
}

struct Kept<'a> {
    one: &'a RepresentationKept,
    whole: Option<u64>,
}

impl Display for Kept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { one, whole } = self;
        write!(f, "{:<8} {:>10}", one.coding, Bytes(one.bytes).to_string())?;
        if let Some(whole) = whole.filter(|whole| *whole > 0 && one.coding != "identity") {
            write!(f, " ({:.0} %)", one.bytes as f64 * 100.0 / whole as f64)?;
        }
        if let Some(level) = one.level {
            write!(f, ", level {level}")?;
        }
        if one.improved {
            f.write_str(", improved")?;
        }
        write!(f, ", {}", Hits(one.hits))
    }
}

/// Bytes to the last one, in groups of three: sizes are compared here.
struct Bytes(u64);

impl Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        f.write_str(" B")
    }
}

#[cfg(test)]
mod tests;
