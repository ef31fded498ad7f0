//! Fields that belong to one hop, and those that tell the app who is asking (RFC 9110, section 7.6).

use crate::harness::payload::page;
use crate::harness::{Answer, Call, Origin, Seen, Vacpack};

#[test]
fn fields_of_the_apps_connection_are_neither_sent_on_nor_stored() {
    let origin = Origin::start();
    let answer =
        Answer::cacheable(page(3000)).field("Connection", "X-Internal, keep-alive").field("X-Internal", "secret");
    let answer =
        answer.field("Keep-Alive", "timeout=5").field("Proxy-Connection", "keep-alive").field("Upgrade", "h2c");
    origin.serve("/page", answer.field("TE", "trailers").field("X-Public", "stays"));
    let vacpack = Vacpack::before(&origin);
    for outcome in ["miss", "hit"] {
        let response = vacpack.get_as("/page", "br");
        assert_eq!(response.outcome(), outcome);
        for name in ["X-Internal", "Keep-Alive", "Proxy-Connection", "Upgrade", "TE"] {
            assert!(response.fields.all(name).is_empty(), "{name} on a {outcome}");
        }
        assert!(!response.members("Connection").contains(&"x-internal".to_owned()), "{outcome}");
        assert_eq!(response.field("X-Public"), Some("stays"));
    }
}

#[test]
fn fields_of_the_clients_connection_do_not_reach_the_app() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("x"));
    let vacpack = Vacpack::before(&origin);
    let call =
        Call::get("/page").field("Connection", "X-Mine, keep-alive").field("X-Mine", "1").field("Keep-Alive", "5");
    let call = call.field("Proxy-Connection", "keep-alive").field("TE", "trailers").field("X-Public", "stays");
    assert_eq!(vacpack.ask(&call).status, 200);
    let seen = origin.last("/page");
    for name in ["X-Mine", "Keep-Alive", "Proxy-Connection", "TE"] {
        assert_eq!(seen.field(name), None, "{name}");
    }
    assert_eq!(seen.field("X-Public"), Some("stays"));
}

const TRUSTING: &str = "listen.trusted_proxies = [\"127.0.0.0/8\"]";
const TRUSTING_NOBODY: &str = "listen.trusted_proxies = []";

fn seen_by_the_app(settings: &str, call: &Call) -> Seen {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("x"));
    Vacpack::with(&origin, settings).ask(call);
    origin.last("/page")
}

fn forwarded() -> Call {
    let call = Call::get("/page").field("X-Forwarded-For", "203.0.113.9").field("X-Forwarded-Proto", "https");
    call.field("X-Forwarded-Host", "public.test")
}

#[test]
fn the_app_is_told_who_asks() {
    let seen = seen_by_the_app(TRUSTING_NOBODY, &Call::get("/page"));
    assert_eq!(seen.field("X-Forwarded-For"), Some("127.0.0.1"));
    assert_eq!(seen.field("X-Forwarded-Proto"), Some("http"));
    assert_eq!(seen.field("X-Forwarded-Host"), Some("site.test"));
    assert_eq!(seen.field("Host"), Some("site.test"));
}

#[test]
fn a_trusted_proxy_is_believed() {
    let seen = seen_by_the_app(TRUSTING, &forwarded());
    assert_eq!(seen.fields.members("X-Forwarded-For"), ["203.0.113.9", "127.0.0.1"]);
    assert_eq!(seen.field("X-Forwarded-Proto"), Some("https"));
    assert_eq!(seen.field("X-Forwarded-Host"), Some("public.test"));
}

#[test]
fn anybody_else_is_not() {
    let seen = seen_by_the_app(TRUSTING_NOBODY, &forwarded());
    assert_eq!(seen.fields.members("X-Forwarded-For"), ["127.0.0.1"]);
    assert_eq!(seen.field("X-Forwarded-Proto"), Some("http"));
    assert_eq!(seen.field("X-Forwarded-Host"), Some("site.test"));
}

/// RFC 7239.
#[test]
fn forwarded_of_a_trusted_proxy_is_read_and_continued() {
    let call = Call::get("/page").field("Forwarded", "for=1.1.1.1, for=203.0.113.9;proto=https;host=public.test");
    let seen = seen_by_the_app(TRUSTING, &call);
    assert_eq!(seen.fields.members("X-Forwarded-For"), ["203.0.113.9", "127.0.0.1"]);
    assert_eq!(seen.field("X-Forwarded-Proto"), Some("https"));
    assert_eq!(seen.field("X-Forwarded-Host"), Some("public.test"));
    assert_eq!(seen.fields.members("Forwarded").last(), Some(&"for=127.0.0.1".to_owned()));
    let seen = seen_by_the_app(TRUSTING_NOBODY, &call);
    assert_eq!(seen.field("X-Forwarded-For"), Some("127.0.0.1"));
    assert_eq!(seen.field("Forwarded"), None);
    let settings = format!("{TRUSTING_NOBODY}\nheaders.forwarded = true");
    assert_eq!(seen_by_the_app(&settings, &call).field("Forwarded"), Some("for=127.0.0.1;host=site.test;proto=http"));
}

#[test]
fn every_request_has_a_name_and_a_trace_where_one_is_wanted() {
    let seen = seen_by_the_app(TRUSTING_NOBODY, &Call::get("/page"));
    assert_eq!(seen.field("X-Request-Id").map(str::len), Some(32));
    assert_eq!(seen.field("traceparent"), None);
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let named = Call::get("/page").field("X-Request-Id", "mine").field("traceparent", parent);
    let settings = format!("{TRUSTING_NOBODY}\nheaders.traceparent = \"unsampled\"");
    let seen = seen_by_the_app(&settings, &named);
    assert_eq!((seen.field("X-Request-Id"), seen.field("traceparent")), (Some("mine"), Some(parent)));
    let made = seen_by_the_app(&settings, &Call::get("/page"));
    let made = made.field("traceparent").expect("a trace");
    assert!(made.len() == parent.len() && made.starts_with("00-") && made.ends_with("-00"), "{made}");
    let settings = format!("{TRUSTING_NOBODY}\nheaders.request_id = false");
    assert_eq!(seen_by_the_app(&settings, &Call::get("/page")).field("X-Request-Id"), None);
}

#[test]
fn via_names_every_hop_in_both_directions() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(2000)).field("Via", "1.0 app-gateway"));
    let vacpack = Vacpack::before(&origin);
    let miss = vacpack.ask(&Call::get("/page").field("Via", "1.1 edge"));
    assert_eq!(origin.last("/page").fields.members("Via"), ["1.1 edge", "1.1 vacpack"]);
    let hit = vacpack.get("/page");
    for response in [miss, hit] {
        // RFC 9110, 7.6.3: the version is the one in which the message was received.
        assert_eq!(response.members("Via"), ["1.0 app-gateway", "1.1 vacpack"], "{}", response.outcome());
    }
    vacpack.ask(&Call::get("/page?old").http10());
    assert_eq!(origin.last("/page").fields.members("Via"), ["1.0 vacpack"]);
}

#[test]
fn a_response_has_one_date() {
    let origin = Origin::start();
    origin.serve("/dated", Answer::html("x").field("Date", "Sun, 06 Nov 1994 08:49:37 GMT"));
    origin.serve("/undated", Answer::html("x"));
    let vacpack = Vacpack::before(&origin);
    for path in ["/dated", "/undated"] {
        assert_eq!(vacpack.get(path).fields.all("Date").len(), 1, "{path}");
    }
}
