//! How many connections come in, altogether and from one client.
//!
//! Who is over a limit hears so at once, in a few bytes that are the same for everybody, and is closed: waiting would
//! only move the queue into our memory. Peers that are trusted proxies stand for many clients, and are not counted by
//! their address. A place is taken first, and the client counted once it is known: a balancer may have to say who it is.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::forward::TrustedProxies;
use crate::metrics::Limit;

/// Counts who is inside. The limits are those of the moment: who is inside stays.
#[derive(Debug, Default)]
pub struct Door {
    inside: Arc<AtomicUsize>,
    clients: Arc<Mutex<HashMap<IpAddr, u64>>>,
}

/// The place of a connection that came in, until this is dropped.
#[derive(Debug)]
pub struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a connection is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnedAway {
    /// Too many connections are open.
    Full,
    /// Too many of them are this client's.
    Client,
}

impl TurnedAway {
    pub fn limit(self) -> Limit {
        match self {
            Self::Full => Limit::Connections,
            Self::Client => Limit::ClientConnections,
        }
    }

    /// What it hears, in HTTP/1.1. A client of HTTP/2 sees the end only.
    pub fn answer(self) -> &'static [u8] {
        match self {
            // RFC 9110, section 15.6.4.
            Self::Full => {
                b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 34\r\n\
                  Cache-Control: no-store\r\nRetry-After: 1\r\nConnection: close\r\n\r\n\
                  vacpack has too many connections.\n"
            }
            // RFC 6585, section 4.
            Self::Client => {
                b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 44\r\n\
                  Cache-Control: no-store\r\nRetry-After: 1\r\nConnection: close\r\n\r\n\
                  vacpack has too many connections from here.\n"
            }
        }
    }
}

impl Door {
    /// Where there are no more than `most` with this one.
    pub fn enter(&self, most: usize) -> Result<Place, TurnedAway> {
        // Nothing else is published with this number.
        let entered = |inside: usize| (inside < most).then(|| inside + 1);
        let before = self.inside.fetch_update(Ordering::Relaxed, Ordering::Relaxed, entered);
        before.map(|_| Place(self.inside.clone())).map_err(|_| TurnedAway::Full)
    }

    /// Whose connection it is, of whom there may be so many. `peer` is None for a socket without addresses. None: nobody's
    /// in particular.
    pub fn count(
        &self,
        peer: Option<IpAddr>,
        most: Option<u64>,
        trusted: &TrustedProxies,
    ) -> Result<Option<Counted>, TurnedAway> {
        let (Some(most), Some(peer)) = (most, peer.map(|peer| peer.to_canonical())) else {
            return Ok(None);
        };
        if trusted.trust(peer) {
            return Ok(None);
        }
        Counted::begin(&self.clients, network(peer), most).map(Some).ok_or(TurnedAway::Client)
    }
}

/// Whoever has one address of IPv6 has its /64 (RFC 4291, section 2.5.1).
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

/// One more of a client's connections. Who has none is in no map.
#[derive(Debug)]
pub struct Counted {
    clients: Arc<Mutex<HashMap<IpAddr, u64>>>,
    client: IpAddr,
}

impl Counted {
    fn begin(clients: &Arc<Mutex<HashMap<IpAddr, u64>>>, client: IpAddr, most: u64) -> Option<Self> {
        let mut counts = clients.lock();
        let count = counts.entry(client).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Self { clients: clients.clone(), client })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.clients.lock();
        if let Some(count) = counts.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    /// A door with its limits.
    struct Limited(Door, usize, Option<u64>, TrustedProxies);

    fn limited(most: usize, per_client: u64, trusted: &[&str]) -> Limited {
        let trusted = trusted.iter().map(|network| network.parse().expect("a network")).collect();
        Limited(Door::default(), most, Some(per_client), TrustedProxies(trusted))
    }

    fn come(door: &Limited, peer: Option<IpAddr>) -> Result<(Place, Option<Counted>), TurnedAway> {
        let Limited(door, most, per_client, trusted) = door;
        Ok((door.enter(*most)?, door.count(peer, *per_client, trusted)?))
    }

    #[test]
    fn a_client_has_so_many_and_all_together_so_many() {
        let door = limited(3, 2, &["10.0.0.0/8"]);
        let first = come(&door, address("192.0.2.1")).expect("the first");
        let _second = come(&door, address("::ffff:192.0.2.1")).expect("the second");
        assert_eq!(come(&door, address("192.0.2.1")).err(), Some(TurnedAway::Client));
        let _proxy = come(&door, address("10.1.1.1")).expect("another one's");
        assert_eq!(come(&door, address("192.0.2.9")).err(), Some(TurnedAway::Full));
        drop(first);
        assert!(come(&door, address("192.0.2.1")).is_ok(), "one went");
        assert!(come(&door, None).is_ok(), "a socket without addresses");
    }

    #[test]
    fn other_limits_hold_for_who_comes_next() {
        let door = limited(2, 9, &[]);
        let all = [come(&door, None), come(&door, None)];
        assert!(all.iter().all(Result::is_ok) && come(&door, None).is_err());
        assert!(door.0.enter(3).is_ok());
        assert!(door.0.enter(1).is_err(), "nobody is put out, and nobody comes in");
        drop(all);
        assert!(door.0.enter(1).is_ok());
    }

    #[test]
    fn nobody_is_remembered_who_has_left() {
        let door = limited(9, 1, &[]);
        let one = come(&door, address("2001:db8::1")).expect("the first");
        assert_eq!(come(&door, address("2001:db8::2")).err(), Some(TurnedAway::Client), "of the same network");
        let _other = come(&door, address("2001:db8:0:1::1")).expect("of another one");
        assert_eq!(door.0.clients.lock().len(), 2);
        drop(one);
        assert_eq!(door.0.clients.lock().len(), 1);
    }

    #[test]
    fn proxies_are_not_counted_by_address() {
        let door = limited(9, 1, &["10.0.0.0/8"]);
        let all: Vec<_> = (0..3).map(|_| come(&door, address("10.0.0.1"))).collect();
        assert!(all.iter().all(Result::is_ok) && door.0.clients.lock().is_empty());
    }

    #[test]
    fn what_is_said_is_as_long_as_it_says() {
        for turned in [TurnedAway::Full, TurnedAway::Client] {
            let text = std::str::from_utf8(turned.answer()).expect("text");
            let (head, body) = text.split_once("\r\n\r\n").expect("a head");
            assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head} {}", body.len());
            assert!(head.lines().all(|line| !line.starts_with(' ')), "{head}");
        }
    }
}
