//! What would become of a request, told by the functions that decide about requests.
//!
//! Nothing is decided here: the head of a request that nobody sends is read by [`Request`], judged by [`judgement`], and
//! what they say is written down. A [`Scene`] is what they need to know of the proxy; without memory it is an empty
//! cache, which is how a configuration is tried without a running vacpack.

mod answer;
mod entry;

use std::time::SystemTime;

use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, StatusCode, Version};
use pingora::http::RequestHeader;

use super::Parts;
use super::forward::Client;
use super::intake::{self, RequestLimits};
use super::judgement::{self, Condition, Reuse};
use super::part;
use super::predictor::Memorable;
use super::request::Request;
use super::route::Routes;
use super::ruleset::Ruleset;
use crate::cache::{self, KeyParts, Memory, Moment, RequestView, Resource, Variant};
use crate::explain::{
    Explanation, Field, Key, Next, Outcome, Question, QuestionProblem, RequestAsked, RouteTaken, needs, on_forward,
    on_lookup, on_not_stored,
};
use crate::header::{Edit, Forward, Vary};
use crate::policy::{Lookup, NotStored, OverVarying};

/// What the answer to a question depends on.
pub struct Scene<'a> {
    pub routes: &'a Routes,
    pub generation: &'a str,
    pub requests: &'a RequestLimits,
    pub limits: cache::Limits,
    /// What is stored, and what is remembered of what could not be; none without a running proxy.
    pub memory: Option<(&'a Memory, &'a Memorable)>,
}

/// The head of an answer that the app would give.
#[derive(Clone, Debug)]
pub struct Supposed {
    pub version: Version,
    pub status: StatusCode,
    pub fields: HeaderMap,
}

impl Parts {
    /// The running proxy, under these rules.
    pub fn scene<'a>(&'a self, rules: &'a Ruleset) -> Scene<'a> {
        Scene {
            routes: &rules.routes,
            generation: &rules.generation,
            requests: &rules.limits,
            limits: self.memory.limits(),
            memory: Some((self.memory, self.predictor)),
        }
    }
}

/// A question on its way to its answer.
struct Asking<'a> {
    scene: &'a Scene<'a>,
    head: RequestHeader,
    request: Request,
    now: SystemTime,
}

impl Scene<'_> {
    /// Explains what becomes of a request, and of the answer that the app is supposed to give.
    pub fn explain(
        &self,
        question: &Question,
        supposed: Option<&Supposed>,
        now: SystemTime,
    ) -> Result<Explanation, QuestionProblem> {
        let mut head = head_of(question)?;
        let client = Client::imagined(question.is_https(), &head.headers);
        let mut request = Request::of(&head, client, self.routes);
        request.normalise(&mut head).map_err(|error| QuestionProblem::Field(error.to_string()))?;
        let view = request.view_of(&head, request.key(&head, self.generation), true);
        let length = || {
            let (memory, _) = self.memory?;
            part::length(memory, &view, memory.peek(&view.key).as_deref())
        };
        request.part = part::decide(&request, &head, self.limits.max_object, length);
        let asking = Asking { scene: self, head, request, now };
        Ok(asking.explanation(question, supposed))
    }
}

