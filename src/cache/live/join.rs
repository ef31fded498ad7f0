//! From a request to the fill that it shares, and the lock behind which it waits until there is one.
//!
//! The platform asks twice: it looks something up, and if that finds nothing it asks the lock who fetches. The first one
//! does. The others sleep until the fill is announced - when its head has come, not when its body has - and look again.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use pingora_cache::lock::{CacheKeyLock, LockStatus, Locked, WritePermit};
use pingora_cache::storage::HitHandler;
use pingora_cache::{CacheKey, CacheMeta};

use super::{Body, LiveFill, Reader, Use};
use crate::cache::clock::Moment;
use crate::cache::fill::FillPlan;
use crate::cache::locks::Standing;
use crate::cache::memory::Memory;
use crate::cache::sharing::Alone;
use crate::cache::storage::{RequestView, meta_of};

/// A fill that answers a request while it goes on. Travels in the meta's extensions.
#[derive(Clone, Debug)]
pub struct Joined {
    pub plan: Arc<FillPlan>,
}

impl Memory {
    /// The head of a fill has come: from here on others may share it, if it may answer others at all.
    pub(in crate::cache) fn announce(&self, plan: &Arc<FillPlan>, body: &Arc<Body>) -> Option<Arc<LiveFill>> {
        if self.was_purged(plan) {
            // What is fetched was purged meanwhile: nobody need wait for it.
            self.locks().open(&plan.key, LockStatus::TransientError);
            return None;
        }
        // RFC 9111, section 4: what has to be validated before each use is no answer for a second request, now or when it
        // is whole. What may serve stale is worth the wait.
        let fresh = plan.freshness.stored(plan.now).is_fresh(SystemTime::now());
        if !fresh && plan.freshness.is_for_one_use() {
            self.locks().open(&plan.key, LockStatus::GiveUp);
        }
        if !fresh || self.known_oversize(&plan.key) {
            return None;
        }
        let fill = Arc::new(LiveFill::new(plan.clone(), body.clone()).ok()?);
        self.live().announce(fill.clone());
        self.locks().open(&plan.key, LockStatus::Done);
        Some(fill)
    }

    /// What is being fetched for another request, if that is a better answer than what is stored.
    pub(in crate::cache) async fn join(&'static self, view: &RequestView) -> Option<(CacheMeta, HitHandler)> {
        let fill = self.joinable(view)?;
        if self.serves_at_once(view) {
            return None;
        }
        match fill.usable(view) {
            Use::Join => {
                let place = fill.body.join()?;
                let reader = Reader::new(place, fill.plan.length.is_some());
                let mut meta = meta_of(&fill.freshness(), fill.head.clone());
                meta.extensions_mut().insert(Joined { plan: fill.plan.clone() });
                Some((meta, Box::new(reader)))
            }
            Use::Wait => {
                match fill.queue(self.most_waiters()) {
                    Some(_place) => view.sharing.wait_for(fill.body.decided()).await,
                    None => view.sharing.goes_alone(Alone::Crowded),
                }
                None
            }
        }
    }

    /// A fill under way that this request may share, now or when it has ended.
    fn joinable(&self, view: &RequestView) -> Option<Arc<LiveFill>> {
        view.sharing.until?;
        let now = SystemTime::now();
        let fill = self.live().find(&view.key, |fill| fill.answers(view, now))?;
        (!self.was_purged(&fill.plan)).then_some(fill)
    }

    /// What is stored has to be validated for each request.
    fn is_for_one_use(&self, view: &RequestView) -> bool {
        let stored = self.peek(&view.key);
        let variant = stored.as_ref().and_then(|resource| resource.select(view));
        variant.is_some_and(|variant| variant.freshness.is_for_one_use())
    }

    /// What is stored answers now: fresh, or while it is refreshed (RFC 5861, section 3).
    fn serves_at_once(&self, view: &RequestView) -> bool {
        let Some(resource) = self.peek(&view.key) else {
            return false;
        };
        let now = Moment::now();
        resource.select(view).is_some_and(|variant| {
            let stored = variant.stored_freshness(now);
            let until = stored.fresh_until.checked_add(stored.stale_while_revalidate);
            !stored.no_cache && until.is_none_or(|until| until > now.wall)
        })
    }
}

/// The lock that the platform takes before a fetch.
impl CacheKeyLock for Memory {
    fn lock(&self, key: &CacheKey, stale_writer: bool) -> Locked {
        let view = key.extensions.get::<Arc<RequestView>>();
        let standing = |waiting: usize, open: bool| {
            let Some(view) = view else {
                return if open { Standing::Fetch } else { Standing::Wait };
            };
            let alone = |why| {
                view.sharing.goes_alone(why);
                Standing::Alone
            };
            match open {
                // The platform hands a refresh the lock that it came with where it finds something stale. One that finds
                // nothing, since there was a purge or since it is not the request that it repeats, would wait for itself:
                // it takes a lock of its own, and gives the other back then.
                false if view.sharing.refresh && !stale_writer => Standing::Fetch,
                // Each use of it asks the app: one after the other is no faster for anybody.
                false if self.is_for_one_use(view) => Standing::Fetch,
                false if waiting >= self.most_waiters() => alone(Alone::Crowded),
                false => Standing::Wait,
                true if view.sharing.alone().is_some() => Standing::Alone,
                true if self.known_oversize(&view.key) => alone(Alone::Oversize),
                // What is stored would have served it, and could not: it would find the same again.
                true if self.joinable(view).is_none() || self.serves_at_once(view) => Standing::Fetch,
                true if view.sharing.until.is_some_and(|until| until <= Instant::now()) => alone(Alone::Late),
                // Announced between its look and its asking here: it looks again.
                true => Standing::Wait,
            }
        };
        self.locks().lock(key, stale_writer, standing)
    }

    fn release(&self, key: &CacheKey, permit: WritePermit, reason: LockStatus) {
        self.locks().release(key, permit, reason);
    }
}
