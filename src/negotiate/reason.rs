//! Why a body is passed through as it is.

use std::fmt;

/// The variant's name is the metric label and the word in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SkipReason {
    /// The app coded it, and so it goes out.
    AlreadyEncoded,
    /// It may hold a secret, and the route guards against BREACH by not compressing.
    Breach,
    /// The operator switched compression off on this route.
    Disabled,
    /// gRPC frames and compresses by itself.
    Grpc,
    /// There is no body in the answer to HEAD.
    Head,
    /// The app said `X-Compress-Hint: off`.
    Hint,
    /// HTTP/1.0 cannot mark the end of a body of unknown length.
    Http10,
    /// The client accepts codings that are offered, and likes identity better.
    IdentityPreferred,
    /// The client accepts no coding that is offered.
    NoAccept,
    /// By its status or its length it has no body.
    NoBody,
    /// One side said `Cache-Control: no-transform`.
    NoTransform,
    /// There was no memory left for an encoder. Never planned: said by whoever holds the budget.
    OverBudget,
    /// It is a part, or the client asked for one.
    Partial,
    /// It is shorter than `min_size`.
    TooSmall,
    /// Its media type is not listed, or it does not say which it is.
    TypeNotListed,
    /// The connection is about to speak another protocol.
    Upgrade,
}

impl SkipReason {
    pub const ALL: [Self; 16] = [
        Self::AlreadyEncoded,
        Self::Breach,
        Self::Disabled,
        Self::Grpc,
        Self::Head,
        Self::Hint,
        Self::Http10,
        Self::IdentityPreferred,
        Self::NoAccept,
        Self::NoBody,
        Self::NoTransform,
        Self::OverBudget,
        Self::Partial,
        Self::TooSmall,
        Self::TypeNotListed,
        Self::Upgrade,
    ];

    /// The value of the `reason` label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::AlreadyEncoded => "already_encoded",
            Self::Breach => "breach",
            Self::Disabled => "disabled",
            Self::Grpc => "grpc",
            Self::Head => "head",
            Self::Hint => "hint",
            Self::Http10 => "http10",
            Self::IdentityPreferred => "identity_preferred",
            Self::NoAccept => "no_accept",
            Self::NoBody => "no_body",
            Self::NoTransform => "no_transform",
            Self::OverBudget => "over_budget",
            Self::Partial => "partial",
            Self::TooSmall => "too_small",
            Self::TypeNotListed => "type_not_listed",
            Self::Upgrade => "upgrade",
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_so_distinct() {
        assert!(SkipReason::ALL.is_sorted_by(|one, other| one.label() < other.label()));
    }
}
