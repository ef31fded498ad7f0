//! Structured fields (RFC 9651): a strict parser for dictionaries.
//!
//! Strict is the point. Section 4.2: "If parsing fails, either the entire field value MUST be
//! ignored [...] or, alternatively, the complete HTTP message MUST be treated as malformed". So
//! everything is checked, to the letter and in the order of section 4.2's algorithms, and only what
//! a cache directive can be is kept: the contents of inner lists, byte sequences, dates and
//! parameters are verified and dropped.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use super::token::is_tchar;

/// The members by key. A key that comes twice has its last value (section 4.2.2).
pub type Dictionary<'a> = BTreeMap<&'a str, Member<'a>>;

/// A member of a dictionary.
#[derive(Clone, Debug, PartialEq)]
pub enum Member<'a> {
    Item(Item<'a>),
    InnerList,
}

impl Member<'_> {
    /// What a key without a value says (section 4.2.2).
    pub const TRUE: Self = Self::Item(Item::Boolean(true));
}

/// A bare item (section 3.3).
#[derive(Clone, Debug, PartialEq)]
pub enum Item<'a> {
    Integer(i64),
    Decimal(f64),
    String(Cow<'a, str>),
    Token(&'a str),
    ByteSequence,
    Boolean(bool),
    Date(i64),
    DisplayString,
}

/// Not a structured field, and from which byte on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    pub at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a structured field from byte {} on", self.at)
    }
}

impl std::error::Error for Malformed {}

/// Section 4.2.2, with the steps of 4.2 around it. Several lines have to be joined with ", " first.
pub fn dictionary(input: &[u8]) -> Result<Dictionary<'_>, Malformed> {
    let mut parser = Parser { input, at: 0 };
    parser.dictionary().map_err(|Broken| Malformed { at: parser.at })
}

/// Parsing has failed; the parser's position says where.
struct Broken;

