//! Sharing a fetch while it goes on: who asks for what is just being fetched gets it as it comes in.
//!
//! ```text
//!   fill --> Body: growing --+--> complete    it is stored; readers go on in the stored bytes
//!             |  |           `--> aborted     every reader is cut off: nobody takes half a body for a whole one
//!             |  `--> relaying --> relayed    it will not be stored; readers get all of it, at the slowest one's pace
//!             `--< Reader*
//! ```
//!
//! A fill whose head has come is announced ([`LiveFills`]); from then on a lookup finds it, as it finds what is stored,
//! and reads along ([`Reader`]). The bytes are there once, in the fill's own buffer. What cannot be joined is waited for:
//! a coding that the client does not take, a range of a body whose length nobody knows. Nothing is joined that a purge
//! would have removed.
//!
//! Memory stays bounded when a body outgrows what may be kept. If nobody reads along, the fill gives up, as it always
//! did. If somebody does, it is no fill any more but a relay: nobody new joins, what everyone has is let go, and the app
//! is read no faster than the slowest of them.

mod body;
mod join;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use parking_lot::RwLock;
use pingora::Result;
use pingora::http::ResponseHeader;

use super::fill::FillPlan;
use super::head::compact;
use super::key::ResourceKey;
use super::representation::Common;
use super::storage::RequestView;
use super::variant::applied;
use crate::header::{Coding, EntityTag};
use crate::negotiate::{Selection, select};
use crate::policy::StoredFreshness;

pub use body::{Body, Relay};
pub use join::Joined;
pub use reader::Reader;

/// A fill under way that others may share.
#[derive(Debug)]
pub struct LiveFill {
    plan: Arc<FillPlan>,
    /// As it goes out to those who join.
    head: ResponseHeader,
    /// What the app itself did to the body.
    applied: Coding,
    body: Arc<Body>,
    /// How many wait for its end.
    queue: AtomicUsize,
}

/// How a request may use a fill under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Read along.
    Join,
    /// Wait for its end: what this client takes can be made of it only then.
    Wait,
}

impl LiveFill {
    pub fn new(plan: Arc<FillPlan>, body: Arc<Body>) -> Result<Self> {
        let own = compact(&plan.head);
        // Where the app gives no validator, one is made of the content: when it is all there.
        let unknown = EntityTag::weak("");
        let tag = plan.app_etag.as_ref().unwrap_or(&unknown);
        let FillPlan { status, codable, app_coded, coding, revision, .. } = *plan;
        let common = Common { status, head: &own, tag, codable, app_coded };
        let mut head = common.tagged_head(coding, &common.etag(coding, revision), plan.length)?;
        if plan.app_etag.is_none() {
            head.remove_header(&http::header::ETAG);
        }
        let applied = applied(&own, plan.codable);
        Ok(Self { head, applied, plan, body, queue: AtomicUsize::new(0) })
    }

    /// May this request share it at all, now or when it has ended?
    fn answers(&self, view: &RequestView, now: SystemTime) -> bool {
        self.body.is_growing()
            && self.freshness().is_fresh(now)
            && view.is_answered_by(self.plan.partition, self.applied, &self.plan.selector)
    }

    fn usable(&self, view: &RequestView) -> Use {
        let known_length = self.plan.length.is_some();
        let takes_coding = !self.plan.codable
            || select(&view.accept, &[self.plan.coding], true, &view.codings) == Selection::Serve(self.plan.coding);
        match takes_coding && (known_length || !view.sharing.range) {
            true => Use::Join,
            false => Use::Wait,
        }
    }

    /// A place among those who wait for its end; `None` if there are `most` already.
    fn queue(&self, most: usize) -> Option<Queued<'_>> {
        let place = Queued(&self.queue);
        (self.queue.fetch_add(1, Ordering::Relaxed) < most).then_some(place)
    }

    fn freshness(&self) -> StoredFreshness {
        self.plan.freshness.stored(self.plan.now)
    }
}

/// A place among those who wait, given up when dropped.
struct Queued<'a>(&'a AtomicUsize);

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The fills under way, by what they will be stored under: several where the app's `Vary` parts the answers.
#[derive(Debug, Default)]
pub struct LiveFills {
    fills: RwLock<HashMap<ResourceKey, Vec<Arc<LiveFill>>>>,
    count: AtomicUsize,
}

impl LiveFills {
    pub fn announce(&self, fill: Arc<LiveFill>) {
        self.fills.write().entry(fill.plan.key).or_default().push(fill);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    pub fn withdraw(&self, fill: &Arc<LiveFill>) {
        let mut fills = self.fills.write();
        let Some(of_key) = fills.get_mut(&fill.plan.key) else {
            return;
        };
        let before = of_key.len();
        of_key.retain(|one| !Arc::ptr_eq(one, fill));
        self.count.fetch_sub(before - of_key.len(), Ordering::Relaxed);
        if of_key.is_empty() {
            fills.remove(&fill.plan.key);
        }
    }

    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// The newest that will do.
    fn find(&self, key: &ResourceKey, will_do: impl Fn(&LiveFill) -> bool) -> Option<Arc<LiveFill>> {
        if self.count() == 0 {
            return None;
        }
        let fills = self.fills.read();
        fills.get(key)?.iter().rev().find(|fill| will_do(fill)).cloned()
    }
}
