//! Closed label sets: every label of every family is an enum, a status code or a name out of the configuration.
//!
//! What a peer sends never becomes a label value, so the number of series has a bound that no traffic can move. A closed
//! set also has positions, so the children of a family are resolved once and then found by index: no lock, no hash.

use http::{Method, StatusCode};

use crate::header::Coding;
use crate::header::coding::Source;
use crate::negotiate::SkipReason;
use crate::policy::{CacheOutcome, NotStored, OverVarying};

/// A label whose values are known when the program is compiled.
pub trait Label: Copy + Sized + 'static {
    /// Every value, each at the position that [`Label::index`] gives.
    const ALL: &'static [Self];
    /// The word that operators see.
    fn label(self) -> &'static str;
    fn index(self) -> usize;
}

/// An enum of unit variants together with its label words.
macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $variant:ident = $word:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$about])* $variant,)+ }

        impl Label for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn label(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    )+};
}

labels! {
    /// Request methods of RFC 9110, section 9, and PATCH (RFC 5789). Any other token is one value.
    MethodLabel {
        Connect = "CONNECT",
        Delete = "DELETE",
        Get = "GET",
        Head = "HEAD",
        Options = "OPTIONS",
        Patch = "PATCH",
        Post = "POST",
        Put = "PUT",
        Trace = "TRACE",
        Other = "OTHER",
    }

    /// What the kernel counts in `memory.events`. Version 1 has the last two only.
    MemoryEvent {
        High = "high",
        Max = "max",
        OomKill = "oom_kill",
    }

    /// What somebody in the container can wait for.
    Resource {
        Cpu = "cpu",
        Memory = "memory",
        Io = "io",
    }

    /// Which connection body bytes were counted on.
    Side {
        Upstream = "upstream",
        Client = "client",
    }

    /// When an encoder ran.
    Mode {
        /// While the app's body streamed to the client.
        Live = "live",
        /// From a stored representation, for a client that accepts none of the stored codings.
        Derived = "derived",
    }

    /// How decoding a body that the app had coded ended. All but the first two abort the response.
    Transcoding {
        Whole = "whole",
        /// The response ended before the body did, for another reason.
        Unfinished = "unfinished",
        Corrupt = "corrupt",
        Truncated = "truncated",
        Trailing = "trailing",
        OverRatio = "over_ratio",
        OverSize = "over_size",
        OverTime = "over_time",
        /// There was no room for its window, or for what a few coded bytes became.
        OverMemory = "over_memory",
    }

    /// What an encoder had to give up for want of memory.
    Downgrade {
        /// It looks less far back.
        Window = "window",
        /// It looks less hard.
        Level = "level",
        /// It uses another coding, which takes less.
        Coding = "coding",
        /// It encodes the body in small pieces, each by itself.
        Fragment = "fragment",
        /// There was no room for any.
        Identity = "identity",
    }

    /// What came of it that another request was fetching the same.
    Sharing {
        /// It read along while the body came in.
        Joined = "joined",
        /// It waited for the end, and was answered from the store.
        Waited = "waited",
        /// As many as may wait did so already: it went to the app.
        Crowded = "crowded",
        /// It waited as long as it may, and went to the app.
        Late = "late",
        /// What came could not be shared: it went to the app.
        Alone = "alone",
    }

    /// Why an entry left the cache.
    EvictionCause {
        Expired = "expired",
        Size = "size",
        /// More variants of one resource than are kept: the oldest went.
        Variants = "variants",
        Purged = "purged",
        /// The container was short of memory.
        Pressure = "pressure",
    }

    /// How a client's TLS handshake ended.
    Handshake {
        Done = "done",
        /// No version, cipher, certificate or trust in common, or the client is none of TLS.
        Failed = "failed",
        /// It took longer than `listen.header_timeout`.
        Timeout = "timeout",
    }

    /// What somebody had too much of, or took too long for. `conf/limits.md` has a row for each.
    Limit {
        Connections = "connections",
        ClientConnections = "client_connections",
        ConnectionRequests = "connection_requests",
        Streams = "streams",
        Floods = "floods",
        IdleTime = "idle_time",
        HeaderTime = "header_time",
        Url = "url",
        HeaderSize = "header_size",
        HeaderCount = "header_count",
        BodySize = "body_size",
        BodyTime = "body_time",
        BodyRate = "body_rate",
        WriteTime = "write_time",
        UpstreamConnect = "upstream_connect",
        UpstreamWrite = "upstream_write",
        UpstreamFirstByte = "upstream_first_byte",
        UpstreamRead = "upstream_read",
        UpstreamTotal = "upstream_total",
        UpstreamHeader = "upstream_header",
    }

    /// Which requests go to the app first when it has no place for all.
    Priority {
        Critical = "critical",
        High = "high",
        Normal = "normal",
        Low = "low",
    }

    /// Why a request was not sent to the app.
    Shed {
        /// Enough wait already.
        QueueFull = "queue_full",
        /// It waited as long as anybody may.
        QueueTimeout = "queue_timeout",
        /// Somebody more important took its place in the queue.
        Displaced = "displaced",
        /// The app failed too often just now.
        AppDown = "app_down",
    }

    /// Why an attempt to get an answer from the app failed.
    UpstreamError {
        /// No connection, for a reason that has no word of its own.
        Connect = "connect",
        /// Nothing listens on the app's address.
        Refused = "refused",
        /// Connecting, waiting or reading took longer than its limit.
        Timeout = "timeout",
        Tls = "tls",
        /// What came back is not HTTP.
        Protocol = "protocol",
        /// The connection ended before the response did.
        Closed = "closed",
        /// The app gave the request up, and not the connection.
        Reset = "reset",
    }

    /// Whether a request to the app travelled on a kept connection.
    Reused {
        No = "false",
        Yes = "true",
    }

    /// The parts of a request's time.
    Phase {
        CacheLookup = "cache_lookup",
        /// Waiting for somebody else's fetch of the same object.
        LockWait = "lock_wait",
        /// Waiting for a place among the requests that the app is given at once.
        Queue = "queue",
        UpstreamConnect = "upstream_connect",
        /// From the request sent to the response's head.
        UpstreamWait = "upstream_wait",
        /// From the head to the body's last byte.
        UpstreamBody = "upstream_body",
        Compress = "compress",
    }

    /// Why a stored body that was to be compressed again was not.
    GivenUp {
        /// It came out no smaller, or not by enough.
        NoGain = "no_gain",
        /// It was purged, replaced or evicted before it was done.
        Gone = "gone",
        /// Others were worth more and the backlog is full.
        Crowded = "crowded",
        /// The stored bytes do not decode: they were dropped.
        Corrupt = "corrupt",
        /// The encoder failed, twice.
        Failed = "failed",
    }

    /// What a purge request came to.
    PurgeResult {
        Purged = "purged",
        /// Nothing of that address was stored.
        Nothing = "nothing",
        /// Neither from loopback nor with the token.
        Refused = "refused",
        /// The request does not say what to purge.
        Invalid = "invalid",
        Failed = "failed",
    }

    /// What reading the configuration again came to.
    ReloadResult {
        Applied = "applied",
        /// It is wrong: the old one stays.
        Refused = "refused",
    }

    /// What a purge named.
    PurgeScope {
        Url = "url",
        Prefix = "prefix",
        Tag = "tag",
        Host = "host",
        Everything = "everything",
    }
}

