//! Commands as they are typed: what they print, where, and how they end.

use std::fs;
use std::path::PathBuf;

use super::{dispatch, exit};

/// Exit code, standard output, standard error.
fn vacpack(arguments: &[&str]) -> (u8, String, String) {
    let environment = |name: &str| (name == "VACPACK_LISTEN").then(|| "127.0.0.1:7".to_owned());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = ["vacpack"].iter().chain(arguments).map(Into::into);
    let code = dispatch(arguments, &environment, &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (code, text(out), text(err))
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("vacpack-cli-{}-{name}", std::process::id()));
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_wrong_command_line_is_64_on_standard_error() {
    for arguments in [
        &["--nope"][..],
        &["nope"],
        &["check"],
        &["run", "x"],
        &["--upstream"],
        &["--upstream", "a:1", "config"],
        &["demo", "--listen", "x"],
    ] {
        let (code, out, err) = vacpack(arguments);
        assert_eq!((code, out.as_str()), (exit::USAGE, ""), "{arguments:?}");
        assert!(err.contains("--help"), "{arguments:?}\n{err}");
    }
}

#[test]
fn help_and_version_are_0_on_standard_output() {
    for (arguments, want) in [
        (&["--help"][..], "VACPACK_UPSTREAM"),
        (&["help"], "VACPACK_UPSTREAM"),
        (&["help", "check"], "FILE"),
        (&["check", "--help"], "FILE"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
    ] {
        let (code, out, err) = vacpack(arguments);
        assert_eq!((code, err.as_str()), (exit::OK, ""), "{arguments:?}");
        assert!(out.contains(want), "{arguments:?}\n{out}");
    }
}

#[test]
fn check_prints_five_problems_for_five_mistakes() {
    let wrong = file(
        "wrong.toml",
        "[upstream]\nadress = \"a:1\"\nread_timeout = 30s\n[cache]\nmax_object = 4096\nenabled = yes\n\
         [[route]]\nname = \"a\"\nmatch = { path = \"a/**\" }\n",
    );
    let right = file("right.toml", "[runtime]\ndrain_limit = \"1m\"\n");
    let paths = [wrong.to_str().unwrap(), right.to_str().unwrap()];
    let (code, out, err) = vacpack(&["check", paths[0], paths[1]]);
    assert_eq!(code, exit::CONFIG);
    assert_eq!(out, format!("{}: ok\n", paths[1]));
    for place in ["2:1: ", "3:16: ", "5:14: ", "6:11: ", "9:18: "] {
        assert!(err.contains(&format!("{}:{place}", paths[0])), "{place}\n{err}");
    }
    let carets = err.lines().filter(|line| line.trim_start().starts_with("| ") && line.contains('^')).count();
    assert_eq!(carets, 6, "five problems and a warning\n{err}");
    assert!(err.contains("5 problems") && err.contains("warning: "), "{err}");
    let (code, ..) = vacpack(&["check", paths[1]]);
    assert_eq!(code, exit::OK, "a warning is no problem");
    for path in [wrong, right] {
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn an_unreadable_file_is_78_everywhere() {
    for arguments in [
        &["check", "/nowhere.toml"][..],
        &["config", "--config", "/nowhere.toml"],
        &["run", "--config", "/nowhere.toml"],
        &["--config", "/nowhere.toml"],
        &["check", "/"],
    ] {
        let (code, out, err) = vacpack(arguments);
        assert_eq!((code, out.as_str()), (exit::CONFIG, ""), "{arguments:?}");
        assert!(err.starts_with("cannot read /") && err.lines().count() == 1, "{arguments:?}\n{err}");
    }
}

#[test]
fn config_shows_the_layers() {
    let (code, out, err) = vacpack(&["config", "--upstream", "app:1"]);
    assert_eq!((code, err.as_str()), (exit::OK, ""));
    let lines: Vec<String> = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for want in [
        "address = \"app:1\" # --upstream",
        "address = \"127.0.0.1:7\" # VACPACK_LISTEN",
        "address = \"0.0.0.0:9901\" # default",
    ] {
        assert!(lines.iter().any(|line| line == want), "{want}\n{out}");
    }
}

#[test]
fn schema_is_json_and_the_reference_toml() {
    let (code, out, _) = vacpack(&["schema"]);
    assert_eq!(code, exit::OK);
    let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let (code, out, _) = vacpack(&["schema", "--reference"]);
    assert_eq!(code, exit::OK);
    assert!(out.parse::<toml::Table>().unwrap().contains_key("upstream"));
}

#[test]
fn a_reader_that_has_gone_away_is_no_failure() {
    struct Gone;
    impl std::io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let arguments = ["vacpack", "schema"].map(Into::into);
    assert_eq!(dispatch(arguments, &|_: &str| None, &mut Gone, &mut Vec::new()), exit::OK);
}
