//! The addresses of the app: all that its names have, found again every now and then, asked in turn.
//!
//! Turns and the operator's own probe are the platform's load balancer's. What it leaves to others is here: the addresses
//! of names, and leaving alone for a while what keeps failing (see [`breaker`](super::breaker)).

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::io;
use std::net::{SocketAddr as InternetAddress, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use async_trait::async_trait;
use parking_lot::Mutex;
use pingora::lb::discovery::ServiceDiscovery;
use pingora::lb::health_check::HealthCheck;
use pingora::lb::selection::RoundRobin;
use pingora::lb::{Backend, Backends, Extensions, LoadBalancer};
use pingora::protocols::l4::socket::SocketAddr;

use super::breaker::{Breaker, Rules};
use super::{Address, ResolveError};

/// More turns than this are not tried to find an address that may be asked.
const TURNS: usize = 256;

/// Where the app is, and how it is there.
pub struct Addresses {
    balancer: LoadBalancer<RoundRobin>,
    rules: Rules,
    /// Of those that failed lately.
    failing: Mutex<HashMap<SocketAddr, Breaker>>,
}

/// How names become addresses.
type Lookup = fn(&str, u16) -> io::Result<Vec<InternetAddress>>;

fn system(host: &str, port: u16) -> io::Result<Vec<InternetAddress>> {
    Ok((host, port).to_socket_addrs()?.collect())
}

impl Addresses {
    /// Every name has to have an address now; later the last known ones will do. `probe` is the operator's.
    pub fn resolve(
        addresses: &[Address],
        rules: Rules,
        probe: Option<Box<dyn HealthCheck + Send + Sync>>,
    ) -> Result<Self, ResolveError> {
        Self::resolve_by(system, addresses, rules, probe)
    }

    fn resolve_by(
        lookup: Lookup,
        addresses: &[Address],
        rules: Rules,
        probe: Option<Box<dyn HealthCheck + Send + Sync>>,
    ) -> Result<Self, ResolveError> {
        let names = addresses.iter().map(|address| Name::resolve(address, lookup)).collect::<Result<Vec<_>, _>>()?;
        let discovery = Discovery { names: Arc::new(Mutex::new(names)), lookup, first: AtomicBool::new(true) };
        let mut backends = Backends::new(Box::new(discovery));
        if let Some(probe) = probe {
            backends.set_health_check(probe);
        }
        let balancer = LoadBalancer::from_backends(backends);
        publish(&balancer);
        Ok(Self { balancer, rules, failing: Mutex::default() })
    }

    /// The next in turn that may be asked; another one than `avoided`, if there is one. None: all of them are left alone.
    pub fn choose(&self, now: Instant, avoided: Option<&SocketAddr>) -> Option<SocketAddr> {
        let turn = |healthy_only: bool, avoided: Option<&SocketAddr>| {
            let chosen = self.balancer.select_with(b"", TURNS, |backend, healthy| {
                (healthy || !healthy_only) && Some(&backend.addr) != avoided && self.admits(&backend.addr, now)
            });
            chosen.map(|backend| backend.addr)
        };
        // Where the probe likes none of them, it may be the probe.
        let other = turn(true, avoided).or_else(|| turn(false, avoided));
        other.or_else(|| avoided.and_then(|_| turn(false, None)))
    }

    /// Whether `choose` would find none.
    pub fn are_down(&self, now: Instant) -> bool {
        let failing = self.failing.lock();
        // Looked at first, because it is usually so.
        !failing.is_empty()
            && self
                .balancer
                .backends()
                .get_backend()
                .iter()
                .all(|backend| failing.get(&backend.addr).is_some_and(|breaker| breaker.refuses(now)))
    }

    pub fn are_several(&self) -> bool {
        self.balancer.backends().get_backend().len() > 1
    }

    fn admits(&self, address: &SocketAddr, now: Instant) -> bool {
        let mut failing = self.failing.lock();
        failing.get_mut(address).is_none_or(|breaker| breaker.admits(now, &self.rules))
    }

    /// An answer began. True if the address had been left alone.
    pub fn answered(&self, address: &SocketAddr) -> bool {
        self.failing.lock().remove(address).is_some_and(|breaker| breaker.is_open())
    }

    /// None came. True if the address is left alone from now on.
    pub fn failed(&self, address: &SocketAddr, now: Instant) -> bool {
        self.failing.lock().entry(address.clone()).or_default().failed(now, &self.rules)
    }

    /// How many there are, and how many of them are left alone.
    pub fn count(&self) -> (usize, usize) {
        let alone = self.failing.lock().values().filter(|breaker| breaker.is_open()).count();
        (self.balancer.backends().get_backend().len(), alone)
    }

    /// Looks the names up again. Those that have no address now keep the ones they had.
    pub async fn look_up(&self) {
        if let Err(error) = self.balancer.update().await {
            tracing::warn!(%error, "looking up the app's addresses failed");
        }
        let current = self.balancer.backends().get_backend();
        let is_current = |address: &SocketAddr| current.iter().any(|backend| backend.addr == *address);
        self.failing.lock().retain(|address, _| is_current(address));
    }

    /// Asks each address by the operator's probe, and says whether one of them is ready.
    pub async fn probe(&self) -> bool {
        let backends = self.balancer.backends();
        backends.run_health_check(true).await;
        backends.get_backend().iter().any(|backend| backends.ready(backend))
    }
}

/// The first discovery waits for nothing, so it is done once it was begun.
fn publish(balancer: &LoadBalancer<RoundRobin>) {
    let mut first = std::pin::pin!(balancer.update());
    let done = first.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    debug_assert!(matches!(done, Poll::Ready(Ok(()))), "what is known needs no lookup");
}

/// One address of the configuration, and what it was last known to stand for.
#[derive(Clone)]
struct Name {
    /// None where there is nothing to look up.
    name: Option<(String, u16)>,
    known: Vec<SocketAddr>,
}

impl Name {
    fn resolve(address: &Address, lookup: Lookup) -> Result<Self, ResolveError> {
        match address {
            Address::Tcp { host, port, .. } => {
                let none = |why: String| ResolveError::Name(host.clone(), why);
                let known = lookup(host, *port).map_err(|error| none(error.to_string()))?;
                if known.is_empty() {
                    return Err(none("the name has no address".to_owned()));
                }
                let name = host.parse::<std::net::IpAddr>().is_err().then(|| (host.clone(), *port));
                Ok(Self { name, known: known.into_iter().map(SocketAddr::Inet).collect() })
            }
            Address::Unix(path) => {
                let refuse = |_| ResolveError::Path(path.clone());
                let address = std::os::unix::net::SocketAddr::from_pathname(path).map_err(refuse)?;
                path.to_str().ok_or_else(|| ResolveError::Path(path.clone()))?;
                Ok(Self { name: None, known: vec![SocketAddr::Unix(address)] })
            }
        }
    }

    fn look_up(&mut self, lookup: Lookup) {
        let Some((host, port)) = &self.name else {
            return;
        };
        match lookup(host, *port) {
            Ok(found) if !found.is_empty() => self.known = found.into_iter().map(SocketAddr::Inet).collect(),
            Ok(_) => tracing::warn!(%host, "the app's name has no address any more: the last known ones are kept"),
            Err(error) => {
                tracing::warn!(%host, %error, "the app's name cannot be looked up: its last addresses are kept")
            }
        }
    }
}

struct Discovery {
    names: Arc<Mutex<Vec<Name>>>,
    lookup: Lookup,
    /// What is known is new enough.
    first: AtomicBool,
}

#[async_trait]
impl ServiceDiscovery for Discovery {
    async fn discover(&self) -> pingora::Result<(BTreeSet<Backend>, HashMap<u64, bool>)> {
        if !self.first.swap(false, Ordering::Relaxed) {
            // The system's resolver blocks, and nobody else holds this lock for long.
            let (names, lookup) = (self.names.clone(), self.lookup);
            let looking = tokio::task::spawn_blocking(move || {
                let mut found = names.lock().clone();
                found.iter_mut().for_each(|name| name.look_up(lookup));
                *names.lock() = found;
            });
            if looking.await.is_err() {
                tracing::warn!("a lookup of the app's addresses broke off");
            }
        }
        let names = self.names.lock();
        let known = names.iter().flat_map(|name| &name.known);
        let backend = |addr: &SocketAddr| Backend { addr: addr.clone(), weight: 1, ext: Extensions::new() };
        Ok((known.map(backend).collect(), HashMap::new()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RULES: Rules = Rules { failures: 2, pause: Duration::from_millis(500) };

    fn three() -> Addresses {
        let addresses: Vec<Address> =
            ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"].map(|text| text.parse().expect("one")).into();
        Addresses::resolve(&addresses, RULES, None).expect("nothing to look up")
    }

    fn spread(addresses: &Addresses, now: Instant) -> Vec<usize> {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for _turn in 0..300 {
            let chosen = addresses.choose(now, None).expect("one of them");
            *counts.entry(chosen.to_string()).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_values().collect();
        counts.sort_unstable();
        counts
    }

    #[test]
    fn every_address_has_its_turn() {
        assert_eq!(spread(&three(), Instant::now()), [100, 100, 100]);
    }

    #[test]
    fn one_that_fails_is_left_to_the_others() {
        let (addresses, now) = (three(), Instant::now());
        let bad = addresses.choose(now, None).expect("one of them");
        assert!(!addresses.failed(&bad, now));
        assert!(addresses.failed(&bad, now), "the second in a row");
        assert_eq!(spread(&addresses, now), [150, 150]);
        assert_eq!(addresses.count(), (3, 1));
        // A trial, and no other.
        let later = now + RULES.pause;
        assert!((0..9).filter(|_| addresses.choose(later, None) == Some(bad.clone())).count() == 1);
        assert!(addresses.answered(&bad));
        assert_eq!((spread(&addresses, later), addresses.count()), (vec![100, 100, 100], (3, 0)));
    }

    #[test]
    fn all_that_fail_are_down() {
        let (addresses, now) = (three(), Instant::now());
        for number in ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"] {
            assert!(!addresses.are_down(now));
            let address: SocketAddr = number.parse().expect("an address");
            addresses.failed(&address, now);
            addresses.failed(&address, now);
        }
        assert!(addresses.are_down(now) && addresses.choose(now, None).is_none());
        assert!(!addresses.are_down(now + RULES.pause) && addresses.choose(now + RULES.pause, None).is_some());
    }

    #[test]
    fn a_second_try_is_with_another_one_if_there_is_one() {
        let (addresses, now) = (three(), Instant::now());
        for _turn in 0..9 {
            let first = addresses.choose(now, None).expect("one of them");
            assert_ne!(addresses.choose(now, Some(&first)), Some(first));
        }
        let one = Addresses::resolve(&["10.0.0.1:1".parse().expect("one")], RULES, None).expect("nothing to look up");
        let only = one.choose(now, None);
        assert!(only.is_some() && one.choose(now, only.as_ref()) == only);
    }

    /// Each lookup of `moving` has the next address; the one after that fails.
    fn moving(host: &str, port: u16) -> io::Result<Vec<InternetAddress>> {
        use std::sync::atomic::AtomicU8;
        static LOOKUPS: AtomicU8 = AtomicU8::new(1);
        match (host, LOOKUPS.fetch_add(1, Ordering::Relaxed)) {
            ("moving", number @ 1..=2) => Ok(vec![([10, 0, 0, number], port).into()]),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    #[tokio::test]
    async fn an_app_that_moves_is_followed_and_one_that_is_lost_stays_where_it_was() {
        let name: Address = "moving:80".parse().expect("a name");
        let addresses = Addresses::resolve_by(moving, &[name], RULES, None).expect("the first");
        let now = Instant::now();
        let at = |addresses: &Addresses| addresses.choose(now, None).map(|address| address.to_string());
        assert_eq!(at(&addresses).as_deref(), Some("10.0.0.1:80"));
        addresses.failed(&"10.0.0.1:80".parse().expect("an address"), now);
        addresses.look_up().await;
        assert_eq!(at(&addresses).as_deref(), Some("10.0.0.2:80"));
        assert!(addresses.failing.lock().is_empty(), "what is gone is forgotten");
        addresses.look_up().await;
        assert_eq!(at(&addresses).as_deref(), Some("10.0.0.2:80"));
    }
}
