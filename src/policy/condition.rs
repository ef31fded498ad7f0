//! Conditional requests answered from the store (RFC 9110, §13; RFC 9111, §4.3.2).
//!
//! Evaluated once the stored response may answer ([`super::lookup()`]) and against the
//! representation that would be sent. `If-Match` and `If-Unmodified-Since` are for origin servers
//! and a cache may ignore them (RFC 9110, §13.1.1); they are evaluated all the same, because a
//! client that resumes a download with `If-Match` must not get another file's bytes.

use std::time::SystemTime;

use http::HeaderMap;
use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};

use crate::header::{EntityTag, TagCondition, date};

/// What a `GET` or `HEAD` with preconditions is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition<'a> {
    /// 200, or what `Range` makes of it.
    Proceed,
    /// 304, with this entity tag: the one the client holds, so that it finds its own copy by it
    /// (RFC 9111, §4.3.4).
    NotModified(Option<&'a EntityTag>),
    /// 412.
    Failed,
}

/// The validators of a stored response.
#[derive(Clone, Copy, Debug)]
pub struct Validators<'a> {
    /// The entity tag of the representation that would be sent.
    pub selected: Option<&'a EntityTag>,
    /// Entity tags under which clients may hold the same content: of other codings, of an earlier
    /// compression.
    pub same_content: &'a [EntityTag],
    pub last_modified: Option<SystemTime>,
    /// `Date` of the stored response, or when it was received.
    pub date: SystemTime,
}

/// RFC 9110, §13.2.2, steps 1 to 4; step 5 is [`range_applies`].
pub fn precondition<'a>(request: &HeaderMap, validators: &Validators<'a>) -> Precondition<'a> {
    // Steps 1 and 2: a failed precondition is 412.
    if !unchanged(request, validators) {
        return Precondition::Failed;
    }
    // Step 3: If-None-Match, and If-Modified-Since is not looked at beside it.
    if let Some(condition) = TagCondition::parse(request, &IF_NONE_MATCH) {
        return unless_held(&condition, validators);
    }
    // Step 4.
    if not_modified_since(request, validators) {
        return Precondition::NotModified(validators.selected);
    }
    Precondition::Proceed
}

/// Step 1 and, without `If-Match`, step 2: is the representation still the one the client has in
/// mind?
fn unchanged(request: &HeaderMap, validators: &Validators) -> bool {
    match TagCondition::parse(request, &IF_MATCH) {
        // §13.1.1: "*" is true if there is a current representation, and there is.
        Some(TagCondition::Any) => true,
        // §13.1.1: "MUST use the strong comparison function".
        Some(condition) => validators.selected.is_some_and(|selected| condition.strongly_names(selected)),
        None => unmodified_since(request, validators),
    }
}

/// §13.1.4: ignored where the date is invalid or the representation has no modification date.
fn unmodified_since(request: &HeaderMap, validators: &Validators) -> bool {
    match (date::field(request, &IF_UNMODIFIED_SINCE), validators.last_modified) {
        (Some(limit), Some(modified)) => modified <= limit,
        _ => true,
    }
}

/// §13.1.2: does the client hold this content already? "MUST use the weak comparison function".
fn unless_held<'a>(condition: &TagCondition, validators: &Validators<'a>) -> Precondition<'a> {
    if *condition == TagCondition::Any {
        return Precondition::NotModified(validators.selected);
    }
    let mut ours = validators.selected.into_iter().chain(validators.same_content);
    match ours.find(|tag| condition.weakly_names(tag)) {
        Some(tag) => Precondition::NotModified(Some(tag)),
        None => Precondition::Proceed,
    }
}

/// §13.1.3, with RFC 9111, §4.3.2 for a stored response without `Last-Modified`: its `Date` stands
/// in.
fn not_modified_since(request: &HeaderMap, validators: &Validators) -> bool {
    // An invalid date, or several that disagree, is ignored.
    let Some(since) = date::field(request, &IF_MODIFIED_SINCE) else {
        return false;
    };
    validators.last_modified.unwrap_or(validators.date) <= since
}

/// §13.2.2, step 5: may `Range` be applied, or is the whole representation due?
///
/// §13.1.5: "MUST use the strong comparison function". A date is never strong enough here: codings
/// of one content share their `Last-Modified`, and a stored coding may be replaced by a smaller one
/// with other bytes.
pub fn range_applies(request: &HeaderMap, validators: &Validators) -> bool {
    if !request.contains_key(IF_RANGE) {
        return true;
    }
    let mut lines = request.get_all(IF_RANGE).iter();
    let (Some(value), None) = (lines.next(), lines.next()) else {
        return false;
    };
    let named = EntityTag::parse(value.as_bytes());
    named.zip(validators.selected).is_some_and(|(named, selected)| named.strong_eq(selected))
}

#[cfg(test)]
mod tests;
