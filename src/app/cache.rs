//! The cache as the metrics and the admin listener see it.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use crate::admin::{Lifecycle, Pause, Purge, Purged, Target};
use crate::cache::{self, Derivation, Effect, Events, Improvement, Load, Memory, Scope, Unimproved, improve};
use crate::encode::{Pressure, Step};
use crate::metrics::{CacheGauges, Encoded, EvictionCause, GivenUp, Metrics, Mode};
use crate::proxy::Parts;

/// Counts what happens in the cache.
pub struct Counted {
    metrics: Arc<Metrics>,
}

impl Counted {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }
}

impl Events for Counted {
    fn evicted(&self, cause: cache::EvictionCause, _bytes: u64) {
        self.metrics.cache.evicted(match cause {
            cache::EvictionCause::Expired => EvictionCause::Expired,
            cache::EvictionCause::Size => EvictionCause::Size,
            cache::EvictionCause::Purged => EvictionCause::Purged,
            cache::EvictionCause::Variants => EvictionCause::Variants,
            cache::EvictionCause::Pressure => EvictionCause::Pressure,
        });
    }

    fn derived(&self, derivation: Derivation) {
        let Derivation { to, input, output, elapsed, .. } = derivation;
        self.metrics.compression.encoded(&Encoded { coding: to, mode: Mode::Derived, input, output, busy: elapsed });
    }

    fn improve_queued(&self, waiting: usize) {
        self.metrics.improvement.queued(waiting);
    }

    fn improved(&self, improvement: Improvement) {
        let Improvement { coding, before, after } = improvement;
        self.metrics.improvement.improved(coding, before.saturating_sub(after));
    }

    fn unimproved(&self, reason: Unimproved) {
        self.metrics.improvement.given_up(match reason {
            Unimproved::NoGain => GivenUp::NoGain,
            Unimproved::Gone => GivenUp::Gone,
            Unimproved::Crowded => GivenUp::Crowded,
            Unimproved::Corrupt => GivenUp::Corrupt,
            Unimproved::Failed => GivenUp::Failed,
        });
    }

    fn improve_worked(&self, cpu: Duration) {
        self.metrics.improvement.worked(cpu);
    }
}

/// How much the improver may do: nothing in a drain, in a pause, or while CPU or memory are short; little while requests wait for a
/// worker.
pub fn load(
    memory: &'static Memory,
    metrics: Arc<Metrics>,
    lifecycle: Arc<Lifecycle>,
    pause: Arc<Pause>,
    pressure: Arc<Pressure>,
    workers: usize,
) -> improve::Pressure {
    let crowd = workers as u64 * 2;
    Box::new(move || match metrics.requests_in_flight() {
        _ if lifecycle.is_draining() || pause.is_on() || pressure.step() > Step::CALM => Load::Saturated,
        _ if memory.is_pressed() => Load::Saturated,
        in_flight if in_flight > crowd => Load::Busy,
        _ => Load::Calm,
    })
}

/// What the cache holds, read when it is asked for.
pub struct Occupancy(pub &'static Memory);

impl CacheGauges for Occupancy {
    fn entries(&self) -> u64 {
        self.0.settle();
        self.0.entries()
    }

    fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    fn capacity(&self) -> u64 {
        self.0.capacity()
    }

    fn allowed(&self) -> u64 {
        self.0.allowed()
    }

    fn fills_in_flight(&self) -> u64 {
        self.0.fills_in_flight()
    }

    fn shareable(&self) -> u64 {
        self.0.live_fills() as u64
    }
}

/// Purges a URL under the key that a request for it would have, and the rest by what is stored.
pub struct Purger(pub Arc<Parts>);

impl Purge for Purger {
    fn purge(&self, target: &Target, effect: Effect) -> Result<Purged, String> {
        let scope = match target {
            Target::Url(url) => self.resource(url)?,
            Target::Prefix { scheme, authority, rest } => Scope::Prefix(cache::url(scheme, authority, rest).into()),
            Target::Tag(tag) => Scope::Tag(tag.as_str().into()),
            Target::Host(host) => Scope::Host(host.as_str().into()),
            Target::Everything => Scope::Everything,
        };
        let cache::Purged { objects, bytes } = self.0.memory.sweep(&scope, effect);
        Ok(Purged { objects, bytes })
    }
}

impl Purger {
    fn resource(&self, url: &Uri) -> Result<Scope, String> {
        let scheme = url.scheme_str().ok_or("the URL needs a scheme: http://host/path")?;
        let authority = url.authority().ok_or("the URL needs a host: http://host/path")?;
        let target = url.path_and_query().map_or("/", |target| target.as_str());
        Ok(Scope::Resource(self.0.rules.load().keys_of(scheme, authority.as_str(), target)))
    }
}
