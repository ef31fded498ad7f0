//! `Cache-Status` (RFC 9211), read for the tests: one word for what the cache did, and each parameter.

/// vacpack's own member of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheStatus {
    pub hit: bool,
    pub fwd: Option<String>,
    pub fwd_status: Option<u16>,
    pub ttl: Option<i64>,
    pub stored: bool,
    pub collapsed: bool,
    pub detail: Option<String>,
}

impl CacheStatus {
    /// Reads the members of the field; only one of them may be ours, and it is the last (RFC 9211, section 2).
    pub fn parse(lines: &[&str]) -> Self {
        let list = lines.join(",");
        let ours = list.split(',').map(str::trim).next_back().unwrap_or_default();
        let mut parts = ours.split(';').map(str::trim);
        assert_eq!(parts.next(), Some("vacpack"), "Cache-Status names its cache: {list:?}");
        let mut status = Self::default();
        for part in parts {
            status.parameter(part);
        }
        // RFC 9211, 2.2: `hit` and `fwd` exclude each other, and one of them is there.
        assert!(status.hit != status.fwd.is_some(), "one of hit and fwd: {ours:?}");
        status
    }

    fn parameter(&mut self, part: &str) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        match name {
            "hit" => self.hit = true,
            "fwd" => self.fwd = Some(value.to_owned()),
            "fwd-status" => self.fwd_status = Some(value.parse().expect("a status code")),
            "ttl" => self.ttl = Some(value.parse().expect("an integer")),
            "stored" => self.stored = true,
            "collapsed" => self.collapsed = value != "?0",
            "key" => {}
            "detail" => self.detail = Some(value.trim_matches('"').to_owned()),
            other => panic!("not a parameter of RFC 9211: {other:?}"),
        }
    }

    /// `hit`, `stale`, `miss` (and stored), `expired`, `revalidated`, `joined` (another one's fetch), or `pass`: forwarded
    /// and not stored.
    pub fn word(&self) -> &'static str {
        match self.fwd.as_deref() {
            None if self.ttl.is_some_and(|ttl| ttl < 0) => "stale",
            None => "hit",
            Some("stale") if self.fwd_status == Some(304) => "revalidated",
            Some("stale") if self.stored => "expired",
            Some(_) if self.stored => "miss",
            Some(_) if self.collapsed => "joined",
            Some(_) => "pass",
        }
    }
}
