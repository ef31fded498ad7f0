//! Asking the app whether a stored answer still holds (RFC 9111, section 4.3), with the app's own validators.

use crate::harness::payload::page;
use crate::harness::{Answer, Call, Gate, HOST, Origin, Part, Response, Seen, Vacpack, until};

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// 304 with new fields when the app recognises its own tag, the first answer otherwise.
fn app_with_tags(origin: &Origin) {
    origin.on_path("/page", |request| {
        if request.field("if-none-match") == Some("\"v1\"") {
            let answer = Answer::status(304).field("ETag", "\"v1\"").fresh("max-age=60");
            return answer.field("X-Revision", "2").field("Last-Modified", MODIFIED);
        }
        let answer = Answer::html(page(20_000)).fresh("max-age=1").field("ETag", "\"v1\"");
        answer.field("X-Revision", "1").field("X-Kept", "yes")
    });
}

/// Asks until the stored answer had to be looked after.
fn once_it_is_stale(vacpack: &Vacpack, call: &Call) -> Response {
    until("the answer to become stale", || {
        let response = vacpack.ask(call);
        (response.outcome() != "hit").then_some(response)
    })
}

fn conditional(origin: &Origin) -> Seen {
    let requests = origin.requests("/page");
    requests.get(1).cloned().expect("a second request")
}

#[test]
fn a_coding_made_while_the_app_confirms_has_its_own_tag() {
    let origin = Origin::start();
    origin.on_path("/", |request| match request.field("If-None-Match") {
        Some("\"v1\"") => Answer::status(304).field("ETag", "\"v1\"").fresh("max-age=0"),
        _ => Answer::html(page(20_000)).field("ETag", "\"v1\"").fresh("max-age=0"),
    });
    let vacpack = Vacpack::before(&origin);
    vacpack.get_as("/", "br");
    for coding in ["zstd", "gzip", "br"] {
        let response = vacpack.get_as("/", coding);
        assert_eq!((response.outcome(), response.coding()), ("revalidated", coding));
        assert!(response.is_tagged("v1"), "{coding}: {:?}", response.field("ETag"));
    }
}

#[test]
fn a_304_of_which_nothing_may_be_kept_leaves_the_coding_its_tag() {
    let origin = Origin::start();
    origin.on_path("/", |request| match request.field("If-None-Match") {
        Some("\"v1\"") => Answer::status(304).field("ETag", "\"v1\"").fresh("max-age=0"),
        _ => Answer::html(page(20_000)).field("ETag", "\"v1\"").fresh("max-age=0"),
    });
    let vacpack = Vacpack::before(&origin);
    let call = Call::get("/").accepting("br");
    let first = vacpack.ask(&call);
    let response = vacpack.ask(&call.clone().field("Cache-Control", "no-store"));
    assert_eq!((response.outcome(), response.coding()), ("revalidated", "br"));
    assert_eq!(response.field("ETag"), first.field("ETag"), "of these bytes, not of the app's");
    assert_eq!(response.age(), Some(0), "as old as its confirmation");
    assert_eq!(vacpack.ask(&call).outcome(), "revalidated", "what is stored stays");
}

/// An app that says this when it is asked to confirm `/`, and `first` before.
fn confirming(origin: &Origin, first: Answer, confirmation: Answer) {
    origin.on_path("/", move |request| match request.field("If-None-Match") {
        Some("\"v1\"") => confirmation.clone(),
        _ => first.clone(),
    });
}

#[test]
fn a_304_for_another_tag_changes_nothing_that_is_stored() {
    let origin = Origin::start();
    let first = Answer::html(page(20_000)).field("ETag", "\"v1\"").fresh("max-age=0");
    for validator in [("ETag", "\"v2\""), ("Last-Modified", MODIFIED)] {
        let other = Answer::status(304).fresh("max-age=60").field("X-From", "304").field(validator.0, validator.1);
        confirming(&origin, first.clone(), other);
        let vacpack = Vacpack::before(&origin);
        vacpack.get("/");
        for _turn in 0..2 {
            let response = vacpack.get("/");
            // RFC 9111, 4.3.4: it is not about this response, and the app says that this is what the client is to get.
            assert_eq!((response.status, response.field("ETag")), (200, Some("\"v1\"")), "{validator:?}");
            assert_eq!((response.field("X-From"), response.content()), (None, page(20_000)), "{validator:?}");
            assert_eq!(response.cache().detail.as_deref(), Some("other_validator"), "{validator:?}");
        }
    }
}

