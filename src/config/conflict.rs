//! Values that are right alone and wrong, or without effect, together: what is said about them.

use crate::metrics::config::BucketsProblem;

/// Which values do not go together.
#[derive(Clone, Debug)]
pub enum Conflict {
    /// Both listeners on one port.
    SameListener {
        other: String,
    },
    /// The app's address is our own.
    Loop {
        own: &'static str,
    },
    TwoTokens,
    TokenFile {
        path: String,
        error: String,
    },
    Buckets(BucketsProblem),
    /// Some addresses of the app with TLS, and some without.
    TlsForSome,
    SeveralNames,
    H2WithoutTls,
    AutoWithoutTls,
    H2cWithTls,
    NothingToMatch,
    KeepAndIgnore,
    /// Warnings from here on: it works, though hardly as meant.
    Unreachable {
        by: String,
    },
    NeverReadMethod,
    CacheDisabled,
    OverrideWithoutTtl,
    StripsItsOwn {
        field: String,
    },
    PersonalKey {
        field: String,
    },
    DrainBeyondGrace {
        total: String,
        grace: String,
    },
    ObjectBeyondBudget {
        budget: String,
    },
    BudgetBeyondLimit {
        limit: String,
    },
    /// Settings of TLS towards an app that is reached without it.
    TlsWithoutHttps,
    AnyName,
    AnyCertificate,
}

impl Conflict {
    pub(super) fn message(&self) -> String {
        match self {
            Self::SameListener { other } => format!("the same port as {other}"),
            Self::Loop { own } => {
                format!("the app's address is vacpack's own {own}: each request would go round for ever")
            }
            Self::TwoTokens => "both `token` and `token_file` are given".into(),
            Self::TokenFile { path, error } => format!("cannot take a token from {path}: {error}"),
            Self::Buckets(problem) => problem.to_string(),
            Self::TlsWithoutHttps => "no effect: the app is reached without TLS".into(),
            Self::TlsForSome => "some addresses of the app are reached with TLS, and some without".into(),
            Self::SeveralNames => "the app has several addresses with TLS, and no one name for all of them".into(),
            Self::H2WithoutTls => "the app is reached without TLS".into(),
            Self::AutoWithoutTls => "without TLS there is no handshake in which the app could choose".into(),
            Self::H2cWithTls => "the app is reached with TLS".into(),
            Self::NothingToMatch => "`match` says nothing".into(),
            Self::KeepAndIgnore => "both `keep_query` and `ignore_query` are given".into(),
            Self::Unreachable { by } => format!("never reached: {by} matches these requests first"),
            Self::NeverReadMethod => "`ttl` has no effect: only GET and HEAD are answered from the cache".into(),
            Self::CacheDisabled => "`ttl` has no effect: the cache is not enabled here".into(),
            Self::OverrideWithoutTtl => "`override` has no effect without `ttl`".into(),
            Self::StripsItsOwn { field } => {
                format!("`strip_edge` removes the {field} that this route writes")
            }
            Self::PersonalKey { field } => {
                format!("{field} differs with almost every client: hardly anything will be a hit")
            }
            Self::DrainBeyondGrace { total, grace } => {
                format!("`drain_delay` and `drain_limit` add up to {total}, of a grace of {grace}")
            }
            Self::ObjectBeyondBudget { budget } => {
                format!("larger than the memory budget of {budget}")
            }
            Self::BudgetBeyondLimit { limit } => {
                format!("more than nine tenths of the memory limit of {limit}")
            }
            Self::AnyName => "DANGEROUS: whoever has a certificate of a known signer is taken for the app".into(),
            Self::AnyCertificate => {
                "DANGEROUS: whoever answers is taken for the app, and reads and writes what passes".into()
            }
        }
    }

    pub(super) fn fix(&self) -> String {
        match self {
            Self::SameListener { .. } => "give each listener its own port",
            Self::Loop { .. } => "write the address that the app itself listens on",
            Self::TwoTokens => "keep one of them",
            Self::TokenFile { .. } => "write the path of a readable file that holds the token alone",
            Self::Buckets(_) => "list them ascending, each once, at most 40",
            Self::TlsWithoutHttps => "begin upstream.address with https://, or leave this out",
            Self::TlsForSome => "begin all of them with https://, or none",
            Self::SeveralNames => "write upstream.tls.server_name, the name that all their certificates are for",
            Self::H2WithoutTls => "write \"h2c\", or begin upstream.address with https://",
            Self::AutoWithoutTls => "write \"h1\" or \"h2c\"",
            Self::H2cWithTls => "write \"h2\"",
            Self::NothingToMatch => "write path = \"/**\" to match everything",
            Self::KeepAndIgnore => "keep one of them: what is not kept is ignored already",
            Self::Unreachable { .. } => "put the narrower route first",
            Self::NeverReadMethod => "add \"GET\" to the methods, or leave `ttl` out",
            Self::CacheDisabled => "enable it, or leave `ttl` out",
            Self::OverrideWithoutTtl => "add `ttl`, or leave `override` out",
            Self::StripsItsOwn { .. } => "set strip_edge = false here",
            Self::PersonalKey { .. } => "choose a field with few values",
            Self::DrainBeyondGrace { .. } => {
                "leave 5s of the grace free, or raise the pod's terminationGracePeriodSeconds, and `runtime.grace` with it"
            }
            Self::ObjectBeyondBudget { .. } => "lower it, or raise memory.budget",
            Self::AnyName => "write the name in its certificate as upstream.tls.server_name",
            Self::AnyCertificate => "write who has signed its certificate as upstream.tls.ca",
            Self::BudgetBeyondLimit { .. } => "leave room for connections: the kernel ends a process that goes beyond",
        }
        .into()
    }
}
