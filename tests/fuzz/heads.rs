//! One exchange through everything that reads heads: no panic, and nothing reused that plainly must not be.
//!
//! What is "plain" is told by [`Plain`], which knows neither our parsers nor the RFC's finer points: a word between two
//! commas of a field without quotes. Where that is not enough to say anything, nothing is said.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, ETAG, EXPIRES, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_RANGE, RANGE, VARY,
};
use http::{HeaderMap, HeaderName, Method};
use vacpack::header::coding::Applied;
use vacpack::header::range::{is_byte_ranges, without_empty_suffixes};
use vacpack::header::{
    AcceptEncoding, CacheControl, Coding, EntityTag, MediaType, Revision, TagCondition, Vary, apply, date,
    delta_seconds, hop_by_hop, list, structured, targeted, token,
};
use vacpack::negotiate::{Selection, coded_head, select};
use vacpack::policy::lookup::StaleUse;
use vacpack::policy::{
    Freshness, Lookup, Precondition, RequestDirectives, Rules, Selector, SetCookie, StoreRequest, StoreResponse,
    Target, Validators, governing, invalidated_targets, lookup, merge_304, permits_authorized, precondition,
    range_applies, revalidate, store, unstored_fields,
};
use vacpack::{cdn, policy};

use super::exchange::Exchange;

const CODINGS: [Coding; 3] = [Coding::Brotli, Coding::Gzip, Coding::Zstd];

