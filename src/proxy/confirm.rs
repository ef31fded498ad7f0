//! What the app says of a stored answer without sending it again: a 304 (RFC 9111, section 4.3.4), or the answer to a `HEAD`
//! (section 4.3.5).
//!
//! The stored head is merged with what the app says now, and judged as any head from the app is: it may `Vary` by more than
//! it did, or must not be stored any more. What of it may not be kept is for this client alone, and the stored answer stays
//! as it was, stale: left to the platform, the app's tag would go out with the bytes of a coding.

use std::sync::Arc;
use std::time::SystemTime;

use http::header::{CONTENT_LENGTH, DATE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use pingora::cache::CacheMeta;
use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use super::Proxy;
use super::caching::{meta_of, tags_of};
use super::context::{AppHead, Context};
use super::edit::apply_to;
use super::request::Request;
use crate::cache::{Found, RefreshPlan, RequestView, Variant};
use crate::header::{Edit, Vary, apply, date};
use crate::policy::revalidate::{HeadEvidence, freshens, head_evidence};
use crate::policy::{self, NotStored, Selector, StoreRequest, StoreResponse};

impl Proxy {
    /// What is served, and kept, of a stored response to which the app has answered 304.
    pub(super) fn confirm(
        &self,
        asked: &StoreRequest,
        response: &ResponseHeader,
        found: &Found,
        context: &mut Context,
        now: SystemTime,
    ) -> Result<CacheMeta, NotStored> {
        let word = Word::about(found, context, now).ok_or(NotStored::Disabled)?;
        let is_about_it = freshens(&with_tag(&found.variant.head, &found.variant), &word.app.headers);
        let edits = if is_about_it { word.edits() } else { Vec::new() };
        let served = confirmed_head(response, found, &edits).map_err(|_| NotStored::Status)?;
        let plan = if is_about_it { word.plan(asked, &edits) } else { Err(NotStored::OtherValidator) };
        match plan {
            Ok(plan) => {
                let mut meta = meta_of(&plan.freshness, now, served);
                meta.extensions_mut().insert(Arc::new(plan));
                Ok(meta)
            }
            Err(reason) => {
                context.answer.not_stored = Some(reason);
                Ok(CacheMeta::new(now, now, 0, 0, served))
            }
        }
    }

    /// A `HEAD` went to the app since what is stored is stale, and its answer says that nothing has changed: it is fresh
    /// again. Lengths alone, without a validator, say nothing.
    pub(super) fn freshen_by_head(&self, session: &Session, context: &Context) {
        let client = session.req_header();
        let Some(found) = context.answer.found.as_ref().filter(|_| client.method == Method::HEAD) else {
            return;
        };
        let Some(word) = Word::about(found, context, SystemTime::now()) else {
            return;
        };
        let asked = StoreRequest { method: &Method::GET, headers: &client.headers };
        if word.is_of_the_same()
            && let Ok(plan) = word.plan(&asked, &word.edits())
        {
            self.parts.memory.refresh(&plan);
        }
    }
}

/// The app's head about something that is stored.
struct Word<'a> {
    request: &'a Request,
    view: &'a RequestView,
    app: &'a AppHead,
    variant: &'a Variant,
    purge_epoch: u64,
    now: SystemTime,
}

impl<'a> Word<'a> {
    fn about(found: &'a Found, context: &'a Context, now: SystemTime) -> Option<Self> {
        let request = context.request.as_ref()?;
        Some(Self {
            request,
            view: request.view.as_deref()?,
            app: context.app.head.as_ref()?,
            variant: &found.variant,
            purge_epoch: context.app.purge_epoch,
            now,
        })
    }

    fn edits(&self) -> Vec<Edit> {
        policy::merge_304(&self.variant.head, &self.app.headers, self.request.route.cache.set_cookie)
    }

    /// The stored head with the edits, if it may be kept so.
    fn plan(&self, asked: &StoreRequest, edits: &[Edit]) -> Result<RefreshPlan, NotStored> {
        let rules = &self.request.route.cache;
        let mut head = self.variant.head.clone();
        apply(edits, &mut head);
        head.entry(DATE).or_insert_with(|| date::format(self.now));
        let merged = with_tag(&head, self.variant);
        let response = StoreResponse { status: self.variant.status, headers: &merged, close_delimited: false };
        let freshness = policy::store(asked, &response, rules, self.now)?;
        let selector = Selector::new(&Vary::parse(&merged), asked.headers).ok_or(NotStored::VaryStar)?;
        for name in policy::unstored_fields(&merged, rules) {
            head.remove(name);
        }
        Ok(RefreshPlan {
            key: self.view.key,
            generation: self.variant.generation,
            tags: tags_of(&head, self.request).into(),
            head,
            app_etag: self.app.etag.clone().or_else(|| self.variant.app_etag.clone()),
            freshness,
            selector,
            now: self.now,
            purge_epoch: self.purge_epoch,
        })
    }

    /// Section 4.3.5, of an answer to `HEAD`.
    fn is_of_the_same(&self) -> bool {
        let (variant, said) = (self.variant, &self.app.headers);
        if self.app.status != StatusCode::OK || variant.status != StatusCode::OK || variant.app_coded {
            return false;
        }
        let stored = as_sent(variant);
        let validated = [ETAG, LAST_MODIFIED].iter().any(|name| stored.contains_key(name) && said.contains_key(name));
        validated && head_evidence(&stored, said) == HeadEvidence::Freshens
    }
}

/// The head of what was found, as a 304 has edited it: with the tag of its own bytes.
fn confirmed_head(response: &ResponseHeader, found: &Found, edits: &[Edit]) -> pingora::Result<ResponseHeader> {
    let stored = found.variant.representation(found.coding);
    let mut head = stored.map_or_else(|| response.clone(), |representation| representation.head.clone());
    apply_to(edits, &mut head)?;
    head.insert_header(ETAG, found.etag.to_header())?;
    Ok(head)
}

/// The head as the app would send it, for rules that ask whether it has a validator.
fn with_tag(head: &HeaderMap, variant: &Variant) -> HeaderMap {
    let mut head = head.clone();
    if let Some(tag) = &variant.app_etag {
        apply([Edit::Set(ETAG, tag.to_header())], &mut head);
    }
    head
}

/// The same with the length that the app would tell.
fn as_sent(variant: &Variant) -> HeaderMap {
    let mut head = with_tag(&variant.head, variant);
    if let Some(length) = variant.identity_length {
        head.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    head
}
