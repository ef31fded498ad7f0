//! The key table against itself.

use super::super::keys::{Key, ROOT};
use super::super::kind::Kind;
use super::super::limits;
use super::{Directory, loaded, report};
use std::num::NonZeroUsize;
use std::time::Duration;

fn each(keys: &'static [Key], path: &str, visit: &mut dyn FnMut(&'static Key, &str)) {
    for key in keys {
        let path = format!("{path}{}", key.name);
        visit(key, &path);
        if let Some(inner) = key.kind.keys() {
            each(inner, &format!("{path}."), visit);
        }
    }
}

#[test]
fn every_key_explains_itself() {
    each(ROOT, "", &mut |key, path| {
        assert!(key.doc.ends_with('.') || key.doc.ends_with('}'), "{path}: {}", key.doc);
        assert!(key.doc.len() > 10 && key.doc.len() < 200, "{path}: {}", key.doc);
        assert!(key.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit()), "{path}");
        let value = !matches!(key.kind, Kind::Table(_) | Kind::Switch(_) | Kind::Tables(_));
        assert!(!value || key.default.is_some() || key.example.is_some(), "{path} has neither default nor example");
    });
}

/// A date is a value of TOML that no key takes: whatever reads past a key is found by it.
#[test]
fn no_key_is_left_unchecked() {
    let mut count = 0;
    each(ROOT, "", &mut |key, path| {
        let route = path.strip_prefix("route.");
        if matches!(key.kind, Kind::Tables(_)) || path.contains("live.") {
            return;
        }
        let text = match route {
            Some("name") => "[[route]]\nmatch.path = \"/\"\nname = 1979-05-27\n".to_owned(),
            Some("match") => "[[route]]\nname = \"a\"\nmatch = 1979-05-27\n".to_owned(),
            Some(inner) => {
                let matched = if inner.starts_with("match.") { "" } else { "match.path = \"/\"\n" };
                format!("[[route]]\nname = \"a\"\n{matched}{inner} = 1979-05-27\n")
            }
            None => format!("{path} = 1979-05-27\n"),
        };
        let report = report(&text);
        let named = route.map_or(path.to_owned(), |inner| format!("route[0].{inner}"));
        assert!(report.contains(&format!(": {named}: expected ")), "{text}\n{report}");
        assert!(report.ends_with("\n1 problem\n"), "{text}\n{report}");
        count += 1;
    });
    assert!(count > 100, "{count}");
}

/// What a component takes for granted when it is built without a file is what an operator reads in the reference.
#[test]
fn defaults_are_the_components_own() {
    let config = loaded("").config;
    assert_eq!(config.metrics, crate::metrics::Config::default());
    assert_eq!(config.log.level, crate::metrics::log::Level::default());
    let route = &config.routes.fallback;
    assert_eq!(route.headers, crate::cdn::HeaderRules::default());
    // Left to themselves the rules are the RFC's; these two are what the product adds.
    let (negative, stale_limit) = (route.cache.negative.clone(), Duration::from_secs(7 * 24 * 60 * 60));
    assert_eq!(route.cache, crate::policy::Rules { negative, stale_limit, ..Default::default() });
}

#[test]
fn what_comes_later_is_in_no_list_of_keys() {
    each(ROOT, "", &mut |_, path| assert!(!super::super::keys::is_later(path), "{path}"));
}

#[test]
fn limits_of_either_cgroup_version() {
    let v2 = Directory::new()
        .with("proc/self/cgroup", "0::/pods/one\n")
        .with("sys/fs/cgroup/pods/one/memory.max", "max\n")
        .with("sys/fs/cgroup/pods/memory.max", "268435456\n")
        .with("sys/fs/cgroup/pods/one/cpu.max", "150000 100000\n")
        .with("sys/fs/cgroup/pods/cpu.max", "max 100000\n");
    assert_eq!(limits::memory_limit(&v2.0), Some(256 << 20));
    assert_eq!(limits::cpu_limit(&v2.0), Some(1.5));

    let v1 = Directory::new()
        .with("proc/self/cgroup", "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n")
        .with("sys/fs/cgroup/memory/memory.limit_in_bytes", "134217728\n")
        .with("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n")
        .with("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    assert_eq!(limits::memory_limit(&v1.0), Some(128 << 20));
    assert_eq!(limits::cpu_limit(&v1.0), Some(0.5));

    let none = Directory::new()
        .with("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
        .with("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n")
        .with("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    assert_eq!(limits::memory_limit(&none.0), None);
    assert_eq!(limits::cpu_limit(&none.0), None);

    let odd = Directory::new().with("sys/fs/cgroup/memory.max", "lots").with("sys/fs/cgroup/cpu.max", "0 0");
    assert_eq!((limits::memory_limit(&odd.0), limits::cpu_limit(&odd.0)), (None, None));
}

#[test]
fn workers_are_the_limit_rounded_up() {
    let workers = |available, limit| limits::workers(NonZeroUsize::new(available).unwrap(), limit).get();
    assert_eq!(workers(8, None), 8);
    assert_eq!(workers(1, Some(0.1)), 1);
    assert_eq!(workers(1, Some(1.5)), 2);
    assert_eq!(workers(2, Some(2.0)), 2);
    assert_eq!(workers(4, Some(8.0)), 4, "a limit beyond the machine is none");
}
