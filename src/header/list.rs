//! Comma-separated lists over any number of lines (RFC 9110, sections 5.3 and 5.6.1).
//!
//! Lists of entity tags are not read here: a backslash is an ordinary character in them (see
//! [`super::condition`]).

use http::{HeaderMap, HeaderName};

use super::token::trim;

/// The members of the list that all lines of `name` make together, in order; empty members are
/// skipped.
pub fn members<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    headers.get_all(name).into_iter().flat_map(|line| split(line.as_bytes()))
}

/// The members of one line. A comma inside a quoted string does not separate.
pub const fn split(line: &[u8]) -> Members<'_> {
    Members { rest: line, quotes: true }
}

/// Iterator over the members of one line, without allocation.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    rest: &'a [u8],
    /// Whether a quote still opens a quoted string on this line.
    quotes: bool,
}

impl<'a> Iterator for Members<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let end = self.end_of_member();
            let member = trim(&self.rest[..end]);
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            // RFC 9110, 5.6.1.2: "A recipient MUST parse and ignore a reasonable number of empty
            // list elements".
            if !member.is_empty() {
                return Some(member);
            }
        }
        None
    }
}

impl Members<'_> {
    fn end_of_member(&mut self) -> usize {
        if self.quotes {
            if let Some(end) = quoted_end(self.rest) {
                return end;
            }
            // A quote that nothing closes quotes nothing: `x="a, no-store` still says no-store.
            // Once a line has one, the rest of it is split at every comma, which also keeps hostile
            // input linear.
            self.quotes = false;
        }
        self.rest.iter().position(|byte| *byte == b',').unwrap_or(self.rest.len())
    }
}

/// Where the first member ends; `None` if a quoted string is left open.
fn quoted_end(line: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in line.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return Some(at),
            _ => {}
        }
    }
    (!quoted).then_some(line.len())
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use http::header::CACHE_CONTROL;
    use proptest::prelude::*;

    fn read(lines: &[&str]) -> Vec<String> {
        members(&testing::field("cache-control", lines), &CACHE_CONTROL)
            .map(|member| String::from_utf8_lossy(member).into_owned())
            .collect()
    }

    #[test]
    fn members_of_all_lines() {
        // RFC 9110, 5.6.1.2: "foo,bar", "foo ,bar,", "foo , ,bar,charlie" are valid; "", ",", ",
        // ," have no element.
        let table: [(&[&str], &[&str]); 12] = [
            (&["foo,bar"], &["foo", "bar"]),
            (&["foo ,bar,"], &["foo", "bar"]),
            (&["foo , ,bar,charlie"], &["foo", "bar", "charlie"]),
            (&[""], &[]),
            (&[","], &[]),
            (&[",   ,"], &[]),
            (&[], &[]),
            (&["a, b", "", "c"], &["a", "b", "c"]),
            (&[r#"x="a, b", c"#], &[r#"x="a, b""#, "c"]),
            (&[r#"x="a\", b", c"#], &[r#"x="a\", b""#, "c"]),
            (&[r#"x="a, no-store"#, "c"], &[r#"x="a"#, "no-store", "c"]),
            (&["\ta\t,\tb\t"], &["a", "b"]),
        ];
        for (lines, wanted) in table {
            assert_eq!(read(lines), wanted, "{lines:?}");
        }
    }

    #[test]
    fn an_open_quote_costs_one_pass() {
        // Escaped quotes after an open one: each comma would otherwise start a scan to the end of
        // the line.
        let line = br#"\","#.repeat(200_000);
        let line = [b"\"".as_slice(), &line].concat();
        assert_eq!(split(&line).count(), 200_000);
    }

    proptest! {
        #[test]
        fn members_are_trimmed_never_empty_and_in_the_line(line in testing::line()) {
            let mut total = 0;
            for member in split(&line) {
                prop_assert!(!member.is_empty());
                prop_assert_eq!(trim(member), member);
                total += member.len();
            }
            prop_assert!(total <= line.len());
        }
    }
}
