//! `Accept-Encoding` (RFC 9110, section 12.5.3): what a client makes of each coding vacpack speaks.
//!
//! Read on every request, cache hits included: no allocation, eight bytes of answer. Codings that
//! vacpack does not speak are passed over; they can neither be offered nor stand in the way.

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use super::token::trim;
use super::{Coding, QValue, list};

/// The weight a client gives to each coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptEncoding {
    identity: QValue,
    brotli: QValue,
    zstd: QValue,
    gzip: QValue,
}

impl AcceptEncoding {
    /// A client that names no coding: it gets the bytes as they are.
    pub const IDENTITY: Self =
        Self { identity: QValue::LEAST, brotli: QValue::ZERO, zstd: QValue::ZERO, gzip: QValue::ZERO };

    /// Reads all lines.
    ///
    /// No field at all would permit any coding (12.5.3, rule 1), but who does not ask is not known
    /// to decode: identity. An empty field says that "the user agent does not want any content
    /// coding": identity.
    pub fn parse(headers: &HeaderMap) -> Self {
        let mut stated = Stated::default();
        for member in list::members(headers, &ACCEPT_ENCODING) {
            stated.read(member);
        }
        stated.resolve()
    }

    /// The weight of one coding; zero is a refusal.
    ///
    /// Identity that is not mentioned is acceptable and [least](QValue::LEAST) preferred, unless
    /// `*;q=0` shuts it out.
    pub const fn quality(&self, coding: Coding) -> QValue {
        match coding {
            Coding::Identity => self.identity,
            Coding::Brotli => self.brotli,
            Coding::Zstd => self.zstd,
            Coding::Gzip => self.gzip,
        }
    }

    /// Whether the client may be sent this coding.
    pub const fn accepts(&self, coding: Coding) -> bool {
        !self.quality(coding).is_zero()
    }
}

/// What the members say, before the wildcard is applied to the codings that none of them names.
#[derive(Default)]
struct Stated {
    identity: Option<QValue>,
    brotli: Option<QValue>,
    zstd: Option<QValue>,
    gzip: Option<QValue>,
    wildcard: Option<QValue>,
}

impl Stated {
    fn read(&mut self, member: &[u8]) {
        let mut parts = member.split(|byte| *byte == b';').map(trim);
        let name = parts.next().unwrap_or_default();
        let (slot, unreadable) = match Coding::parse(name) {
            Some(Coding::Brotli) => (&mut self.brotli, Some(QValue::ZERO)),
            Some(Coding::Zstd) => (&mut self.zstd, Some(QValue::ZERO)),
            Some(Coding::Gzip) => (&mut self.gzip, Some(QValue::ZERO)),
            Some(Coding::Identity) => (&mut self.identity, None),
            None if name == b"*" => (&mut self.wildcard, None),
            None => return,
        };
        // A weight that cannot be read takes nothing from identity. A coding named with one is left
        // out, even if the wildcard would have let it in: `br;q=0.0000, *` was meant to keep br
        // away.
        let weight = weight(parts).or(unreadable);
        // Named twice with different weights: the lower one, so that a refusal stands wherever it
        // is.
        *slot = match (*slot, weight) {
            (Some(known), Some(new)) => Some(known.min(new)),
            (known, new) => known.or(new),
        };
    }

    fn resolve(self) -> AcceptEncoding {
        // 12.5.3: "*" "matches any available content coding not explicitly listed in the field".
        let unlisted = self.wildcard.unwrap_or(QValue::ZERO);
        // 12.5.3, rule 2: identity "is acceptable by default unless specifically excluded [...]
        // stating either "identity;q=0" or "*;q=0" without a more specific entry for "identity"".
        let identity = match self.wildcard {
            Some(QValue::ZERO) => QValue::ZERO,
            _ => QValue::LEAST,
        };
        AcceptEncoding {
            identity: self.identity.unwrap_or(identity),
            brotli: self.brotli.unwrap_or(unlisted),
            zstd: self.zstd.unwrap_or(unlisted),
            gzip: self.gzip.unwrap_or(unlisted),
        }
    }
}

