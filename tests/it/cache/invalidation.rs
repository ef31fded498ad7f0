//! What ends the life of a stored answer before its time (RFC 9111, section 4.4), and purges.

use crate::harness::payload::page;
use crate::harness::{Answer, Call, Gate, HOST, Origin, Part, Vacpack};
use std::thread;

/// An answer to every method.
fn app(origin: &Origin, path: &str, status_of_writes: u16) {
    origin.on_path(path, move |request| match request.method.as_str() {
        "GET" | "HEAD" | "OPTIONS" => Answer::cacheable(page(3000)),
        _ => Answer::status(status_of_writes).body("written"),
    });
}

fn write(method: &str, target: &str) -> Call {
    Call { method: method.to_owned(), ..Call::post(target, "content") }
}

#[test]
fn a_write_that_succeeds_invalidates() {
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let origin = Origin::start();
        app(&origin, "/page", 200);
        let vacpack = Vacpack::before(&origin);
        let get = Call::get("/page").accepting("br");
        assert_eq!(vacpack.outcomes(&get), ["miss", "hit"], "{method}");
        vacpack.ask(&write(method, "/page"));
        assert_eq!(vacpack.outcomes(&get), ["miss", "hit"], "{method}");
    }
}

/// A form is posted, the answer says where to look, and the browser looks at once.
#[test]
fn a_client_that_knows_of_its_write_never_reads_what_was_there_before() {
    let origin = Origin::start();
    let gate = Gate::closed();
    let rest = gate.clone();
    origin.on_path("/page", move |request| match request.method.as_str() {
        "POST" => Answer::html("written").then_at(3, Part::Wait(rest.clone())).chunked(),
        _ => Answer::cacheable(page(3000)),
    });
    let vacpack = Vacpack::before(&origin);
    let get = Call::get("/page").accepting("br");
    assert_eq!(vacpack.outcomes(&get), ["miss", "hit"]);
    let mut writer = vacpack.client();
    // The head is there; the body is not.
    let told = writer.begin(&write("POST", "/page"));
    assert_eq!(told.response.status, 200);
    assert_eq!(vacpack.outcomes(&get), ["miss", "hit"]);
    gate.open();
    assert_eq!(told.read_to_end().text(), "written");
    assert_eq!(vacpack.outcomes(&get), ["hit", "hit"], "once is enough");
}

#[test]
fn every_representation_and_variant_goes() {
    let origin = Origin::start();
    origin.on_path("/page", |request| match request.method.as_str() {
        "GET" => Answer::cacheable(page(3000)).field("Vary", "Accept-Language"),
        _ => Answer::status(204),
    });
    let vacpack = Vacpack::before(&origin);
    let calls: Vec<_> = ["de", "fr"]
        .iter()
        .flat_map(|language| {
            ["br", ""].map(|coding| Call::get("/page").field("Accept-Language", language).accepting(coding))
        })
        .collect();
    for call in &calls {
        vacpack.ask(call);
        assert_eq!(vacpack.ask(call).outcome(), "hit");
    }
    vacpack.ask(&write("POST", "/page"));
    for (call, outcome) in calls.iter().zip(["miss", "hit", "miss", "hit"]) {
        assert_eq!(vacpack.ask(call).outcome(), outcome, "{:?}", call.fields);
    }
}

#[test]
fn a_write_that_fails_or_only_asks_changes_nothing() {
    for (method, status) in [("POST", 500), ("PUT", 403), ("OPTIONS", 200), ("HEAD", 200)] {
        let origin = Origin::start();
        app(&origin, "/page", status);
        let vacpack = Vacpack::before(&origin);
        assert_eq!(vacpack.outcomes(&Call::get("/page")), ["miss", "hit"]);
        let call = if method == "HEAD" { Call::head("/page") } else { write(method, "/page") };
        vacpack.ask(&call);
        assert_eq!(vacpack.get("/page").outcome(), "hit", "{method} {status}");
    }
}

