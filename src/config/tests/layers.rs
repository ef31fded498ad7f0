//! Which layer wins, and what `vacpack config` says about it.

use std::path::Path;
use std::time::Duration;

use super::super::typed::BudgetSource;
use super::{Directory, Inputs, LoadError, Override, Purpose, load, load_with, loaded};
use crate::admin::Token;

const FILE: &str = "[upstream]\naddress = \"${APP}\"\nconnect_timeout = \"${NONE:-3s}\"\n\n[cache]\nkey.headers = [\"Accept-Language\"]\n\n\
                    [admin]\ntoken = \"hunter2\"\n\n[[route]]\nname = \"api\"\nmatch.path = \"/api/**\"\ncache = false\n\
                    request_headers.set = { Authorization = \"${BEARER}\" }\n";

#[test]
fn flags_over_environment_over_file_over_defaults() {
    let address = |variable: bool, flag: bool| {
        let directory = Directory::new().with("v.toml", "[upstream]\naddress = \"file:1\"\n");
        let environment = |name: &str| (variable && name == "VACPACK_UPSTREAM").then(|| "variable:2".to_owned());
        let flags = [(Override::Upstream, "flag:3".to_owned())];
        let inputs = Inputs {
            file: Some(&directory.0.join("v.toml")),
            flags: if flag { &flags } else { &[] },
            environment: &environment,
            root: &directory.0,
            purpose: Purpose::Serve,
        };
        let loaded = load(&inputs).unwrap();
        let origin = loaded.effective.origin("upstream.address").unwrap().to_string();
        (loaded.config.upstream.address.to_string(), origin.rsplit('/').next().unwrap().to_owned())
    };
    assert_eq!(address(false, false), ("file:1".into(), "v.toml:2".into()));
    assert_eq!(address(true, false), ("variable:2".into(), "VACPACK_UPSTREAM".into()));
    assert_eq!(address(true, true), ("flag:3".into(), "--upstream".into()));
}

#[test]
fn without_a_file_there_are_defaults() {
    let inputs = Inputs {
        file: None,
        flags: &[],
        environment: &|_: &str| Some(String::new()),
        root: Path::new("/nowhere"),
        purpose: Purpose::Serve,
    };
    let loaded = load(&inputs).unwrap();
    assert_eq!(loaded.config.upstream.address.to_string(), "127.0.0.1:3000");
    assert_eq!(loaded.config.listen.address.to_string(), "0.0.0.0:8080");
    assert_eq!(loaded.effective.origin("upstream.address").unwrap().to_string(), "default");
    assert!(loaded.warnings.is_empty());
}

#[test]
fn a_wrong_flag_is_shown_like_a_wrong_line() {
    let flags = [(Override::Listen, "8080".to_owned()), (Override::Upstream, "app".to_owned())];
    let error = load_with("", &flags).expect_err("wrong flags").to_string();
    assert!(error.contains("--listen: listen.address: expected an address and port, got \"8080\""), "{error}");
    assert!(error.contains("| 8080\n  | ^^^^ write \"0.0.0.0:8080\""), "{error}");
    assert!(error.ends_with("2 problems"), "{error}");
}

#[test]
fn an_unreadable_file_is_one_clear_message() {
    let inputs = Inputs {
        file: Some(Path::new("/nowhere/v.toml")),
        flags: &[],
        environment: &|_: &str| None,
        root: Path::new("/"),
        purpose: Purpose::Serve,
    };
    let error = load(&inputs).expect_err("there is no such file");
    assert!(matches!(error, LoadError::Unreadable { .. }));
    assert_eq!(error.to_string(), "cannot read /nowhere/v.toml: No such file or directory (os error 2)");
}

#[test]
fn the_effective_file_says_where_each_value_came_from() {
    let flags = [(Override::Listen, "127.0.0.1:1".to_owned())];
    let text = load_with(FILE, &flags).unwrap().effective.to_string();
    let line = |start: &str| {
        let line = text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}\n{text}"));
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(line("address = \"app:9000\"").ends_with("vacpack.toml:2"));
    assert!(line("connect_timeout = \"3s\"").ends_with("vacpack.toml:3"));
    assert!(line("read_timeout").ends_with("\"1m\" # default"));
    assert!(line("address = \"127.0.0.1:1\"").ends_with("# --listen"));
    assert!(line("key.headers = [\"Accept-Language\"]").ends_with("vacpack.toml:6"));
    assert!(line("key.sort_query").ends_with("false # default"));
    assert!(line("cache.enabled = false").ends_with("vacpack.toml:14"));
    assert!(line("token = \"<redacted>\"").ends_with("vacpack.toml:9"));
    assert!(line("request_headers.set = { Authorization = \"${BEARER}\" }").contains("vacpack.toml:15"));
    assert!(!text.contains("hunter2") && !text.contains("Bearer abc"), "{text}");
}

