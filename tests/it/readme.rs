//! What `README.md` shows is what happens: its first steps are run, its excerpts compared, its links followed.

use crate::harness::Directory;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const README: &str = include_str!("../../README.md");
const SIDECAR: &str = include_str!("../../conf/kubernetes/native-sidecar.yaml");

/// The ports that the page names: the app, the proxy, the admin listener.
const PORTS: [&str; 3] = ["3000", "8080", "9901"];

/// Response fields of which only the presence is the same each time.
const VARYING: [&str; 4] = ["server:", "date:", "last-modified:", "etag:"];

#[test]
fn the_page_is_short() {
    let lines = README.lines().count();
    assert!(lines < 250, "{lines}");
}

/// The commands of the first block, one after the other, with free ports in place of those on the page.
#[test]
fn the_first_steps_show_what_the_page_shows() {
    let steps = between("<!-- start: run by tests/it/readme.rs -->\n```console\n", "```");
    let mut free = free_ports();
    let ports = PORTS.map(|usual| (usual, free.next().expect("a free port")));
    let directory = Directory::new("readme");
    let program = directory.file("steps", &script(steps, &ports));
    let ended = Command::new("bash")
        .arg(program)
        .current_dir(directory.join("."))
        .env("PATH", path_with(Path::new(env!("CARGO_BIN_EXE_vacpack")).parent().expect("a folder holds it")))
        .env("VACPACK_LISTEN", format!("127.0.0.1:{}", ports[1].1))
        .env("VACPACK_ADMIN", format!("127.0.0.1:{}", ports[2].1))
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let told = String::from_utf8_lossy(&ended.stderr);
    let shown: Vec<String> = String::from_utf8_lossy(&ended.stdout).lines().map(comparable).collect();
    let wanted: Vec<String> = steps.lines().filter(|line| !line.starts_with("$ ")).map(comparable).collect();
    let wanted: Vec<String> = wanted.into_iter().filter(|line| !line.is_empty()).collect();
    let shown: Vec<String> = shown.into_iter().filter(|line| !line.is_empty()).collect();
    assert_eq!(shown, wanted, "{told}");
}

/// The page leaves lines of the manifest out, and adds none.
#[test]
fn the_excerpt_of_the_manifest_is_one() {
    let excerpt = between("compared by tests/it/readme.rs -->\n```yaml\n", "```");
    let mut manifest = SIDECAR.lines();
    for line in excerpt.lines() {
        assert!(manifest.any(|other| other == line), "not there, or not in this order: {line}");
    }
}

/// Each block of the chart's page begins with the file of the example that it is from; it leaves lines out, and adds none.
#[test]
fn the_excerpts_of_the_chart_are_ones() {
    let charts = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/helm");
    let page = std::fs::read_to_string(charts.join("vacpack/README.md")).expect("the page exists");
    let excerpts = blocks(&page, "yaml");
    assert!(excerpts.len() >= 4, "{}", excerpts.len());
    for excerpt in excerpts {
        let (name, excerpt) = excerpt.split_once('\n').expect("a line each");
        let file = charts.join("app").join(name.trim_start_matches("# "));
        let text = std::fs::read_to_string(&file).expect("its first line names a file of conf/helm/app");
        let mut lines = text.lines();
        for line in excerpt.lines() {
            assert!(lines.any(|other| other == line), "{name}: not there, or not in this order: {line}");
        }
    }
}

#[test]
fn the_configuration_of_each_page_is_right() {
    let directory = Directory::new("pages");
    for (page, text) in pages() {
        for (number, block) in blocks(&text, "toml").into_iter().enumerate() {
            let file = directory.file(&format!("{number}.toml"), block);
            let ended = Command::new(env!("CARGO_BIN_EXE_vacpack")).arg("check").arg(file).output().expect("it runs");
            let told = String::from_utf8_lossy(&ended.stderr);
            assert!(ended.status.success() && told.is_empty(), "{}: {told}\n{block}", page.display());
        }
    }
}

#[test]
fn every_link_to_a_file_leads_somewhere() {
    for (page, text) in pages() {
        let folder = page.parent().expect("a page is in a folder");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            let elsewhere = target.contains("://") || file.is_empty();
            assert!(elsewhere || folder.join(file).exists(), "{}: {target}", page.display());
        }
    }
}

/// Every page for operators.
fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = ["README.md", "CHANGELOG.md", "conf/README.md", "conf/metrics.md", "conf/troubleshooting.md"];
    let pages = names
        .into_iter()
        .chain(["conf/kubernetes/README.md", "conf/helm/vacpack/README.md"])
        .map(|name| root.join(name));
    pages.map(|page| (page.clone(), std::fs::read_to_string(page).expect("the page exists"))).collect()
}

fn between(start: &str, end: &str) -> &'static str {
    let (_, rest) = README.split_once(start).expect("the block starts");
    rest.split_once(end).expect("the block ends").0
}

fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(fence.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// A person takes a moment between two commands; here whatever was put into the background is waited for.
fn script(steps: &str, ports: &[(&str, u16); 3]) -> String {
    let mut script = String::from("trap 'kill $(jobs -p)' EXIT\n");
    let mut started = ports.iter();
    for command in steps.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let command = ports.iter().fold(command.to_owned(), |text, (usual, port)| {
            text.replace(&format!("127.0.0.1:{usual}"), &format!("127.0.0.1:{port}"))
                .replace(&format!("http.server {usual}"), &format!("http.server {port}"))
        });
        script += &format!("{command}\n");
        if command.ends_with('&') {
            let (_, port) = started.next().expect("a port for each");
            script += &format!(
                "for try in {{1..200}}; do curl -s -o /dev/null http://127.0.0.1:{port}/ && break; sleep 0.05; done\n"
            );
        }
    }
    script
}

/// A line without what differs from one run, or one Python, to the next.
fn comparable(line: &str) -> String {
    let varying = VARYING.iter().find(|name| line.to_ascii_lowercase().starts_with(*name));
    let line = varying.map_or(line.trim_end(), |name| &line[..name.len()]);
    line.split(|each: char| each.is_ascii_digit()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("0")
}

fn path_with(folder: &Path) -> std::ffi::OsString {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_path_buf()).chain(std::env::split_paths(&rest));
    std::env::join_paths(folders).expect("no folder has a colon in its name")
}

/// Below the range from which the kernel takes ports for others, so that they are still free when they are bound.
fn free_ports() -> impl Iterator<Item = u16> {
    let start = 20_000 + u16::try_from(std::process::id() % 10_000).expect("it is below 10,000");
    (start..32_000).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
}