#[test]
fn a_304_that_varies_by_more_answers_only_those_whom_it_was_for() {
    let origin = Origin::start();
    let confirmation = Answer::status(304).field("ETag", "\"v1\"").fresh("max-age=60").field("Vary", "X-Lang");
    confirming(&origin, Answer::html("english").field("ETag", "\"v1\"").fresh("max-age=0"), confirmation);
    let vacpack = Vacpack::before(&origin);
    vacpack.get("/");
    assert_eq!(vacpack.get("/").outcome(), "revalidated");
    assert_eq!(vacpack.get("/").outcome(), "hit");
    origin.serve("/", Answer::html("deutsch").field("ETag", "\"v2\"").fresh("max-age=60").field("Vary", "X-Lang"));
    assert_eq!(vacpack.ask(&Call::get("/").field("X-Lang", "de")).text(), "deutsch");
    assert_eq!(vacpack.get("/").text(), "english");
}

#[test]
fn what_a_304_says_to_one_client_is_not_kept_for_others() {
    let origin = Origin::start();
    let confirmation = Answer::status(304).field("ETag", "\"v1\"").field("X-User", "alice");
    let confirmation = confirmation.fresh("max-age=60, no-cache=\"x-user\"");
    confirming(&origin, Answer::html("page").field("ETag", "\"v1\"").fresh("max-age=0"), confirmation);
    let vacpack = Vacpack::before(&origin);
    vacpack.get("/");
    assert_eq!(vacpack.get("/").field("X-User"), Some("alice"));
    let hit = vacpack.get("/");
    // RFC 9111, 5.2.2.4.
    assert_eq!((hit.outcome(), hit.field("X-User")), ("hit", None));
}

#[test]
fn a_head_that_confirms_makes_it_fresh_again() {
    let said = |length: usize, fields: &[(&str, &str)]| {
        let answer = Answer::html(page(length)).fresh("max-age=60").field("X-From", "HEAD");
        fields.iter().fold(answer, |answer, (name, value)| answer.field(name, value))
    };
    for (coding, said, outcome) in [
        ("br", said(20_000, &[("ETag", "\"v1\"")]), "hit"),
        ("", said(20_000, &[("ETag", "\"v1\""), ("Last-Modified", MODIFIED)]), "hit"),
        // RFC 9111, 4.3.5: every validator that came, and the length.
        ("br", said(20_000, &[("ETag", "\"v2\"")]), "revalidated"),
        ("br", said(20_001, &[("ETag", "\"v1\"")]), "revalidated"),
        ("br", said(20_000, &[]), "revalidated"),
    ] {
        let origin = Origin::start();
        let first =
            Answer::html(page(20_000)).field("ETag", "\"v1\"").field("Last-Modified", MODIFIED).fresh("max-age=0");
        origin.on_path("/", move |request| match request.field("If-None-Match") {
            _ if request.method == "HEAD" => said.clone(),
            Some(_) => Answer::status(304).field("ETag", "\"v1\""),
            None => first.clone(),
        });
        let vacpack = Vacpack::before(&origin);
        vacpack.get_as("/", coding);
        assert_eq!(vacpack.ask(&Call::head("/").accepting(coding)).status, 200);
        let response = vacpack.get_as("/", coding);
        assert_eq!((response.outcome(), response.content()), (outcome, page(20_000)), "{coding:?}");
        assert_eq!(response.field("X-From"), (outcome == "hit").then_some("HEAD"));
    }
}

#[test]
fn who_waited_for_what_was_purged_gets_the_whole_of_it() {
    let origin = Origin::start();
    let gate = Gate::closed();
    let held = gate.clone();
    origin.on_path("/page", move |request| match request.field("If-None-Match") {
        Some("\"v1\"") => {
            Answer::status(304).field("ETag", "\"v1\"").fresh("max-age=0").first(Part::Wait(held.clone()))
        }
        _ => Answer::html(page(20_000)).field("ETag", "\"v1\"").fresh("max-age=0"),
    });
    let vacpack = Vacpack::before(&origin);
    vacpack.get("/page");
    std::thread::scope(|scope| {
        let validating = scope.spawn(|| vacpack.get("/page"));
        gate.until_reached();
        let waiting = scope.spawn(|| vacpack.get("/page"));
        until("both to be under way", || {
            (vacpack.metrics().sum("vacpack_requests_in_flight", &[]) >= 2.0).then_some(())
        });
        vacpack.purge(HOST, "/page");
        gate.open();
        for client in [validating, waiting] {
            // Nobody asked with a condition.
            let response = client.join().expect("an answer");
            assert_eq!((response.status, response.content() == page(20_000)), (200, true));
        }
    });
}

#[test]
fn a_304_renews_the_stored_answer() {
    for coding in ["br", "gzip", ""] {
        let origin = Origin::start();
        app_with_tags(&origin);
        let vacpack = Vacpack::before(&origin);
        let call = Call::get("/page").accepting(coding);
        let first = vacpack.ask(&call);
        let renewed = once_it_is_stale(&vacpack, &call);
        assert_eq!((renewed.status, renewed.outcome()), (200, "revalidated"), "{coding:?}");
        assert_eq!(renewed.body, first.body, "{coding:?}: the body is the stored one");
        assert_eq!(renewed.field("ETag"), first.field("ETag"), "{coding:?}: the tag of its coding");
        // RFC 9111, 3.2: every field of the 304 replaces the stored one; the others stay.
        for response in [renewed, vacpack.ask(&call)] {
            assert_eq!(response.field("X-Revision"), Some("2"), "{coding:?}");
            assert_eq!(response.field("Last-Modified"), Some(MODIFIED), "{coding:?}");
            assert_eq!(response.field("X-Kept"), Some("yes"), "{coding:?}");
            assert_eq!(response.field("Cache-Control"), Some("max-age=60"), "{coding:?}");
            assert_eq!(response.content(), page(20_000), "{coding:?}");
        }
        assert_eq!(vacpack.ask(&call).outcome(), "hit", "{coding:?}");
    }
}

