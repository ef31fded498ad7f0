//! The edits the operator's rules make to one response head, in the order in which they apply.

use http::{HeaderMap, StatusCode};

use super::edge::{is_edge_control, is_edge_tag};
use super::lifetime::{browser, cdn};
use super::rules::HeaderRules;
use super::tags::emitted;
use crate::header::Edit;

/// Lifetimes and tags first, on statuses that are kept; then, on any status, `set`, `add` and
/// `remove` in that order, so that a field written out in full wins over one derived, and what is
/// removed is gone whoever wrote it.
///
/// `response` is the head as it would leave, with its `Age`: a browser's or CDN's time counts from
/// when it gets the response.
pub fn response_edits(rules: &HeaderRules, request: &HeaderMap, response: &HeaderMap, status: StatusCode) -> Vec<Edit> {
    let mut edits = Vec::new();
    if is_kept(status) {
        edits.extend(browser(rules, request, response));
        if !rules.strip_edge {
            edits.extend(cdn(rules, response));
            edits.extend(emitted(rules, response));
        }
    }
    if rules.strip_edge {
        edits.extend(stripped(response));
    }
    edits.extend(rules.set.iter().map(|(name, value)| Edit::Set(name.clone(), value.clone())));
    edits.extend(rules.add.iter().map(|(name, value)| Edit::Append(name.clone(), value.clone())));
    edits.extend(rules.remove.iter().cloned().map(Edit::Remove));
    edits
}

/// Statuses a lifetime is meant for: an error is not to stay in browsers because its route has a
/// `browser` time. 404 and 410 are states of a resource rather than errors of the app; 304 has to
/// repeat what 200 says (RFC 9110, §15.4.5).
fn is_kept(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection() || [StatusCode::NOT_FOUND, StatusCode::GONE].contains(&status)
}

fn stripped(response: &HeaderMap) -> impl Iterator<Item = Edit> {
    response.keys().filter(|name| is_edge_control(name) || is_edge_tag(name)).cloned().map(Edit::Remove)
}

#[cfg(test)]
mod tests;
