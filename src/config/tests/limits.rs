//! `conf/limits.md`: a row for each limit that is counted, with a key that exists and the default that it has.

use std::collections::BTreeSet;

use crate::config::keys::ROOT;
use crate::metrics::{Label, Limit};

const PAGE: &str = include_str!("../../../conf/limits.md");

#[test]
fn every_limit_has_a_row_and_each_row_says_what_is_so() {
    let default = |path: &str| {
        let (table, name) = path.split_once('.')?;
        let keys = ROOT.iter().find(|key| key.name == table)?.kind.keys()?;
        keys.iter().find(|key| key.name == name)?.default
    };
    let mut rows = BTreeSet::new();
    for row in PAGE.lines().filter(|line| line.starts_with("| `") && !line.starts_with("| `limit`")) {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        assert_eq!(default(cells[2]), Some(cells[3]), "{row}");
        assert!(rows.insert(cells[1]), "{row} stands there twice");
    }
    let limits: BTreeSet<&str> = Limit::ALL.iter().map(|limit| limit.label()).collect();
    assert_eq!(rows, limits);
}
