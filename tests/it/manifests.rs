//! The configuration inside the manifests is right: `vacpack check` reads it as a pod would, and has nothing to say.

use crate::harness::Directory;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn what_the_config_maps_hold_is_right() {
    every_literal_is_right("manifests", files("conf/kubernetes", "yaml"), "vacpack.toml");
}

#[test]
fn what_config_maps_are_generated_from_is_right() {
    let files = files("conf/kubernetes", "toml");
    assert!(!files.is_empty());
    for file in files {
        right(&file, &file);
    }
}

#[test]
fn what_the_charts_are_given_is_right() {
    every_literal_is_right(
        "charts",
        [files("conf/helm", "yaml"), files("tests/static/charts", "yaml")].concat(),
        "config",
    );
}

#[test]
fn alerts_ask_for_metrics_that_there_are() {
    let text =
        |name: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("it exists");
    let (alerts, documented) = (text("conf/helm/vacpack/files/alerts.yaml"), text("conf/metrics.md"));
    let name = |each: char| each.is_ascii_lowercase() || each == '_';
    let asked = alerts.split(|each: char| !name(each)).filter(|word| word.starts_with("vacpack_"));
    let asked: Vec<&str> = asked.collect();
    assert!(asked.len() > 10, "{asked:?}");
    for metric in asked {
        assert!(documented.contains(&format!("| `{metric}` |")), "{metric}");
    }
}

/// Of each of the files what is written out under `key`, and there are some.
fn every_literal_is_right(name: &str, files: Vec<PathBuf>, key: &str) {
    let directory = Directory::new(name);
    let mut seen = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).expect("it can be read");
        for held in literals(&text, key) {
            right(&directory.file(&format!("{seen}.toml"), &held), &file);
            seen += 1;
        }
    }
    assert!(seen >= 3, "{seen}");
}

/// Neither a problem nor a warning.
fn right(file: &Path, origin: &Path) {
    let ended = Command::new(env!("CARGO_BIN_EXE_vacpack")).arg("check").arg(file).output().expect("it runs");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && told.is_empty(), "{}: {told}", origin.display());
}

/// All files below a folder of the repository with this ending.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the folder exists") {
            let path = entry.expect("it can be listed").path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == ending => files.push(path),
                _ => {}
            }
        }
    }
    files
}

/// What YAML holds under this key as a literal text (`key: |`): the lines below that are indented further.
fn literals(yaml: &str, key: &str) -> Vec<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let opening = format!("{key}: |");
    let lines: Vec<&str> = yaml.lines().collect();
    let starts = lines.iter().enumerate().filter(|(_, line)| line.trim_start() == opening);
    let below = starts.map(|(at, line)| {
        let rest = &lines[at + 1..];
        let ended = rest.iter().position(|next| !next.trim().is_empty() && indent(next) <= indent(line));
        rest[..ended.unwrap_or(rest.len())].iter().map(|line| format!("{}\n", line.trim_start())).collect()
    });
    below.collect()
}
