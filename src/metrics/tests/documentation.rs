//! What the pages for operators say of metrics and reasons is what the tables of the code say.

use std::collections::BTreeSet;

use super::promtool;
use crate::metrics::family::{FAMILIES, Family};
use crate::metrics::label::Label;
use crate::metrics::{
    Downgrade, EvictionCause, GivenUp, Handshake, MemoryEvent, Mode, Phase, Priority, PurgeResult, PurgeScope,
    ReloadResult, Resource, Sharing, Shed, Transcoding, UpstreamError,
};
use crate::negotiate::SkipReason;
use crate::policy::{CacheOutcome, NotStored, OverVarying};

const PAGE: &str = include_str!("../../../conf/metrics.md");
const TROUBLES: &str = include_str!("../../../conf/troubleshooting.md");
const README: &str = include_str!("../../../README.md");

/// Each family has one row, `| name | kind | labels | meaning |`, and each row a family.
#[test]
fn every_family_is_documented_and_every_documented_family_exists() {
    let mut documented = BTreeSet::new();
    for row in PAGE.lines().filter(|line| line.starts_with("| `vacpack_")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let family = (cells[1].to_owned(), cells[2].to_owned(), cells[3].to_owned());
        assert!(documented.insert(family), "{row} stands there twice");
        assert!(cells[4].len() > 20, "{row} explains nothing");
    }
    let labels =
        |family: &Family| family.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
    let table = FAMILIES
        .iter()
        .map(|family| (format!("`{}`", family.name), family.kind.word().to_owned(), labels(family)))
        .collect();
    assert_eq!(documented, table);
}

/// The page says what each label value means, so each value has to be on it.
#[test]
fn every_label_value_is_documented() {
    fn words<L: Label>() -> impl Iterator<Item = &'static str> {
        L::ALL.iter().map(|value| value.label())
    }
    let words = words::<CacheOutcome>()
        .chain(words::<SkipReason>())
        .chain(words::<NotStored>())
        .chain(words::<Downgrade>())
        .chain(words::<OverVarying>())
        .chain(words::<EvictionCause>())
        .chain(words::<UpstreamError>())
        .chain(words::<Phase>())
        .chain(words::<PurgeResult>())
        .chain(words::<ReloadResult>())
        .chain(words::<PurgeScope>())
        .chain(words::<Sharing>())
        .chain(words::<GivenUp>())
        .chain(words::<Handshake>())
        .chain(words::<MemoryEvent>())
        .chain(words::<Resource>())
        .chain(words::<Mode>())
        .chain(words::<Priority>())
        .chain(words::<Shed>())
        .chain(words::<Transcoding>());
    let missing: Vec<_> = words.filter(|word| !PAGE.contains(&format!("`{word}`"))).collect();
    assert!(missing.is_empty(), "conf/metrics.md does not explain {missing:?}");
}

/// Each reason has a row, `| word | because | to change it |`, in its own table, and each row is a reason.
#[test]
fn every_reason_is_explained_to_who_looks_for_it() {
    fn labels<L: Label>() -> BTreeSet<&'static str> {
        L::ALL.iter().map(|value| value.label()).collect()
    }
    let rows = |heading: &str| -> BTreeSet<&str> {
        let (_, section) = TROUBLES.split_once(heading).expect("the section is there");
        let section = section.split("\n#").next().unwrap_or_default();
        section.lines().filter_map(|row| row.strip_prefix("| `")?.split_once("` |")).map(|(word, _)| word).collect()
    };
    assert_eq!(rows("### Why an answer is not stored\n"), labels::<NotStored>());
    assert_eq!(rows("## Not compressed\n"), labels::<SkipReason>());
}

/// Every series that the pages name exists.
#[test]
fn queries_of_the_documentation_name_real_series() {
    let known = |name: &str| {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        FAMILIES.iter().any(|family| family.name == name || Some(family.name) == base)
    };
    let word = |each: char| each.is_ascii_alphanumeric() || each == '_';
    for page in [PAGE, TROUBLES, README] {
        for name in page.split(|each| !word(each)).filter(|name| name.starts_with("vacpack_") && !name.ends_with('_')) {
            assert!(known(name), "{name}");
        }
    }
}

/// A line that starts with a space goes on with the query before it.
#[test]
fn promtool_understands_every_query_of_the_documentation() {
    let pages = [PAGE, README].into_iter();
    let blocks = pages.flat_map(|page| page.split("```promql\n").skip(1)).filter_map(|rest| rest.split("```").next());
    let queries: Vec<String> =
        blocks.flat_map(|block| block.replace("\n ", " ").lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    assert!(queries.len() >= 10, "{queries:?}");
    let mut rules = String::from("groups:\n- name: page\n  rules:\n");
    for (number, query) in queries.iter().enumerate() {
        rules += &format!("  - record: page:query{number}\n    expr: {query:?}\n");
    }
    promtool(&["check", "rules", "/dev/stdin"], &rules);
}
