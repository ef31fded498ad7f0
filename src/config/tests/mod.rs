//! Whole files: what they say, what is wrong with them, and the files that are shipped.

mod checked;
mod files;
mod layers;
mod limits;
mod problems;
mod routes;
mod shipped;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Inputs, LoadError, Loaded, Override, Purpose, load};

/// A directory that goes with its test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("vacpack-config-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn with(self, name: &str, text: &str) -> Self {
        let file = self.0.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        self
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn environment(name: &str) -> Option<String> {
    match name {
        "APP" => Some("app:9000".into()),
        "LONG" => Some("1h".into()),
        "BEARER" => Some("Bearer abc".into()),
        _ => None,
    }
}

fn load_with(text: &str, flags: &[(Override, String)]) -> Result<Loaded, LoadError> {
    let directory = Directory::new().with("vacpack.toml", text);
    let file = directory.0.join("vacpack.toml");
    let inputs =
        Inputs { file: Some(&file), flags, environment: &environment, root: &directory.0, purpose: Purpose::Serve };
    load(&inputs)
}

fn loaded(text: &str) -> Loaded {
    load_with(text, &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// The report on a file, the directory left out of its name.
fn report(text: &str) -> String {
    let error = load_with(text, &[]).expect_err("the file is right").to_string();
    without_directory(&error)
}

fn warnings(text: &str) -> Vec<String> {
    loaded(text).warnings.iter().map(|warning| without_directory(&warning.to_string())).collect()
}

fn without_directory(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let start = line.find(std::env::temp_dir().to_str().unwrap());
        let end = line.find("vacpack.toml");
        match (start, end) {
            (Some(start), Some(end)) if start < end => {
                out.push_str(&line[..start]);
                out.push_str(&line[end..]);
            }
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

fn conf(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conf").join(name)
}
