//! What a route inherits, and which one a request meets.

use std::time::Duration;

use http::Method;

use super::super::Config;
use super::{loaded, warnings};
use crate::cache::KeyParts;
use crate::policy::normalise::{DeviceRule, Mapping};
use crate::proxy::Route;

fn route<'a>(config: &'a Config, path: &str) -> &'a Route {
    config.routes.find(&Method::GET, "shop.example", path).1
}

#[test]
fn the_first_match_wins_and_the_default_takes_the_rest() {
    let config = loaded(
        "[[route]]\nname = \"one\"\nmatch = { path = \"/a/**\", method = \"GET\" }\n\
         [[route]]\nname = \"two\"\nmatch = { path = [\"/a/**\", \"/b\"], host = \"*.Example\" }\n",
    )
    .config;
    let name = |method: Method, host: &str, path: &str| config.routes.find(&method, host, path).1.name.clone();
    assert_eq!(name(Method::GET, "shop.example", "/a/x"), "one");
    assert_eq!(name(Method::POST, "shop.example:8080", "/a/x"), "two");
    assert_eq!(name(Method::POST, "shop.test", "/a/x"), "default");
    assert_eq!(name(Method::GET, "shop.example", "/b"), "two");
    assert_eq!(name(Method::GET, "shop.example", "/b/"), "default");
    assert_eq!(name(Method::GET, "", ""), "default");
    assert_eq!(config.routes.fallback.name, "default");
}

#[test]
fn what_a_route_leaves_out_comes_from_above() {
    let config = loaded(
        "[cache]\ndefault_ttl = \"7s\"\nserve_stale.on_error = \"1h\"\nkey.headers = [\"Accept-Language\"]\n\
         key.ignore_query = [\"utm_*\"]\n\
         [compression]\nmin_size = \"2KiB\"\nlive = { br = 6, zstd = 7 }\n\
         [[route]]\nname = \"a\"\nmatch.path = \"/a\"\n\
         cache = { ttl = \"1m\", serve_stale.while_revalidating = \"5s\", key = { headers = [] } }\n\
         compression = { live = { br = 2 } }\n\
         [[route]]\nname = \"b\"\nmatch.path = \"/b\"\ncache = false\ncompression = { live = \"auto\" }\n",
    )
    .config;
    let (a, b, rest) = (route(&config, "/a"), route(&config, "/b"), route(&config, "/c"));
    assert_eq!(a.cache.ttl, Some(Duration::from_secs(60)));
    assert_eq!(a.cache.default_ttl, Duration::from_secs(7));
    assert_eq!(a.cache.stale_if_error, Duration::from_secs(3600));
    assert_eq!(a.cache.stale_while_revalidate, Duration::from_secs(5));
    assert!(a.key.headers.is_empty(), "a list is replaced");
    assert!(a.key.ignore_query.is_match("utm_source"), "a table is merged");
    assert_eq!(a.offer.min_size, 2048);
    assert_eq!(format!("{:?}", a.live), "Fixed(Levels { brotli: 2, zstd: 7, gzip: 5 })");
    assert!(!b.cache.enabled && b.offer.enabled);
    assert_eq!(format!("{:?}", b.live), "Auto");
    assert_eq!(rest.cache.ttl, None);
    assert_eq!(rest.key.headers.len(), 1);
    assert_eq!(rest.cache.negative.len(), 2, "404 and 410 by default");
}

#[test]
fn a_route_keeps_parameters_and_names_its_host() {
    let config = loaded(
        "[cache]\nkey.ignore_query = [\"utm_*\"]\n\
         [[route]]\nname = \"a\"\nmatch.path = \"/a\"\ncache.key = { keep_query = [\"id\", \"utm_id\"], host = \"Shop.example\" }\n\
         [[route]]\nname = \"b\"\nmatch.path = \"/b\"\ncache.key.keep_query = []\n",
    )
    .config;
    let key = |target: &'static str| {
        let route = route(&config, target.split('?').next().unwrap_or_default());
        let parts = KeyParts::of("", "http", "www.shop.example", target, &route.key);
        format!("{} {}", parts.host, parts.query.as_deref().unwrap_or("-"))
    };
    assert_eq!(key("/a?x=1&id=2&utm_id=3"), "shop.example id=2", "kept here, and not ignored above");
    assert_eq!(key("/b?x=1"), "www.shop.example -");
    assert_eq!(key("/c?x=1&utm_id=3"), "www.shop.example x=1");
}

#[test]
fn normalisers_are_inherited_and_their_lists_kept_in_order() {
    let config = loaded(
        "[cache.normalise]\naccept_language = [\"en\", \"de\"]\n\
         fields = { X-B = [\"*b* -> b\", \"a\"], X-A = [\"z\", \"y\", \"* -> x\"] }\n\
         [[route]]\nname = \"a\"\nmatch.path = \"/a\"\ncache.normalise = { accept_language = [], device_class = \"header\" }\n",
    )
    .config;
    let (own, rest) = (&route(&config, "/a").normalise, &route(&config, "/b").normalise);
    assert!(own.languages.is_none() && rest.languages.is_some());
    assert_eq!((own.device, rest.device), (DeviceRule::Header, DeviceRule::Off));
    assert_eq!(own.fields, rest.fields);
    let mapping = |name: &str| &rest.fields.iter().find(|(field, _)| field == name).unwrap().1;
    assert_eq!(*mapping("x-a"), Mapping::new(["z", "y", "* -> x"]).unwrap());
    assert_eq!(*mapping("x-b"), Mapping::new(["*b* -> b", "a"]).unwrap());
    assert!(route(&loaded("").config, "/").normalise.is_off());
}

