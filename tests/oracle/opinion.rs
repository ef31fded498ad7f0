//! What an implementation says about a case.

use std::time::Duration;

use http::header::{AGE, AUTHORIZATION, CACHE_CONTROL, HeaderValue, PRAGMA};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_cache_semantics::{BeforeRequest, CacheOptions, CachePolicy};
use vacpack::header::Vary;
use vacpack::policy::{
    Lookup, RequestDirectives, Rules, Selector, StoreRequest, StoreResponse, lookup, permits_authorized, store,
};

use crate::case::{Case, received};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// Section 3.
    pub stored: bool,
    /// Section 4.2.1, `freshness_lifetime`.
    pub lifetime: Duration,
    /// Section 4.2.3, `current_age` at the later request.
    pub age: Duration,
    /// Section 4.2.4: may a client who takes anything not have it when it is stale?
    pub must_revalidate: bool,
    /// Section 4.1: it is what the later request asks for.
    pub selected: bool,
    /// Section 4: and may answer it without the app.
    pub reused: bool,
}

impl Opinion {
    const NOT_STORED: Self = Self {
        stored: false,
        lifetime: Duration::ZERO,
        age: Duration::ZERO,
        must_revalidate: false,
        selected: false,
        reused: false,
    };

    pub fn forgetting_what_is_not_stored(self) -> Self {
        if self.stored { self } else { Self::NOT_STORED }
    }
}

/// What `policy` says.
pub fn ours(case: &Case) -> Opinion {
    let (request, response, asked) = (case.request_head(), case.response_head(), case.asked_head());
    let rules = Rules { heuristic: case.heuristic, ..Rules::default() };
    let storing = StoreRequest { method: &case.method, headers: &request };
    let answer = StoreResponse { status: status(case), headers: &response, close_delimited: false };
    let Ok(freshness) = store(&storing, &answer, &rules, received()) else {
        return Opinion::NOT_STORED;
    };
    let stored = freshness.stored(received());
    let selected = Selector::new(&Vary::parse(&response), &request).is_some_and(|selector| selector.matches(&asked));
    let permitted = !asked.contains_key(AUTHORIZATION) || permits_authorized(&response, &rules);
    let found = lookup(Some(&stored), &RequestDirectives::parse(&asked), case.asked_at());
    Opinion {
        stored: true,
        lifetime: freshness.lifetime,
        age: stored.current_age(case.asked_at()),
        must_revalidate: freshness.must_revalidate,
        selected,
        reused: selected && permitted && matches!(found, Lookup::Fresh | Lookup::Stale(_)),
    }
}

/// What http-cache-semantics says.
pub fn theirs(case: &Case) -> Opinion {
    let policy = their_policy(case, case.response_head());
    if !policy.is_storable() {
        return Opinion::NOT_STORED;
    }
    // It tells what is left of a lifetime. Without an `Age` that is all of it.
    let mut ageless = case.response_head();
    ageless.remove(AGE);
    let lifetime = their_policy(case, ageless).time_to_live(received());
    let after = policy.before_request(&their_request(case.asked_head()), case.asked_at());
    let (selected, reused) = match after {
        BeforeRequest::Fresh(_) => (true, true),
        BeforeRequest::Stale { matches, .. } => (matches, false),
    };
    Opinion {
        stored: true,
        lifetime,
        age: policy.age(case.asked_at()),
        must_revalidate: !their_stale_use(case, &policy),
        selected,
        reused,
    }
    .forgetting_what_is_not_stored()
}

/// Does it give a response long stale to the client that fetched it, when that client takes anything?
fn their_stale_use(case: &Case, policy: &CachePolicy) -> bool {
    let mut request = case.request_head();
    request.remove(PRAGMA);
    request.insert(CACHE_CONTROL, HeaderValue::from_static("max-stale"));
    let centuries = Duration::from_secs(1 << 35);
    matches!(policy.before_request(&their_request(request), received() + centuries), BeforeRequest::Fresh(_))
}

fn their_policy(case: &Case, head: HeaderMap) -> CachePolicy {
    let mut request = their_request(case.request_head());
    *request.method_mut() = case.method.clone();
    let mut response = Response::new(());
    *response.status_mut() = status(case);
    *response.headers_mut() = head;
    let options = CacheOptions {
        shared: true,
        cache_heuristic: if case.heuristic { 0.1 } else { 0.0 },
        // RFC 8246 gives no lifetime.
        immutable_min_time_to_live: Duration::ZERO,
        ignore_cargo_cult: false,
    };
    CachePolicy::new_options(&request, &response, received(), options)
}

fn their_request(head: HeaderMap) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = Method::GET;
    *request.headers_mut() = head;
    request
}

fn status(case: &Case) -> StatusCode {
    StatusCode::from_u16(case.status).expect("a status")
}