/// Gives a vocabulary enum of another module its positions.
macro_rules! closed {
    ($($name:ty),+) => {$(
        impl Label for $name {
            const ALL: &'static [Self] = &<$name>::ALL;

            fn label(self) -> &'static str {
                <$name>::label(self)
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    )+};
}

closed!(CacheOutcome, NotStored, OverVarying, SkipReason);

impl Label for Source {
    const ALL: &'static [Self] =
        &[Self::Coded(Coding::Brotli), Self::Coded(Coding::Zstd), Self::Coded(Coding::Gzip), Self::Deflate];

    fn label(self) -> &'static str {
        self.token()
    }

    fn index(self) -> usize {
        match self {
            // Identity is nothing to undo: nobody counts it.
            Self::Coded(Coding::Brotli | Coding::Identity) => 0,
            Self::Coded(Coding::Zstd) => 1,
            Self::Coded(Coding::Gzip) => 2,
            Self::Deflate => 3,
        }
    }
}

impl From<&Method> for MethodLabel {
    fn from(method: &Method) -> Self {
        match *method {
            Method::CONNECT => Self::Connect,
            Method::DELETE => Self::Delete,
            Method::GET => Self::Get,
            Method::HEAD => Self::Head,
            Method::OPTIONS => Self::Options,
            Method::PATCH => Self::Patch,
            Method::POST => Self::Post,
            Method::PUT => Self::Put,
            Method::TRACE => Self::Trace,
            _ => Self::Other,
        }
    }
}

