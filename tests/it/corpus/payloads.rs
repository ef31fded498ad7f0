//! The real payloads, as `make corpus` fetched them: all of the manifest, or a failure that says what to do.

use std::path::{Path, PathBuf};

/// Smaller than this is left alone (`compression.min_size`).
pub const MIN_SIZE: usize = 1024;

/// The manifest's types that are no text, nor anything like it.
const NOT_LISTED: [&str; 3] = ["font/woff2", "image/png", "application/gzip"];

/// Larger than this is not kept (`cache.max_object`).
pub const MAX_OBJECT: usize = 4 << 20;

/// One file of the corpus.
#[derive(Clone)]
pub struct Payload {
    pub name: String,
    pub media_type: String,
    pub content: Vec<u8>,
}

impl Payload {
    pub fn path(&self) -> String {
        format!("/{}", self.name)
    }

    /// The coding in which a client that accepts this one alone gets it.
    pub fn coding<'a>(&self, accepted: &'a str) -> &'a str {
        let coded = self.content.len() >= MIN_SIZE && !NOT_LISTED.contains(&self.media_type.as_str());
        if coded { accepted } else { "identity" }
    }

    /// No client can be given it but as it is.
    pub fn is_only_identity(&self) -> bool {
        self.coding("br") == "identity"
    }

    /// Its identity form is too large to be kept.
    pub fn is_large(&self) -> bool {
        self.content.len() > MAX_OBJECT
    }
}

/// Every payload of the manifest.
pub fn all() -> Vec<Payload> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = root.join("tests/corpus/manifest.tsv");
    let manifest = std::fs::read_to_string(manifest).expect("the manifest is a part of the sources");
    let folder = root.join("corpus");
    let entries = manifest.lines().filter(|line| !line.starts_with('#'));
    let payloads: Vec<_> = entries.map(|line| payload(line, &folder)).collect();
    assert!(!payloads.is_empty(), "the manifest names files");
    payloads
}

/// The one of this name.
pub fn named(name: &str) -> Payload {
    let found = all().into_iter().find(|payload| payload.name == name);
    found.unwrap_or_else(|| panic!("the manifest has no {name}"))
}

fn payload(line: &str, folder: &Path) -> Payload {
    let columns: Vec<_> = line.split('\t').collect();
    let [name, media_type, bytes, ..] = columns[..] else { panic!("not an entry of the manifest: {line:?}") };
    let content = read(folder.join(name));
    let bytes: usize = bytes.parse().expect("the manifest's third column is a length");
    assert_eq!(content.len(), bytes, "{name} is not the manifest's: run `make corpus`");
    Payload { name: name.to_owned(), media_type: media_type.to_owned(), content }
}

fn read(path: PathBuf) -> Vec<u8> {
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}. Run `make corpus` first", path.display()))
}
