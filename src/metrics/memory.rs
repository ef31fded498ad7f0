//! The memory budget, and what encoders have of it: asked at each scrape.

use std::sync::Arc;

use super::family::{ENCODER_CAPACITY_BYTES, ENCODER_MEMORY_BYTES, ENCODER_RESERVED_BYTES, MEMORY_BUDGET_BYTES};
use super::scraped::Scraped;

/// What the books of the memory budget say at this moment.
pub trait MemoryGauges: Send + Sync {
    /// The operator's: for cache, fills and encoders together.
    fn budget(&self) -> u64;
    /// What encoders hold.
    fn encoders_held(&self) -> u64;
    /// What they may come to hold.
    fn encoders_reserved(&self) -> u64;
    /// The most that may be reserved.
    fn encoders_capacity(&self) -> u64;
}

pub(super) fn collector(source: Arc<dyn MemoryGauges>) -> Scraped<dyn MemoryGauges> {
    Scraped::new(
        source,
        &[
            (&MEMORY_BUDGET_BYTES, |memory| memory.budget()),
            (&ENCODER_MEMORY_BYTES, |memory| memory.encoders_held()),
            (&ENCODER_RESERVED_BYTES, |memory| memory.encoders_reserved()),
            (&ENCODER_CAPACITY_BYTES, |memory| memory.encoders_capacity()),
        ],
    )
}