struct Parser<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    fn dictionary(&mut self) -> Result<Dictionary<'a>, Broken> {
        let mut members = Dictionary::new();
        self.skip(|byte| byte == b' ');
        while self.peek().is_some() {
            let key = self.key()?;
            let member = if self.eat(b'=') { self.member()? } else { Member::TRUE };
            self.parameters()?;
            members.insert(key, member);
            self.skip(is_ows);
            if self.peek().is_none() {
                break;
            }
            self.expect(b',')?;
            self.skip(is_ows);
            // "If input_string is empty, there is a trailing comma; fail parsing."
            self.peek().ok_or(Broken)?;
        }
        Ok(members)
    }

    fn member(&mut self) -> Result<Member<'a>, Broken> {
        if self.eat(b'(') {
            self.inner_list()?;
            return Ok(Member::InnerList);
        }
        self.item().map(Member::Item)
    }

    /// 4.2.1.2, after the parenthesis; its parameters are read by the caller.
    fn inner_list(&mut self) -> Result<(), Broken> {
        loop {
            self.skip(|byte| byte == b' ');
            if self.eat(b')') {
                return Ok(());
            }
            self.item()?;
            self.parameters()?;
            if !matches!(self.peek(), Some(b' ' | b')')) {
                return Err(Broken);
            }
        }
    }

    /// 4.2.3.2
    fn parameters(&mut self) -> Result<(), Broken> {
        while self.eat(b';') {
            self.skip(|byte| byte == b' ');
            self.key()?;
            if self.eat(b'=') {
                self.item()?;
            }
        }
        Ok(())
    }

    /// 4.2.3.3: lower case only.
    fn key(&mut self) -> Result<&'a str, Broken> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'*') {
            return Err(Broken);
        }
        self.take(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.' | b'*')
        })
    }

    /// 4.2.3.1
    fn item(&mut self) -> Result<Item<'a>, Broken> {
        match self.peek().ok_or(Broken)? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string().map(Item::String),
            b'*' | b'a'..=b'z' | b'A'..=b'Z' => self.token().map(Item::Token),
            b':' => self.byte_sequence(),
            b'?' => self.boolean(),
            b'@' => self.date(),
            b'%' => self.display_string(),
            _ => Err(Broken),
        }
    }

    /// 4.2.4: at most 15 digits, or 12 before the point and 1 to 3 after it.
    fn number(&mut self) -> Result<Item<'a>, Broken> {
        let start = self.at;
        self.eat(b'-');
        let whole = self.take(|byte| byte.is_ascii_digit())?.len();
        let decimal = self.eat(b'.');
        let fraction = if decimal { self.take(|byte| byte.is_ascii_digit())?.len() } else { 0 };
        let text = self.text_from(start)?;
        match (decimal, whole, fraction) {
            (false, 1..=15, _) => text.parse().map(Item::Integer).map_err(|_| Broken),
            (true, 1..=12, 1..=3) => text.parse().map(Item::Decimal).map_err(|_| Broken),
            _ => Err(Broken),
        }
    }

    /// 4.2.5
    fn string(&mut self) -> Result<Cow<'a, str>, Broken> {
        self.expect(b'"')?;
        let start = self.at;
        let mut unescaped: Option<String> = None;
        loop {
            let mut byte = self.peek().ok_or(Broken)?;
            if byte == b'"' {
                break;
            }
            if byte == b'\\' {
                let so_far = self.text_from(start)?;
                unescaped.get_or_insert_with(|| so_far.to_owned());
                self.at += 1;
                byte = self.peek().filter(|escaped| matches!(escaped, b'"' | b'\\')).ok_or(Broken)?;
            }
            if !matches!(byte, b' '..=b'~') {
                return Err(Broken);
            }
            if let Some(text) = &mut unescaped {
                text.push(char::from(byte));
            }
            self.at += 1;
        }
        let verbatim = self.text_from(start)?;
        self.at += 1;
        Ok(unescaped.map_or(Cow::Borrowed(verbatim), Cow::Owned))
    }

    /// 4.2.6
    fn token(&mut self) -> Result<&'a str, Broken> {
        self.take(|byte| is_tchar(byte) || matches!(byte, b':' | b'/'))
    }

    /// 4.2.7: the alphabet of base64; padding, if any, at the end. Recipients do not insist on
    /// padding.
    fn byte_sequence(&mut self) -> Result<Item<'a>, Broken> {
        self.expect(b':')?;
        let digits = self.take(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))?.len();
        let padding = self.take(|byte| byte == b'=')?.len();
        self.expect(b':')?;
        let whole = match padding {
            0 => digits % 4 != 1,
            1 | 2 => (digits + padding) % 4 == 0,
            _ => false,
        };
        if whole { Ok(Item::ByteSequence) } else { Err(Broken) }
    }

    /// 4.2.8
    fn boolean(&mut self) -> Result<Item<'a>, Broken> {
        self.expect(b'?')?;
        let value = self.eat(b'1');
        if !value {
            self.expect(b'0')?;
        }
        Ok(Item::Boolean(value))
    }

    /// 4.2.9: an integer, not a decimal.
    fn date(&mut self) -> Result<Item<'a>, Broken> {
        self.expect(b'@')?;
        match self.number()? {
            Item::Integer(seconds) => Ok(Item::Date(seconds)),
            _ => Err(Broken),
        }
    }

    /// 4.2.10: percent-encoded in lower-case hex, and UTF-8 once decoded.
    fn display_string(&mut self) -> Result<Item<'a>, Broken> {
        self.expect(b'%')?;
        self.expect(b'"')?;
        let mut decoded = Vec::new();
        loop {
            let byte = self.peek().ok_or(Broken)?;
            self.at += 1;
            match byte {
                b'"' => break,
                b'%' => decoded.push((self.hex_digit()? << 4) | self.hex_digit()?),
                b' '..=b'~' => decoded.push(byte),
                _ => return Err(Broken),
            }
        }
        std::str::from_utf8(&decoded).map(|_| Item::DisplayString).map_err(|_| Broken)
    }

    fn hex_digit(&mut self) -> Result<u8, Broken> {
        let digit = match self.peek().ok_or(Broken)? {
            digit @ b'0'..=b'9' => digit - b'0',
            digit @ b'a'..=b'f' => digit - b'a' + 10,
            _ => return Err(Broken),
        };
        self.at += 1;
        Ok(digit)
    }

    fn peek(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }

    fn eat(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: u8) -> Result<(), Broken> {
        if self.eat(wanted) { Ok(()) } else { Err(Broken) }
    }

    fn skip(&mut self, belongs: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&belongs) {
            self.at += 1;
        }
    }

    /// The longest run of bytes that belong; all callers take ASCII only.
    fn take(&mut self, belongs: impl Fn(u8) -> bool) -> Result<&'a str, Broken> {
        let start = self.at;
        self.skip(belongs);
        self.text_from(start)
    }

    fn text_from(&self, start: usize) -> Result<&'a str, Broken> {
        std::str::from_utf8(&self.input[start..self.at]).map_err(|_| Broken)
    }
}

/// Optional whitespace (RFC 9110, section 5.6.3).
const fn is_ows(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests;
