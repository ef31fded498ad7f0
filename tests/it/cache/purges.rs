//! Purges by tag, prefix, host and of everything; by the admin listener, by the command, by the method.

use crate::harness::binary::Binary;
use crate::harness::payload::page;
use crate::harness::{Answer, Call, Gate, HOST, Origin, Part, Vacpack};
use serde_json::Value;
use std::thread;

/// Four pages of a shop, tagged in three ways.
fn shop() -> Origin {
    let origin = Origin::start();
    let page = || Answer::cacheable(page(3000)).field("ETag", "\"v1\"");
    origin.serve("/shop/1", page().field("Surrogate-Key", "product-1 shop"));
    origin.serve("/shop/2", page().field("Cache-Tag", "product-2, shop"));
    origin.serve("/about", page().field("xkey", "about"));
    origin.serve("/shopping", page());
    origin
}

const PAGES: [&str; 4] = ["/shop/1", "/shop/2", "/about", "/shopping"];

/// Every page is stored.
fn stocked(vacpack: &Vacpack) {
    for path in PAGES {
        let outcomes: [_; 2] = vacpack.outcomes(&Call::get(path).accepting("br"));
        assert_eq!(outcomes[1], "hit", "{path}");
    }
}

fn outcomes(vacpack: &Vacpack) -> Vec<&'static str> {
    PAGES.iter().map(|path| vacpack.get_as(path, "br").outcome()).collect()
}

fn purge(vacpack: &Vacpack, query: &str) -> Value {
    let answer = vacpack.ask_admin(&Call::post(&format!("/purge?{query}"), ""));
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_str(&answer.text()).expect("JSON")
}

#[test]
fn each_scope_takes_what_it_names() {
    let table = [
        ("tag=product-1".to_owned(), 1, ["miss", "hit", "hit", "hit"]),
        ("tag=shop".to_owned(), 2, ["miss", "miss", "hit", "hit"]),
        ("tag=about&tag=product-2".to_owned(), 2, ["hit", "miss", "miss", "hit"]),
        (format!("prefix=http://{HOST}/shop/"), 2, ["miss", "miss", "hit", "hit"]),
        (format!("prefix=http://{HOST}/shop*"), 3, ["miss", "miss", "hit", "miss"]),
        (format!("host={HOST}"), 4, ["miss", "miss", "miss", "miss"]),
        ("host=other.test".to_owned(), 0, ["hit", "hit", "hit", "hit"]),
        ("everything=true".to_owned(), 4, ["miss", "miss", "miss", "miss"]),
    ];
    let origin = shop();
    let vacpack = Vacpack::before(&origin);
    for (query, objects, wanted) in table {
        stocked(&vacpack);
        let dry = purge(&vacpack, &format!("{query}&dry_run=true"));
        assert_eq!((&dry["purged"], &dry["mode"]), (&Value::from(objects), &Value::from("dry-run")), "{query}");
        let done = purge(&vacpack, &query);
        assert_eq!((&done["purged"], &done["bytes"]), (&dry["purged"], &dry["bytes"]), "{query}");
        assert_eq!(outcomes(&vacpack), wanted, "{query}");
    }
    assert_eq!(vacpack.metrics().sum("vacpack_purged_objects_total", &["tag"]), 5.0);
}

#[test]
fn a_soft_purge_asks_the_app_whether_it_still_holds() {
    let origin = shop();
    let vacpack = Vacpack::before(&origin);
    stocked(&vacpack);
    assert_eq!(purge(&vacpack, "tag=shop&soft=true")["purged"], 2);
    assert_eq!(outcomes(&vacpack)[2..], ["hit", "hit"]);
    for path in ["/shop/1", "/shop/2"] {
        assert_eq!(origin.fetches(path), 2, "{path}");
        assert_eq!(origin.last(path).field("if-none-match"), Some("\"v1\""), "{path} was validated");
    }
}

#[test]
fn tags_of_the_route_count_as_the_apps() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(3000)));
    let route = "[[route]]\nname = \"all\"\nmatch.path = \"/**\"\nheaders.tags = [\"ours\"]\n";
    let vacpack = Vacpack::with(&origin, route);
    assert_eq!(vacpack.outcomes(&Call::get("/page")), ["miss", "hit"]);
    assert_eq!(purge(&vacpack, "tag=ours")["purged"], 1);
    assert_eq!(vacpack.get("/page").outcome(), "miss");
}

