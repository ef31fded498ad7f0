//! Requests by which a client would have the app's answer to something else kept for everybody.

use crate::harness::{Answer, Call, Origin, Vacpack};

/// An app that repeats what it was asked for.
fn repeating(target: &str) -> (Origin, Vacpack) {
    let origin = Origin::start();
    origin.on_path(target, |request| Answer::cacheable(&request.target));
    let vacpack = Vacpack::before(&origin);
    (origin, vacpack)
}

#[test]
fn a_target_without_a_path_is_not_stored_as_the_front_page() {
    let (origin, vacpack) = repeating("/");
    for target in ["x", "?x", "site.test:80", "*", "ftp://site.test/"] {
        origin.on_path(target.split('?').next().expect("a path"), |_| Answer::cacheable("poison"));
        assert_eq!(vacpack.ask(&Call::get(target)).status, 400, "{target}");
    }
    assert_eq!(vacpack.get("/").text(), "/");
    // RFC 9110, 9.3.7: a question to the server as a whole.
    origin.serve("*", Answer::status(204));
    assert_eq!(vacpack.ask(&Call::new("OPTIONS", "*")).status, 204);
}

#[test]
fn an_absolute_target_reaches_the_app_as_a_path() {
    let (origin, vacpack) = repeating("/page");
    origin.on_path("http://site.test/page", |_| Answer::cacheable("poison"));
    let absolute = vacpack.ask(&Call::get("http://site.test/page?a=1"));
    assert_eq!((absolute.status, absolute.text().as_str()), (200, "/page?a=1"));
    assert_eq!(origin.last("/page").field("Host"), Some("site.test"));
    // RFC 9110, 7.1: the same target URI, so the same stored response.
    assert_eq!(vacpack.get("/page?a=1").outcome(), "hit");
    let (_origin, vacpack) = repeating("/");
    assert_eq!(vacpack.ask(&Call::get("http://site.test")).text(), "/");
    assert_eq!(vacpack.get("/").outcome(), "hit");
}

#[test]
fn a_field_that_the_app_does_not_see_selects_nothing() {
    let origin = Origin::start();
    origin.on_path("/page", |request| {
        let language = request.field("x-lang").unwrap_or("none").to_owned();
        Answer::cacheable(language).field("Vary", "X-Lang")
    });
    let vacpack = Vacpack::before(&origin);
    let german = Call::get("/page").field("X-Lang", "de");
    assert_eq!(vacpack.ask(&german.clone().field("Connection", "X-Lang")).text(), "none");
    assert_eq!(vacpack.ask(&german).text(), "de");
    assert_eq!(vacpack.get("/page").text(), "none");
}

#[test]
fn credentials_for_this_hop_are_no_credentials_for_the_app() {
    let origin = Origin::start();
    origin.on_path("/page", |request| Answer::cacheable(request.field("authorization").unwrap_or("nobody")));
    let vacpack = Vacpack::before(&origin);
    let call = Call::get("/page").field("Authorization", "Basic eA==");
    assert_eq!(vacpack.ask(&call.clone().field("Connection", "Authorization")).text(), "nobody");
    assert_eq!(vacpack.ask(&call).text(), "Basic eA==");
    assert_eq!(vacpack.get("/page").text(), "nobody");
}

#[test]
fn a_client_cannot_say_where_it_comes_from_by_other_names() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html("x"));
    let vacpack = Vacpack::with(&origin, "listen.trusted_proxies = []");
    let lies = ["X_Forwarded_For", "X-Forwarded_Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "Forwarded"];
    vacpack.ask(&lies.iter().fold(Call::get("/page"), |call, name| call.field(name, "10.9.9.9")));
    let seen = origin.last("/page");
    for name in lies {
        assert_eq!(seen.field(name), None, "{name}");
    }
    assert_eq!(seen.field("X-Forwarded-For"), Some("127.0.0.1"));
}
