//! The files under `conf/`: what is written from the code is compared with it, what is written by hand is loaded.
//!
//! `VACPACK_BLESS=1 cargo test --lib config::tests::shipped` writes the former anew.

use std::fs;

use super::super::{reference, schema};
use super::table::table;
use super::{conf, load_with, loaded, warnings};

fn compare(name: &str, want: &str) {
    let path = conf(name);
    if std::env::var_os("VACPACK_BLESS").is_some() {
        fs::write(&path, want).unwrap();
    }
    let have = fs::read_to_string(&path).unwrap_or_default();
    let line = have.lines().zip(want.lines()).position(|(have, want)| have != want);
    assert!(
        have == want,
        "conf/{name} is not what the code says, from line {:?}; write it anew with\n  \
         VACPACK_BLESS=1 cargo test --lib config::tests::shipped",
        line.map(|line| line + 1)
    );
}

#[test]
fn the_schema() {
    compare("vacpack.schema.json", &format!("{:#}\n", schema()));
}

#[test]
fn the_reference() {
    compare("reference.toml", &reference());
}

#[test]
fn the_tables_of_the_readme() {
    const BEGIN: &str = "<!-- keys: written from the code -->\n";
    const END: &str = "<!-- end of keys -->\n";
    let readme = fs::read_to_string(conf("README.md")).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    compare("README.md", &format!("{before}{BEGIN}\n{}{END}{after}", table()));
}

#[test]
fn the_reference_holds_the_defaults() {
    let reference = loaded(&reference());
    assert_eq!(format!("{:?}", reference.config), format!("{:?}", loaded("").config));
    assert!(reference.warnings.is_empty());
}

/// The commented route of the reference, uncommented, is a route.
#[test]
fn the_reference_route_loads() {
    let reference = reference();
    let (_, route) = reference.split_once("# [[route]]\n").unwrap();
    let (route, _) = route.split_once("\n\n").unwrap();
    let route: String = route.lines().map(|line| format!("{}\n", line.strip_prefix("# ").unwrap())).collect();
    let config = loaded(&format!("[[route]]\n{route}")).config;
    assert_eq!(config.routes.listed[0].name, "static");
}

/// Every example of the key table is a value of its key.
#[test]
fn the_examples_of_keys_load() {
    let reference = reference();
    let mut text = String::new();
    let mut replaced = 0;
    for line in reference.lines() {
        match (line.split_once("  # e.g. "), line.split_once(" = ")) {
            (Some((_, example)), Some((key, _))) if !line.starts_with('#') && !example.contains("${") => {
                text.push_str(&format!("{key} = {example}\n"));
                replaced += 1;
            }
            _ => text.push_str(&format!("{line}\n")),
        }
    }
    assert!(replaced > 5, "{replaced}");
    loaded(&text);
}

#[test]
fn every_file_of_toml_is_right() {
    let mut files = vec![conf("vacpack.toml")];
    files.extend(fs::read_dir(conf("examples")).unwrap().map(|entry| entry.unwrap().path()));
    assert!(files.len() >= 6);
    for file in files {
        // A secret is mounted where it is used, not here.
        let text = fs::read_to_string(&file).unwrap().replace("token_file", "# token_file");
        assert!(text.starts_with("#:schema "), "{}", file.display());
        assert!(load_with(&text, &[]).is_ok(), "{}: {}", file.display(), load_with(&text, &[]).unwrap_err());
        assert_eq!(warnings(&text), Vec::<String>::new(), "{}", file.display());
    }
}
