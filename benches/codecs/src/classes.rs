//! What is measured: real files, by what they contain.

use std::io::Read;
use std::path::{Path, PathBuf};

/// Files of one kind of content.
pub struct Class {
    pub name: &'static str,
    pub files: Vec<Vec<u8>>,
}

/// Of a longer file this much is measured: nothing changes after, and level 11 takes a second for a megabyte.
const MOST: usize = 1 << 20;

/// In the order of the report. A file whose name ends otherwise is none of them.
const KINDS: [(&str, &[&str]); 6] = [
    ("HTML", &["html"]),
    ("CSS", &["css"]),
    ("JavaScript", &["js"]),
    ("JSON", &["json"]),
    ("XML, SVG", &["xml", "svg"]),
    ("prose", &["md", "txt", "txt.gz"]),
];

/// The classes of which there is a file.
pub fn classes(folders: &[PathBuf]) -> Vec<Class> {
    let mut paths: Vec<PathBuf> = folders.iter().flat_map(|folder| files(folder)).collect();
    paths.sort();
    let class = |(name, endings): (&'static str, &[&str])| {
        let of_it = paths.iter().filter(|path| endings.iter().any(|ending| ends_with(path, ending)));
        Class { name, files: of_it.map(|path| read(path)).collect() }
    };
    KINDS.into_iter().map(class).filter(|class| !class.files.is_empty()).collect()
}

impl Class {
    /// The files that are measured for speed: of each the beginning.
    pub fn bodies(&self) -> impl Iterator<Item = &[u8]> {
        self.files.iter().map(|file| &file[..file.len().min(MOST)])
    }

    pub fn bytes(&self) -> usize {
        self.bodies().map(<[u8]>::len).sum()
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder of real files");
    entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn ends_with(path: &Path, ending: &str) -> bool {
    file_name(path).strip_suffix(ending).is_some_and(|stem| stem.ends_with('.'))
}

fn read(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).expect("a file that was just listed");
    if !ends_with(path, "gz") {
        return bytes;
    }
    let mut content = Vec::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut content).expect("a .gz is gzip");
    content
}
