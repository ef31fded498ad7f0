//! Request fields that are cut down to few values, for the app and for the cache alike (RFC 9111, section 4.1).

use crate::harness::{Answer, Call, Origin, Seen, Vacpack};

/// An answer in what the request says, as apps choose it.
fn saying(field: &'static str) -> impl Fn(&Seen) -> Answer {
    move |request| Answer::cacheable(request.field(field).unwrap_or("-")).field("Vary", field)
}

#[test]
fn languages_are_those_of_the_app() {
    let origin = Origin::start();
    origin.on_path("/a", saying("accept-language"));
    let vacpack = Vacpack::with(&origin, "cache.normalise.accept_language = [\"en\", \"de\", \"fr\"]");
    let ask = |language: &str| {
        let call = Call::get("/a");
        vacpack.ask(&if language.is_empty() { call } else { call.field("Accept-Language", language) })
    };
    for (said, got, outcome) in [
        ("de-CH,de;q=0.9,en;q=0.8", "de", "miss"),
        ("de", "de", "hit"),
        ("DE-at", "de", "hit"),
        ("it, fr;q=0.5", "fr", "miss"),
        ("it", "en", "miss"),
        ("", "en", "hit"),
        ("*", "en", "hit"),
        ("en;q=0.1, de;q=0.2", "de", "hit"),
    ] {
        let response = ask(said);
        assert_eq!((response.text().as_str(), response.outcome()), (got, outcome), "{said}");
        assert!(response.varies_on("accept-language"), "caches downstream still have to know");
    }
    assert_eq!(origin.fetches("/a"), 3);
}

#[test]
fn what_is_never_stored_is_passed_on_as_it_is() {
    let origin = Origin::start();
    for path in ["/a", "/off"] {
        origin.on_path(path, saying("accept-language"));
    }
    let settings =
        "cache.normalise.accept_language = [\"en\"]\n[[route]]\nname = \"off\"\nmatch.path = \"/off\"\ncache = false\n";
    let vacpack = Vacpack::with(&origin, settings);
    let said = |call: Call| vacpack.ask(&call.field("Accept-Language", "it, de;q=0.1")).text();
    assert_eq!(said(Call::post("/a", "x")), "it, de;q=0.1");
    assert_eq!(said(Call::get("/off")), "it, de;q=0.1");
    assert_eq!(said(Call::get("/a")), "en");
}

const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148";
const OTHER_PHONE: &str =
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36";
const DESKTOP: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0";

#[test]
fn an_app_that_knows_classes_is_told_the_class() {
    let origin = Origin::start();
    origin.on_path("/a", saying("x-device-class"));
    let vacpack = Vacpack::with(&origin, "cache.normalise.device_class = \"header\"");
    let call = |agent: &str| Call::get("/a").field("User-Agent", agent);
    for (agent, got, outcome) in [
        (PHONE, "mobile", "miss"),
        (OTHER_PHONE, "mobile", "hit"),
        (DESKTOP, "desktop", "miss"),
        ("curl/8", "bot", "miss"),
    ] {
        let response = vacpack.ask(&call(agent));
        assert_eq!((response.text().as_str(), response.outcome()), (got, outcome), "{agent}");
        // What clients send, and a cache downstream sees, is the field it was made of.
        assert!(response.varies_on("user-agent"), "{:?}", response.members("Vary"));
    }
    // Nobody chooses a class but by what it is.
    let forged = vacpack.ask(&call(DESKTOP).field("X-Device-Class", "mobile"));
    assert_eq!((forged.text().as_str(), forged.outcome()), ("desktop", "hit"));
    assert_eq!(origin.requests("/a")[0].field("user-agent"), Some(PHONE));
}

#[test]
fn an_app_that_looks_for_words_gets_a_typical_agent() {
    let origin = Origin::start();
    origin.on_path("/a", |request: &Seen| {
        let mobile = request.field("user-agent").is_some_and(|agent| agent.contains("Mobi"));
        Answer::cacheable(if mobile { "small" } else { "large" }).field("Vary", "User-Agent")
    });
    let vacpack = Vacpack::with(&origin, "cache.normalise.device_class = \"user-agent\"");
    let call = |agent: &str| Call::get("/a").field("User-Agent", agent);
    for (agent, got, outcome) in
        [(PHONE, "small", "miss"), (OTHER_PHONE, "small", "hit"), (DESKTOP, "large", "miss"), ("X11", "large", "hit")]
    {
        let response = vacpack.ask(&call(agent));
        assert_eq!((response.text().as_str(), response.outcome()), (got, outcome), "{agent}");
    }
    // Few values are no reason for a warning.
    assert_eq!(vacpack.metrics_after(4).sum("vacpack_cache_overvaried_total", &[]), 0.0);
}

#[test]
fn any_field_is_cut_down_to_a_list() {
    let origin = Origin::start();
    origin.on_path("/a", saying("cookie"));
    origin.on_path("/b", saying("x-currency"));
    let settings = "cache.normalise.fields = { Cookie = [\"*plan=pro* -> plan=pro\"], X-Currency = [\"EUR\", \"USD\", \"* -> EUR\"] }";
    let vacpack = Vacpack::with(&origin, settings);
    let ask = |path: &str, name: &str, value: &str| {
        let response = vacpack.ask(&Call::get(path).field(name, value));
        (response.text(), response.outcome())
    };
    assert_eq!(ask("/a", "Cookie", "sid=1; plan=pro"), ("plan=pro".to_owned(), "miss"));
    assert_eq!(ask("/a", "Cookie", "plan=pro; sid=2"), ("plan=pro".to_owned(), "hit"));
    assert_eq!(ask("/a", "Cookie", "sid=3"), ("-".to_owned(), "miss"));
    assert_eq!(ask("/a", "X-Other", "no cookie"), ("-".to_owned(), "hit"));
    assert_eq!(ask("/b", "X-Currency", "usd"), ("USD".to_owned(), "miss"));
    assert_eq!(ask("/b", "X-Currency", "gbp"), ("EUR".to_owned(), "miss"));
    assert_eq!(ask("/b", "X-Other", "none"), ("EUR".to_owned(), "hit"));
}

/// A refresh in the background is made of a request that was cut down already.
#[test]
fn a_background_refresh_asks_in_the_same_values() {
    let origin = Origin::start();
    origin.on_path("/a", |request: &Seen| {
        Answer::html(request.field("user-agent").unwrap_or_default())
            .fresh("max-age=0, stale-while-revalidate=60")
            .field("Vary", "User-Agent")
    });
    let vacpack = Vacpack::with(&origin, "cache.normalise.device_class = \"user-agent\"");
    let call = Call::get("/a").field("User-Agent", PHONE);
    let first = vacpack.ask(&call).text();
    assert_eq!(vacpack.ask(&call).text(), first);
    crate::harness::until("the refresh", || (origin.fetches("/a") >= 2).then_some(()));
    let asked = origin.requests("/a");
    assert!(asked.iter().all(|request| request.field("user-agent") == Some(first.as_str())), "{first}");
}