/// The weight among the parameters of a member: 1 without one, `None` if it cannot be read.
fn weight<'a>(parameters: impl Iterator<Item = &'a [u8]>) -> Option<QValue> {
    for parameter in parameters {
        let mut sides = parameter.splitn(2, |byte| *byte == b'=');
        // 12.4.2: `weight = OWS ";" OWS "q=" qvalue`, and its "q" matches in either case (RFC 5234,
        // 2.3).
        if sides.next().map(trim).is_some_and(|name| name.eq_ignore_ascii_case(b"q")) {
            return QValue::parse(sides.next().unwrap_or_default());
        }
    }
    Some(QValue::ONE)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use proptest::prelude::*;

    /// Thousandths of br, zstd, gzip, identity.
    fn read(lines: &[&str]) -> [u16; 4] {
        let accept = AcceptEncoding::parse(&testing::field("accept-encoding", lines));
        [Coding::Brotli, Coding::Zstd, Coding::Gzip, Coding::Identity]
            .map(|coding| accept.quality(coding).thousandths())
    }

    #[test]
    fn the_examples_of_rfc_9110() {
        // 12.5.3
        assert_eq!(read(&["compress, gzip"]), [0, 0, 1000, 1]);
        assert_eq!(read(&[""]), [0, 0, 0, 1]);
        assert_eq!(read(&["*"]), [1000, 1000, 1000, 1]);
        assert_eq!(read(&["compress;q=0.5, gzip;q=1.0"]), [0, 0, 1000, 1]);
        assert_eq!(read(&["gzip;q=1.0, identity; q=0.5, *;q=0"]), [0, 0, 1000, 500]);
    }

    #[test]
    fn weights_wildcards_and_identity() {
        let table: [(&[&str], [u16; 4]); 17] = [
            (&[], [0, 0, 0, 1]),
            (&[" "], [0, 0, 0, 1]),
            (&[","], [0, 0, 0, 1]),
            (&["gzip, deflate, br, zstd"], [1000, 1000, 1000, 1]),
            (&["br;q=0, *"], [0, 1000, 1000, 1]),
            (&["identity;q=0, br"], [1000, 0, 0, 0]),
            (&["*;q=0"], [0, 0, 0, 0]),
            (&["*;q=0, identity"], [0, 0, 0, 1000]),
            (&["*;q=0.2, br;q=0.001"], [1, 200, 200, 1]),
            (&["br;q=0.5, identity;q=1"], [500, 0, 0, 1000]),
            (&["deflate"], [0, 0, 0, 1]),
            (&["GZIP;Q=0.5"], [0, 0, 500, 1]),
            (&["x-gzip"], [0, 0, 1000, 1]),
            (&["br ; q=0.5 , gzip\t;\tq=0.25"], [500, 0, 250, 1]),
            (&["gzip;q=0.5", "br", "zstd;q=0.1"], [1000, 100, 500, 1]),
            (&["gzip;level=9;q=0.5"], [0, 0, 500, 1]),
            (&["br;q=1, br;q=0"], [0, 0, 0, 1]),
        ];
        for (lines, wanted) in table {
            assert_eq!(read(lines), wanted, "{lines:?}");
        }
    }

    #[test]
    fn weights_that_cannot_be_read() {
        let table: [(&[&str], [u16; 4]); 9] = [
            (&["br;q=abc, gzip"], [0, 0, 1000, 1]),
            (&["br;q=0.0000, *"], [0, 1000, 1000, 1]),
            (&["br;q=\"1\""], [0, 0, 0, 1]),
            (&["br;q = 1"], [0, 0, 0, 1]),
            (&["br;q="], [0, 0, 0, 1]),
            (&["br;q"], [0, 0, 0, 1]),
            (&["*;q=x, gzip"], [0, 0, 1000, 1]),
            (&["identity;q=x, gzip;q=0.5"], [0, 0, 500, 1]),
            (&["gzip br"], [0, 0, 0, 1]),
        ];
        for (lines, wanted) in table {
            assert_eq!(read(lines), wanted, "{lines:?}");
        }
    }

    #[test]
    fn small_enough_to_copy() {
        assert!(size_of::<AcceptEncoding>() <= 8);
    }

    proptest! {
        #[test]
        fn any_lines_are_survived(headers in testing::any_field("accept-encoding")) {
            let accept = AcceptEncoding::parse(&headers);
            for coding in Coding::ALL {
                prop_assert!(accept.quality(coding) <= QValue::ONE);
            }
        }

        #[test]
        fn a_refusal_stands_wherever_it_is(
            mut lines in proptest::collection::vec(
                "(br|gzip|zstd|\\*|identity)(;q=(0\\.[0-9]{1,3}|1))?",
                0..6,
            ),
            at in 0usize..6,
        ) {
            lines.insert(at.min(lines.len()), "br;q=0".into());
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            prop_assert_eq!(read(&[&lines.join(", ")])[0], 0);
            prop_assert_eq!(read(&lines)[0], 0);
        }
    }
}
