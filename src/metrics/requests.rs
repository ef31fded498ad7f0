//! Requests by route: how many, answered how, in what time.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use http::{Method, StatusCode};
use parking_lot::Mutex;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};

use super::config::Buckets;
use super::family::{HTTP_REQUESTS, REQUEST_DURATION, TIME_TO_FIRST_BYTE};
use super::label::{Code, Label, MethodLabel};
use super::registry::Registry;
use crate::policy::CacheOutcome;

/// The three families that have a `route` label, and the meters of each route that the configuration named so far.
pub(super) struct Routes {
    families: Families,
    known: Mutex<HashMap<Box<str>, Arc<RouteMeters>>>,
}

impl Routes {
    pub fn register(registry: &Registry, buckets: &Buckets) -> Self {
        let families = Families {
            requests: registry.counters(&HTTP_REQUESTS),
            duration: registry.histograms(&REQUEST_DURATION, buckets.seconds()),
            first_byte: registry.histograms(&TIME_TO_FIRST_BYTE, buckets.seconds()),
        };
        Self { families, known: Mutex::new(HashMap::new()) }
    }

    pub fn meters(&self, name: &str) -> Arc<RouteMeters> {
        let mut known = self.known.lock();
        if let Some(meters) = known.get(name) {
            return Arc::clone(meters);
        }
        let meters = Arc::new(RouteMeters::new(name, self.families.clone()));
        known.insert(name.into(), Arc::clone(&meters));
        meters
    }
}

#[derive(Clone)]
struct Families {
    requests: IntCounterVec,
    duration: HistogramVec,
    first_byte: HistogramVec,
}

/// The children of one route. The first request of a kind makes its child; every later one finds it with one atomic
/// load, without a lock and without hashing.
pub struct RouteMeters {
    name: Box<str>,
    families: Families,
    /// By method, then by class of code: a class has its hundred slots only once it occurred.
    requests: [[OnceLock<Box<CodeClass>>; CLASSES]; METHODS],
    timings: [OnceLock<Timing>; CacheOutcome::ALL.len()],
}

const METHODS: usize = MethodLabel::ALL.len();
/// 1xx to 5xx, and one for `other`, of which only the first slot is used.
const CLASSES: usize = 6;
type CodeClass = [OnceLock<IntCounter>; 100];

/// Where the durations of one route and cache outcome go.
pub struct Timing {
    pub duration: Histogram,
    pub first_byte: Histogram,
}

impl RouteMeters {
    fn new(name: &str, families: Families) -> Self {
        Self { name: name.into(), families, requests: Default::default(), timings: Default::default() }
    }

    /// The name in the configuration, and the `route` label.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The counter of requests that ended this way; no status where the client left before there was one.
    pub fn requests(&self, method: &Method, status: Option<StatusCode>) -> &IntCounter {
        let (method, code) = (MethodLabel::from(method), Code::of(status));
        let (class, slot) = position(code);
        let class = self.requests[method.index()][class].get_or_init(|| Box::new([const { OnceLock::new() }; 100]));
        class[slot].get_or_init(|| {
            let mut digits = [0; 3];
            self.families.requests.with_label_values(&[&*self.name, method.label(), code_label(code, &mut digits)])
        })
    }

    pub fn timing(&self, cache: CacheOutcome) -> &Timing {
        self.timings[cache.index()].get_or_init(|| Timing {
            duration: self.families.duration.with_label_values(&[&*self.name, cache.label()]),
            first_byte: self.families.first_byte.with_label_values(&[&*self.name, cache.label()]),
        })
    }
}

fn position(code: Code) -> (usize, usize) {
    match code {
        Code::Known(code) => (usize::from(code / 100 - 1), usize::from(code % 100)),
        Code::Other => (CLASSES - 1, 0),
    }
}

fn code_label(code: Code, digits: &mut [u8; 3]) -> &str {
    let Code::Known(code) = code else {
        return "other";
    };
    *digits = [code / 100, code / 10 % 10, code % 10].map(|digit| b'0' + digit as u8);
    std::str::from_utf8(digits).expect("digits are ASCII")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::metrics::config::ConstantLabels;

    #[test]
    fn each_code_has_a_place_of_its_own() {
        let mut places = HashSet::new();
        for code in Code::FIRST..=Code::LAST {
            let (class, slot) = position(Code::Known(code));
            assert!(class < CLASSES - 1 && slot < 100);
            assert!(places.insert((class, slot)));
            assert_eq!(code_label(Code::Known(code), &mut [0; 3]), code.to_string());
        }
        assert!(places.insert(position(Code::Other)));
    }

    #[test]
    fn a_route_keeps_its_counters_over_a_reload() {
        let routes = Routes::register(&Registry::new(&ConstantLabels::default()), &Buckets::default());
        let before = routes.meters("static");
        before.requests(&Method::GET, Some(StatusCode::OK)).inc();
        let after = routes.meters("static");
        assert!(Arc::ptr_eq(&before, &after));
        assert_eq!(after.requests(&Method::GET, Some(StatusCode::OK)).get(), 1);
        assert_eq!(after.requests(&Method::HEAD, Some(StatusCode::OK)).get(), 0);
        assert_eq!(after.name(), "static");
    }
}
