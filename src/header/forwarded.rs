//! `Forwarded` (RFC 7239): one element for each proxy that a request went through, in that order.
//!
//! Each element is what one proxy says of who asked it. An element that cannot be read ends what is known: whoever wrote
//! those before it may have written anything.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};

use super::{list, token};

pub const FORWARDED: HeaderName = HeaderName::from_static("forwarded");

/// What one proxy says. Its other words (`by`, extensions) decide nothing here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Who asked it; None where it does not say, or hides it (section 6).
    pub client: Option<IpAddr>,
    pub proto: Option<String>,
    pub host: Option<String>,
}

/// The elements of all lines, from the last one that can be read on.
pub fn elements(headers: &HeaderMap) -> Vec<Element> {
    let mut read = Vec::new();
    for member in list::members(headers, &FORWARDED) {
        match element(member) {
            Some(element) => read.push(element),
            None => read.clear(),
        }
    }
    read
}

/// Section 4: pairs with semicolons between them.
fn element(member: &[u8]) -> Option<Element> {
    let mut element = Element::default();
    for pair in pairs(member) {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let value = String::from_utf8(token_or_node(&pair[equals + 1..])?).ok()?;
        match pair[..equals].to_ascii_lowercase().as_slice() {
            b"for" => element.client = node(&value),
            b"proto" => element.proto = Some(value.to_ascii_lowercase()),
            b"host" => element.host = Some(value),
            name if token::is_token(name) => {}
            _ => return None,
        }
    }
    Some(element)
}

fn pairs(member: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    let mut escaped = false;
    let ends = move |byte: &u8| {
        let ends = *byte == b';' && !quoted;
        quoted ^= *byte == b'"' && !escaped;
        escaped = quoted && *byte == b'\\' && !escaped;
        ends
    };
    member.split(ends).map(token::trim).filter(|pair| !pair.is_empty())
}

/// A port or an address of IPv6 has to be quoted, and is not by everybody.
fn token_or_node(value: &[u8]) -> Option<Vec<u8>> {
    let bare = |byte: &u8| token::is_tchar(*byte) || matches!(byte, b':' | b'[' | b']');
    match token::unquote(value) {
        Some(said) => Some(said.into_owned()),
        None => value.iter().all(bare).then(|| value.to_vec()).filter(|value| !value.is_empty()),
    }
}

/// Section 6: an address, with a port or without; brackets around one of IPv6.
fn node(value: &str) -> Option<IpAddr> {
    if let Ok(address) = value.parse::<SocketAddr>() {
        return Some(address.ip());
    }
    let bare = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(value);
    // A port may be a word (section 6.3).
    bare.parse().ok().or_else(|| value.split(":_").next().filter(|host| *host != value).and_then(node))
}

/// One element, as it is written.
pub fn write(client: Option<IpAddr>, proto: Option<&str>, host: Option<&str>) -> String {
    let mut text = match client {
        Some(IpAddr::V4(address)) => format!("for={address}"),
        Some(IpAddr::V6(address)) => format!("for=\"[{address}]\""),
        None => "for=unknown".to_owned(),
    };
    if let Some(host) = host.filter(|host| !host.contains(['"', '\\'])) {
        text += &if token::is_token(host.as_bytes()) { format!(";host={host}") } else { format!(";host=\"{host}\"") };
    }
    if let Some(proto) = proto {
        text += &format!(";proto={proto}");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(lines: &[&[u8]]) -> Vec<Element> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED, http::HeaderValue::from_bytes(line).expect("a value"));
        }
        elements(&headers)
    }

    fn of(client: &str, proto: Option<&str>, host: Option<&str>) -> Element {
        let [proto, host] = [proto, host].map(|text| text.map(str::to_owned));
        Element { client: client.parse().ok(), proto, host }
    }

    /// RFC 7239, sections 4, 6 and 7.1.
    #[test]
    fn elements_as_the_rfc_has_them() {
        let rows: &[(&[&[u8]], &[Element])] = &[
            (&[b"for=\"_gazonk\""], &[of("", None, None)]),
            (&[b"For=\"[2001:db8:cafe::17]:4711\""], &[of("2001:db8:cafe::17", None, None)]),
            (&[b"for=192.0.2.60;proto=http;by=203.0.113.43"], &[of("192.0.2.60", Some("http"), None)]),
            (&[b"for=192.0.2.43, for=198.51.100.17"], &[of("192.0.2.43", None, None), of("198.51.100.17", None, None)]),
            (&[b"for=192.0.2.43", b"for=unknown"], &[of("192.0.2.43", None, None), of("", None, None)]),
            (&[b"for=\"192.0.2.43:47011\";host=\"a.test:80\""], &[of("192.0.2.43", None, Some("a.test:80"))]),
            (&[b"for=\"192.0.2.43:_port\";PROTO=HTTPS"], &[of("192.0.2.43", Some("https"), None)]),
            (&[b"for=192.0.2.43:80"], &[of("192.0.2.43", None, None)]),
            (&[b"x=\"a;b\\\";c\";for=192.0.2.1"], &[of("192.0.2.1", None, None)]),
            (&[b"for=192.0.2.1, nonsense, for=192.0.2.2"], &[of("192.0.2.2", None, None)]),
            (&[b"for=\"192.0.2.1"], &[]),
            (&[b""], &[]),
        ];
        for (lines, expected) in rows {
            assert_eq!(read(lines), *expected, "{}", String::from_utf8_lossy(lines[0]));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(client in any::<Option<IpAddr>>(), host in prop::option::of("[a-z.:0-9]{1,20}")) {
            let line = write(client, Some("https"), host.as_deref());
            prop_assert_eq!(read(&[line.as_bytes()]), [Element { client, proto: Some("https".into()), host }]);
        }

        #[test]
        fn no_bytes_do_harm(line in "[ -~]{0,80}") {
            let _any = read(&[line.as_bytes()]);
        }
    }
}
