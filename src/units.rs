//! Numbers with units, as operators write them: byte sizes, durations, percentages.
//!
//! A bare number is never accepted: `min_size = 1024` could be bytes or kibibytes, `timeout = 30` seconds or
//! milliseconds, and the wrong guess shows itself at night. What is printed parses back to the same value.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A number of bytes: `64MiB` (powers of 1024), `10MB` (powers of 1000).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// A length of time: `10s`, `250ms`, `1h30m`, `2.5ms`, `0s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

/// A share of something: `40%` is `Percent(40.0)`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Percent(pub f64);

/// Why a text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnitError {
    /// Nothing was written.
    Empty { example: &'static str },
    /// A number alone; `fixed` is what was probably meant.
    NoUnit { fixed: String },
    /// A unit that does not exist, or not for this quantity.
    UnknownUnit { unit: String, known: &'static str },
    /// No number where one was due.
    NoNumber { example: &'static str },
    /// Not a whole number of bytes or nanoseconds.
    TooFine { smallest: &'static str },
    /// `30m1h`: units go from the large to the small, each once.
    Order,
    /// More than can be counted.
    TooLarge,
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { example } => write!(f, "empty; write for example \"{example}\""),
            Self::NoUnit { fixed } => write!(f, "a number without a unit; write \"{fixed}\""),
            Self::UnknownUnit { unit, known } => write!(f, "unknown unit `{unit}`; use {known}"),
            Self::NoNumber { example } => write!(f, "no number; write for example \"{example}\""),
            Self::TooFine { smallest } => write!(f, "finer than one {smallest}; round it"),
            Self::Order => f.write_str("units out of order; write the larger one first, each once (\"1h30m\")"),
            Self::TooLarge => f.write_str("too large to be counted; write a smaller one"),
        }
    }
}

impl std::error::Error for UnitError {}

/// Printing takes the first that divides evenly, so binary units come before decimal ones.
const SIZES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];
const SIZE_UNITS: &str = "B, KiB, MiB, GiB, TiB (powers of 1024) or kB, MB, GB, TB (powers of 1000)";

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        let (number, rest) = decimal(text, "64MiB")?;
        let unit = rest.trim();
        if unit.is_empty() {
            return Err(UnitError::NoUnit { fixed: binary_guess(text) });
        }
        let scale = SIZES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))
            .map(|(_, scale)| *scale)
            .ok_or_else(|| UnitError::UnknownUnit { unit: unit.to_owned(), known: SIZE_UNITS })?;
        number.times(scale, "byte").map(Self)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0B");
        }
        let even = SIZES.iter().find(|(_, scale)| self.0.is_multiple_of(*scale));
        let (unit, scale) = even.unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / scale)
    }
}

/// `1024` was meant as `1KiB`, `1000` as itself.
fn binary_guess(number: &str) -> String {
    match number.parse() {
        Ok(bytes) => ByteSize(bytes).to_string(),
        Err(_) => format!("{number}B"),
    }
}

const SPANS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];
const SPAN_UNITS: &str = "ns, us, ms, s, m, h or d";

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        let mut rest = text;
        let mut total: u64 = 0;
        let mut previous = u64::MAX;
        loop {
            let (number, after) = decimal(rest, "10s")?;
            let after = after.trim_start();
            let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
            let (unit, after) = after.split_at(end);
            if unit.is_empty() {
                return Err(UnitError::NoUnit { fixed: format!("{text}s") });
            }
            let scale = SPANS
                .iter()
                .find(|(name, _)| *name == unit)
                .map(|(_, scale)| *scale)
                .ok_or_else(|| UnitError::UnknownUnit { unit: unit.to_owned(), known: SPAN_UNITS })?;
            if scale >= previous {
                return Err(UnitError::Order);
            }
            previous = scale;
            total = number
                .times(scale, "nanosecond")
                .and_then(|part| total.checked_add(part).ok_or(UnitError::TooLarge))?;
            rest = after;
            if rest.is_empty() {
                return Ok(Self(Duration::from_nanos(total)));
            }
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0.as_nanos();
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, scale) in SPANS.map(|(unit, scale)| (unit, u128::from(scale))) {
            // Minutes and up stand side by side ("1h30m"); from seconds down one decimal number ("2.5ms") reads better.
            if left >= scale {
                let whole = left / scale;
                left %= scale;
                match unit {
                    "d" | "h" | "m" => write!(f, "{whole}{unit}")?,
                    _ => {
                        return write!(f, "{whole}{}{unit}", Fraction { part: left, of: scale });
                    }
                }
            }
        }
        Ok(())
    }
}

/// The digits after the point of `part / of`, `of` a power of ten; nothing when there are none.
struct Fraction {
    part: u128,
    of: u128,
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.part == 0 {
            return Ok(());
        }
        let digits = format!("{:0width$}", self.part, width = self.of.ilog10() as usize);
        write!(f, ".{}", digits.trim_end_matches('0'))
    }
}

impl Percent {
    /// This share of `whole`, rounded down.
    pub fn of(self, whole: u64) -> u64 {
        (whole as f64 * self.0 / 100.0) as u64
    }
}

