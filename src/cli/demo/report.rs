//! What the demo measured, and the sums over it. Pure.

use std::ops::AddAssign;
use std::time::Duration;

/// All figures of one run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub rows: Vec<Row>,
    pub totals: Totals,
    /// The codecs' bytes as the admin listener's `/metrics` states them, if it answers.
    pub metrics: Option<Coded>,
}

/// One resource: its first request and its second.
#[derive(Clone, Debug)]
pub struct Row {
    pub path: &'static str,
    pub note: &'static str,
    /// Body bytes that the app sent for the first request.
    pub from_app: u64,
    /// Body bytes that the client received for it.
    pub to_client: u64,
    /// `Content-Encoding`, or `identity`.
    pub coding: String,
    pub first: Duration,
    pub second: Duration,
    /// What `Cache-Status` said of the second request.
    pub cache: CacheWord,
    pub storable: bool,
}

/// Sums over every request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub requests: u64,
    /// Of these, for resources that a shared cache may store.
    pub storable: u64,
    pub hits: u64,
    /// Requests that reached the app.
    pub app_requests: u64,
    /// Body bytes that clients would have received from the app itself.
    pub without: u64,
    /// Body bytes that they received.
    pub with: u64,
    /// Bytes into and out of the codecs, for responses that were compressed on their way.
    pub coded: Coded,
}

/// Bytes before and after compression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coded {
    pub input: u64,
    pub output: u64,
}

impl Coded {
    pub fn saved(self) -> f64 {
        saved(self.input, self.output)
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.storable += other.storable;
        self.hits += other.hits;
        self.app_requests += other.app_requests;
        self.without += other.without;
        self.with += other.with;
        self.coded += other.coded;
    }
}

impl AddAssign for Coded {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.output += other.output;
    }
}

/// The share that is gone, in percent; negative where it grew.
pub(super) fn saved(before: u64, after: u64) -> f64 {
    if before == 0 { 0.0 } else { (1.0 - after as f64 / before as f64) * 100.0 }
}

/// The share of `all` that `part` is, in percent.
pub(super) fn share(part: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 * 100.0 }
}

/// The last member of `Cache-Status` (RFC 9211, section 2), which the cache nearest to the client wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheWord(String);

impl CacheWord {
    pub(super) fn new(field: Option<&str>) -> Self {
        let last = field.unwrap_or_default().rsplit(',').next().unwrap_or_default();
        let parameters: Vec<_> = last.split(';').skip(1).map(str::trim).collect();
        Self(parameters.join("; "))
    }

    fn has(&self, parameter: &str) -> bool {
        self.0
            .split("; ")
            .any(|one| one == parameter || one.strip_prefix(parameter).is_some_and(|rest| rest.starts_with('=')))
    }

    pub(super) fn is_hit(&self) -> bool {
        self.has("hit")
    }

    /// This very request went to the app (section 2.2); one that waited for another's fetch did not.
    pub(super) fn is_fetch(&self) -> bool {
        self.0.is_empty() || self.has("fwd") && !self.has("collapsed")
    }

    /// Without the parameters that only matter to a program.
    pub(super) fn as_str(&self) -> &str {
        if self.0.is_empty() { "-" } else { &self.0 }
    }
}

/// The codecs' bytes in a Prometheus text exposition, over all codings: those of responses on their way from the app
/// (`mode="live"`), not those of stored bodies that were recoded.
pub(super) fn coded_in(exposition: &str) -> Option<Coded> {
    Some(Coded {
        input: sum(exposition, "vacpack_compression_input_bytes_total")?,
        output: sum(exposition, "vacpack_compression_output_bytes_total")?,
    })
}

/// The family's sum, or `None` if it has no sample.
fn sum(exposition: &str, family: &str) -> Option<u64> {
    exposition
        .lines()
        .filter_map(|line| line.strip_prefix(family))
        .filter(|rest| rest.starts_with(['{', ' ']) && (rest.contains("mode=\"live\"") || !rest.contains("mode=")))
        .filter_map(|rest| rest.rsplit_once(' ')?.1.parse::<f64>().ok())
        // Counters of bytes: whole and far below 2^53.
        .map(|value| value as u64)
        .reduce(|sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percent() {
        assert_eq!(saved(200, 50), 75.0);
        assert_eq!(saved(0, 50), 0.0);
        assert_eq!(saved(100, 150), -50.0);
        assert_eq!(share(3, 4), 75.0);
        assert_eq!(share(0, 0), 0.0);
    }

    #[test]
    fn cache_status_is_read_by_its_parameters() {
        let table = [
            (None, "-", false, true),
            (Some("vacpack; hit; ttl=42"), "hit; ttl=42", true, false),
            (Some("vacpack;hit"), "hit", true, false),
            (Some("vacpack; fwd=uri-miss; stored"), "fwd=uri-miss; stored", false, true),
            (Some("vacpack; fwd=uri-miss; collapsed"), "fwd=uri-miss; collapsed", false, false),
            (Some("vacpack; fwd=bypass; detail=set-cookie"), "fwd=bypass; detail=set-cookie", false, true),
            (Some("origin; hit, vacpack; fwd=miss"), "fwd=miss", false, true),
        ];
        for (field, word, hit, fetch) in table {
            let cache = CacheWord::new(field);
            assert_eq!((cache.as_str(), cache.is_hit(), cache.is_fetch()), (word, hit, fetch), "{field:?}");
        }
    }

    #[test]
    fn the_exposition_is_summed_over_codings() {
        let text = "# HELP vacpack_compression_input_bytes_total Bytes.\n\
                    # TYPE vacpack_compression_input_bytes_total counter\n\
                    vacpack_compression_input_bytes_total{algorithm=\"br\",mode=\"live\"} 1000\n\
                    vacpack_compression_input_bytes_total{algorithm=\"gzip\",mode=\"live\"} 24\n\
                    vacpack_compression_input_bytes_total{algorithm=\"br\",mode=\"stored\"} 9e9\n\
                    vacpack_compression_output_bytes_total 256\n\
                    vacpack_compression_output_bytes_total_x 7\n";
        assert_eq!(coded_in(text), Some(Coded { input: 1_024, output: 256 }));
        assert_eq!(coded_in("vacpack_compression_input_bytes_total 1"), None);
    }
}
