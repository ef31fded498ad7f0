//! `vacpack explain` and `/api/explain`: what they say of a request is what becomes of it.

mod offline;

use crate::harness::binary::Binary;
use crate::harness::payload::page;
use crate::harness::{Answer, Call, Origin, Seen, Vacpack, until};
use serde_json::Value;

/// The document about a GET of `target`.
fn explain(vacpack: &Vacpack, target: &str, fields: &[&str]) -> Value {
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let headers: String = fields.iter().map(|field| format!("&header={}", encoded(field))).collect();
    let answer = vacpack.ask_admin(&Call::get(&format!("/api/explain?url=http://site.test{target}{headers}")));
    let text = answer.text();
    assert_eq!(answer.status, 200, "{text}");
    serde_json::from_str(&text).expect("a JSON document")
}

/// The value at a path of names and positions, as text.
fn at(document: &Value, pointer: &str) -> String {
    match document.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "-".to_owned(),
    }
}

#[test]
fn a_miss_says_what_it_takes_and_a_hit_what_is_stored() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html(page(20_000)).fresh("s-maxage=60, stale-while-revalidate=30"));
    let vacpack =
        Vacpack::with(&origin, "[[route]]\nname = \"pages\"\nmatch = { path = \"/p*\", host = \"*.test\" }\n");
    let before = explain(&vacpack, "/page", &["Accept-Encoding: br"]);
    assert_eq!(at(&before, "/next/outcome"), "miss");
    assert!(at(&before, "/needs").contains("max-age"), "{before}");
    assert_eq!(at(&before, "/stored"), "-");

    let sent = vacpack.get_as("/page", "br");
    let hit = until("the page to be stored", || {
        let told = explain(&vacpack, "/page", &["Accept-Encoding: br"]);
        (at(&told, "/next/outcome") == "hit").then_some(told)
    });
    for (pointer, wanted) in [
        ("/route/name", "pages"),
        ("/route/because", "path /p*, host *.test"),
        ("/key/host", "site.test"),
        ("/key/path", "/page"),
        ("/next/body/coding", "br"),
        ("/next/body/made", "stored"),
        ("/stored/variants", "1"),
        ("/stored/variant/status", "200"),
        ("/stored/variant/hits", "0"),
        ("/stored/variant/identity_bytes", "20000"),
        ("/stored/variant/lifetime/seconds", "60"),
        ("/stored/variant/lifetime/source", "s_maxage"),
        ("/stored/variant/lifetime/from", "cache-control: s-maxage=60, stale-while-revalidate=30"),
        ("/stored/variant/lifetime/stale_while_revalidate", "30"),
        ("/stored/variant/representations/0/coding", "br"),
        ("/stored/variant/representations/0/level", "4"),
        ("/needs", "-"),
    ] {
        assert_eq!(at(&hit, pointer), wanted, "{pointer} of {hit}");
    }
    assert_eq!(at(&hit, "/stored/variant/representations/0/bytes"), sent.body.len().to_string());
    assert_eq!(vacpack.get_as("/page", "br").outcome(), "hit");

    // Another coding is made of what is stored, and then it is there as well.
    assert_eq!(at(&explain(&vacpack, "/page", &["Accept-Encoding: gzip"]), "/next/body/made"), "derived");
    vacpack.get_as("/page", "gzip");
    let both = explain(&vacpack, "/page", &["Accept-Encoding: gzip"]);
    assert_eq!(at(&both, "/next/body/made"), "stored");
    assert_eq!(at(&both, "/stored/variant/representations/1/coding"), "gzip");
    assert_eq!(at(&both, "/stored/variant/representations/1/level"), "6");
    assert_eq!(at(&both, "/stored/variant/hits"), "2");
    let plain = explain(&vacpack, "/page", &[]);
    assert_eq!(at(&plain, "/next/body/skipped/reason"), "no_accept", "{plain}");
    // To explain is not to ask: the app heard nothing of it.
    assert_eq!(origin.fetches("/page"), 1);
}

