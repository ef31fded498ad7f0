//! `vacpack config`: the settings in force, as a file that could be loaded, each line with where it came from.

use std::io::Write;

use super::{Settings, exit, print};
use crate::config::{BudgetSource, Config, Environment, Purpose};
use crate::units::ByteSize;

pub fn main(settings: &Settings, environment: &dyn Environment, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    match settings.load(environment, Purpose::Inspect) {
        Ok(loaded) => {
            print(out, found(&loaded.config));
            print(out, loaded.effective.to_string().trim_end())
        }
        Err(error) => {
            print(err, error);
            exit::CONFIG
        }
    }
}

/// What "auto" and a percentage came to on this machine.
fn found(config: &Config) -> String {
    let budget = ByteSize(config.memory.budget);
    let source = match (config.memory.source, config.memory.limit) {
        (BudgetSource::Share, Some(limit)) => format!(" of a limit of {}", ByteSize(limit)),
        (BudgetSource::NoLimit, _) => ", since no limit was found to take a share of".into(),
        _ => String::new(),
    };
    format!("# Here: memory budget {budget}{source}; {} workers.", config.runtime.workers)
}
