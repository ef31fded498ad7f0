//! `known.tsv`: the causes of differences, for people. Its columns are checked here, its truth in `main`.

/// One cause.
pub struct Known {
    pub id: &'static str,
}

impl Known {
    /// All rows; panics at one that is not as the head of the file says.
    pub fn read() -> Vec<Self> {
        let text = include_str!("known.tsv");
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(Self::row).collect()
    }

    fn row(line: &'static str) -> Self {
        let columns: Vec<&str> = line.split('\t').collect();
        let &[id, question, clause, right, why] = columns.as_slice() else {
            panic!("five columns: {line:?}");
        };
        assert!(
            question.split('+').all(|asked| ["stored", "lifetime", "age", "stale", "reuse"].contains(&asked)),
            "{line:?}"
        );
        assert!(clause.starts_with("RFC ") || clause.starts_with("Edge "), "{line:?}");
        assert!(["ours", "choice"].contains(&right), "who is right: {line:?}");
        assert!(why.len() > 20, "say why: {line:?}");
        Self { id }
    }
}
