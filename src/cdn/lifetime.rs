//! `Cache-Control` and the CDN's own field, from a `browser` and a `cdn` time of the operator.
//!
//! A rule gives lifetimes to responses that everybody may see. It never makes a private one public:
//! where the app says `private` or `no-store`, or sets a cookie, its fields leave as they are.

use std::time::Duration;

use http::header::{AUTHORIZATION, CACHE_CONTROL, EXPIRES, PRAGMA, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::rules::HeaderRules;
use crate::header::{CacheControl, Edit, age, list, targeted};

/// `Cache-Control: public, max-age=N`, with what the app said there about other things than the
/// browser's lifetime.
pub fn browser(rules: &HeaderRules, request: &HeaderMap, response: &HeaderMap) -> Vec<Edit> {
    let Some(lifetime) = rules.browser else {
        return Vec::new();
    };
    if is_for_one(&CacheControl::parse(response, &CACHE_CONTROL), response) {
        return Vec::new();
    }
    let mut directives = Vec::new();
    // RFC 9111, §5.2.2.9: `public` would let shared caches keep what was made for somebody who
    // logged in.
    if !request.contains_key(AUTHORIZATION) || says(response, b"public") {
        directives.push(b"public".to_vec());
    }
    directives.push(max_age(lifetime, response).into_bytes());
    directives.extend(list::members(response, &CACHE_CONTROL).filter(|member| outlives(member)).map(<[u8]>::to_vec));
    let mut edits = set(&CACHE_CONTROL, &directives.join(&b", "[..]));
    // What older apps say beside it, to caches that know no better, would contradict it.
    edits.extend([EXPIRES, PRAGMA].into_iter().filter(|name| response.contains_key(name)).map(Edit::Remove));
    edits
}

/// The CDN's field with `max-age=N` alone: RFC 9213, §2.2, it is read in place of `Cache-Control`.
pub fn cdn(rules: &HeaderRules, response: &HeaderMap) -> Vec<Edit> {
    let Some(lifetime) = rules.cdn else {
        return Vec::new();
    };
    // What the app already tells that CDN; without it, what it tells every cache.
    let said =
        targeted::parse(response, &rules.cdn_field).unwrap_or_else(|| CacheControl::parse(response, &CACHE_CONTROL));
    if is_for_one(&said, response) {
        return Vec::new();
    }
    set(&rules.cdn_field, max_age(lifetime, response).as_bytes())
}

fn is_for_one(said: &CacheControl, response: &HeaderMap) -> bool {
    said.no_store || said.private.is_some() || response.contains_key(SET_COOKIE)
}

/// From when it is received: RFC 9111, §4.2.3, the recipient takes `Age` off, so it is put on here.
fn max_age(lifetime: Duration, response: &HeaderMap) -> String {
    let age = age::parse(response).unwrap_or_default();
    format!("max-age={}", lifetime.saturating_add(age).as_secs())
}

/// Does this directive of the app's stay beside the browser's new lifetime? Those for others
/// (`s-maxage`), those about what comes after the lifetime (`must-revalidate`) and those about
/// other matters (`no-transform`) do.
fn outlives(directive: &[u8]) -> bool {
    let name = directive.split(|byte| *byte == b'=').next().unwrap_or_default();
    let replaced: [&[u8]; 2] = [b"public", b"max-age"];
    // `no-cache="set-cookie"` is about a field (§5.2.2.4), `no-cache` about the lifetime.
    !replaced.iter().any(|known| name.eq_ignore_ascii_case(known)) && !directive.eq_ignore_ascii_case(b"no-cache")
}

fn says(response: &HeaderMap, directive: &[u8]) -> bool {
    list::members(response, &CACHE_CONTROL).any(|member| member.eq_ignore_ascii_case(directive))
}

fn set(name: &HeaderName, value: &[u8]) -> Vec<Edit> {
    // The parts were field values or are digits, so the whole is one; if it were not, the app's own
    // would stay.
    HeaderValue::from_bytes(value).map(|value| Edit::Set(name.clone(), value)).into_iter().collect()
}

#[cfg(test)]
mod tests;