#[test]
fn the_app_sees_its_own_tag() {
    let origin = Origin::start();
    app_with_tags(&origin);
    let vacpack = Vacpack::before(&origin);
    let call = Call::get("/page").accepting("br");
    vacpack.ask(&call);
    once_it_is_stale(&vacpack, &call);
    assert_eq!(conditional(&origin).fields.all("If-None-Match"), ["\"v1\""]);
}

#[test]
fn a_304_renews_every_representation() {
    let origin = Origin::start();
    app_with_tags(&origin);
    let vacpack = Vacpack::before(&origin);
    let codings = ["br", "gzip", "zstd", ""];
    for coding in codings {
        vacpack.get_as("/page", coding);
    }
    until("the renewal", || {
        let response = vacpack.get_as("/page", "br");
        (response.field("X-Revision") == Some("2")).then_some(())
    });
    for coding in codings {
        let response = vacpack.get_as("/page", coding);
        assert_eq!((response.outcome(), response.field("X-Revision")), ("hit", Some("2")), "{coding:?}");
        assert_eq!(response.content(), page(20_000), "{coding:?}");
    }
    let asked = origin.requests("/page");
    assert_eq!(asked.iter().filter(|request| request.field("if-none-match").is_none()).count(), 1);
}

#[test]
fn the_app_sees_the_date_it_gave() {
    let origin = Origin::start();
    origin.on_path("/page", |request| {
        if request.field("if-modified-since") == Some(MODIFIED) {
            return Answer::status(304).fresh("max-age=60");
        }
        Answer::html(page(3000)).fresh("max-age=1").field("Last-Modified", MODIFIED)
    });
    let vacpack = Vacpack::before(&origin);
    let call = Call::get("/page").accepting("br");
    vacpack.ask(&call);
    assert_eq!(once_it_is_stale(&vacpack, &call).outcome(), "revalidated");
    let asked = conditional(&origin);
    assert_eq!(asked.field("If-None-Match"), None, "a tag that only we made up means nothing to the app");
}

#[test]
fn an_app_without_validators_is_not_asked_with_ours() {
    let origin = Origin::start();
    origin.serve("/page", Answer::html(page(3000)).fresh("max-age=1"));
    let vacpack = Vacpack::before(&origin);
    vacpack.get_as("/page", "br");
    once_it_is_stale(&vacpack, &Call::get("/page").accepting("br"));
    let asked = conditional(&origin);
    assert_eq!((asked.field("If-None-Match"), asked.field("If-Modified-Since")), (None, None));
}

#[test]
fn a_new_answer_replaces_the_old_one_and_all_its_representations() {
    let origin = Origin::start();
    let old = Answer::html(page(20_000)).fresh("max-age=1").field("ETag", "\"v1\"");
    let new = Answer::html(page(30_000)).fresh("max-age=60").field("ETag", "\"v2\"");
    origin.serve_in_turn("/page", [old, new]);
    let vacpack = Vacpack::before(&origin);
    vacpack.get_as("/page", "br");
    vacpack.get_as("/page", "gzip");
    until("the new answer", || {
        let response = vacpack.get_as("/page", "br");
        (response.tag().as_deref() == Some("\"v2-br\"")).then_some(())
    });
    for coding in ["br", "gzip", ""] {
        let response = vacpack.get_as("/page", coding);
        assert_eq!((response.outcome(), response.is_tagged("v2")), ("hit", true), "{:?}", response.field("ETag"));
        assert_eq!(response.content(), page(30_000), "{coding:?}");
    }
}

#[test]
fn a_client_that_has_the_answer_is_told_so_after_a_revalidation() {
    let origin = Origin::start();
    app_with_tags(&origin);
    let vacpack = Vacpack::before(&origin);
    let call = Call::get("/page").accepting("br");
    vacpack.ask(&call);
    let own = call.clone().field("If-None-Match", "\"v1-br\"");
    let response = until("the answer to become stale", || {
        let response = vacpack.ask(&own);
        assert_eq!((response.status, response.body.len()), (304, 0));
        (response.outcome() != "hit").then_some(response)
    });
    assert_eq!(response.field("ETag"), Some("\"v1-br\""));
    assert_eq!(vacpack.ask(&call).content(), page(20_000), "the stored body survived");
}
