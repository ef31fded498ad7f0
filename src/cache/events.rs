//! What happens in the cache, for those who count. The cache knows no metric; `metrics` implements this.

use std::time::Duration;

use crate::header::Coding;

/// Why a response that was allowed to be stored was not. The variant's name is the metric label and the log word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The body passed `max_object`.
    TooLarge,
    /// Bodies being filled hold their share of the memory already.
    OverBudget,
    /// The body did not come to its end: the app, the client or an encoder failed.
    Aborted,
    /// It was purged while it was being fetched.
    Purged,
    /// Its resource has as many variants as are kept, all fresh and in use.
    TooManyVariants,
    /// The proxy sent no plan along: a defect, stated rather than guessed around.
    NoPlan,
}

impl Refusal {
    pub const ALL: [Self; 6] =
        [Self::TooLarge, Self::OverBudget, Self::Aborted, Self::Purged, Self::TooManyVariants, Self::NoPlan];

    pub const fn label(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::OverBudget => "over_budget",
            Self::Aborted => "aborted",
            Self::Purged => "purged",
            Self::TooManyVariants => "too_many_variants",
            Self::NoPlan => "no_plan",
        }
    }
}

/// Why a resource left the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EvictionCause {
    /// Its retention ended.
    Expired,
    /// Room was needed, or it was not asked for often enough to be let in.
    Size,
    /// Purged or invalidated.
    Purged,
    /// More variants than `max_variants`: the oldest that nobody missed went, its resource stayed.
    Variants,
    /// The container was short of memory.
    Pressure,
}

impl EvictionCause {
    pub const ALL: [Self; 5] = [Self::Expired, Self::Size, Self::Purged, Self::Variants, Self::Pressure];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Size => "size",
            Self::Purged => "purged",
            Self::Variants => "variants",
            Self::Pressure => "pressure",
        }
    }
}

/// A coding made from a stored one for a client that accepts none of those.
#[derive(Clone, Copy, Debug)]
pub struct Derivation {
    pub from: Coding,
    pub to: Coding,
    pub input: u64,
    pub output: u64,
    pub elapsed: Duration,
}

/// A stored body that was compressed again and swapped for the smaller one.
#[derive(Clone, Copy, Debug)]
pub struct Improvement {
    pub coding: Coding,
    pub before: u64,
    pub after: u64,
}

/// Why a stored body that was to be improved was not. The variant's name is the metric label and the log word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unimproved {
    /// It came out no smaller, or not by enough.
    NoGain,
    /// It was purged, replaced or evicted before it was done.
    Gone,
    /// Others were worth more and the backlog is full. It may come back.
    Crowded,
    /// What is stored does not decode: it was dropped.
    Corrupt,
    /// The encoder failed, three times over. It is not tried again.
    Failed,
}

impl Unimproved {
    pub const ALL: [Self; 5] = [Self::NoGain, Self::Gone, Self::Crowded, Self::Corrupt, Self::Failed];

    pub const fn label(self) -> &'static str {
        match self {
            Self::NoGain => "no_gain",
            Self::Gone => "gone",
            Self::Crowded => "crowded",
            Self::Corrupt => "corrupt",
            Self::Failed => "failed",
        }
    }
}

/// Called from the threads that serve: count and return. Never call back into the cache from here, a lock may be held.
pub trait Events: Send + Sync {
    fn evicted(&self, _cause: EvictionCause, _bytes: u64) {}
    fn stored(&self, _coding: Coding, _bytes: u64) {}
    fn fill_refused(&self, _reason: Refusal) {}
    fn derived(&self, _derivation: Derivation) {}
    fn derive_failed(&self, _from: Coding, _to: Coding) {}
    fn refreshed(&self) {}
    /// How many bodies wait to be improved.
    fn improve_queued(&self, _waiting: usize) {}
    fn improved(&self, _improvement: Improvement) {}
    fn unimproved(&self, _reason: Unimproved) {}
    /// CPU time that improving took, since it was said last.
    fn improve_worked(&self, _cpu: Duration) {}
}

/// Nobody counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Events for Silent {}
