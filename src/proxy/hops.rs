//! `Forwarded` (RFC 7239) of proxies that are trusted: read as what they say in `X-Forwarded-*`, and continued.
//!
//! Each proxy appends what it knows, so that the last element is our peer's word. If that one was asked by another trusted
//! proxy, the element before it is this one's word; and so on, to the first that was asked by somebody else: the client.
//! Whatever stands before that, the client may have invented.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::HOST;
use pingora::http::RequestHeader;

use super::forward::{Client, TrustedProxies, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};
use crate::header::forwarded::{self, Element, FORWARDED};

/// Where a trusted peer says who asked in `Forwarded` alone, it is said in `X-Forwarded-*`, which is what routes, keys, logs and
/// most apps read.
pub fn translate(request: &mut RequestHeader, peer: Option<IpAddr>, proxies: &TrustedProxies) -> pingora::Result<()> {
    let said =
        [X_FORWARDED_FOR, X_FORWARDED_PROTO, X_FORWARDED_HOST].iter().any(|name| request.headers.contains_key(name));
    if said || !request.headers.contains_key(FORWARDED) || !peer.is_some_and(|peer| proxies.trust(peer)) {
        return Ok(());
    }
    let elements = believed(&request.headers, proxies);
    let Some(first) = elements.first() else {
        return Ok(());
    };
    let chain: Vec<String> = elements.iter().filter_map(|element| element.client).map(|hop| hop.to_string()).collect();
    if !chain.is_empty() {
        request.insert_header(X_FORWARDED_FOR, chain.join(", "))?;
    }
    if let Some(proto) = &first.proto {
        request.insert_header(X_FORWARDED_PROTO, proto)?;
    }
    if let Some(host) = &first.host {
        request.insert_header(X_FORWARDED_HOST, host)?;
    }
    Ok(())
}

/// Those that trusted proxies wrote.
fn believed(headers: &HeaderMap, proxies: &TrustedProxies) -> Vec<Element> {
    let mut elements = forwarded::elements(headers);
    let of_client = |element: &Element| !element.client.is_some_and(|hop| proxies.trust(hop));
    let first = elements.iter().rposition(of_client).unwrap_or(0);
    elements.drain(..first);
    elements
}

/// The request's last hop is ours to add, where there is a chain; `make`: where there is none, too. After the `X-Forwarded-*`
/// fields, which say the rest.
pub fn continue_chain(request: &mut RequestHeader, client: &Client, make: bool) -> pingora::Result<()> {
    let lines = request.headers.get_all(FORWARDED).iter();
    let mut hops: Vec<String> = lines.filter_map(|line| line.to_str().ok().map(str::to_owned)).collect();
    let peer = client.peer.map(|peer| peer.to_canonical());
    match hops.is_empty() {
        false => hops.push(forwarded::write(peer, None, None)),
        true if make => hops = made(&request.headers, client),
        true => return Ok(()),
    }
    request.insert_header(FORWARDED, hops.join(", "))
}

/// RFC 7239, section 7.4: from what `X-Forwarded-*` says.
fn made(headers: &HeaderMap, client: &Client) -> Vec<String> {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let chain = text(X_FORWARDED_FOR).unwrap_or_default();
    let mut addresses: Vec<Option<IpAddr>> = chain.split(',').map(|hop| hop.trim().parse().ok()).collect();
    let host = text(X_FORWARDED_HOST).or_else(|| text(HOST));
    let first = forwarded::write(addresses.remove(0), Some(client.scheme()), host);
    let rest = addresses.into_iter().map(|hop| forwarded::write(hop, None, None));
    std::iter::once(first).chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies() -> TrustedProxies {
        TrustedProxies(vec!["10.0.0.0/8".parse().expect("a network")])
    }

    fn request(fields: &[(&'static str, &str)]) -> RequestHeader {
        let mut request = RequestHeader::build("GET", b"/", None).expect("a request");
        for (name, value) in fields {
            request.append_header(*name, *value).expect("a field");
        }
        request
    }

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        let forged = "for=1.1.1.1;proto=https;host=evil.test, for=198.51.100.1;proto=http;host=shop.test";
        let rows: &[(&str, &str, [Option<&str>; 3])] = &[
            ("10.0.0.1", forged, [Some("198.51.100.1"), Some("http"), Some("shop.test")]),
            (
                "10.0.0.1",
                "for=1.1.1.1, for=198.51.100.1;proto=https, for=10.0.0.2;proto=http",
                [Some("198.51.100.1, 10.0.0.2"), Some("https"), None],
            ),
            ("10.0.0.1", "for=10.0.0.3;proto=https", [Some("10.0.0.3"), Some("https"), None]),
            ("10.0.0.1", "for=_hidden;proto=https", [None, Some("https"), None]),
            ("10.0.0.1", "nonsense", [None, None, None]),
            ("203.0.113.9", "for=198.51.100.1;proto=https", [None, None, None]),
        ];
        for (peer, line, expected) in rows {
            let mut request = request(&[("forwarded", line)]);
            translate(&mut request, peer.parse().ok(), &proxies()).expect("translated");
            let said = [X_FORWARDED_FOR, X_FORWARDED_PROTO, X_FORWARDED_HOST];
            let said =
                said.map(|name| request.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned));
            assert_eq!(said, expected.map(|text| text.map(str::to_owned)), "{peer} {line}");
        }
    }

    #[test]
    fn what_proxies_say_in_both_is_left_as_it_is() {
        let mut request = request(&[("forwarded", "for=1.1.1.1"), ("x-forwarded-proto", "https")]);
        translate(&mut request, "10.0.0.1".parse().ok(), &proxies()).expect("translated");
        assert!(!request.headers.contains_key(X_FORWARDED_FOR));
    }

    #[test]
    fn a_chain_is_continued_and_made_where_it_is_wanted() {
        let client =
            Client { peer: "10.0.0.1".parse().ok(), address: "198.51.100.1".parse().ok(), https: true, trusted: true };
        let told =
            [("host", "app"), ("x-forwarded-for", "198.51.100.1, 10.0.0.1"), ("x-forwarded-host", "shop.test:80")];
        for (chain, make, expected) in [
            (None, false, None),
            (None, true, Some("for=198.51.100.1;host=\"shop.test:80\";proto=https, for=10.0.0.1")),
            (Some("for=198.51.100.1"), false, Some("for=198.51.100.1, for=10.0.0.1")),
            (Some("for=198.51.100.1"), true, Some("for=198.51.100.1, for=10.0.0.1")),
        ] {
            let mut request = request(&told);
            if let Some(chain) = chain {
                request.insert_header(FORWARDED, chain).expect("a field");
            }
            continue_chain(&mut request, &client, make).expect("continued");
            assert_eq!(request.headers.get(FORWARDED).map(|value| value.to_str().expect("text")), expected);
        }
    }
}
