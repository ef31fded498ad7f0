//! What a client thinks of a choice of codings: the one rule that a miss and a hit share.

use crate::header::{AcceptEncoding, Coding, QValue};

/// Between coding a body and leaving it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preference {
    /// Code it. The client gives its highest weight, this one, to one or more of the codings.
    Coded(QValue),
    /// Leave it: the client accepts codings, and weighs identity strictly higher than any.
    Identity,
    /// Leave it: the client accepts none of the codings. It may not accept identity either, and
    /// gets it all the same: RFC 9110, 12.5.3 has a 406 or "a representation without a content
    /// coding".
    Nothing,
}

/// Weighs `choice` against identity. Of equal weights the coding wins: that is what this proxy is
/// for.
pub(super) fn preference(accept: &AcceptEncoding, choice: &[Coding]) -> Preference {
    let weights = codings(choice).map(|coding| accept.quality(coding));
    match weights.max() {
        None | Some(QValue::ZERO) => Preference::Nothing,
        Some(weight) if accept.quality(Coding::Identity) > weight => Preference::Identity,
        Some(weight) => Preference::Coded(weight),
    }
}

/// The first of `choice` that has exactly this weight.
pub(super) fn first_of(
    accept: &AcceptEncoding,
    choice: impl IntoIterator<Item = Coding>,
    weight: QValue,
) -> Option<Coding> {
    choice.into_iter().find(|coding| accept.quality(*coding) == weight)
}

/// A choice without identity, which is the absence of one.
pub(super) fn codings(choice: &[Coding]) -> impl Iterator<Item = Coding> {
    choice.iter().copied().filter(|coding| *coding != Coding::Identity)
}