impl FromStr for Percent {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        let (_, unit) = decimal(text, "40%")?;
        let number = &text[..text.len() - unit.len()];
        match unit.trim() {
            "%" => number.parse().map(Self).map_err(|_| UnitError::TooLarge),
            "" => Err(UnitError::NoUnit { fixed: format!("{text}%") }),
            other => Err(UnitError::UnknownUnit { unit: other.to_owned(), known: "%" }),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// A non-negative decimal number, exact: `digits / 10^places`.
struct Decimal {
    digits: u64,
    places: u32,
}

impl Decimal {
    fn times(&self, scale: u64, smallest: &'static str) -> Result<u64, UnitError> {
        let product = u128::from(self.digits) * u128::from(scale);
        let divisor = 10u128.checked_pow(self.places).ok_or(UnitError::TooFine { smallest })?;
        if !product.is_multiple_of(divisor) {
            return Err(UnitError::TooFine { smallest });
        }
        u64::try_from(product / divisor).map_err(|_| UnitError::TooLarge)
    }
}

/// Splits the number off the front of `text`.
fn decimal<'a>(text: &'a str, example: &'static str) -> Result<(Decimal, &'a str), UnitError> {
    if text.is_empty() {
        return Err(UnitError::Empty { example });
    }
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(UnitError::NoNumber { example });
    }
    let fraction = fraction.trim_end_matches('0');
    let digits = format!("{whole}{fraction}").parse().map_err(|_| UnitError::TooLarge)?;
    let places = u32::try_from(fraction.len()).map_err(|_| UnitError::TooLarge)?;
    Ok((Decimal { digits, places }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes() {
        let table = [
            ("0B", 0),
            ("1KiB", 1024),
            ("64MiB", 64 << 20),
            ("1.5GiB", 3 << 29),
            ("10MB", 10_000_000),
            ("2 kb", 2000),
            ("16mib", 16 << 20),
            ("1TiB", 1 << 40),
        ];
        for (text, bytes) in table {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn size_errors_say_what_to_write() {
        let table = [
            ("1024", "a number without a unit; write \"1KiB\""),
            ("1000", "a number without a unit; write \"1kB\""),
            ("64Mi", "unknown unit `Mi`; use B, KiB"),
            ("64M", "unknown unit `M`; use B, KiB"),
            ("", "empty; write for example \"64MiB\""),
            ("MiB", "no number; write for example \"64MiB\""),
            ("-1KiB", "no number"),
            ("1..5KiB", "no number"),
            ("0.3B", "finer than one byte"),
            ("99999999999TiB", "too large"),
            ("99999999999999999999999B", "too large"),
        ];
        for (text, want) in table {
            let error = text.parse::<ByteSize>().expect_err(text).to_string();
            assert!(error.starts_with(want), "{text}: {error}");
        }
    }

    #[test]
    fn spans() {
        let table = [
            ("0s", 0),
            ("10s", 10_000_000_000),
            ("250ms", 250_000_000),
            ("2.5ms", 2_500_000),
            ("1h30m", 5_400_000_000_000),
            ("7d", 604_800_000_000_000),
            ("1m0.5s", 60_500_000_000),
            ("3us", 3_000),
            ("10 s", 10_000_000_000),
        ];
        for (text, nanos) in table {
            assert_eq!(text.parse(), Ok(Span(Duration::from_nanos(nanos))), "{text}");
        }
    }

    #[test]
    fn span_errors_say_what_to_write() {
        let table = [
            ("30", "a number without a unit; write \"30s\""),
            ("1h30", "a number without a unit"),
            ("30m1h", "units out of order"),
            ("1s1s", "units out of order"),
            ("10sec", "unknown unit `sec`; use ns"),
            ("ten", "no number"),
            ("0.1ns", "finer than one nanosecond"),
            ("999999d", "too large"),
        ];
        for (text, want) in table {
            let error = text.parse::<Span>().expect_err(text).to_string();
            assert!(error.starts_with(want), "{text}: {error}");
        }
    }

    #[test]
    fn printed_as_an_operator_would_write_it() {
        for text in ["64MiB", "1KiB", "10MB", "0B", "1TiB", "1023B"] {
            assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), text);
        }
        for text in ["0s", "10s", "250ms", "2.5ms", "1h30m", "1m15s", "1d", "1.5s", "1m500ms"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        for text in ["40%", "12.5%", "0%"] {
            assert_eq!(text.parse::<Percent>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn percents() {
        assert_eq!("40%".parse::<Percent>().unwrap().of(256 << 20), 107_374_182);
        assert_eq!("40".parse::<Percent>(), Err(UnitError::NoUnit { fixed: "40%".into() }));
        assert!("40 percent".parse::<Percent>().is_err());
    }

    proptest! {
        #[test]
        fn any_size_round_trips(bytes: u64) {
            prop_assert_eq!(ByteSize(bytes).to_string().parse(), Ok(ByteSize(bytes)));
        }

        #[test]
        fn any_span_round_trips(nanos: u64) {
            let span = Span(Duration::from_nanos(nanos));
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }

        #[test]
        fn any_percent_round_trips(tenths in 0u32..10_000) {
            let percent = Percent(f64::from(tenths) / 10.0);
            prop_assert_eq!(percent.to_string().parse(), Ok(percent));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = text.parse::<ByteSize>();
            let _ = text.parse::<Span>();
            let _ = text.parse::<Percent>();
        }
    }
}
