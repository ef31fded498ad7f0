//! The files of a configuration: one, or all `*.toml` of a directory, in the order of their names.
//!
//! A directory is mostly a ConfigMap, whose files are links into `..data`, a link that is swapped when the ConfigMap
//! changes. Files that were read while that happened are of two versions: they are read again.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::source::Source;

/// Far more than a configuration needs, and little enough for a wrong path to do no harm.
const LARGEST: u64 = 4 << 20;
const MOST: usize = 64;

/// Times that files are read while somebody swaps them.
const TRIES: usize = 3;

/// Tells one state of the files from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(blake3::Hash);

/// Of the files as they are now; None if they cannot be read.
pub fn fingerprint(path: &Path) -> Option<Fingerprint> {
    open(path).ok().map(|sources| Fingerprint::of(&sources))
}

impl Fingerprint {
    /// Each part is framed by its length: no two states are the same text.
    pub(super) fn of(sources: &[Source]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in sources.iter().flat_map(|source| [&source.name, &source.text]) {
            hasher.update(&(part.len() as u64).to_be_bytes()).update(part.as_bytes());
        }
        Self(hasher.finalize())
    }
}

/// What is there under a path. The error names the file.
pub(super) fn open(path: &Path) -> Result<Vec<Source>, (PathBuf, io::Error)> {
    if !path.is_dir() {
        return Ok(vec![read(path)?]);
    }
    let version = || fs::read_link(path.join("..data")).ok();
    let mut tries = TRIES;
    loop {
        let before = version();
        let read = read_all(path);
        tries -= 1;
        if tries == 0 || before == version() {
            return read;
        }
    }
}

fn read_all(directory: &Path) -> Result<Vec<Source>, (PathBuf, io::Error)> {
    let refuse = |kind: io::ErrorKind, why: &str| (directory.to_owned(), io::Error::new(kind, why));
    let names = names(directory).map_err(|error| (directory.to_owned(), error))?;
    match names.len() {
        0 => Err(refuse(io::ErrorKind::NotFound, "there is no *.toml in this directory")),
        count if count > MOST => {
            Err(refuse(io::ErrorKind::FileTooLarge, "there are more than 64 files of *.toml in it"))
        }
        _ => names.iter().map(|name| read(&directory.join(name))).collect(),
    }
}

/// Hidden files are somebody's temporary ones, or Kubernetes' own.
fn names(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = PathBuf::from(entry?.file_name());
        let hidden = name.to_string_lossy().starts_with('.');
        if !hidden && name.extension().is_some_and(|extension| extension == "toml") {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn read(path: &Path) -> Result<Source, (PathBuf, io::Error)> {
    let text = || -> io::Result<String> {
        let mut text = String::new();
        File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
        match text.len() as u64 > LARGEST {
            true => Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 4MiB")),
            false => Ok(text),
        }
    };
    let text = text().map_err(|error| (path.to_owned(), error))?;
    Ok(Source { name: path.display().to_string(), text })
}