#[test]
fn the_effective_file_loads_to_the_same() {
    for name in ["reference.toml", "vacpack.toml", "examples/static-site.toml", "examples/api.toml"] {
        let once = loaded(&std::fs::read_to_string(super::conf(name)).unwrap());
        let again = loaded(&once.effective.to_string());
        assert_eq!(format!("{:?}", once.config), format!("{:?}", again.config), "{name}");
    }
}

#[test]
fn the_debug_form_hides_secrets() {
    let config = loaded(FILE).config;
    let debug = format!("{config:?}");
    assert!(!debug.contains("hunter2") && !debug.contains("Bearer abc"));
}

#[test]
fn a_token_comes_from_its_file() {
    let directory = Directory::new().with("token", "hunter2\n");
    let text = format!("[admin]\ntoken_file = \"{}\"\n", directory.0.join("token").display());
    assert_eq!(loaded(&text).config.admin.token, Token::new("hunter2"));
}

#[test]
fn looking_at_a_file_does_not_need_its_secrets() {
    let directory = Directory::new().with("v.toml", "[admin]\ntoken_file = \"/nowhere/token\"\n");
    let inputs = Inputs {
        file: Some(&directory.0.join("v.toml")),
        flags: &[],
        environment: &|_: &str| None,
        root: &directory.0,
        purpose: Purpose::Inspect,
    };
    assert!(load(&inputs).is_ok());
}

#[test]
fn the_budget_follows_the_container() {
    let budget = |limit: &str, budget: &str| {
        let directory = Directory::new()
            .with("sys/fs/cgroup/memory.max", limit)
            .with("v.toml", &format!("[memory]\nbudget = \"{budget}\"\n"));
        let inputs = Inputs {
            file: Some(&directory.0.join("v.toml")),
            flags: &[],
            environment: &|_: &str| None,
            root: &directory.0,
            purpose: Purpose::Serve,
        };
        let loaded = load(&inputs).unwrap();
        (loaded.config.memory.budget, loaded.config.memory.source, loaded.warnings.len())
    };
    assert_eq!(budget("268435456\n", "25%"), (64 << 20, BudgetSource::Share, 0));
    assert_eq!(budget("max\n", "25%"), (64 << 20, BudgetSource::NoLimit, 0));
    assert_eq!(budget("268435456\n", "100MiB"), (100 << 20, BudgetSource::Fixed, 0));
    // More than nine tenths of the limit works until it is used.
    assert_eq!(budget("268435456\n", "250MiB"), (250 << 20, BudgetSource::Fixed, 1));
}

#[test]
fn improvement_is_on_unless_switched_off() {
    let improve = |text: &str| loaded(text).config.improve;
    let default = improve("").unwrap();
    assert_eq!((default.after_hits, default.best.brotli, default.best.zstd, default.min_size), (3, 11, 19, 1024));
    assert_eq!(improve("compression.improve = {}"), Some(default));
    assert_eq!(improve("compression.improve = false"), None);
    assert_eq!(improve("compression = { improve.enabled = false, min_size = \"2KiB\" }"), None);
    let own = improve("compression = { improve = { after_hits = 10, br = 9 }, min_size = \"2KiB\" }").unwrap();
    assert_eq!((own.after_hits, own.best.brotli, own.best.zstd, own.min_size), (10, 9, 19, 2048));
}

#[test]
fn values_arrive_in_their_types() {
    let config = loaded(
        "[listen]\nmax_body = \"unlimited\"\nmax_header_size = \"64KiB\"\n[runtime]\nworkers = 3\n[log]\nformat = \"text\"\n\
         access.sample = 0\n[metrics]\nlabels = { team = \"shop\" }\nlatency_buckets = [\"1ms\", \"1s\"]\n\
         [upstream]\naddress = \"unix:/run/a.sock\"\nidle_timeout = \"1h30m\"\n",
    )
    .config;
    assert_eq!(config.listen.request.max_body, u64::MAX);
    assert_eq!(config.listen.request.max_header_size, 65_536);
    assert_eq!(config.runtime.workers, 3);
    assert_eq!(config.upstream.idle_timeout, Duration::from_secs(5400));
    assert_eq!(config.upstream.address.to_string(), "unix:/run/a.sock");
}
