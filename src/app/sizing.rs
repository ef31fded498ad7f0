//! What was found of the container's limits and what follows from it, in one line of the log at the start.

use super::memory::Shares;
use crate::config::{BudgetSource, Config};
use crate::units::ByteSize;

/// Says it.
pub fn log(config: &Config, shares: Shares) {
    let limit = |found: Option<String>| found.unwrap_or_else(|| "none".to_owned());
    let memory = &config.memory;
    tracing::info!(
        memory_limit = limit(memory.limit.map(|bytes| ByteSize(bytes).to_string())),
        budget = %whole(memory.budget),
        budget_from = source(memory.source),
        cache = %whole(shares.cache),
        fills = %whole(shares.fills),
        encoders = %whole(shares.encoders),
        cpu_limit = limit(config.runtime.cpu_limit.map(|millicores| format!("{millicores}m"))),
        workers = config.runtime.workers,
        "sized by the container"
    );
}

/// In whole MiB, where it is more than one: a share is seldom a round number of bytes.
fn whole(bytes: u64) -> ByteSize {
    const MIB: u64 = 1 << 20;
    ByteSize(if bytes < MIB { bytes } else { bytes / MIB * MIB })
}

fn source(source: BudgetSource) -> &'static str {
    match source {
        BudgetSource::Fixed => "a size",
        BudgetSource::Share => "a share of the limit",
        BudgetSource::NoLimit => "no limit to take a share of",
    }
}
