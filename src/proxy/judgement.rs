//! The decisions about stored and arriving answers, without the platform's machinery: what the callbacks translate, and
//! what `explain` tells.

use std::time::SystemTime;

use http::HeaderMap;
use http::header::{AUTHORIZATION, DATE, IF_NONE_MATCH, LAST_MODIFIED};
use pingora::http::ResponseHeader;

use super::context::AppHead;
use super::intake::content_length;
use super::request::Request;
use crate::header::{EntityTag, TagCondition, Vary, date};
use crate::negotiate::{self, BodyPlan, ResponseFacts};
use crate::policy::{
    self, Freshness, Lookup, NotStored, Precondition, Rules, Selector, StoreRequest, StoreResponse, StoredFreshness,
    Validators,
};

/// May what is stored answer?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// RFC 9111, section 3.5: it was stored for who is not logged in, and nobody says that it is for all.
    NotAuthorized,
    Judged(Lookup),
}

/// Something is stored: may it answer (RFC 9111, section 4)?
pub fn reuse(
    stored: &HeaderMap,
    freshness: &StoredFreshness,
    request: &Request,
    fields: &HeaderMap,
    now: SystemTime,
) -> Reuse {
    if fields.contains_key(AUTHORIZATION) && !policy::permits_authorized(stored, &request.route.cache) {
        return Reuse::NotAuthorized;
    }
    Reuse::Judged(policy::lookup(Some(freshness), &request.directives, now))
}

/// What the conditions of a request make of a stored answer (RFC 9110, section 13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is sent, or what `Range` makes of it.
    Holds,
    /// 304, with the tag of the client's own copy.
    NotModified(Option<EntityTag>),
    /// 412.
    Failed,
}

/// Does the client have `response` already? `identity` is the tag of its content as identity.
pub fn condition(fields: &HeaderMap, response: &HeaderMap, identity: Option<&EntityTag>, now: SystemTime) -> Condition {
    let selected = EntityTag::of(response);
    let same_content = identity.map_or_else(Vec::new, |identity| tags_of(identity, fields));
    let validators = Validators {
        selected: selected.as_ref(),
        same_content: &same_content,
        last_modified: date::field(response, &LAST_MODIFIED),
        date: date::field(response, &DATE).unwrap_or(now),
    };
    match policy::precondition(fields, &validators) {
        Precondition::Proceed => Condition::Holds,
        Precondition::NotModified(tag) => Condition::NotModified(tag.cloned()),
        Precondition::Failed => Condition::Failed,
    }
}

/// The tags by which this client holds the content that has `identity` as identity: of another coding, or of the bytes
/// that were there before it was compressed again, here or on another replica.
fn tags_of(identity: &EntityTag, request: &HeaderMap) -> Vec<EntityTag> {
    let Some(TagCondition::Tags(named)) = TagCondition::parse(request, &IF_NONE_MATCH) else {
        return Vec::new();
    };
    let same = named.into_iter().filter(|tag| tag.weak_eq(identity) || tag.split_coding().0.weak_eq(identity));
    same.map(|tag| EntityTag { weak: tag.weak || identity.weak, ..tag }).collect()
}

/// What an answer of the app is stored with, if it is.
#[derive(Debug)]
pub struct Admission {
    pub freshness: Freshness,
    pub selector: Selector,
}

/// May the app's answer be stored (RFC 9111, section 3), and what selects it?
pub fn admission(
    asked: &StoreRequest<'_>,
    app: &AppHead,
    rules: &Rules,
    now: SystemTime,
) -> Result<Admission, NotStored> {
    let answer = StoreResponse { status: app.status, headers: &app.headers, close_delimited: app.close_delimited };
    let freshness = policy::store(asked, &answer, rules, now)?;
    let selector = Selector::new(&Vary::parse(&app.headers), asked.headers).ok_or(NotStored::VaryStar)?;
    Ok(Admission { freshness, selector })
}

/// The app's head as it came, with what is decided about its body for this client and for others.
///
/// `stored` tells whether the answer will be kept: that decides whether undoing the app's own coding pays.
pub fn body_plan<'a>(
    request: &Request,
    response: &'a ResponseHeader,
    end: bool,
    stored: impl FnOnce(&AppHead) -> bool,
) -> (AppHead, ResponseFacts<'a>, BodyPlan) {
    let mut head = AppHead::read(response, end);
    let facts = ResponseFacts {
        status: response.status,
        headers: &response.headers,
        length: content_length(&response.headers),
        end_of_stream: end,
        stored: stored(&head),
    };
    let (offer, accept) = (&request.route.offer, &request.facts.accept);
    let plan = negotiate::plan(&request.facts, &facts, offer);
    head.app_coded = plan.source().is_some();
    head.varies = negotiate::varies(&facts, offer, accept);
    head.codable = head.app_coded || negotiate::codable(&facts, offer, accept);
    (head, facts, plan)
}
