//! What a 304, or the answer to a `HEAD`, changes in a stored response (RFC 9111, §4.3.4, §4.3.5,
//! §3.2).
//!
//! Heads here are the app's own, as it would send the identity representation; what a coding
//! changes in a head is put on top of the merged one afterwards. The merged head is then treated as
//! any other the app sends: [`super::store()`] is asked, since a 304 may as well say `no-store`;
//! [`super::unstored_fields`] go; and the [`super::Selector`] is made anew, since it may `Vary` by
//! more than it did.

use http::header::{
    AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, LAST_MODIFIED, SET_COOKIE,
};
use http::{HeaderMap, HeaderName};

use super::fields::hop_fields;
use super::rules::SetCookie;
use crate::header::{Edit, EntityTag};

/// Never taken from a 304. `Content-Length` by §3.2; those "that the cache's stored response
/// depends upon" because a new value would describe bytes that are not there; `ETag` because each
/// stored representation has its own made from the app's, and a 304 that carries another one is not
/// about this response at all.
const FIXED: [HeaderName; 5] = [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_TYPE, CONTENT_RANGE, ETAG];

/// §4.3.4: may this 304 freshen this stored response? "one or more "strong validators" [...] then
/// each of those strong validators identifies a selected representation for update"; weak ones have
/// to "correspond". None at all would, to the letter, freshen only a response that has none either;
/// taken here for the response that was asked about, as the request named its validators and no
/// others. `false`: fetch it anew.
pub fn freshens(stored: &HeaderMap, not_modified: &HeaderMap) -> bool {
    match (EntityTag::of(not_modified), EntityTag::of(stored)) {
        (Some(new), Some(old)) => {
            if new.weak {
                new.weak_eq(&old)
            } else {
                new.strong_eq(&old)
            }
        }
        (Some(new), None) => new.weak && same_and_present(stored, not_modified, &LAST_MODIFIED),
        (None, _) => same_or_absent(stored, not_modified, &LAST_MODIFIED),
    }
}

/// §3.2: the edits that bring a stored head up to date with a 304 that [`freshens`] it.
///
/// Every field the 304 has replaces the stored lines of that name, all of them; fields it does not
/// have stay, except for `Age` and `Date`: they tell when *that* response was made (§4.2.3), and
/// this one was confirmed now.
pub fn merge_304(stored: &HeaderMap, not_modified: &HeaderMap, set_cookie: SetCookie) -> Vec<Edit> {
    let left_out: Vec<HeaderName> = hop_fields(not_modified)
        .chain(FIXED)
        // A cookie made for the one client whose request happened to validate.
        .chain((set_cookie != SetCookie::Keep).then_some(SET_COOKIE))
        .collect();
    let outlived = [AGE, DATE].into_iter().filter(|name| stored.contains_key(name) && !not_modified.contains_key(name));
    let mut edits: Vec<Edit> = outlived.map(Edit::Remove).collect();
    for name in not_modified.keys().filter(|name| !left_out.contains(name)) {
        if !same_lines(stored, not_modified, name) {
            replace(not_modified, name, &mut edits);
        }
    }
    edits
}

/// What the answer to a `HEAD` says about a stored response to `GET` (§4.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadEvidence {
    /// It is the same: bring it up to date as by a 304.
    Freshens,
    /// It is another: "the cache SHOULD consider the stored response to be stale".
    Changed,
}

/// §4.3.5: "matching values for any received validator fields (ETag and Last-Modified) and, if the
/// HEAD response has a Content-Length header field, the value of Content-Length matches". The app's
/// answer to `HEAD`, with status 200; the caller knows that it selects the stored response (§4.1).
pub fn head_evidence(stored: &HeaderMap, head: &HeaderMap) -> HeadEvidence {
    let same = [ETAG, LAST_MODIFIED, CONTENT_LENGTH].iter().all(|name| same_or_absent(stored, head, name));
    if same { HeadEvidence::Freshens } else { HeadEvidence::Changed }
}

fn replace(from: &HeaderMap, name: &HeaderName, edits: &mut Vec<Edit>) {
    let mut lines = from.get_all(name).iter().cloned();
    edits.extend(lines.next().map(|first| Edit::Set(name.clone(), first)));
    edits.extend(lines.map(|line| Edit::Append(name.clone(), line)));
}

fn same_lines(one: &HeaderMap, other: &HeaderMap, name: &HeaderName) -> bool {
    one.get_all(name) == other.get_all(name)
}

fn same_and_present(stored: &HeaderMap, newer: &HeaderMap, name: &HeaderName) -> bool {
    newer.contains_key(name) && same_lines(stored, newer, name)
}

/// Nothing in the newer head contradicts the stored one on this field.
fn same_or_absent(stored: &HeaderMap, newer: &HeaderMap, name: &HeaderName) -> bool {
    !newer.contains_key(name) || same_lines(stored, newer, name)
}

#[cfg(test)]
mod tests;
