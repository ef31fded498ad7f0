//! Fields for the CDN and the browser from one rule (design: browser, cdn and our own time; tags; set, add, remove).

use crate::harness::payload::page;
use crate::harness::{Answer, Call, Origin, Response, Vacpack};

/// Asks twice: the rules hold for what comes from the app and for what comes from the cache alike.
fn both(answer: Answer, settings: &str) -> [Response; 2] {
    let origin = Origin::start();
    origin.serve("/page", answer);
    let vacpack = Vacpack::with(&origin, settings);
    let call = Call::get("/page").accepting("br");
    [vacpack.ask(&call), vacpack.ask(&call)]
}

fn route(rest: &str) -> String {
    format!("[[route]]\nname = \"page\"\nmatch = {{ path = \"/page\" }}\n{rest}\n")
}

/// The seconds of a `max-age` that are left for the recipient: it takes `Age` off.
fn left(response: &Response, name: &str) -> Option<u64> {
    let members = response.members(name);
    let max_age = members.iter().find_map(|member| member.strip_prefix("max-age="))?;
    Some(max_age.parse::<u64>().expect("seconds") - response.age().unwrap_or(0))
}

#[test]
fn one_rule_tells_the_browser_and_the_cdn_how_long() {
    let settings =
        route("cache = { ttl = \"1h\" }\nheaders = { browser = \"10m\", cdn = \"7d\", tags = [\"assets\", \"all\"] }");
    for (response, outcome) in both(Answer::html(page(3000)), &settings).iter().zip(["miss", "hit"]) {
        assert_eq!(response.outcome(), outcome);
        assert_eq!(left(response, "Cache-Control"), Some(600), "{outcome}");
        assert_eq!(left(response, "CDN-Cache-Control"), Some(604_800), "{outcome}");
        assert_eq!(response.members("Cache-Tag"), ["assets", "all"], "{outcome}");
    }
}

#[test]
fn our_own_time_is_neither_the_browsers_nor_the_cdns() {
    let settings = route("cache = { ttl = \"1h\" }\nheaders = { browser = \"10m\", cdn = \"7d\" }");
    let [_, hit] = both(Answer::html(page(3000)), &settings);
    assert!(hit.cache().ttl.is_some_and(|ttl| (3590..=3600).contains(&ttl)));
}

#[test]
fn a_private_answer_is_not_made_public() {
    let settings = route("headers = { browser = \"10m\", cdn = \"7d\" }");
    for response in both(Answer::html(page(3000)).fresh("private, max-age=5"), &settings) {
        assert_eq!(response.fields.all("Cache-Control"), ["private, max-age=5"]);
        assert_eq!(response.field("CDN-Cache-Control"), None);
    }
    for response in both(Answer::html(page(3000)).field("Set-Cookie", "id=1"), &settings) {
        assert_eq!(left(&response, "Cache-Control"), None);
    }
}

#[test]
fn a_vendors_field_can_carry_the_time_and_the_tags() {
    let headers = "headers = { cdn = \"1d\", cdn_field = \"Surrogate-Control\", tags = [\"a\", \"b\"], tag_field = \"Surrogate-Key\" }";
    for response in both(Answer::cacheable(page(3000)), &route(headers)) {
        assert_eq!(left(&response, "Surrogate-Control"), Some(86_400));
        assert_eq!(response.fields.all("Surrogate-Key"), ["a b"]);
        assert_eq!(response.field("CDN-Cache-Control"), None);
    }
}

#[test]
fn without_a_cdn_its_fields_are_read_and_not_shown() {
    let answer = Answer::html(page(3000)).fresh("max-age=5").field("CDN-Cache-Control", "max-age=1000");
    let answer = answer.field("Surrogate-Control", "max-age=20").field("Surrogate-Key", "a b").field("Cache-Tag", "c");
    let [miss, hit] = both(answer, "headers.strip_edge = true");
    assert_eq!((miss.outcome(), hit.outcome()), ("miss", "hit"));
    assert!(hit.cache().ttl.is_some_and(|ttl| ttl > 900), "the targeted field decided");
    for response in [miss, hit] {
        for name in ["CDN-Cache-Control", "Surrogate-Control", "Surrogate-Key", "Cache-Tag"] {
            assert_eq!(response.field(name), None, "{name}");
        }
        assert!(response.field("Cache-Control").is_some());
    }
}