impl Asking<'_> {
    fn explanation(&self, question: &Question, supposed: Option<&Supposed>) -> Explanation {
        let view = self.request.view_of(&self.head, self.request.key(&self.head, self.scene.generation), true);
        let resource = self.scene.memory.and_then(|(memory, _)| memory.peek(&view.key));
        let variant = resource.as_ref().and_then(|resource| resource.select(&view));
        let next = self.next(&view, resource.as_deref());
        let cacheable = self.request.passes_by(&self.head.method) != Some(Forward::Method);
        let asks_app = cacheable && matches!(next.outcome, Outcome::Miss | Outcome::Bypass) && supposed.is_none();
        let rules = &self.request.route.cache;
        let authorized = self.head.headers.contains_key(AUTHORIZATION);
        Explanation {
            request: RequestAsked {
                method: question.method.to_string(),
                url: question.url.to_string(),
                fields: question
                    .fields
                    .iter()
                    .map(|(name, value)| shown(name.as_str(), Some(value.as_bytes())))
                    .collect(),
            },
            route: self.route(),
            normalised: self.normalised(question),
            key: self.key(&view),
            next,
            stored: resource.as_ref().map(|resource| self.entry(resource, variant)),
            last_refusal: if variant.is_none() { self.last_refusal(&view).map(on_not_stored) } else { None },
            needs: if asks_app { needs(rules, authorized, self.request.fills(&self.head)) } else { Vec::new() },
            answer: supposed.map(|supposed| self.answer(supposed)),
            warnings: self.warnings(resource.as_deref(), variant.map(|variant| &variant.head), supposed),
        }
    }

    /// The fields that the app is asked with in place of the client's own.
    fn normalised(&self, question: &Question) -> Vec<Field> {
        let edits = self.request.route.normalise.edits(&question.fields);
        let names = edits.iter().map(Edit::name);
        let changed = names.filter(|name| self.head.headers.get(*name) != question.fields.get(*name));
        changed.map(|name| shown(name.as_str(), self.head.headers.get(name).map(|value| value.as_bytes()))).collect()
    }

    fn route(&self) -> RouteTaken {
        let Request { route, route_index, host, .. } = &self.request;
        let because = self.scene.routes.because(*route_index, &self.head.method, host, self.head.uri.path());
        RouteTaken { name: route.name.clone(), because }
    }

    fn key(&self, view: &RequestView) -> Key {
        let rules = &self.request.route.key;
        let target = self.head.uri.path_and_query().map_or("/", |target| target.as_str());
        let parts =
            KeyParts::of(self.scene.generation, self.request.client.scheme(), &self.request.host, target, rules);
        let sent = target.split_once('?').map(|(_, query)| query.to_owned());
        let field =
            |name: &http::HeaderName| shown(name.as_str(), self.head.headers.get(name).map(|value| value.as_bytes()));
        Key {
            hash: view.key.to_string(),
            scheme: parts.scheme.to_owned(),
            host: parts.host.to_string(),
            path: parts.path.to_owned(),
            sent_query: sent.filter(|sent| Some(&**sent) != parts.query.as_deref()),
            query: parts.query.map(|query| query.into_owned()),
            generation: parts.generation.to_owned(),
            fields: rules.headers.iter().map(field).collect(),
            cookies: rules.cookies.clone(),
        }
    }

    /// In the order in which a request meets them.
    fn next(&self, view: &RequestView, resource: Option<&Resource>) -> Next {
        if let Some(refusal) = intake::refuse(&self.head, self.scene.requests) {
            return refused(refusal.status(), "the request is malformed, or over a limit of [listen]");
        }
        if let Some(forward) = self.request.passes_by(&self.head.method) {
            return went(Outcome::Bypass, on_forward(forward));
        }
        if self.passes_by(view) {
            return went(Outcome::Bypass, "the last answer could not be stored, and that is remembered");
        }
        let Some(variant) = resource.and_then(|resource| resource.select(view)) else {
            let forward = if resource.is_some() { Forward::VaryMiss } else { Forward::UriMiss };
            return self.missed(forward);
        };
        let freshness = variant.stored_freshness(Moment::at(self.now));
        match judgement::reuse(&variant.head, &freshness, &self.request, &self.head.headers, self.now) {
            Reuse::NotAuthorized => self.missed(Forward::Request),
            Reuse::Judged(lookup) => self.judged(lookup, variant, view),
        }
    }

    fn missed(&self, forward: Forward) -> Next {
        match self.request.directives.only_if_cached {
            true => refused(504, on_lookup(Lookup::GatewayTimeout).1),
            false => went(Outcome::Miss, on_forward(forward)),
        }
    }

    fn judged(&self, lookup: Lookup, variant: &Variant, view: &RequestView) -> Next {
        let (outcome, because) = on_lookup(lookup);
        let from_store = matches!(outcome, Outcome::Hit | Outcome::Stale | Outcome::Updating);
        let status = match outcome {
            Outcome::Refused => Some(504),
            _ if from_store => self.condition(variant, view),
            _ => None,
        };
        let body = if from_store { self.stored_body(variant, view) } else { None };
        Next { outcome, because: because.to_owned(), status, body }
    }

    fn condition(&self, variant: &Variant, view: &RequestView) -> Option<u16> {
        let coding = variant.selection(view)?.coding();
        let response = variant.representation(coding).map_or(&variant.head, |one| &one.head.headers);
        if !variant.status.is_success() {
            return None;
        }
        match judgement::condition(&self.head.headers, response, Some(&variant.tag), self.now) {
            Condition::Holds => None,
            Condition::NotModified(_) => Some(304),
            Condition::Failed => Some(412),
        }
    }

    /// The platform asks what is remembered of requests that would wait for others.
    fn passes_by(&self, view: &RequestView) -> bool {
        let Some((memory, predictor)) = self.scene.memory else {
            return false;
        };
        let collapses =
            self.request.collapses(&self.head) && !memory.known_oversize(&view.key) && !memory.is_crowded(view);
        collapses && predictor.passes_by(&view.key)
    }

    fn last_refusal(&self, view: &RequestView) -> Option<NotStored> {
        let (memory, predictor) = self.scene.memory?;
        let oversize = memory.known_oversize(&view.key).then_some(NotStored::TooLarge);
        let crowded = || memory.is_crowded(view).then_some(NotStored::TooManyVariants);
        oversize.or_else(crowded).or_else(|| predictor.last_refusal(&view.key))
    }

    fn warnings(
        &self,
        resource: Option<&Resource>,
        stored: Option<&HeaderMap>,
        supposed: Option<&Supposed>,
    ) -> Vec<String> {
        let mut warnings = Vec::new();
        let any = || resource.and_then(|resource| resource.variants().first()).map(|variant| &variant.head);
        if let Some(head) = supposed.map(|supposed| &supposed.fields).or(stored).or_else(any) {
            let few = |one: &OverVarying| self.request.route.normalise.covers(&one.field());
            warnings.extend(OverVarying::of(&Vary::parse(head)).filter(|one| !few(one)).map(|one| {
                format!("the app says Vary: {}: almost every client makes a variant of its own", one.label())
            }));
        }
        let most = self.scene.limits.max_variants;
        if resource.is_some_and(|resource| resource.variants().len() >= most) {
            warnings.push(format!("the resource has all {most} variants it may have (cache.max_variants)"));
        }
        warnings
    }
}