#[test]
fn a_request_says_for_itself_what_it_gets() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html(page(2_000)).fresh("max-age=60").field("ETag", "\"v1\""));
    let vacpack = Vacpack::before(&origin);
    vacpack.get_as("/page", "br");
    let stored = || (at(&explain(&vacpack, "/page", &[]), "/stored/variants") == "1").then_some(());
    until("the page to be stored", stored);
    let table: [(&[&str], &str, &str); 8] = [
        (&[], "hit", "-"),
        (&["Cache-Control: no-cache"], "revalidate", "-"),
        (&["Cache-Control: max-age=3600, only-if-cached"], "hit", "-"),
        (&["Cache-Control: min-fresh=3600"], "revalidate", "-"),
        (&["Cache-Control: min-fresh=3600, only-if-cached"], "refused", "504"),
        (&["If-None-Match: \"v1-br\""], "hit", "304"),
        (&["If-Match: \"other\""], "hit", "412"),
        (&["Authorization: Basic eDp5"], "miss", "-"),
    ];
    for (fields, outcome, status) in table {
        let told = explain(&vacpack, "/page", fields);
        assert_eq!(
            (at(&told, "/next/outcome").as_str(), at(&told, "/next/status").as_str()),
            (outcome, status),
            "{fields:?}"
        );
        // And that is what it gets.
        let call = fields.iter().fold(Call::get("/page").accepting("br"), |call, field| {
            let (name, value) = field.split_once(": ").expect("a field");
            call.field(name, value)
        });
        if status != "-" {
            assert_eq!(vacpack.ask(&call).status.to_string(), status, "{fields:?}");
        }
    }
    let told = explain(&vacpack, "/page", &["Authorization: Basic eDp5"]);
    assert!(!told.to_string().contains("eDp5"), "a credential is not shown: {told}");
}

#[test]
fn what_is_stale_says_what_may_be_done_with_it() {
    let origin = Origin::start();
    for (path, directives) in [
        ("/updating", "max-age=0, stale-while-revalidate=60"),
        ("/error", "max-age=0, stale-if-error=60"),
        ("/strict", "max-age=0, must-revalidate"),
        ("/asked", "no-cache"),
    ] {
        origin.serve(path, Answer::html(page(2_000)).fresh(directives).field("ETag", "\"v\""));
    }
    let vacpack = Vacpack::before(&origin);
    for (path, outcome, because) in [
        ("/updating", "updating", "stale-while-revalidate"),
        ("/error", "revalidate", "stale-if-error"),
        ("/strict", "revalidate", "its lifetime is over"),
        ("/asked", "revalidate", "no-cache"),
    ] {
        vacpack.get_as(path, "br");
        let told = until("it to be stored", || {
            let told = explain(&vacpack, path, &["Accept-Encoding: br"]);
            told.pointer("/stored").is_some().then_some(told)
        });
        assert_eq!(at(&told, "/next/outcome"), outcome, "{path}");
        assert!(at(&told, "/next/because").contains(because), "{path}: {told}");
        let fresh_for: i64 = at(&told, "/stored/variant/lifetime/fresh_for").parse().expect("a number");
        assert!(fresh_for <= 0, "{path}: {told}");
    }
}

#[test]
fn what_was_not_stored_is_remembered_with_its_reason() {
    let origin = Origin::start();
    let answers: [(&str, Answer, &str); 6] = [
        ("/no-store", Answer::html("x").fresh("no-store"), "no_store"),
        ("/private", Answer::html("x").fresh("private"), "private"),
        ("/cookie", Answer::cacheable("x").field("Set-Cookie", "a=b"), "set_cookie"),
        ("/silent", Answer::html("x"), "no_freshness"),
        ("/star", Answer::cacheable("x").field("Vary", "*"), "vary_star"),
        ("/large", Answer::cacheable(page(5_000)), "too_large"),
    ];
    for (path, answer, _) in &answers {
        origin.serve(path, answer.clone());
    }
    let vacpack = Vacpack::with(&origin, "cache.max_object = \"4KiB\"");
    for (path, _, reason) in answers {
        vacpack.get(path);
        let told = until("the refusal to be remembered", || {
            let told = explain(&vacpack, path, &[]);
            told.pointer("/last_refusal").is_some().then_some(told)
        });
        assert_eq!(at(&told, "/last_refusal/reason"), reason, "{path}");
        let outcome = if reason == "too_large" { "miss" } else { "bypass" };
        assert_eq!(at(&told, "/next/outcome"), outcome, "{path}");
        let fwd = vacpack.get(path).cache().fwd;
        assert_eq!(fwd.as_deref() == Some("bypass"), outcome == "bypass", "{path}: {fwd:?}");
    }
}

