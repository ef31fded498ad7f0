//! The command line: one file a subcommand, and here what they share - arguments, exit codes, where they write.

pub mod check;
pub mod client;
pub mod config;
pub mod demo;
pub mod drain;
pub mod exit;
pub mod explain;
pub mod purge;
pub mod reload;
pub mod run;
pub mod schema;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Environment, Inputs, LoadError, Loaded, Override, Purpose, load};

/// Compresses, caches, labels and measures any HTTP app.
#[derive(Debug, Parser)]
#[command(
    name = "vacpack",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Without a command it serves, as `run` does. All other settings are in the file: `vacpack schema --reference` prints them.\n\
                  Exit codes: 0 done, 64 wrong command line, 69 an address cannot be bound or does not answer, 70 internal, 77 refused, 78 wrong configuration."
)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve.
    Run(Settings),
    /// Say everything that is wrong with configuration files; exit 78 if anything is.
    Check {
        /// TOML files, or directories of them.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print the settings in force, each with where it came from.
    Config(Settings),
    /// Say what a request would get, and why: of a running vacpack, or for a response in hand.
    Explain(explain::ExplainFlags),
    /// Print the JSON Schema of the configuration file.
    Schema {
        /// Print every key with its default and meaning instead, as TOML.
        #[arg(long)]
        reference: bool,
    },
    /// Remove what a running vacpack has stored, by URL, prefix, tag or host.
    Purge(purge::PurgeFlags),
    /// Make a running vacpack read its configuration again, and say what came of it.
    Reload(reload::ReloadFlags),
    /// End a running vacpack as SIGTERM does: not ready, then closed, then gone once nothing is in flight.
    Drain(drain::DrainFlags),
    /// Show it at work, before a sample app.
    Demo(DemoFlags),
}

/// What can be set without a file.
#[derive(Args, Clone, Debug, Default)]
pub struct Settings {
    /// Where the app listens: host:port or unix:/path [env: VACPACK_UPSTREAM] [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDR")]
    upstream: Option<String>,
    /// Where clients connect [env: VACPACK_LISTEN] [default: 0.0.0.0:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Where probes, metrics and purges are served [env: VACPACK_ADMIN] [default: 0.0.0.0:9901]
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
    /// The configuration file, or a directory of *.toml [env: VACPACK_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct DemoFlags {
    /// End after the table.
    #[arg(long)]
    once: bool,
    /// Where vacpack listens [default: 127.0.0.1:8080, or a free port where that one is taken]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where its admin listener is [default: 127.0.0.1:9901, or a free port where that one is taken]
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,
}

impl From<DemoFlags> for demo::DemoArgs {
    fn from(flags: DemoFlags) -> Self {
        Self { once: flags.once, listen: flags.listen, admin: flags.admin }
    }
}

impl Settings {
    fn file(&self, environment: &dyn Environment) -> Option<PathBuf> {
        let named = || environment.variable("VACPACK_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        self.config.clone().or_else(named)
    }

    /// The configuration these flags, the environment and the file add up to.
    fn load(&self, environment: &dyn Environment, purpose: Purpose) -> Result<Loaded, LoadError> {
        let given =
            [(Override::Upstream, &self.upstream), (Override::Listen, &self.listen), (Override::Admin, &self.admin)];
        let flags: Vec<_> = given.into_iter().filter_map(|(each, text)| Some((each, text.clone()?))).collect();
        let file = self.file(environment);
        load(&Inputs { file: file.as_deref(), flags: &flags, environment, root: Path::new("/"), purpose })
    }
}

/// The whole program, but for its exit.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let environment = variable;
    let (mut out, mut err) = (io::stdout(), io::stderr());
    ExitCode::from(dispatch(arguments, &environment, &mut out, &mut err))
}

/// Of the process.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn dispatch(
    arguments: impl IntoIterator<Item = OsString>,
    environment: &dyn Environment,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(refusal) if refusal.use_stderr() => {
            print(err, refusal.render().to_string().trim_end());
            return exit::USAGE;
        }
        Err(help) => return print(out, help.render().to_string().trim_end()),
    };
    match cli.command {
        None => run::main(&cli.settings, environment, err),
        Some(Command::Run(settings)) => run::main(&settings, environment, err),
        Some(Command::Check { files }) => check::main(&files, environment, out, err),
        Some(Command::Config(settings)) => config::main(&settings, environment, out, err),
        Some(Command::Explain(flags)) => explain::main(&flags, environment, out, err),
        Some(Command::Schema { reference }) => schema::main(reference, out),
        Some(Command::Purge(flags)) => purge::main(&flags, environment, out, err),
        Some(Command::Reload(flags)) => reload::main(&flags, environment, out, err),
        Some(Command::Drain(flags)) => drain::main(&flags, environment, out, err),
        Some(Command::Demo(flags)) => run::demo(&flags.into(), out, err),
    }
}

/// Writes all of it, or gives up: a reader that has gone away (`vacpack schema | head`) is nobody's failure.
fn print(out: &mut dyn Write, text: impl std::fmt::Display) -> u8 {
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => exit::INTERNAL,
        _ => exit::OK,
    }
}