/// The target of a fuzzer.
pub fn survive(input: &[u8]) {
    values(input);
    let exchange = Exchange::read(input);
    for head in [&exchange.request, &exchange.response] {
        fields(head);
    }
    cached(&exchange);
    negotiated(&exchange);
    conditional(&exchange);
    invalidating(&exchange);
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// Parsers of one value.
fn values(input: &[u8]) {
    let _ = structured::dictionary(input);
    let _ = (token::unquote(input), token::is_token(input), Coding::parse(input), MediaType::parse(input));
    let seconds = delta_seconds::parse(input);
    assert!(seconds.is_none_or(|seconds| seconds <= delta_seconds::GREATEST), "RFC 9111, 1.2.2");
    assert!(list::split(input).all(|member| !member.is_empty() && member.len() <= input.len()), "RFC 9110, 5.6.1");
    if let Some(at) = date::parse(input) {
        assert!(date::parse(date::format(at).as_bytes()) == Some(at), "a date is written as it is read: {at:?}");
    }
    if let Some(tag) = EntityTag::parse(input) {
        tagged(&tag);
    }
    if is_byte_ranges(input)
        && let Some(left) = without_empty_suffixes(input)
    {
        assert!(is_byte_ranges(left.as_bytes()), "{left} is no range");
    }
}

fn tagged(tag: &EntityTag) {
    assert!(EntityTag::parse(tag.to_header().as_bytes()).as_ref() == Some(tag), "a tag is written as it is read");
    for coding in CODINGS {
        for coded in [tag.with_coding(coding), tag.with_revision(coding, Revision(7))] {
            assert!(coded.split_coding() == (tag.clone(), Some(coding)), "the app hears of its own tag alone");
            assert!(!coded.strong_eq(tag), "RFC 9110, 8.8.3.3");
        }
    }
}

/// Parsers of whole fields, in either direction.
fn fields(head: &HeaderMap) {
    for name in head.keys() {
        let _ = (CacheControl::parse(head, name), targeted::parse(head, name), TagCondition::parse(head, name));
        let _ = (date::field(head, name), list::members(head, name).count());
    }
    let _ = (Applied::parse(head), Vary::parse(head), RequestDirectives::parse(head));
    let named = hop_by_hop::nominated(head);
    assert!(!named.contains(&CACHE_CONTROL), "`Connection: cache-control` would publish what is private");
    assert!(named.is_empty() || head.contains_key(CONNECTION), "nobody named them: {named:?}");
    for tag in cdn::tags(head) {
        assert!(!tag.is_empty() && tag == tag.trim(), "{tag:?} could not be named in a purge");
    }
}

/// RFC 9111, sections 3 to 5: with the app's word alone, and with all that an operator may switch on.
fn cached(exchange: &Exchange) {
    let generous = Rules {
        heuristic: true,
        set_cookie: SetCookie::Strip,
        stale_while_revalidate: Duration::from_secs(60),
        stale_if_error: Duration::from_secs(60),
        ..Rules::default()
    };
    for rules in [Rules::default(), generous] {
        let asked = StoreRequest { method: &exchange.method, headers: &exchange.request };
        let answer = StoreResponse { status: exchange.status, headers: &exchange.response, close_delimited: false };
        let _ = unstored_fields(&exchange.response, &rules);
        let Ok(freshness) = store(&asked, &answer, &rules, now()) else { continue };
        may_be_stored(exchange);
        bounded(&freshness, &exchange.response, &rules);
        reused(exchange, &freshness, &rules);
    }
}

fn may_be_stored(exchange: &Exchange) {
    let Exchange { method, request, status, response } = exchange;
    assert!(*method == Method::GET && ![206, 304].contains(&status.as_u16()), "{method} {status}");
    let (client, app) = (Plain(request), Plain(response));
    assert!(!client.says(&CACHE_CONTROL, "no-store"), "RFC 9111, 5.2.1.5");
    assert!(!app.says(&VARY, "*"), "RFC 9111, 4.1");
    if !app.is_targeted() {
        assert!(!app.says(&CACHE_CONTROL, "private"), "RFC 9111, 5.2.2.7");
        let understood = app.mentions("must-understand");
        assert!(!app.says(&CACHE_CONTROL, "no-store") || understood, "RFC 9111, 5.2.2.5");
    }
    let permitted = ["public", "s-maxage", "must-revalidate"].iter().any(|word| app.mentions(word));
    assert!(!request.contains_key(AUTHORIZATION) || permitted, "RFC 9111, 3.5");
}

fn bounded(freshness: &Freshness, response: &HeaderMap, rules: &Rules) {
    for time in [freshness.lifetime, freshness.age, freshness.stale_while_revalidate, freshness.stale_if_error] {
        assert!(time <= delta_seconds::GREATEST, "{time:?}");
    }
    let app = Plain(response);
    let expires = response.contains_key(EXPIRES) || rules.heuristic;
    assert!(expires || freshness.lifetime.as_secs() <= app.greatest_number(), "nobody has said {freshness:?}");
    if app.says(&CACHE_CONTROL, "must-revalidate") && !app.is_targeted() {
        let windows = freshness.stale_while_revalidate + freshness.stale_if_error;
        assert!(windows.is_zero() && freshness.must_revalidate, "RFC 9111, 5.2.2.2: {freshness:?}");
    }
}

/// The same client comes again, at moments around the end of the lifetime.
fn reused(exchange: &Exchange, freshness: &Freshness, rules: &Rules) {
    let selector = Selector::new(&Vary::parse(&exchange.response), &exchange.request);
    assert!(selector.is_some_and(|selector| selector.matches(&exchange.request)), "RFC 9111, 4.1");
    let _ = permits_authorized(&exchange.response, rules);
    let directives = RequestDirectives::parse(&exchange.request);
    let stored = freshness.stored(now());
    let rest = freshness.lifetime.saturating_sub(freshness.age);
    for later in [Duration::ZERO, rest, rest + Duration::from_secs(1), rest + 2 * delta_seconds::GREATEST] {
        let at = now() + later;
        let found = lookup(Some(&stored), &directives, at);
        let is_old = freshness.no_cache || later >= rest;
        assert!(found != Lookup::Fresh || !is_old, "{freshness:?} after {later:?}");
        let client = Plain(&exchange.request);
        let at_once = matches!(found, Lookup::Fresh | Lookup::Stale(_));
        assert!(!(at_once && client.says(&CACHE_CONTROL, "no-cache")), "RFC 9111, 5.2.1.4");
        assert!(found != Lookup::Stale(StaleUse::MaxStale) || !freshness.must_revalidate, "RFC 9111, 5.2.2.2");
        let app = Plain(&exchange.response);
        if later > rest && app.says(&CACHE_CONTROL, "must-revalidate") && !app.is_targeted() {
            assert!(!at_once, "RFC 9111, 5.2.2.2: {found:?}");
        }
    }
}

/// A client is sent nothing that it refuses, and no head says two things.
fn negotiated(exchange: &Exchange) {
    let accept = AcceptEncoding::parse(&exchange.request);
    for stored in [Coding::Identity, Coding::Brotli, Coding::Gzip, Coding::Zstd] {
        let coding = match select(&accept, &[stored], true, &CODINGS) {
            Selection::Serve(coding) | Selection::Derive(coding) => coding,
        };
        assert!(coding == Coding::Identity || accept.accepts(coding), "{coding:?} was refused");
        let mut head = exchange.response.clone();
        apply(coded_head(&head, coding, Some(Revision(1))), &mut head);
        assert!(head.get_all(ETAG).iter().count() <= exchange.response.get_all(ETAG).iter().count(), "{head:?}");
    }
    let _ = MediaType::of(&exchange.response).map(|media| media.is_grpc());
    let _ = head_type(&exchange.response);
}

fn head_type(head: &HeaderMap) -> Option<MediaType<'_>> {
    MediaType::parse(head.get(CONTENT_TYPE)?.as_bytes())
}

