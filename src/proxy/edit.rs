//! Header edits, carried out on the platform's own types of head.

use std::borrow::Borrow;

use http::{HeaderName, HeaderValue};
use pingora::http::{RequestHeader, ResponseHeader};

use crate::header::Edit;

/// Applies edits, in their order, to a response's head.
pub fn apply_to<E: Borrow<Edit>>(
    edits: impl IntoIterator<Item = E>,
    response: &mut ResponseHeader,
) -> pingora::Result<()> {
    for edit in edits {
        match edit.borrow() {
            Edit::Set(name, value) => response.insert_header(name, value)?,
            Edit::Append(name, value) => drop(response.append_header(name, value)?),
            Edit::Remove(name) => drop(response.remove_header(name)),
        }
    }
    Ok(())
}

/// Applies edits, in their order, to a request's head.
pub fn apply_to_request(edits: impl IntoIterator<Item = Edit>, request: &mut RequestHeader) -> pingora::Result<()> {
    for edit in edits {
        match edit {
            Edit::Set(name, value) => request.insert_header(name, value)?,
            Edit::Append(name, value) => drop(request.append_header(name, value)?),
            Edit::Remove(name) => drop(request.remove_header(&name)),
        }
    }
    Ok(())
}

/// Sets fields of a request.
pub fn set(request: &mut RequestHeader, fields: &[(HeaderName, HeaderValue)]) -> pingora::Result<()> {
    fields.iter().try_for_each(|(name, value)| request.insert_header(name, value))
}
