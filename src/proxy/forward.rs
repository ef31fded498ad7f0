//! Who the client is, and what the app is told about it.
//!
//! `X-Forwarded-For`, `-Proto` and `-Host` are believed only from the configured proxies; from anybody else they are
//! replaced, and their kin removed, so that a client cannot write its own address. `Via` follows RFC 9110, section 7.6.3.

use std::net::IpAddr;

use http::header::{HOST, HeaderName, HeaderValue, VIA};
use http::{HeaderMap, Version};
use ipnet::IpNet;
use pingora::http::RequestHeader;

pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The peers whose `X-Forwarded-*` is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(pub Vec<IpNet>);

impl TrustedProxies {
    pub fn trust(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.iter().any(|net| net.contains(&peer))
    }
}

/// What is known of the client, and what it asked for in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The peer of the connection.
    pub peer: Option<IpAddr>,
    /// The client as the trusted proxies name it; the peer where they name none.
    pub address: Option<IpAddr>,
    pub https: bool,
    /// Whether the peer is one of the trusted proxies.
    pub trusted: bool,
}

impl Client {
    /// Reads the forwarding fields of one request. `secured`: it came over TLS.
    pub fn of(peer: Option<IpAddr>, secured: bool, headers: &HeaderMap, proxies: &TrustedProxies) -> Self {
        let trusted = peer.is_some_and(|peer| proxies.trust(peer));
        let address = if trusted { forwarded_for(headers, proxies).or(peer) } else { peer };
        let told = trusted && headers.contains_key(X_FORWARDED_PROTO);
        let https = if told { says_https(headers) } else { secured };
        Self { peer, address: address.map(|address| address.to_canonical()), https, trusted }
    }

    /// Whoever sends these fields, for a request that nobody sends: taken as from a trusted proxy where they say what only
    /// such a one is believed.
    pub fn imagined(https: bool, headers: &HeaderMap) -> Self {
        let trusted = headers.contains_key(X_FORWARDED_PROTO) || headers.contains_key(X_FORWARDED_HOST);
        Self { peer: None, address: None, https: https || says_https(headers), trusted }
    }

    pub fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }
}

fn says_https(headers: &HeaderMap) -> bool {
    headers.get(X_FORWARDED_PROTO).is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// The right-most address that is not a trusted proxy's: what stands left of it, the client may have invented.
fn forwarded_for(headers: &HeaderMap, proxies: &TrustedProxies) -> Option<IpAddr> {
    let mut addresses = Vec::new();
    for value in headers.get_all(X_FORWARDED_FOR) {
        for member in value.to_str().ok()?.split(',') {
            addresses.push(parse_address(member.trim())?);
        }
    }
    let client = addresses.iter().rev().find(|address| !proxies.trust(**address));
    client.or(addresses.first()).copied()
}

/// An address with or without a port, as proxies write them.
fn parse_address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address);
    }
    if let Ok(address) = text.parse::<std::net::SocketAddr>() {
        return Some(address.ip());
    }
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// Writes the forwarding fields of the request to the app.
pub fn announce(request: &mut RequestHeader, client: &Client, version: Version) -> pingora::Result<()> {
    drop_unvouched(request, client.trusted);
    let peer = client.peer.map(|peer| peer.to_canonical().to_string());
    let chain = if client.trusted { joined(&request.headers, &X_FORWARDED_FOR, peer.as_deref()) } else { peer };
    match chain {
        Some(chain) => request.insert_header(X_FORWARDED_FOR, chain)?,
        None => drop(request.remove_header(&X_FORWARDED_FOR)),
    }
    request.insert_header(X_FORWARDED_PROTO, client.scheme())?;
    if !(client.trusted && request.headers.contains_key(X_FORWARDED_HOST))
        && let Some(host) = request.headers.get(HOST).cloned()
    {
        request.insert_header(X_FORWARDED_HOST, host)?;
    }
    if let Some(hops) = joined(&request.headers, &VIA, Some(via(version))) {
        request.insert_header(VIA, hops)?;
    }
    Ok(())
}

/// Removes what says where a request came from and is not written, or believed, here: from a stranger all of it, from a
/// trusted proxy what only looks like it. Apps behind CGI's naming (PHP, WSGI, Rack) read `X_Forwarded_For` and
/// `X-Forwarded-For` as one variable.
fn drop_unvouched(request: &mut RequestHeader, trusted: bool) {
    let unvouched = |name: &&HeaderName| tells_origin(name.as_str()) && (!trusted || name.as_str().contains('_'));
    let names: Vec<HeaderName> = request.headers.keys().filter(unvouched).cloned().collect();
    for name in &names {
        request.remove_header(name);
    }
}

/// `Forwarded` (RFC 7239) and what was there before it, however its words are joined.
fn tells_origin(name: &str) -> bool {
    const PREFIX: &[u8] = b"x-forwarded-";
    let joined = |byte: u8| if byte == b'_' { b'-' } else { byte };
    name == "forwarded"
        || name.len() > PREFIX.len() && name.bytes().map(joined).take(PREFIX.len()).eq(PREFIX.iter().copied())
}