/// RFC 9110, section 13: what nobody made a condition of is answered in full.
fn conditional(exchange: &Exchange) {
    let tag = EntityTag::of(&exchange.response);
    let same_content: Vec<EntityTag> = tag.iter().map(|tag| tag.with_coding(Coding::Gzip)).collect();
    let validators = Validators {
        selected: tag.as_ref(),
        same_content: &same_content,
        last_modified: date::field(&exchange.response, &http::header::LAST_MODIFIED),
        date: now(),
    };
    let asked = |name: &HeaderName| exchange.request.contains_key(name);
    match precondition(&exchange.request, &validators) {
        Precondition::Proceed => {}
        Precondition::NotModified(_) => assert!(asked(&IF_NONE_MATCH) || asked(&IF_MODIFIED_SINCE), "304 to nobody"),
        Precondition::Failed => {
            assert!(asked(&IF_MATCH) || asked(&http::header::IF_UNMODIFIED_SINCE), "412 to nobody");
        }
    }
    if range_applies(&exchange.request, &validators) && asked(&RANGE) && asked(&IF_RANGE) {
        assert!(tag.is_some() || validators.last_modified.is_some(), "RFC 9110, 13.1.5");
    }
}

/// A 304, a HEAD and a write, as the response of this exchange.
fn invalidating(exchange: &Exchange) {
    let mut stored = exchange.request.clone();
    apply(merge_304(&stored.clone(), &exchange.response, SetCookie::Refuse), &mut stored);
    let _ = revalidate::freshens(&exchange.request, &exchange.response);
    let _ = revalidate::head_evidence(&exchange.request, &exchange.response);
    let _ = governing::Governing::new(&exchange.response, &Rules::default().targets);
    let target = Target { scheme: "http", authority: "site.test", path_and_query: "/a/b?c" };
    let targets = invalidated_targets(&target, &exchange.response);
    assert!(targets.iter().all(|path| path.starts_with('/')), "{targets:?}");
    let _ = policy::invalidates(&exchange.method, exchange.status);
}

/// A head as anybody would read it.
struct Plain<'a>(&'a HeaderMap);

impl Plain<'_> {
    /// The word stands between two commas, and there are no quotes that it could stand in.
    fn says(&self, name: &HeaderName, word: &str) -> bool {
        let lines: Vec<&[u8]> = self.0.get_all(name).iter().map(|line| line.as_bytes()).collect();
        let quoted = lines.iter().any(|line| line.contains(&b'"') || line.contains(&b'\\'));
        let mut words = lines.iter().flat_map(|line| line.split(|byte| *byte == b','));
        !quoted && words.any(|said| said.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    }

    /// It is somewhere, in a field that has to do with caching.
    fn mentions(&self, word: &str) -> bool {
        self.lines().any(|line| line.to_ascii_lowercase().contains(word))
    }

    fn is_targeted(&self) -> bool {
        ["cdn-cache-control", "surrogate-control"].iter().any(|name| self.0.contains_key(*name))
    }

    /// Of all that are written there; more digits than a number has are the greatest.
    fn greatest_number(&self) -> u64 {
        let numbers = self.lines().flat_map(|line| {
            let digits = line.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
            digits.map(|digits| digits.parse().unwrap_or(u64::MAX)).collect::<Vec<_>>()
        });
        numbers.max().unwrap_or_default()
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        let fields = ["cache-control", "cdn-cache-control", "surrogate-control"];
        let lines = fields.into_iter().flat_map(|name| self.0.get_all(name));
        lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned())
    }
}
