//! Every key an operator can write: name, kind, default and one sentence. The single source of the checks,
//! of `conf/reference.toml`, of the JSON Schema and of the table in `conf/README.md`.

mod cache;
mod compression;
mod headers;
mod later;
mod listen;
mod operation;
mod route;
mod upstream;

use super::kind::Kind;

pub(super) use later::is_later;

/// One key of a table.
#[derive(Debug)]
pub(super) struct Key {
    pub name: &'static str,
    pub kind: Kind,
    /// As TOML; `None` when leaving the key out means something no value can say.
    pub default: Option<&'static str>,
    /// As TOML: what to show where there is no default, or an empty one.
    pub example: Option<&'static str>,
    /// One sentence: what it does, and why the default is what it is.
    pub doc: &'static str,
    pub required: bool,
    /// Read at start alone; of a table, all that is in it.
    pub restart: bool,
}

impl Key {
    /// A key with a default.
    const fn new(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Self {
        Self { name, kind, default: Some(default), example: None, doc, required: false, restart: false }
    }

    /// A key whose absence is its default.
    const fn optional(name: &'static str, kind: Kind, example: &'static str, doc: &'static str) -> Self {
        Self { name, kind, default: None, example: Some(example), doc, required: false, restart: false }
    }

    /// A table; its keys bring their own defaults.
    const fn table(name: &'static str, keys: &'static [Key], doc: &'static str) -> Self {
        Self { name, kind: Kind::Table(keys), default: None, example: None, doc, required: false, restart: false }
    }

    const fn example(self, example: &'static str) -> Self {
        Self { example: Some(example), ..self }
    }

    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    const fn at_start(self) -> Self {
        Self { restart: true, ..self }
    }
}

/// The whole file.
pub(super) const ROOT: &[Key] = &[
    Key::new("config_version", Kind::Integer { min: 1, max: 1 }, "1", "The version of this file's format."),
    Key::table("upstream", upstream::KEYS, "The app behind vacpack, in the same pod or on the same host.").at_start(),
    Key::table("listen", listen::KEYS, "Where clients connect, and how much of their time and ours they may take."),
    Key::table("compression", compression::KEYS, "Which responses are compressed, and how."),
    Key::table("memory", operation::MEMORY, "One budget for everything vacpack holds."),
    Key::table("cache", cache::KEYS, "What is kept in memory, for how long, and under which key."),
    Key {
        name: "route",
        kind: Kind::Tables(route::KEYS),
        default: None,
        example: None,
        doc: "Rules for some requests: the first that matches wins; what it leaves out comes from the tables above.",
        required: false,
        restart: false,
    },
    Key::table("headers", headers::KEYS, "Fields of every response; a route adds to these."),
    Key::table("admin", operation::ADMIN, "The second listener: probes, metrics and purges."),
    Key::table("metrics", operation::METRICS, "What `/metrics` on the admin listener shows.").at_start(),
    Key::table(
        "log",
        operation::LOG,
        "The program's own log on standard error, and one line a request on standard output.",
    ),
    Key::table("runtime", operation::RUNTIME, "Threads, and how the process ends."),
];
