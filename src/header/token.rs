//! Tokens, quoted strings and optional whitespace (RFC 9110, section 5.6), as bytes.

use std::borrow::Cow;

/// `tchar` (RFC 9110, section 5.6.2).
#[rustfmt::skip]
pub const fn is_tchar(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`'
        | b'|' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z')
}

/// Whether `bytes` is one `token`.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_tchar)
}

/// `bytes` without the optional whitespace around it: SP and HTAB, nothing else (RFC 9110, section
/// 5.6.3).
pub fn trim(bytes: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    match (bytes.iter().position(is_text), bytes.iter().rposition(is_text)) {
        (Some(first), Some(last)) => &bytes[first..=last],
        _ => &[],
    }
}

/// What a `token` or a `quoted-string` says; `None` if `bytes` is neither.
///
/// Borrows unless a quoted pair has to be undone (RFC 9110, section 5.6.4).
pub fn unquote(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(rest) = bytes.strip_prefix(b"\"") else {
        return is_token(bytes).then_some(Cow::Borrowed(bytes));
    };
    let mut unescaped: Option<Vec<u8>> = None;
    let mut at = 0;
    loop {
        match *rest.get(at)? {
            b'"' if at + 1 == rest.len() => break,
            b'"' => return None,
            b'\\' => {
                let said = unescaped.get_or_insert_with(|| rest[..at].to_vec());
                said.push(*rest.get(at + 1)?);
                at += 2;
            }
            byte => {
                if let Some(said) = &mut unescaped {
                    said.push(byte);
                }
                at += 1;
            }
        }
    }
    Some(unescaped.map_or(Cow::Borrowed(&rest[..at]), Cow::Owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quoted_strings_and_tokens() {
        let table: [(&str, Option<&str>); 12] = [
            ("abc", Some("abc")),
            ("*", Some("*")),
            ("", None),
            ("a b", None),
            (r#""""#, Some("")),
            (r#""a b""#, Some("a b")),
            (r#""a\"b\\""#, Some(r#"a"b\"#)),
            (r#""\a""#, Some("a")),
            (r#"""#, None),
            (r#""a"#, None),
            (r#""a\""#, None),
            (r#""a"b""#, None),
        ];
        for (input, said) in table {
            let got = unquote(input.as_bytes());
            assert_eq!(got.as_deref(), said.map(str::as_bytes), "{input}");
        }
    }

    #[test]
    fn only_space_and_tab_are_optional_whitespace() {
        assert_eq!(trim(b" \t a b\t "), b"a b");
        assert_eq!(trim(b" \t "), b"");
        assert_eq!(trim(b"\na"), b"\na");
    }

    proptest! {
        #[test]
        fn unquote_undoes_quoting(said in proptest::collection::vec(0x20u8..0x7f, 0..40)) {
            let mut quoted = vec![b'"'];
            for &byte in &said {
                if matches!(byte, b'"' | b'\\') {
                    quoted.push(b'\\');
                }
                quoted.push(byte);
            }
            quoted.push(b'"');
            let unquoted = unquote(&quoted);
            prop_assert_eq!(unquoted.as_deref(), Some(&said[..]));
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            unquote(&bytes);
            prop_assert!(trim(&bytes).len() <= bytes.len());
        }
    }
}
