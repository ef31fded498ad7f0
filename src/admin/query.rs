//! The query of a request target as `name=value` pairs, percent-decoded.

use std::fmt;

/// Why a query cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryProblem {
    /// A `%` without two hex digits after it, or bytes that are not UTF-8.
    Encoding(String),
    Unknown(String),
}

impl fmt::Display for QueryProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding(part) => write!(f, "`{part}` is not percent-encoded UTF-8"),
            Self::Unknown(name) => {
                write!(f, "unknown parameter `{name}`; if it belongs to the URL, percent-encode the URL's & as %26")
            }
        }
    }
}

/// All parameters, in order; each must be one of `known`. Anything else is a mistake worth telling: most likely a URL
/// whose own `&` was not encoded, which would otherwise silently mean another URL.
pub fn parameters(query: &str, known: &[&str]) -> Result<Vec<(String, String)>, QueryProblem> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let read = |pair: &str| {
        // Only the first `=` separates: the URL's own query has others.
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decode(key)?;
        match known.contains(&key.as_str()) {
            true => Ok((key, decode(value)?)),
            false => Err(QueryProblem::Unknown(key)),
        }
    };
    pairs.map(read).collect()
}

/// Percent-decoding (RFC 3986, section 2.1). A `+` stays what it is: this is a URI's query, not a form.
fn decode(text: &str) -> Result<String, QueryProblem> {
    let wrong = || QueryProblem::Encoding(text.to_owned());
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let (digits, after) = after.split_at_checked(2).ok_or_else(wrong)?;
            decoded.push(hex(digits[0]).zip(hex(digits[1])).map(|(high, low)| high << 4 | low).ok_or_else(wrong)?);
            rest = after;
        } else {
            decoded.push(*first);
            rest = after;
        }
    }
    String::from_utf8(decoded).map_err(|_| wrong())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(query: &str) -> Result<Vec<String>, QueryProblem> {
        parameters(query, &["url"]).map(|found| found.into_iter().map(|(_, value)| value).collect())
    }

    #[test]
    fn known_parameters_are_read_in_order() {
        let found = |value: &str| Ok(vec![value.to_owned()]);
        assert_eq!(url(""), Ok(vec![]));
        assert_eq!(url("url=http://h/p"), found("http://h/p"));
        assert_eq!(url("url=http%3A%2F%2Fh%2Fp%3Fa%3D1%26b%3D2"), found("http://h/p?a=1&b=2"));
        assert_eq!(url("url=http://h/p?a=1"), found("http://h/p?a=1"));
        assert_eq!(url("url=http://h/a+b"), found("http://h/a+b"));
        assert_eq!(url("&url=x&"), found("x"));
        assert_eq!(url("url"), found(""));
        assert_eq!(url("url=a&url=b"), Ok(vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn anything_else_is_told() {
        // Without this, a purge of http://h/p?a=1 would be reported as done.
        assert_eq!(url("url=http://h/p?a=1&b=2"), Err(QueryProblem::Unknown("b".to_owned())));
        for broken in ["url=%", "url=%4", "url=%zz", "url=%+1", "url=%ff"] {
            assert!(matches!(url(broken), Err(QueryProblem::Encoding(_))), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(text in ".*") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(url(&format!("url={encoded}")), Ok(vec![text]));
        }

        #[test]
        fn no_query_panics(query in ".*") {
            let _ = url(&query);
        }
    }
}
