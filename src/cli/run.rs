//! `vacpack run`: load, then serve until told to stop; and the vacpack that the demo shows.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use super::demo::{self, DemoArgs, Failure, Front, Wanted};
use super::{Settings, exit, print};
use crate::app::{self, AppError, Reading};
use crate::config::{self, Environment, Loaded, Log, Purpose};
use crate::metrics::log;

pub fn main(settings: &Settings, environment: &dyn Environment, err: &mut dyn Write) -> u8 {
    match settings.load(environment, Purpose::Serve) {
        Ok(loaded) => {
            let settings = settings.clone();
            let reading = Reading {
                file: settings.file(environment),
                // A process's own variables do not change; whose they are does not matter to anybody but a test.
                load: Box::new(move || settings.load(&super::variable, Purpose::Serve)),
            };
            serve(loaded, reading, environment, err)
        }
        Err(error) => {
            print(err, error);
            exit::CONFIG
        }
    }
}

fn serve(loaded: Loaded, reading: Reading, environment: &dyn Environment, err: &mut dyn Write) -> u8 {
    let log = match start_log(&loaded.config.log, environment) {
        Ok(log) => Arc::new(log),
        Err(error) => {
            print(err, format_args!("vacpack: {error}"));
            return exit::CONFIG;
        }
    };
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    match app::run(loaded, reading, log) {
        Ok(()) => exit::OK,
        Err(error) => {
            print(err, format_args!("vacpack: {error}"));
            code(&error)
        }
    }
}

fn start_log(settings: &Log, environment: &dyn Environment) -> Result<log::Log, log::LogError> {
    let format = settings.format.unwrap_or_else(|| log::Format::for_terminal(std::io::stderr().is_terminal()));
    log::Log::start(settings.level, format, environment.variable("RUST_LOG").as_deref())
}

fn code(error: &AppError) -> u8 {
    match error {
        AppError::Bind(_) => exit::UNAVAILABLE,
        AppError::Resolve(_) | AppError::Tls(_) => exit::CONFIG,
        AppError::Thread(_) => exit::INTERNAL,
    }
}

/// The demo, before a vacpack with every default: what it shows is what an operator gets.
pub fn demo(args: &DemoArgs, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    match demo::main(args, out, front) {
        Ok(()) => exit::OK,
        Err(failure) => {
            print(err, format_args!("vacpack demo: {failure}"));
            match failure {
                Failure::Start(error) => code(&error),
                Failure::Demo(_) => exit::INTERNAL,
            }
        }
    }
}

fn front(wanted: Wanted) -> Result<Front, AppError> {
    let Wanted { upstream, listen, admin } = wanted;
    let text = format!(
        "upstream.address = \"{upstream}\"\nlisten.address = \"{listen}\"\nadmin.address = \"{admin}\"\n\
         log.access.enabled = false\n"
    );
    let config = config::parse(&text).expect("three addresses and a flag are a configuration");
    let running = app::start(config)?;
    Ok(Front { listen: running.listen, admin: running.admin, stop: Box::new(move || running.stop()) })
}
