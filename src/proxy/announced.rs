//! The PROXY protocol, versions 1 and 2: a balancer that passes connections on as they are says first whose they are.
//!
//! Only the peers that the operator names are listened to, and each of their connections has to begin with it: what
//! looks like HTTP would otherwise be a way for a client behind the balancer to pass as the balancer itself. From
//! anybody else it is no HTTP. The header stands before TLS. From it on the client is the connection's peer; whether
//! that one's `X-Forwarded-*` is believed is decided by *its* address.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use ipnet::IpNet;
use pingora::protocols::l4::socket::SocketAddr as PeerAddress;
use pingora::protocols::l4::stream::Stream as Socket;
use pingora::protocols::{GetSocketDigest, SocketDigest};
use proxy_header::{ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The specification's section 2.1: "a buffer of 108 bytes is always enough to store all the line".
const LONGEST_LINE: usize = 107;

/// Section 2.2: the signature and the fixed part behind it, of which the last two bytes are the length of the rest.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
const FIXED: usize = 16;

/// Addresses take 36 bytes (Unix sockets 216); the rest are details that balancers add.
const LONGEST_REST: usize = 4096;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// The connection is this client's.
    Client(SocketAddr),
    /// It is the balancer's own, a health check.
    Own,
    /// It is no header.
    Malformed,
}

/// The peers whose connections begin with a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announcers(pub Vec<IpNet>);

impl Announcers {
    /// Reads the header where there has to be one. None: it is none, or the client is gone.
    pub async fn hear(&self, socket: &mut Socket) -> Option<()> {
        if !self.include(socket) {
            return Some(());
        }
        match read(socket).await? {
            Announced::Client(address) => {
                let digest = SocketDigest::from_raw_fd(socket.as_raw_fd());
                let _ = digest.peer_addr.set(Some(PeerAddress::Inet(address)));
                socket.set_socket_digest(digest);
                Some(())
            }
            Announced::Own => Some(()),
            Announced::Malformed => None,
        }
    }

    fn include(&self, socket: &Socket) -> bool {
        let digest = socket.get_socket_digest();
        let peer = digest.as_ref().and_then(|digest| digest.peer_addr()).and_then(PeerAddress::as_inet);
        peer.is_some_and(|peer| self.0.iter().any(|net| net.contains(&peer.ip().to_canonical())))
    }
}

/// Reads one header, and not a byte more.
async fn read(from: &mut (impl AsyncRead + Unpin)) -> Option<Announced> {
    let mut header = vec![0; SIGNATURE.len()];
    from.read_exact(&mut header).await.ok()?;
    if header == SIGNATURE {
        header.resize(FIXED, 0);
        from.read_exact(&mut header[SIGNATURE.len()..]).await.ok()?;
        let rest = usize::from(u16::from_be_bytes([header[FIXED - 2], header[FIXED - 1]]));
        if rest > LONGEST_REST {
            return Some(Announced::Malformed);
        }
        header.resize(FIXED + rest, 0);
        from.read_exact(&mut header[FIXED..]).await.ok()?;
    } else if header.starts_with(b"PROXY ") {
        while !header.ends_with(b"\r\n") && header.len() < LONGEST_LINE {
            header.push(from.read_u8().await.ok()?);
        }
    }
    Some(parse(&header))
}

fn parse(header: &[u8]) -> Announced {
    match ProxyHeader::parse(header, ParseConfig { include_tlvs: false, ..ParseConfig::default() }) {
        Ok((parsed, length)) if length == header.len() => {
            parsed.proxied_address().map_or(Announced::Own, |proxied| Announced::Client(proxied.source))
        }
        _ => Announced::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn heard(mut bytes: &[u8]) -> (Option<Announced>, usize) {
        let announced = read(&mut bytes).await;
        (announced, bytes.len())
    }

    fn version2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
        [&SIGNATURE[..], &[0x20 | command, family], &length, rest].concat()
    }

    #[tokio::test]
    async fn both_versions_and_nothing_of_what_follows() {
        let four = [198, 51, 100, 7, 10, 0, 0, 1, 0x12, 0x67, 0, 80];
        let client = |text: &str| Some(Announced::Client(text.parse().expect("an address")));
        let rows: Vec<(Vec<u8>, Option<Announced>)> = vec![
            (b"PROXY TCP4 198.51.100.7 10.0.0.1 4711 80\r\n".to_vec(), client("198.51.100.7:4711")),
            (b"PROXY TCP6 2001:db8::7 ::1 4711 80\r\n".to_vec(), client("[2001:db8::7]:4711")),
            (b"PROXY UNKNOWN\r\n".to_vec(), Some(Announced::Own)),
            (version2(1, 0x11, &four), client("198.51.100.7:4711")),
            (version2(1, 0x11, &[&four[..], &[4, 0, 1, 0]].concat()), client("198.51.100.7:4711")),
            (version2(0, 0, &[]), Some(Announced::Own)),
        ];
        for (header, expected) in rows {
            let bytes = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
            assert_eq!(heard(&bytes).await, (expected, 16), "{}", String::from_utf8_lossy(&header));
        }
    }

    #[tokio::test]
    async fn what_is_none_is_none() {
        let long = format!("PROXY TCP4 {}\r\n", "1".repeat(200));
        for bytes in [
            &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
            b"PROXY TCP4 198.51.100.7 10.0.0.1 4711\r\n",
            b"PROXY TCP4 nonsense 10.0.0.1 4711 80\r\n",
            long.as_bytes(),
            &version2(1, 0x11, &[0; 4]),
            &version2(1, 0x11, &[0; 5000]),
        ] {
            assert_eq!(heard(bytes).await.0, Some(Announced::Malformed), "{}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(heard(b"PROXY TCP4 198.51.100.7 10.").await.0, None);
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(mut rest in prop::collection::vec(any::<u8>(), 0..300), start in 0usize..3) {
            let start: &[u8] = [&b""[..], b"PROXY ", &SIGNATURE][start];
            rest.splice(0..0, start.iter().copied());
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let _any = runtime.block_on(heard(&rest));
        }
    }
}