/// The head of the request that the question is about, as the proxy would see it.
fn head_of(question: &Question) -> Result<RequestHeader, QuestionProblem> {
    let wrong =
        |why: Box<pingora::Error>| QuestionProblem::Url { text: question.url.to_string(), why: why.to_string() };
    let build = || -> pingora::Result<RequestHeader> {
        let mut head = RequestHeader::build(question.method.clone(), question.target().as_bytes(), None)?;
        head.set_version(Version::HTTP_11);
        if !question.fields.contains_key(HOST) {
            head.insert_header(HOST, question.host())?;
        }
        for (name, value) in &question.fields {
            head.append_header(name.clone(), value.clone())?;
        }
        intake::drop_nominated(&mut head);
        Ok(head)
    };
    build().map_err(wrong)
}

fn went(outcome: Outcome, because: &str) -> Next {
    Next { outcome, because: because.to_owned(), status: None, body: None }
}

fn refused(status: u16, because: &str) -> Next {
    Next { outcome: Outcome::Refused, because: because.to_owned(), status: Some(status), body: None }
}

/// A field, unless its value is a credential.
fn shown(name: &str, value: Option<&[u8]>) -> Field {
    let secret = ["authorization", "cookie", "proxy-authorization"].contains(&name);
    let text = |value: &[u8]| match secret {
        true => format!("({} bytes)", value.len()),
        false => String::from_utf8_lossy(value).into_owned(),
    };
    Field { name: name.to_owned(), value: value.map(text) }
}
