//! Where the app listens.

use std::fmt;
use std::str::FromStr;

use super::problem::Refusal;
use crate::upstream::Address;

impl FromStr for Address {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let refuse = |why, fix: String| Refusal { why, fix: Some(format!("write \"{fix}\"")) };
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.starts_with('/') {
                Ok(Self::Unix(path.into()))
            } else {
                Err(refuse("the path of a socket must start with `/`", format!("unix:/run/{path}")))
            };
        }
        if text.starts_with('/') {
            return Err(refuse("a socket's path needs a prefix", format!("unix:{text}")));
        }
        if let Some(rest) = text.strip_prefix("http://") {
            let rest = rest.split('/').next().unwrap_or(rest);
            let port = if rest.contains(':') { "" } else { ":80" };
            return Err(refuse("an address, not a URL", format!("{rest}{port}")));
        }
        match text.strip_prefix("https://") {
            Some(rest) if rest.contains('/') => {
                let authority = rest.split('/').next().unwrap_or(rest);
                Err(refuse("an address has no path", format!("https://{authority}")))
            }
            Some(authority) if authority.ends_with(']') || !authority.contains(':') => {
                internet(&format!("{authority}:443"), true)
            }
            Some(authority) => internet(authority, true),
            None => internet(text, false),
        }
    }
}

/// A host and a port.
fn internet(text: &str, tls: bool) -> Result<Address, Refusal> {
    let scheme = if tls { "https://" } else { "" };
    let refuse = |why, fix: String| Refusal { why, fix: Some(format!("write \"{scheme}{fix}\"")) };
    let Some((host, port)) = text.rsplit_once(':') else {
        let fix = if text.parse::<u16>().is_ok() { format!("127.0.0.1:{text}") } else { format!("{text}:3000") };
        return Err(refuse("host and port are both needed", fix));
    };
    let port = match port.parse() {
        Ok(port) if port != 0 => port,
        _ => {
            return Err(refuse("the port must be a number from 1 to 65535", format!("{host}:3000")));
        }
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bare {
        Some(inner) if inner.parse::<std::net::Ipv6Addr>().is_ok() => {
            Ok(Address::Tcp { host: inner.into(), port, tls })
        }
        Some(_) => Err(Refusal { why: "no IPv6 address between the brackets", fix: None }),
        None if host.is_empty() => Err(refuse("the host is missing", format!("127.0.0.1:{port}"))),
        None if host.contains(':') => Err(refuse("an IPv6 address needs brackets", format!("[{host}]:{port}"))),
        None if is_host(host) => Ok(Address::Tcp { host: host.into(), port, tls }),
        None => Err(Refusal { why: "no host name", fix: Some("use letters, digits, `-` and `.`".into()) }),
    }
}

/// RFC 1123, section 2.1, and the underscore that container networks use.
fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(label)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { tls, .. } => write!(f, "{}{}", if *tls { "https://" } else { "" }, self.authority()),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_round_trip() {
        for text in [
            "127.0.0.1:3000",
            "localhost:80",
            "app.shop.svc.:8080",
            "[::1]:3000",
            "unix:/run/app.sock",
            "my_app:1",
            "https://app:8443",
            "https://[::1]:443",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("https://app".parse::<Address>().unwrap().to_string(), "https://app:443");
        assert_eq!("https://[::1]".parse::<Address>().unwrap().to_string(), "https://[::1]:443");
        assert_eq!("unix:///run/a".parse::<Address>().unwrap(), Address::Unix("/run/a".into()));
    }

    #[test]
    fn refusals_say_what_to_write() {
        let table = [
            ("localhost", "write \"localhost:3000\""),
            ("3000", "write \"127.0.0.1:3000\""),
            (":3000", "write \"127.0.0.1:3000\""),
            ("http://app:3000/x", "write \"app:3000\""),
            ("https://app:8443/", "write \"https://app:8443\""),
            ("https://:8443", "write \"https://127.0.0.1:8443\""),
            ("https://app:0", "write \"https://app:3000\""),
            ("/run/app.sock", "write \"unix:/run/app.sock\""),
            ("unix:app.sock", "write \"unix:/run/app.sock\""),
            ("::1:3000", "write \"[::1]:3000\""),
            ("app:0", "write \"app:3000\""),
            ("app:99999", "write \"app:3000\""),
            ("a b:80", "use letters, digits, `-` and `.`"),
        ];
        for (text, fix) in table {
            assert_eq!(text.parse::<Address>().expect_err(text).fix.as_deref(), Some(fix), "{text}");
        }
    }
}
