//! Quality values (RFC 9110, section 12.4.2), in thousandths.

/// How much a client wants something. `0` is a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QValue(u16);

impl QValue {
    /// "not acceptable"
    pub const ZERO: Self = Self(0);
    /// "the least preferred"
    pub const LEAST: Self = Self(1);
    /// What the absence of a weight means.
    pub const ONE: Self = Self(1000);

    /// `( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )`, to the letter.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (whole, fraction) = match bytes {
            [whole] => (whole, &[][..]),
            [whole, b'.', fraction @ ..] => (whole, fraction),
            _ => return None,
        };
        if fraction.len() > 3 || !fraction.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let digit = |place: usize| fraction.get(place).map_or(0, |byte| u16::from(byte - b'0'));
        let thousandths = digit(0) * 100 + digit(1) * 10 + digit(2);
        match (whole, thousandths) {
            (b'0', _) => Some(Self(thousandths)),
            (b'1', 0) => Some(Self::ONE),
            _ => None,
        }
    }

    /// Whether this refuses.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// 0 to 1000.
    pub const fn thousandths(self) -> u16 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_grammar_and_nothing_else() {
        let table: [(&str, Option<u16>); 22] = [
            ("0", Some(0)),
            ("0.", Some(0)),
            ("0.0", Some(0)),
            ("0.000", Some(0)),
            ("0.001", Some(1)),
            ("0.5", Some(500)),
            ("0.85", Some(850)),
            ("0.999", Some(999)),
            ("1", Some(1000)),
            ("1.", Some(1000)),
            ("1.000", Some(1000)),
            ("1.001", None),
            ("1.5", None),
            ("0.0000", None),
            ("0.1234", None),
            ("2", None),
            ("-1", None),
            (".5", None),
            ("0,5", None),
            ("0.5 ", None),
            ("abc", None),
            ("", None),
        ];
        for (input, thousandths) in table {
            assert_eq!(QValue::parse(input.as_bytes()).map(QValue::thousandths), thousandths, "{input}");
        }
    }

    proptest! {
        #[test]
        fn every_thousandth_is_read(thousandths in 0u16..1000) {
            let text = format!("0.{thousandths:03}");
            prop_assert_eq!(QValue::parse(text.as_bytes()), Some(QValue(thousandths)));
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            prop_assert!(QValue::parse(&bytes).is_none_or(|quality| quality <= QValue::ONE));
        }
    }
}