/// All lines of a field as one list, with a last member.
fn joined(headers: &HeaderMap, name: &HeaderName, last: Option<&str>) -> Option<String> {
    let mut members: Vec<&str> =
        headers.get_all(name).iter().filter_map(|value: &HeaderValue| value.to_str().ok()).collect();
    members.extend(last);
    (!members.is_empty()).then(|| members.join(", "))
}

/// Our member of `Via`: the version in which we received the message (its name is left out for HTTP), and who we are.
pub fn via(received: Version) -> &'static str {
    match received {
        Version::HTTP_09 => "0.9 vacpack",
        Version::HTTP_10 => "1.0 vacpack",
        Version::HTTP_2 => "2 vacpack",
        Version::HTTP_3 => "3 vacpack",
        _ => "1.1 vacpack",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies() -> TrustedProxies {
        TrustedProxies(vec!["10.0.0.0/8".parse().expect("a network")])
    }

    fn client(peer: &str, forwarded_for: &[&str]) -> Client {
        let mut headers = HeaderMap::new();
        for line in forwarded_for {
            headers.append(X_FORWARDED_FOR, line.parse().expect("a value"));
        }
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("https"));
        Client::of(peer.parse().ok(), false, &headers, &proxies())
    }

    #[test]
    fn only_a_trusted_peer_names_the_client() {
        let rows: &[(&str, &[&str], &str, bool)] = &[
            ("203.0.113.9", &["198.51.100.1"], "203.0.113.9", false),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1", true),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.2.3.4"], "198.51.100.1", true),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.1:4711"], "198.51.100.1", true),
            ("10.0.0.1", &["[2001:db8::1]:80"], "2001:db8::1", true),
            ("10.0.0.1", &["nonsense"], "10.0.0.1", true),
            ("10.0.0.1", &["10.0.0.7"], "10.0.0.7", true),
            ("10.0.0.1", &[], "10.0.0.1", true),
            ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1", true),
        ];
        for (peer, lines, address, https) in rows {
            let client = client(peer, lines);
            assert_eq!(client.address, address.parse().ok(), "{peer} {lines:?}");
            assert_eq!(client.https, *https, "{peer} {lines:?}");
        }
    }

    #[test]
    fn the_scheme_is_the_connections_own_unless_a_trusted_peer_says_another() {
        for (peer, secured, told, https) in [
            ("203.0.113.9", false, "https", false),
            ("203.0.113.9", true, "http", true),
            ("10.0.0.1", true, "http", false),
            ("10.0.0.1", true, "", true),
            ("10.0.0.1", false, "HTTPS", true),
            ("10.0.0.1", false, "", false),
        ] {
            let mut headers = HeaderMap::new();
            if !told.is_empty() {
                headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(told));
            }
            let client = Client::of(peer.parse().ok(), secured, &headers, &proxies());
            assert_eq!(client.https, https, "{peer} {secured} {told}");
        }
    }

    fn announced(client: &Client, fields: &[(&str, &str)]) -> RequestHeader {
        let mut request = RequestHeader::build("GET", b"/", None).expect("a request");
        for (name, value) in fields {
            request.append_header(name.to_string(), value.to_string()).expect("a field");
        }
        announce(&mut request, client, Version::HTTP_11).expect("announced");
        request
    }

    #[test]
    fn an_untrusted_client_cannot_write_its_own_history() {
        let client = client("203.0.113.9", &[]);
        let fields = [
            ("host", "shop.test"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-host", "evil.test"),
            ("x_forwarded_for", "1.2.3.4"),
            ("X-Forwarded_Proto", "https"),
            ("x-forwarded-port", "4711"),
            ("forwarded", "for=1.2.3.4"),
            ("x_kept", "1"),
        ];
        let request = announced(&client, &fields);
        let mut names: Vec<_> = request.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["host", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x_kept"]);
        assert_eq!(request.headers["x-forwarded-for"], "203.0.113.9");
        assert_eq!(request.headers["x-forwarded-proto"], "http");
        assert_eq!(request.headers["x-forwarded-host"], "shop.test");
        assert_eq!(request.headers["via"], "1.1 vacpack");
    }

    #[test]
    fn a_trusted_chain_is_continued() {
        let client = client("10.0.0.1", &["198.51.100.1"]);
        let fields = [
            ("host", "app"),
            ("x-forwarded-for", "198.51.100.1"),
            ("x-forwarded-host", "shop.test"),
            ("via", "1.0 edge"),
            ("x-forwarded-port", "443"),
            ("x_forwarded_for", "1.2.3.4"),
        ];
        let request = announced(&client, &fields);
        assert_eq!(request.headers["x-forwarded-port"], "443");
        assert!(!request.headers.contains_key("x_forwarded_for"));
        assert_eq!(request.headers["x-forwarded-for"], "198.51.100.1, 10.0.0.1");
        assert_eq!(request.headers["x-forwarded-proto"], "https");
        assert_eq!(request.headers["x-forwarded-host"], "shop.test");
        assert_eq!(request.headers["via"], "1.0 edge, 1.1 vacpack");
    }
}
