//! Flags over environment over file over defaults, and one answer: a configuration, or everything that is wrong.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::effective::Effective;
use super::files::{self, Fingerprint};
use super::keys::{Key, ROOT};
use super::problem::Problem;
use super::source::{Origin, Source};
use super::substitute::Environment;
use super::tree::{Node, Table, Value};
use super::typed::Config;
use super::{build, checks, read, warnings};

/// A value that can be given without a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Override {
    Upstream,
    Listen,
    Admin,
}

impl Override {
    pub const ALL: [Self; 3] = [Self::Upstream, Self::Listen, Self::Admin];

    pub const fn flag(self) -> &'static str {
        match self {
            Self::Upstream => "--upstream",
            Self::Listen => "--listen",
            Self::Admin => "--admin",
        }
    }

    pub const fn variable(self) -> &'static str {
        match self {
            Self::Upstream => "VACPACK_UPSTREAM",
            Self::Listen => "VACPACK_LISTEN",
            Self::Admin => "VACPACK_ADMIN",
        }
    }

    /// The table whose `address` it is.
    const fn table(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Listen => "listen",
            Self::Admin => "admin",
        }
    }
}

/// Everything that a configuration is made from.
pub struct Inputs<'a> {
    /// Or a directory of them.
    pub file: Option<&'a Path>,
    pub flags: &'a [(Override, String)],
    pub environment: &'a dyn Environment,
    /// The root of the file system, for the container's limits.
    pub root: &'a Path,
    pub purpose: Purpose,
}

/// What the configuration is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To serve: every file it names must be there.
    Serve,
    /// To look at: secrets are mounted where it serves, hardly where it is looked at.
    Inspect,
}

/// A configuration that is right.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    pub effective: Effective,
    pub warnings: Vec<Problem>,
    /// Of the files; None without any.
    pub fingerprint: Option<Fingerprint>,
}

/// Why there is none.
#[derive(Debug)]
pub enum LoadError {
    Unreadable { path: PathBuf, error: io::Error },
    Invalid(Vec<Problem>),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, error } => {
                write!(f, "cannot read {}: {error}", path.display())
            }
            Self::Invalid(problems) => {
                for problem in problems {
                    writeln!(f, "{problem}\n")?;
                }
                match problems.len() {
                    1 => f.write_str("1 problem"),
                    count => write!(f, "{count} problems"),
                }
            }
        }
    }
}

impl std::error::Error for LoadError {}

/// Reads, lays the layers over each other, checks, builds.
pub fn load(inputs: &Inputs<'_>) -> Result<Loaded, LoadError> {
    let sources = inputs.file.map(files::open).transpose();
    assemble(sources.map_err(|(path, error)| LoadError::Unreadable { path, error })?, inputs)
}

/// A configuration from a text alone: no flags, no environment, the limits of this machine.
pub fn parse(text: &str) -> Result<Config, LoadError> {
    let source = Source { name: "(text)".to_owned(), text: text.to_owned() };
    let nothing = |_: &str| None;
    let inputs =
        Inputs { file: None, flags: &[], environment: &nothing, root: Path::new("/"), purpose: Purpose::Serve };
    assemble(Some(vec![source]), &inputs).map(|loaded| loaded.config)
}

fn assemble(sources: Option<Vec<Source>>, inputs: &Inputs<'_>) -> Result<Loaded, LoadError> {
    let fingerprint = sources.as_deref().map(Fingerprint::of);
    let (mut table, mut problems) = (Table::default(), Vec::new());
    for source in sources.into_iter().flatten() {
        let (layer, found) = read::file(&Arc::new(source), ROOT, inputs.environment);
        table.overlay(&layer, ROOT);
        problems.extend(found);
    }
    for (layer, found) in [variables(inputs.environment), flags(inputs.flags)] {
        table.overlay(&layer, ROOT);
        problems.extend(found);
    }
    table.complete(ROOT);
    let together = checks::problems(&table, &problems);
    problems.extend(together);

    let token = match checks::token(&table) {
        Err(problem) if inputs.purpose == Purpose::Serve => {
            problems.push(*problem);
            None
        }
        token => token.ok().flatten(),
    };
    if !problems.is_empty() {
        problems.sort_by(|one, other| one.origin.place().cmp(&other.origin.place()));
        return Err(LoadError::Invalid(problems));
    }
    let config = build::config(&table, token, inputs.root);
    let warnings = warnings::warnings(&table, &config);
    Ok(Loaded { config, effective: Effective(table), warnings, fingerprint })
}

/// An empty variable is one that is not set: a manifest cannot always leave it out.
fn variables(environment: &dyn Environment) -> (Table, Vec<Problem>) {
    let set =
        |each: Override| environment.variable(each.variable()).filter(|text| !text.is_empty()).map(|text| (each, text));
    layer(Override::ALL.into_iter().filter_map(set), |each, text| Origin::Environment {
        variable: each.variable(),
        text,
    })
}

fn flags(flags: &[(Override, String)]) -> (Table, Vec<Problem>) {
    layer(flags.iter().cloned(), |each, text| Origin::Flag { flag: each.flag(), text })
}

fn layer(
    values: impl Iterator<Item = (Override, String)>,
    origin: impl Fn(Override, String) -> Origin,
) -> (Table, Vec<Problem>) {
    let (mut layer, mut problems) = (Table::default(), Vec::new());
    for (each, text) in values {
        let path = format!("{}.address", each.table());
        match read::text(&text, address(each.table()), &path, origin(each, text.clone())) {
            Ok(node) => {
                let origin = node.origin.clone();
                let mut inner = Table::default();
                inner.put("address", node);
                layer.put(each.table(), Node { value: Value::Table(inner), origin });
            }
            Err(problem) => problems.push(*problem),
        }
    }
    (layer, problems)
}

fn address(table: &str) -> &'static Key {
    let keys = ROOT.iter().find(|key| key.name == table).and_then(|key| key.kind.keys()).unwrap_or_default();
    keys.iter().find(|key| key.name == "address").expect("each of these tables has an address")
}
