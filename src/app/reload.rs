//! Reading the configuration again while requests are served.
//!
//! Everything that can fail happens before anything changes: the file is read, parsed and checked. Then one pointer is
//! swapped. Requests in flight keep the ruleset they began with; a wrong file leaves everything as it is, the process
//! ready, and every problem in the log.
//!
//! What is stored moves into another capacity beside the traffic, so that the answer to who asked comes after that.
//!
//! Some keys are read at start alone: sockets, threads, where the app is and how it is asked, the shape of histograms.
//! They are marked in the list of keys, and while the file asks for others than those of the start a gauge and the log
//! say which.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::memory::Books;
use super::{limits, ruleset, shares};
use crate::admin::reload::{Applied, Reason, Refused};
use crate::admin::{Access, Reload};
use crate::config::{self, Config, Effective, Fingerprint, LoadError, Loaded, Runtime};
use crate::metrics::Metrics;
use crate::metrics::log::Log;
use crate::proxy::Parts;

/// Where the configuration comes from, to be read again and again.
pub struct Reading {
    /// The file, or the directory of files, if there is one beside flags and environment.
    pub file: Option<PathBuf>,
    pub load: Box<dyn Fn() -> Result<Loaded, LoadError> + Send + Sync>,
}

/// Puts what is read in force.
pub struct Reloader {
    reading: Reading,
    /// What the process was started with.
    started: Effective,
    subjects: Subjects,
    metrics: Arc<Metrics>,
    log: Arc<Log>,
    /// The file as it was last read, right or wrong. Locked while one is put in force: one after the other.
    seen: Mutex<Option<Fingerprint>>,
}

/// What changes.
pub struct Subjects {
    pub parts: Arc<Parts>,
    pub books: Arc<Books>,
    pub access: Arc<Access>,
    pub drain: Arc<ArcSwap<Runtime>>,
}

/// What the start leaves to a reloader.
pub struct Started {
    pub effective: Effective,
    pub fingerprint: Option<Fingerprint>,
    pub reading: Reading,
    pub log: Arc<Log>,
}

impl Reloader {
    pub fn new(started: Started, subjects: Subjects) -> Self {
        let Started { effective, fingerprint, reading, log } = started;
        let metrics = subjects.parts.metrics.clone();
        Self { reading, started: effective, subjects, metrics, log, seen: Mutex::new(fingerprint) }
    }

    pub fn file(&self) -> Option<&Path> {
        self.reading.file.as_deref()
    }

    /// Reloads if the file is another one than the last that was read.
    pub fn reload_if_changed(&self) {
        let Some(file) = self.file() else {
            return;
        };
        if *self.seen.lock() != config::fingerprint(file) {
            let _ = self.reload(Reason::File);
        }
    }

    /// Everything that can fail.
    fn prepare(&self) -> Result<Loaded, Refused> {
        (self.reading.load)().map_err(|error| match error {
            LoadError::Invalid(problems) => Refused(problems.iter().map(ToString::to_string).collect()),
            unreadable @ LoadError::Unreadable { .. } => Refused(vec![unreadable.to_string()]),
        })
    }

    /// Nothing here can.
    fn apply(&self, config: &Config) {
        let Subjects { parts, books, access, drain } = &self.subjects;
        parts.rules.store(Arc::new(ruleset(config, &self.metrics)));
        access.follow(config.admin.token.clone());
        drain.store(Arc::new(config.runtime.clone()));
        self.log.set(config.log.level);
        parts.memory.improve(config.improve);
        parts.memory.allow_waiters(config.cache.max_waiters);
        books.resize(config.memory.budget, shares(config));
        parts.memory.resize(limits(config));
    }
}

impl Reload for Reloader {
    fn reload(&self, because: Reason) -> Result<Applied, Refused> {
        let mut seen = self.seen.lock();
        // Read before the file is loaded: one that is replaced meanwhile differs from it, and is loaded next.
        *seen = self.file().and_then(config::fingerprint);
        let loaded = self.prepare().inspect_err(|Refused(problems)| {
            self.metrics.reload.refused();
            for problem in problems {
                tracing::error!("{problem}");
            }
            tracing::error!(%because, problems = problems.len(), "the new configuration is wrong; the old one stays in force");
        })?;
        let restart_needed = self.started.restart_needed(&loaded.effective);
        self.apply(&loaded.config);
        self.metrics.reload.applied(SystemTime::now(), !restart_needed.is_empty());
        let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        tracing::info!(%because, "the new configuration is in force");
        if !restart_needed.is_empty() {
            tracing::warn!(keys = restart_needed.join(", "), "but for these keys, which need a restart");
        }
        Ok(Applied { restart_needed, warnings })
    }
}