#[test]
fn a_write_invalidates_what_it_names_on_the_same_host() {
    let origin = Origin::start();
    for path in ["/list", "/item", "/elsewhere", "/bystander"] {
        app(&origin, path, 200);
    }
    origin.on_path("/form", |_| {
        let answer = Answer::status(201).field("Location", "/item").field("Content-Location", "http://site.test/list");
        answer.body("written")
    });
    origin.serve("/other-form", Answer::status(201).field("Location", "http://other.test/elsewhere"));
    let vacpack = Vacpack::before(&origin);
    for path in ["/list", "/item", "/elsewhere", "/bystander"] {
        assert_eq!(vacpack.outcomes(&Call::get(path)), ["miss", "hit"]);
        vacpack.ask(&Call::get(path).host("other.test"));
    }
    vacpack.ask(&write("POST", "/form"));
    vacpack.ask(&write("POST", "/other-form"));
    assert_eq!(vacpack.get("/item").outcome(), "miss", "Location");
    assert_eq!(vacpack.get("/list").outcome(), "miss", "Content-Location");
    assert_eq!(vacpack.get("/bystander").outcome(), "hit");
    // RFC 9111, 4.4: not those of another origin, or anybody could empty anybody's cache.
    assert_eq!(vacpack.ask(&Call::get("/elsewhere").host("other.test")).outcome(), "hit");
}

#[test]
fn a_query_is_another_resource() {
    let origin = Origin::start();
    app(&origin, "/page", 200);
    let vacpack = Vacpack::before(&origin);
    vacpack.get("/page?id=1");
    vacpack.get("/page?id=2");
    vacpack.ask(&write("POST", "/page?id=1"));
    assert_eq!(vacpack.get("/page?id=2").outcome(), "hit");
    assert_eq!(vacpack.get("/page?id=1").outcome(), "miss");
}

#[test]
fn a_purge_forgets_every_representation_of_one_resource() {
    let origin = Origin::start();
    for path in ["/page", "/other"] {
        app(&origin, path, 200);
    }
    let vacpack = Vacpack::before(&origin);
    for coding in ["br", "gzip", ""] {
        vacpack.get_as("/page", coding);
        vacpack.get_as("/other", coding);
    }
    assert_eq!(vacpack.purge(HOST, "/page").status, 200);
    for (coding, outcome) in [("br", "miss"), ("gzip", "hit"), ("", "hit")] {
        assert_eq!(vacpack.get_as("/page", coding).outcome(), outcome, "{coding:?}");
    }
    assert_eq!(vacpack.get("/other").outcome(), "hit");
    assert_eq!(vacpack.metrics().sum("vacpack_purges_total", &["purged"]), 1.0);
}

#[test]
fn a_purge_reaches_every_variant() {
    let origin = Origin::start();
    origin.serve("/page", Answer::cacheable(page(3000)).field("Vary", "Accept-Language"));
    let vacpack = Vacpack::before(&origin);
    let call = |language: &str| Call::get("/page").field("Accept-Language", language);
    for language in ["de", "fr", "it"] {
        assert_eq!(vacpack.outcomes(&call(language)), ["miss", "hit"]);
    }
    vacpack.purge(HOST, "/page");
    for language in ["de", "fr", "it"] {
        assert_eq!(vacpack.ask(&call(language)).outcome(), "miss", "{language}");
    }
}

#[test]
fn a_fetch_that_was_in_flight_does_not_bring_the_purged_bytes_back() {
    let origin = Origin::start();
    let gate = Gate::closed();
    let old = Answer::cacheable("old").chunked().then_at(1, Part::Wait(gate.clone()));
    origin.serve_in_turn("/page", [old, Answer::cacheable("new")]);
    let vacpack = Vacpack::before(&origin);
    thread::scope(|scope| {
        let client = scope.spawn(|| vacpack.get("/page").text());
        gate.until_reached();
        vacpack.purge(HOST, "/page");
        gate.open();
        assert_eq!(client.join().expect("no panic"), "old", "it asked before the purge");
    });
    assert_eq!(vacpack.get("/page").text(), "new");
    assert_eq!(vacpack.get("/page").text(), "new");
}