#[test]
fn variants_are_told_apart_and_personal_ones_warned_about() {
    let origin = Origin::start();
    origin.on_path("/page", |request: &Seen| {
        let language = request.field("accept-language").unwrap_or("-");
        Answer::cacheable(language).field("Vary", "Accept-Language, Cookie")
    });
    let vacpack = Vacpack::before(&origin);
    let ask = |language: &str| {
        vacpack.ask(&Call::get("/page").field("Accept-Language", language).field("Cookie", "sid=secret"))
    };
    assert_eq!(["de", "fr"].map(|language| ask(language).text()), ["de", "fr"]);
    let fields = ["Accept-Language: de", "Cookie: sid=secret"];
    let told = until("both to be stored", || {
        let told = explain(&vacpack, "/page", &fields);
        (at(&told, "/stored/variants") == "2").then_some(told)
    });
    assert_eq!(at(&told, "/stored/variant/selected_by/0/value"), "de");
    assert_eq!(at(&told, "/stored/others/0/selected_by/0/value"), "fr");
    assert!(at(&told, "/warnings").contains("Vary: cookie"), "{told}");
    assert!(!told.to_string().contains("secret"), "the cookie of a client is not shown: {told}");
    let other = explain(&vacpack, "/page", &["Accept-Language: it"]);
    assert_eq!(at(&other, "/next/outcome"), "miss");
    assert!(at(&other, "/next/because").contains("other request fields"), "{other}");
}

#[test]
fn a_variant_too_many_is_told_before_it_is_fetched() {
    let origin = Origin::start();
    origin.on_path("/page", |request: &Seen| {
        Answer::cacheable(request.field("x-shop").unwrap_or_default()).field("Vary", "X-Shop")
    });
    let vacpack = Vacpack::with(&origin, "cache.max_variants = 1");
    let call = Call::get("/page").field("X-Shop", "a");
    assert_eq!(vacpack.outcomes(&call), ["miss", "hit"]);
    let told = explain(&vacpack, "/page", &["X-Shop: b"]);
    assert_eq!(at(&told, "/next/outcome"), "miss", "{told}");
    assert_eq!(at(&told, "/last_refusal/reason"), "too_many_variants", "{told}");
    assert!(at(&told, "/warnings").contains("all 1 variants"), "{told}");
    assert_eq!(at(&explain(&vacpack, "/page", &["X-Shop: a"]), "/next/outcome"), "hit");
}

#[test]
fn strangers_learn_nothing_and_mistakes_are_explained() {
    let origin = Origin::start();
    let vacpack = Vacpack::with(&origin, "admin.token = \"s3cret-and-long\"");
    let call = || Call::get("/api/explain?url=http://site.test/");
    assert_eq!(vacpack.ask_admin(&call()).status, 200);
    let stranger = call().field("X-Forwarded-For", "203.0.113.9");
    assert_eq!(vacpack.ask_admin(&stranger).status, 403);
    assert_eq!(vacpack.ask_admin(&stranger.field("Authorization", "Bearer s3cret-and-long")).status, 200);
    for query in ["", "?url=/page", "?url=x", "?url=http://h/&header=x", "?url=http://h/&x=y", "?url=http://h/&url=x"] {
        let refused = vacpack.ask_admin(&Call::get(&format!("/api/explain{query}")));
        assert_eq!((refused.status, refused.text().contains("error")), (400, true), "{query}");
    }
}

#[test]
fn the_command_asks_a_running_vacpack() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(20_000)));
    let vacpack = Vacpack::with(&origin, "admin.token = \"s3cret-and-long\"");
    vacpack.get_as("/page", "br");
    let admin = vacpack.admin().to_string();
    let text = until("the page to be stored", || {
        let ended = Binary::run(&["explain", "GET", "/page", "-H", "Host: site.test", "--admin", &admin]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        ended.stdout.contains("hit: what is stored is fresh; br, as it is stored").then_some(ended.stdout)
    });
    assert!(text.contains("lifetime 1m from cache-control: max-age=60 (max_age)"), "{text}");
    let json = Binary::run(&["explain", "http://site.test/page", "--json", "--admin", &admin]);
    let document: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(at(&document, "/next/outcome"), "hit");

    let directory = crate::harness::Directory::new("explain-token");
    let wrong = directory.file("token", "guessed").display().to_string();
    let table: [(&[&str], i32, &str); 6] = [
        (&["explain"], 64, "--help"),
        (&["explain", "GET", "site.test/page", "--admin", &admin], 64, "the scheme is missing"),
        (&["explain", "GET", "http://site.test/", "-H", "nonsense", "--admin", &admin], 64, "is no field"),
        (&["explain", "http://site.test/", "--admin", "127.0.0.1:1"], 69, "127.0.0.1:1"),
        (&["explain", "http://site.test/", "--admin", &admin, "--token-file", &wrong], 77, "token"),
        (&["explain", "http://site.test/", "--config", "/nowhere.toml"], 78, "cannot read /nowhere.toml"),
    ];
    for (arguments, code, told) in table {
        let ended = Binary::run(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{arguments:?} {}", ended.stderr);
        assert!(ended.stderr.contains(told), "{arguments:?} {}", ended.stderr);
    }
}