/// The `code` label: a status code of the five classes of RFC 9110, section 15, or `other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// 100 to 599.
    Known(u16),
    /// Outside the classes, or the client left before it got a head.
    Other,
}

impl Code {
    pub const FIRST: u16 = 100;
    pub const LAST: u16 = 599;

    pub fn of(status: Option<StatusCode>) -> Self {
        match status.map(|status| status.as_u16()) {
            Some(code @ Self::FIRST..=Self::LAST) => Self::Known(code),
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions_and_words_agree<L: Label>() {
        for (position, value) in L::ALL.iter().enumerate() {
            assert_eq!(value.index(), position, "{}", value.label());
            let twins = L::ALL.iter().filter(|other| other.label() == value.label());
            assert_eq!(twins.count(), 1, "{} is the word of two values", value.label());
        }
    }

    #[test]
    fn every_value_stands_at_its_index_under_a_word_of_its_own() {
        positions_and_words_agree::<MethodLabel>();
        positions_and_words_agree::<Side>();
        positions_and_words_agree::<Mode>();
        positions_and_words_agree::<Downgrade>();
        positions_and_words_agree::<EvictionCause>();
        positions_and_words_agree::<Sharing>();
        positions_and_words_agree::<UpstreamError>();
        positions_and_words_agree::<Reused>();
        positions_and_words_agree::<Phase>();
        positions_and_words_agree::<PurgeResult>();
        positions_and_words_agree::<PurgeScope>();
        positions_and_words_agree::<ReloadResult>();
        positions_and_words_agree::<GivenUp>();
        positions_and_words_agree::<CacheOutcome>();
        positions_and_words_agree::<NotStored>();
        positions_and_words_agree::<OverVarying>();
        positions_and_words_agree::<SkipReason>();
    }

    /// The library hashes label values one after the other without a mark between them, so `("a", "bGET")` and
    /// `("ab", "GET")` could share a child. They cannot while no value of a later label ends in another one.
    #[test]
    fn no_method_or_outcome_is_the_tail_of_another() {
        fn tail_free<L: Label>() {
            for value in L::ALL {
                for other in L::ALL.iter().filter(|other| other.index() != value.index()) {
                    assert!(!other.label().ends_with(value.label()), "{} {}", other.label(), value.label());
                }
            }
        }
        tail_free::<MethodLabel>();
        tail_free::<CacheOutcome>();
    }

    #[test]
    fn unknown_methods_and_codes_are_one_value() {
        let brewing = Method::from_bytes(b"BREW").expect("a token");
        assert_eq!(MethodLabel::from(&brewing), MethodLabel::Other);
        // Methods are case-sensitive (RFC 9110, section 9.1).
        let lower = Method::from_bytes(b"get").expect("a token");
        assert_eq!(MethodLabel::from(&lower), MethodLabel::Other);
        assert_eq!(Code::of(None), Code::Other);
        assert_eq!(Code::of(StatusCode::from_u16(100).ok()), Code::Known(100));
        assert_eq!(Code::of(StatusCode::from_u16(599).ok()), Code::Known(599));
        assert_eq!(Code::of(StatusCode::from_u16(600).ok()), Code::Other);
        assert_eq!(Code::of(StatusCode::from_u16(999).ok()), Code::Other);
    }
}
