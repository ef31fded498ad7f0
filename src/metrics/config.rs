//! `[metrics]`: latency buckets and constant labels, as types that cannot be wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::family::FAMILIES;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    pub latency_buckets: Buckets,
    pub labels: ConstantLabels,
}

/// Upper bounds of the request histograms: ascending, none twice, at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets(Vec<f64>);

impl Buckets {
    /// Every bound that a service level is usually set at (50, 75, 100, 125, 150, 500 ms) is a bucket, or a quantile
    /// would be interpolated exactly where it is judged.
    pub const DEFAULT_MICROS: [u64; 15] = [
        1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 125_000, 150_000, 250_000, 500_000, 1_000_000,
        2_500_000, 10_000_000,
    ];

    /// Each bucket is a series for every route and cache status.
    pub const MOST: usize = 40;

    pub fn new(bounds: &[Duration]) -> Result<Self, BucketsProblem> {
        if bounds.is_empty() {
            return Err(BucketsProblem::Empty);
        }
        if bounds.len() > Self::MOST {
            return Err(BucketsProblem::TooMany(bounds.len()));
        }
        if bounds[0].is_zero() {
            return Err(BucketsProblem::Zero);
        }
        if let Some(pair) = bounds.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(BucketsProblem::NotAscending(pair[0], pair[1]));
        }
        Ok(Self(bounds.iter().map(Duration::as_secs_f64).collect()))
    }

    /// Seconds, as the exposition has them.
    pub(super) fn seconds(&self) -> Vec<f64> {
        self.0.clone()
    }
}

impl Default for Buckets {
    fn default() -> Self {
        Self(Self::DEFAULT_MICROS.iter().map(|micros| Duration::from_micros(*micros).as_secs_f64()).collect())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketsProblem {
    Empty,
    TooMany(usize),
    Zero,
    NotAscending(Duration, Duration),
}

impl fmt::Display for BucketsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "at least one bucket is needed"),
            Self::TooMany(count) => write!(f, "{count} buckets are more than {}", Buckets::MOST),
            Self::Zero => write!(f, "a bucket of 0s can hold nothing"),
            Self::NotAscending(one, next) => {
                write!(f, "buckets must ascend, but {next:?} comes after {one:?}")
            }
        }
    }
}

impl std::error::Error for BucketsProblem {}

/// Labels that every series carries, such as `team = "shop"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConstantLabels(BTreeMap<String, String>);

impl ConstantLabels {
    pub fn new(labels: BTreeMap<String, String>) -> Result<Self, LabelProblem> {
        for name in labels.keys() {
            check_label_name(name)?;
        }
        Ok(Self(labels))
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.0.iter().map(|(name, value)| (name.clone(), value.clone()))
    }
}

fn check_label_name(name: &str) -> Result<(), LabelProblem> {
    let well_formed = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|each| each.is_ascii_alphanumeric() || each == '_');
    if !well_formed {
        return Err(LabelProblem::Malformed(name.to_owned()));
    }
    // Prometheus keeps names with two underscores for itself and adds `le` to buckets, `job` and `instance` to targets.
    let reserved = name.starts_with("__") || ["le", "quantile", "job", "instance"].contains(&name);
    if reserved {
        return Err(LabelProblem::Reserved(name.to_owned()));
    }
    if FAMILIES.iter().any(|family| family.labels.contains(&name)) {
        return Err(LabelProblem::Ours(name.to_owned()));
    }
    Ok(())
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelProblem {
    Malformed(String),
    Reserved(String),
    Ours(String),
}

impl fmt::Display for LabelProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(name) => {
                write!(f, "`{name}` is no label name: letters, digits and `_`, not starting with a digit")
            }
            Self::Reserved(name) => {
                write!(f, "`{name}` belongs to Prometheus, choose another name")
            }
            Self::Ours(name) => write!(f, "`{name}` is a label of vacpack's own, choose another name"),
        }
    }
}

impl std::error::Error for LabelProblem {}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(bounds: &[u64]) -> Vec<Duration> {
        bounds.iter().copied().map(Duration::from_millis).collect()
    }

    #[test]
    fn buckets_ascend() {
        assert!(Buckets::new(&millis(&[1, 5, 10])).is_ok());
        assert_eq!(Buckets::new(&[]), Err(BucketsProblem::Empty));
        assert_eq!(Buckets::new(&millis(&[0, 5])), Err(BucketsProblem::Zero));
        let (five, four) = (Duration::from_millis(5), Duration::from_millis(4));
        assert_eq!(Buckets::new(&millis(&[5, 4])), Err(BucketsProblem::NotAscending(five, four)));
        assert_eq!(Buckets::new(&millis(&[5, 5])), Err(BucketsProblem::NotAscending(five, five)));
        let many: Vec<u64> = (1..=41).collect();
        assert_eq!(Buckets::new(&millis(&many)), Err(BucketsProblem::TooMany(41)));
    }

    #[test]
    fn default_buckets_are_what_new_accepts_and_hold_the_service_levels() {
        let micros: Vec<Duration> = Buckets::DEFAULT_MICROS.iter().copied().map(Duration::from_micros).collect();
        assert_eq!(Buckets::new(&micros), Ok(Buckets::default()));
        for level in [0.05, 0.075, 0.1, 0.125, 0.15, 0.5] {
            assert!(Buckets::default().0.contains(&level), "{level}");
        }
    }

    #[test]
    fn constant_labels_cannot_shadow_others() {
        let named = |name: &str| ConstantLabels::new(BTreeMap::from([(name.to_owned(), "x".to_owned())]));
        assert!(named("team").is_ok());
        for bad in ["", "1st", "a-b", "café"] {
            assert_eq!(named(bad), Err(LabelProblem::Malformed(bad.to_owned())), "{bad}");
        }
        for reserved in ["__name__", "le", "job"] {
            assert_eq!(named(reserved), Err(LabelProblem::Reserved(reserved.to_owned())));
        }
        for ours in ["route", "cache", "version"] {
            assert_eq!(named(ours), Err(LabelProblem::Ours(ours.to_owned())));
        }
    }
}
