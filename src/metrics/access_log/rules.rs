//! `[log] access`: which requests get a line.

use std::fmt;
use std::time::Duration;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::metrics::exchange::{Exchange, Severity};

#[derive(Clone, Debug)]
pub struct Rules {
    pub enabled: bool,
    pub sample: Sample,
    /// Requests at least this slow are always kept, as are those that failed.
    pub slow: Duration,
    /// Paths that never get a line, such as probes. They are counted like any other.
    pub exclude: Exclude,
}

impl Default for Rules {
    fn default() -> Self {
        Self { enabled: true, sample: Sample::ALL, slow: Duration::from_secs(1), exclude: Exclude::default() }
    }
}

impl Rules {
    /// `draw` is an even spread over all of `u64`, asked for only where chance decides.
    pub(super) fn keep(&self, exchange: &Exchange, draw: impl FnOnce() -> u64) -> bool {
        if !self.enabled || self.exclude.matches(exchange.path) {
            return false;
        }
        exchange.severity() != Severity::Info || exchange.duration >= self.slow || self.sample.takes(draw)
    }
}

/// The share of ordinary requests that get a line: 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample(f64);

impl Sample {
    pub const ALL: Self = Self(1.0);

    /// None outside of 0..=1.
    pub fn new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }

    fn takes(self, draw: impl FnOnce() -> u64) -> bool {
        // 1.0 is exactly all: the comparison below would leave out a draw that rounds up to 2^64.
        self.0 >= 1.0 || (draw() as f64) < self.0 * 2f64.powi(64)
    }
}

/// Spreads consecutive numbers evenly over `u64` (the finaliser of SplitMix64), so that a sample takes its share of
/// any run of requests, and a test gets the same ones each time.
pub(super) fn scramble(count: u64) -> u64 {
    let mut mixed = count.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Path patterns: `*` within a segment, `**` over segments; without either, the exact path.
#[derive(Clone, Debug, Default)]
pub struct Exclude(GlobSet);

impl Exclude {
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, ExcludeProblem> {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            let glob = GlobBuilder::new(pattern).literal_separator(true).build();
            set.add(glob.map_err(|error| ExcludeProblem::new(pattern, &error))?);
        }
        set.build().map(Self).map_err(|error| ExcludeProblem::new(error.glob().unwrap_or_default(), &error))
    }

    fn matches(&self, path: &str) -> bool {
        self.0.is_match(path)
    }
}

/// A pattern that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExcludeProblem {
    pub pattern: String,
    pub why: String,
}

impl ExcludeProblem {
    fn new(pattern: &str, error: &globset::Error) -> Self {
        Self { pattern: pattern.to_owned(), why: error.kind().to_string() }
    }
}

impl fmt::Display for ExcludeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no path pattern: {}", self.pattern, self.why)
    }
}

impl std::error::Error for ExcludeProblem {}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::metrics::exchange::sample;
    use crate::metrics::{Build, Config, ErrorType, Metrics};

    #[test]
    fn a_sample_takes_its_share() {
        for share in [0.0, 0.01, 0.25, 0.9, 1.0] {
            let sample = Sample::new(share).expect("a share");
            let taken = (0..100_000).filter(|count| sample.takes(|| scramble(*count))).count();
            assert!((taken as f64 / 100_000.0 - share).abs() < 0.005, "{share}: {taken}");
        }
        assert!(Sample::ALL.takes(|| u64::MAX));
        for wrong in [-0.1, 1.1, f64::NAN] {
            assert_eq!(Sample::new(wrong), None);
        }
    }

    #[test]
    fn what_matters_is_kept_whatever_the_sample() {
        let build = Build { version: "0", revision: "0" };
        let route = Metrics::new(&Config::default(), build).route("static");
        let rules = Rules {
            sample: Sample::new(0.0).expect("a share"),
            exclude: Exclude::new(["/healthz"]).expect("a pattern"),
            ..Rules::default()
        };
        let ordinary = sample::exchange(&route);
        let kept = |exchange: &Exchange| rules.keep(exchange, || 0);
        assert!(!kept(&ordinary));
        assert!(!kept(&Exchange { status: Some(StatusCode::NOT_FOUND), ..ordinary.clone() }));
        assert!(kept(&Exchange { status: Some(StatusCode::BAD_GATEWAY), ..ordinary.clone() }));
        assert!(kept(&Exchange { error: Some(ErrorType::Client), ..ordinary.clone() }));
        assert!(kept(&Exchange { status: None, ..ordinary.clone() }));
        assert!(kept(&Exchange { duration: rules.slow, ..ordinary.clone() }));
        let failing_probe = Exchange { path: "/healthz", error: Some(ErrorType::Internal), ..ordinary.clone() };
        assert!(!kept(&failing_probe));
        assert!(Rules::default().keep(&ordinary, || u64::MAX));
        assert!(!Rules { enabled: false, ..rules.clone() }.keep(&failing_probe, || 0));
    }

    #[test]
    fn patterns_match_whole_paths() {
        let exclude = Exclude::new(["/healthz", "/probe/**", "/a/*/ping"]).expect("patterns");
        for hidden in ["/healthz", "/probe/x", "/probe/x/y", "/a/b/ping"] {
            assert!(exclude.matches(hidden), "{hidden}");
        }
        for shown in ["/", "/healthz/", "/healthzz", "/probes", "/a/b/c/ping"] {
            assert!(!exclude.matches(shown), "{shown}");
        }
        assert!(!Exclude::default().matches("/healthz"));
    }

    #[test]
    fn a_wrong_pattern_is_named() {
        let problem = Exclude::new(["/ok", "/[a"]).expect_err("unclosed");
        assert_eq!(problem.pattern, "/[a");
        assert!(problem.to_string().contains("`/[a`"), "{problem}");
    }
}
