//! The request as the app gets it.
//!
//! The app is asked for identity, so that a body is compressed once, here. It hears its own validators only: tags that we
//! made or suffixed are translated back (RFC 9110, section 13), and those of a validation are the ones it gave us.

use http::Version;
use http::header::{
    ACCEPT_ENCODING, EXPECT, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    PROXY_AUTHORIZATION, RANGE, TE,
};
use pingora::http::RequestHeader;
use pingora::proxy::Session;

use super::context::Context;
use super::edit::set;
use super::forward::announce;
use super::hops::continue_chain;
use super::intake::is_absolute;
use super::request::Request;
use crate::cache::Variant;
use crate::header::{EntityTag, TagCondition, hop_by_hop, list};

/// Edits the request on its way to the app.
pub fn prepare(session: &Session, outbound: &mut RequestHeader, context: &Context) -> pingora::Result<()> {
    let Some(request) = &context.request else {
        return Ok(());
    };
    if asks_for_identity(session, request) {
        outbound.insert_header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))?;
    }
    ask_for_path(outbound)?;
    match &context.answer.found {
        Some(found) if session.cache.enabled() => validate(outbound, &found.variant)?,
        _ => translate_conditions(outbound)?,
    }
    announce(outbound, &request.client, session.req_header().version)?;
    continue_chain(outbound, &request.client, context.rules.forwarded)?;
    for name in &request.route.request_headers.remove {
        outbound.remove_header(name);
    }
    set(outbound, &request.route.request_headers.set)
}

/// What only HTTP/2 asks for, whatever the client speaks.
pub async fn settle_for_http2(
    session: &mut Session,
    outbound: &mut RequestHeader,
    tries: usize,
) -> pingora::Result<()> {
    let client = session.req_header();
    let trailers = client.version == Version::HTTP_2
        && list::members(&client.headers, &TE).any(|coding| coding.eq_ignore_ascii_case(b"trailers"));
    // RFC 9113, section 8.2.2; the platform leaves the fields of an HTTP/2 client as they are.
    for name in hop_by_hop::FIXED.iter().chain([&PROXY_AUTHORIZATION]) {
        outbound.remove_header(name);
    }
    if trailers {
        // gRPC's test for proxies in between that would drop them.
        outbound.insert_header(TE, HeaderValue::from_static("trailers"))?;
    }
    // RFC 9110, section 10.1.1: the platform does not see the app's own 100 here, and the client waits for one.
    if outbound.remove_header(&EXPECT).is_some() && client.version == Version::HTTP_11 && tries == 1 {
        session.as_downstream_mut().write_continue_response().await?;
    }
    Ok(())
}

/// RFC 9112, section 3.2.1: an origin server is asked for the path alone, in whatever form a proxy's client asked.
fn ask_for_path(outbound: &mut RequestHeader) -> pingora::Result<()> {
    if !is_absolute(outbound.raw_path()) {
        return Ok(());
    }
    let path = outbound.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    outbound.set_raw_path(path.as_bytes())
}

/// Where we neither encode nor store, the app's own compression is its client's business.
fn asks_for_identity(session: &Session, request: &Request) -> bool {
    let cached = session.cache.enabled() || session.cache.bypassing();
    (request.route.offer.enabled || cached) && !request.websocket
}

/// RFC 9111, section 4.3.1: the app's own validators of what is stored, and no others.
fn validate(outbound: &mut RequestHeader, variant: &Variant) -> pingora::Result<()> {
    match &variant.app_etag {
        Some(tag) => outbound.insert_header(IF_NONE_MATCH, tag.to_header())?,
        None => drop(outbound.remove_header(&IF_NONE_MATCH)),
    }
    match variant.head.get(http::header::LAST_MODIFIED) {
        Some(modified) => outbound.insert_header(IF_MODIFIED_SINCE, modified)?,
        None => drop(outbound.remove_header(&IF_MODIFIED_SINCE)),
    }
    Ok(())
}

/// The client's conditions in the app's own tags.
fn translate_conditions(outbound: &mut RequestHeader) -> pingora::Result<()> {
    for name in [IF_NONE_MATCH, IF_MATCH] {
        let Some(condition) = TagCondition::parse(&outbound.headers, &name) else {
            continue;
        };
        if let Some(value) = condition.for_app().to_header() {
            outbound.insert_header(name, value)?;
        }
    }
    drop_coded_range(outbound);
    Ok(())
}

/// A client that resumes a *coded* representation must not be given a range of the identity one: it gets it whole.
fn drop_coded_range(outbound: &mut RequestHeader) {
    let tag = outbound.headers.get(IF_RANGE).and_then(|value| EntityTag::parse(value.as_bytes()));
    if tag.is_some_and(|tag| tag.split_coding().1.is_some()) {
        for name in [IF_RANGE, RANGE] as [HeaderName; 2] {
            outbound.remove_header(&name);
        }
    }
}