#[test]
fn response_fields_add_up() {
    let config = loaded(
        "[headers]\nset = { X-A = \"all\", X-B = \"all\" }\nremove = [\"X-Powered-By\", \"X-B\"]\nadd = { Link = [\"<a>\", \"<b>\"] }\nstrip_edge = true\n\
         [[route]]\nname = \"a\"\nmatch.path = \"/a\"\n\
         headers = { browser = \"10m\", set = { x-b = \"own\" }, remove = [\"Server\"], add = { Link = \"<c>\" }, tags = [\"t\"] }\n\
         request_headers = { set = { X-Forwarded-Prefix = \"/p\" }, remove = [\"X-Debug\"] }\n\
         [[route]]\nname = \"b\"\nmatch.path = \"/b\"\nheaders.strip_edge = false\n",
    )
    .config;
    let a = &route(&config, "/a").headers;
    let mut set: Vec<_> = a.set.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    set.sort();
    assert_eq!(set, ["x-a: all", "x-b: own"]);
    assert_eq!(a.remove, ["x-powered-by", "server"]);
    let add: Vec<_> = a.add.iter().map(|(_, value)| value.to_str().unwrap()).collect();
    assert_eq!(add, ["<a>", "<b>", "<c>"]);
    assert_eq!((a.browser, a.cdn), (Some(Duration::from_secs(600)), None));
    assert!(a.strip_edge && !route(&config, "/b").headers.strip_edge);
    assert_eq!(route(&config, "/a").request_headers.set[0].0, "x-forwarded-prefix");
    assert!(route(&config, "/b").request_headers.remove.is_empty());
}

#[test]
fn what_works_but_hardly_as_meant_is_warned_of() {
    let route = |name: &str, rest: &str| format!("[[route]]\nname = \"{name}\"\n{rest}\n");
    let both = |one: &str, other: &str| route("one", one) + &route("two", other);
    let secured = |tls: &str| format!("[upstream]\naddress = \"https://app\"\ntls.{tls}\n");
    let table = [
        ("[upstream.tls]\nca = \"/a.pem\"\n".to_owned(), "no effect: the app is reached without TLS"),
        (secured("dangerously_accept_any_name = true"), "DANGEROUS: whoever has a certificate of a known signer"),
        (secured("dangerously_accept_any_certificate = true"), "DANGEROUS: whoever answers is taken for the app"),
        ("[runtime]\ndrain_limit = \"30s\"\n".to_owned(), "add up to 35s, of a grace of 30s"),
        ("[runtime]\ngrace = \"29s\"\n".to_owned(), "add up to 25s, of a grace of 29s"),
        ("[cache]\nmax_object = \"100MiB\"\n".to_owned(), "larger than the memory budget of 64MiB"),
        ("[cache]\nkey.headers = [\"User-Agent\"]\n".to_owned(), "User-Agent differs with almost every client"),
        (both("match.path = \"/**\"", "match.path = \"/a\""), "never reached: route \"one\""),
        (both("match.path = \"/a/**\"", "match = { path = \"/a/b/*\", method = \"GET\" }"), "never reached"),
        (both("match.path = \"/a/**\"", "match.path = [\"/a/x\", \"/a/y/**\"]"), "never reached"),
        (both("match.host = \"A.b\"", "match.host = \"a.b\""), "never reached"),
        (route("a", "match = { path = \"/\", method = \"POST\" }\ncache.ttl = \"1s\""), "only GET and HEAD"),
        (route("a", "match.path = \"/\"\ncache = { ttl = \"1s\", enabled = false }"), "the cache is not enabled here"),
        (route("a", "match.path = \"/\"\ncache.override = true"), "`override` has no effect without `ttl`"),
        (
            route("a", "match.path = \"/\"\nheaders = { cdn = \"1s\", strip_edge = true }"),
            "removes the CDN-Cache-Control",
        ),
    ];
    for (text, want) in table {
        let found = warnings(&text);
        assert_eq!(found.len(), 1, "{text}\n{found:?}");
        assert!(found[0].contains(want) && found[0].contains('^'), "{text}\n{}", found[0]);
    }
}

#[test]
fn routes_that_part_the_requests_are_not_warned_of() {
    let pairs = [
        ("match.path = \"/a/**\"", "match.path = \"/a\""),
        ("match.path = \"/a/*\"", "match.path = \"/a/**\""),
        ("match = { path = \"/**\", method = \"GET\" }", "match.path = \"/a\""),
        ("match = { path = \"/**\", host = \"a\" }", "match = { path = \"/b\", host = \"b\" }"),
        ("match.path = \"/a/x\"", "match.path = [\"/a/x\", \"/a/y\"]"),
    ];
    for (one, other) in pairs {
        let text = format!("[[route]]\nname = \"one\"\n{one}\n[[route]]\nname = \"two\"\n{other}\n");
        assert!(warnings(&text).is_empty(), "{text}");
    }
}