#[test]
fn with_a_cdn_its_fields_pass() {
    let answer = Answer::html(page(3000)).fresh("max-age=60").field("CDN-Cache-Control", "max-age=1000");
    for response in both(answer.field("Surrogate-Key", "a b"), "") {
        assert_eq!(response.field("CDN-Cache-Control"), Some("max-age=1000"));
        assert_eq!(response.field("Surrogate-Key"), Some("a b"));
    }
}

#[test]
fn fields_are_set_added_and_removed_once_on_every_response() {
    let settings = "headers.set = { X-Frame-Options = \"DENY\" }\nheaders.add = { Link = [\"</a>\", \"</b>\"] }\n\
                    headers.remove = [\"X-Powered-By\"]\n";
    let answer = Answer::cacheable(page(3000)).field("X-Frame-Options", "SAMEORIGIN").field("X-Frame-Options", "x");
    let answer = answer.field("X-Powered-By", "legacy 1.0").field("Link", "</c>");
    for response in both(answer, settings) {
        assert_eq!(response.fields.all("X-Frame-Options"), ["DENY"], "{}", response.outcome());
        assert_eq!(response.fields.all("Link"), ["</c>", "</a>", "</b>"], "{}", response.outcome());
        assert_eq!(response.field("X-Powered-By"), None, "{}", response.outcome());
    }
}

#[test]
fn a_route_adds_to_what_holds_everywhere() {
    let settings =
        format!("headers.set = {{ X-Everywhere = \"1\" }}\n{}", route("headers = { set = { X-Here = \"1\" } }"));
    for response in both(Answer::cacheable(page(3000)), &settings) {
        assert_eq!((response.field("X-Everywhere"), response.field("X-Here")), (Some("1"), Some("1")));
    }
}

#[test]
fn the_first_route_that_matches_wins() {
    let origin = Origin::start();
    for path in ["/api/a", "/api/b.json", "/other"] {
        origin.serve(path, Answer::cacheable(page(2000)));
    }
    let settings = r#"
        [[route]]
        name = "json"
        match = { path = "/api/*.json", method = "GET" }
        headers = { set = { X-Route = "json" } }
        [[route]]
        name = "api"
        match = { path = "/api/**" }
        headers = { set = { X-Route = "api" } }
        [[route]]
        name = "host"
        match = { host = "*.other.test" }
        headers = { set = { X-Route = "host" } }
    "#;
    let vacpack = Vacpack::with(&origin, settings);
    assert_eq!(vacpack.get("/api/b.json").field("X-Route"), Some("json"));
    assert_eq!(vacpack.ask(&Call::head("/api/b.json")).field("X-Route"), Some("api"));
    assert_eq!(vacpack.get("/api/a").field("X-Route"), Some("api"));
    assert_eq!(vacpack.get("/other").field("X-Route"), None);
    assert_eq!(vacpack.ask(&Call::get("/other").host("www.other.test")).field("X-Route"), Some("host"));
    assert_eq!(vacpack.metrics_after(5).sum("vacpack_http_requests_total", &["api"]), 2.0);
}

#[test]
fn request_fields_are_set_and_removed_on_the_way_to_the_app() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(2000)));
    let rest = "request_headers = { set = { X-Forwarded-Prefix = \"/api\" }, remove = [\"X-Debug\"] }";
    let vacpack = Vacpack::with(&origin, &route(rest));
    vacpack.ask(&Call::get("/page").field("X-Debug", "1").field("X-Forwarded-Prefix", "/spoofed"));
    let seen = origin.last("/page");
    assert_eq!((seen.field("X-Forwarded-Prefix"), seen.field("X-Debug")), (Some("/api"), None));
}
