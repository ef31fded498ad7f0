//! The program's own log, on standard error: everything that is not a request.
//!
//! A request has exactly one line, in the access log. pingora writes further ones about a failed request, and some of
//! them quote the head that it could not parse or could not send, cookies and tokens included. They are off here,
//! whatever the level, unless `RUST_LOG` names them.

use std::fmt;
use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl Level {
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The word in the configuration and in `RUST_LOG`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How a log is written, this one and the access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One object a line.
    Json,
    /// For people.
    Text,
}

impl Format {
    pub const ALL: [Self; 2] = [Self::Json, Self::Text];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
        }
    }

    /// Where the configuration does not say: text for a person who watches, JSON for a collector.
    pub fn for_terminal(is_terminal: bool) -> Self {
        if is_terminal { Self::Text } else { Self::Json }
    }
}

/// Modules of the platform that report each failed request once more, heads included; and one that tells of a shutdown
/// what we have told already.
const SILENCED: &str = "pingora_proxy=off,pingora_cache=error,pingora_core::apps=off,pingora_core::protocols=off,\
                        pingora_core::services=warn,h2=error";

/// The log of the process, whose level can change.
pub struct Log {
    /// None where `RUST_LOG` has the say, or where nobody took the place.
    swap: Option<Box<dyn Fn(EnvFilter) -> bool + Send + Sync>>,
}

impl Log {
    /// From here on `tracing` and `log` records are written. `rust_log` is the value of `RUST_LOG`, which wins over
    /// `level`. Fails if the value is no filter, or if somebody has taken the place already.
    pub fn start(level: Level, format: Format, rust_log: Option<&str>) -> Result<Self, LogError> {
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter(level, rust_log).map_err(LogError::Filter)?)
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal());
        let swap: Box<dyn Fn(EnvFilter) -> bool + Send + Sync> = match format {
            Format::Json => {
                let builder = builder.json().flatten_event(true).with_current_span(false).with_span_list(false);
                let builder = builder.with_filter_reloading();
                let handle = builder.reload_handle();
                builder.try_init().map_err(|error| LogError::Taken(error.to_string()))?;
                Box::new(move |filter| handle.reload(filter).is_ok())
            }
            Format::Text => {
                let builder = builder.with_target(false).with_filter_reloading();
                let handle = builder.reload_handle();
                builder.try_init().map_err(|error| LogError::Taken(error.to_string()))?;
                Box::new(move |filter| handle.reload(filter).is_ok())
            }
        };
        Ok(Self { swap: named(rust_log).is_none().then_some(swap) })
    }

    /// From here on this level, unless `RUST_LOG` said another one.
    pub fn set(&self, level: Level) {
        if let (Some(swap), Ok(filter)) = (&self.swap, filter(level, None)) {
            swap(filter);
        }
    }
}

/// An empty variable is one that is not set.
fn named(rust_log: Option<&str>) -> Option<&str> {
    rust_log.filter(|value| !value.trim().is_empty())
}

/// A directive for a module replaces an earlier one for the same module, so the operator has the last word.
fn filter(level: Level, rust_log: Option<&str>) -> Result<EnvFilter, ParseError> {
    let wanted = named(rust_log).unwrap_or(level.word());
    EnvFilter::builder().parse(format!("{SILENCED},{wanted}"))
}

#[derive(Debug)]
pub enum LogError {
    Filter(ParseError),
    Taken(String),
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(error) => {
                write!(
                    f,
                    "RUST_LOG is no filter ({error}); write a level, or pairs such as `info,vacpack::cache=debug`"
                )
            }
            Self::Taken(error) => write!(f, "the log is set up twice: {error}"),
        }
    }
}

impl std::error::Error for LogError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silenced_modules_stay_silent_unless_named() {
        let shown = filter(Level::Debug, None).expect("a filter").to_string();
        assert!(shown.contains("pingora_proxy=off") && shown.contains("debug"), "{shown}");

        let shown = filter(Level::Info, Some("trace")).expect("a filter").to_string();
        assert!(shown.contains("pingora_proxy=off") && shown.contains("trace"), "{shown}");
        assert!(!shown.contains("info"), "{shown}");

        let shown = filter(Level::Info, Some("info,pingora_proxy=warn")).expect("a filter").to_string();
        assert!(shown.contains("pingora_proxy=warn") && !shown.contains("pingora_proxy=off"), "{shown}");
    }

    #[test]
    fn an_empty_variable_is_no_variable() {
        assert!(filter(Level::Warn, Some(" ")).expect("a filter").to_string().contains("warn"));
    }

    #[test]
    fn a_wrong_variable_is_refused_with_advice() {
        let error = LogError::Filter(filter(Level::Info, Some("a=loud")).expect_err("no level"));
        assert!(error.to_string().contains("vacpack::cache=debug"), "{error}");
    }
}