#[test]
fn a_fetch_in_flight_does_not_bring_back_what_a_tag_or_a_prefix_purged() {
    for query in ["tag=t".to_owned(), format!("prefix=http://{HOST}/"), format!("host={HOST}")] {
        let origin = Origin::start();
        let gate = Gate::closed();
        let old = Answer::cacheable("old").field("Cache-Tag", "t").chunked().then_at(1, Part::Wait(gate.clone()));
        origin.serve_in_turn("/page", [old, Answer::cacheable("new").field("Cache-Tag", "t")]);
        let vacpack = Vacpack::before(&origin);
        thread::scope(|scope| {
            let client = scope.spawn(|| vacpack.get("/page").text());
            gate.until_reached();
            purge(&vacpack, &query);
            gate.open();
            assert_eq!(client.join().expect("no panic"), "old", "it asked before the purge");
        });
        assert_eq!(vacpack.get("/page").text(), "new", "{query}");
        assert_eq!(vacpack.get("/page").text(), "new", "{query}");
    }
}

#[test]
fn the_method_purges_for_who_may() {
    let origin = shop();
    let vacpack = Vacpack::with(&origin, "cache.purge_from = [\"127.0.0.1/32\"]\n");
    let method = |target: &str| Call { method: "PURGE".to_owned(), ..Call::get(target) };
    stocked(&vacpack);
    let done = vacpack.ask(&method("/shop/1"));
    assert_eq!((done.status, done.text().contains("\"purged\":1")), (200, true), "{}", done.text());
    assert_eq!(vacpack.ask(&method("/shop/1")).status, 404, "nothing is there any more");
    assert_eq!(outcomes(&vacpack), ["miss", "hit", "hit", "hit"]);
    assert_eq!(vacpack.ask(&method("/").field("xkey-purge", "shop about")).status, 200);
    assert_eq!(outcomes(&vacpack), ["miss", "miss", "miss", "hit"]);
    for path in ["/", "/shop/1"] {
        assert!(origin.requests(path).iter().all(|request| request.method != "PURGE"), "none reaches the app: {path}");
    }
}

#[test]
fn the_method_is_refused_to_others_and_passes_where_nobody_may() {
    let origin = shop();
    origin.on_path("/shop/1", |request| match request.method.as_str() {
        "PURGE" => Answer::status(501).body("not here"),
        _ => Answer::cacheable(page(3000)),
    });
    let method = Call { method: "PURGE".to_owned(), ..Call::get("/shop/1") };
    let strict = Vacpack::with(&origin, "cache.purge_from = [\"192.0.2.0/24\"]\n");
    assert_eq!(strict.outcomes(&Call::get("/shop/1")), ["miss", "hit"]);
    // Whoever a client claims to be.
    assert_eq!(strict.ask(&method.clone().field("X-Forwarded-For", "192.0.2.1")).status, 403);
    assert_eq!(strict.get("/shop/1").outcome(), "hit");
    assert_eq!(strict.metrics().sum("vacpack_purges_total", &["refused"]), 1.0);
    assert_eq!(Vacpack::before(&origin).ask(&method).status, 501, "the app's own business");
}

#[test]
fn the_command_says_what_it_did() {
    let origin = shop();
    let vacpack = Vacpack::before(&origin);
    stocked(&vacpack);
    let admin = vacpack.admin().to_string();
    let run = |arguments: &[&str]| Binary::run(&[&["purge", "--admin", &admin], arguments].concat());
    let dry = run(&["--tag", "shop", "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{}", dry.stderr);
    assert!(dry.stdout.starts_with("would purge tag shop: 2 objects, "), "{}", dry.stdout);
    assert_eq!(outcomes(&vacpack), ["hit"; 4]);
    let done = run(&["--json", &format!("http://{HOST}/about"), "--tag", "product-1"]);
    let answer: Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!((done.code, &answer["purged"]), (Some(0), &Value::from(2)), "{}", done.stderr);
    assert_eq!(outcomes(&vacpack), ["miss", "hit", "miss", "hit"]);

    let nothing = run(&[]);
    assert_eq!(nothing.code, Some(64), "{}", nothing.stderr);
    assert!(nothing.stderr.contains("say what to purge"), "{}", nothing.stderr);
    let path = run(&["/about"]);
    assert!(path.code == Some(64) && path.stderr.contains("not absolute"), "{}", path.stderr);
}
