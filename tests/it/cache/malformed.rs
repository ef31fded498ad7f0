//! Fields that break their grammar, contradict themselves or are far too long: over the wire, no answer that should not
//! have been kept is served again, and vacpack answers on.
//!
//! The parsers have their own tables (`header`), and `tests/fuzz` gives them what nobody thought of.

use crate::harness::{Answer, Call, Origin, Vacpack};

/// Each case has a path of its own: served twice by the app, or once and then from the store.
fn each_is(kept: bool, cases: &[&[(&str, &str)]], settings: &str) {
    let origin = Origin::start();
    let vacpack = Vacpack::with(&origin, settings);
    for (number, fields) in cases.iter().enumerate() {
        let path = format!("/case/{number}");
        let answer = fields.iter().fold(Answer::html(&path), |answer, (name, value)| answer.field(name, value));
        origin.serve(&path, answer);
        for _turn in 0..2 {
            let response = vacpack.get(&path);
            assert_eq!((response.status, response.text()), (200, path.clone()), "{fields:?}");
        }
        let fetches = if kept { 1 } else { 2 };
        assert_eq!(origin.fetches(&path), fetches, "{fields:?}");
    }
}

/// Of a lifetime that the configuration would give, what is left is none.
const GENEROUS: &str = "cache.default_ttl = \"1m\"";

#[test]
fn what_forbids_to_store_is_heard_however_it_is_written() {
    let said = [
        "max-age=60, no-store",
        "no-store, max-age=60",
        "max-age=60,,,no-store",
        "max-age=60,\tNO-STORE\t",
        "max-age=60, no-store=1",
        "max-age=60, no-store=\"\"",
        "max-age=60, no-store =",
        "no-store=, max-age=60",
        "max-age=60, x=\"a, no-store",
        "max-age=60, x=\"\\\", no-store",
        "\u{e9}, max-age=60, no-store",
        "max-age=60, private",
        "public, private, max-age=60",
        "max-age=60, private=",
        "max-age=60, private=\"",
        "max-age=60, private=\"\u{e9}\"",
        "max-age=60, private=\"a b\"",
        "max-age=60, private=1.5",
    ];
    let cases: Vec<_> = said.iter().map(|said| vec![("Cache-Control", *said)]).collect();
    each_is(false, &cases.iter().map(Vec::as_slice).collect::<Vec<_>>(), GENEROUS);
    let lines: [&[(&str, &str)]; 3] = [
        &[("Cache-Control", "max-age=60"), ("Cache-Control", "no-store")],
        &[("Cache-Control", ""), ("Cache-Control", "max-age=60"), ("cache-control", ", private")],
        // What cannot be read as a targeted field is none (RFC 9213, 2.2).
        &[("CDN-Cache-Control", "max-age=60, \u{e9}"), ("Cache-Control", "no-store")],
    ];
    each_is(false, &lines, GENEROUS);
}

#[test]
fn a_lifetime_that_is_no_number_is_none() {
    let said = [
        "max-age=-1",
        "max-age=",
        "max-age",
        "max-age=\"\"",
        "max-age=\"60",
        "max-age=6 0",
        "max-age=60s",
        "max-age=+60",
        "max-age=0x60",
        "max-age=\u{661}",
        "max-age==60",
        "max-age =60",
        "max-age= 60",
        "max-age=60; s-maxage=60",
        "max-age=a, max-age=60",
        "max-age=60, s-maxage=-1",
        "max-age=60, s-maxage=\"",
    ];
    let cases: Vec<_> = said.iter().map(|said| vec![("Cache-Control", *said)]).collect();
    each_is(false, &cases.iter().map(Vec::as_slice).collect::<Vec<_>>(), GENEROUS);
}

#[test]
fn a_number_too_large_to_hold_is_the_greatest() {
    for number in ["18446744073709551616", "99999999999999999999999999", "4294967296", "2147483649"] {
        let origin = Origin::start();
        origin.serve("/page", Answer::html("page").fresh(&format!("max-age={number}")));
        let vacpack = Vacpack::before(&origin);
        vacpack.get("/page");
        // RFC 9111, 1.2.2.
        let ttl = vacpack.get("/page").cache().ttl;
        assert!(ttl.is_some_and(|ttl| (2_147_483_640..=2_147_483_648).contains(&ttl)), "{number}: {ttl:?}");
        let old = vacpack.ask(&Call::get("/page").field("Cache-Control", &format!("max-stale={number}, min-fresh=1")));
        assert_eq!(old.outcome(), "hit", "{number}");
    }
    each_is(false, &[&[("Cache-Control", "max-age=60"), ("Age", "18446744073709551616")]], "");
}

#[test]
fn an_age_is_believed_only_if_it_is_one() {
    let fresh = ("Cache-Control", "max-age=60");
    // RFC 9111, 5.1: an invalid one is ignored.
    let ignored: Vec<_> =
        ["-1", "", "x", "1e9", "\u{e9}", "99999; x"].iter().map(|age| [fresh, ("Age", *age)]).collect();
    each_is(true, &ignored.iter().map(<[_; 2]>::as_slice).collect::<Vec<_>>(), "");
    let old: Vec<_> =
        ["60", "7200", "7200, 0", "99999999999999999999"].iter().map(|age| [fresh, ("Age", *age)]).collect();
    each_is(false, &old.iter().map(<[_; 2]>::as_slice).collect::<Vec<_>>(), "");
    each_is(false, &[&[fresh, ("Age", "7200"), ("Age", "0")]], "");
}

#[test]
fn dates_are_read_in_three_formats_and_no_other() {
    let expires = |dates: &[&'static str]| -> Vec<[(&'static str, &'static str); 1]> {
        dates.iter().map(|date| [("Expires", *date)]).collect()
    };
    // RFC 9110, 5.6.7.
    let read = expires(&[
        "Thu, 18 Aug 2050 02:01:18 GMT",
        "Thursday, 18-Aug-50 02:01:18 GMT",
        "Thu Aug 18 02:01:18 2050",
        "THU, 18 AUG 2050 02:01:18 gmt",
        "Mon, 18 Aug 2050 02:01:18 GMT",
    ]);
    each_is(true, &read.iter().map(<[_; 1]>::as_slice).collect::<Vec<_>>(), "");
    let broken = expires(&[
        "0",
        "-1",
        "",
        "never",
        "2050-08-18T02:01:18Z",
        "2544840078",
        "Thu, 18 Aug 2050 02:01:18",
        "Thu, 18 Aug 2050 02:01:18 CET",
        "Thu, 18 Aug 2050 02:01:18 +0100",
        "Thu, 32 Aug 2050 02:01:18 GMT",
        "Thu, 31 Feb 2050 02:01:18 GMT",
        "Thu, 18 Aug 2050 25:61:61 GMT",
        "Thu, 18 Aug 12050 02:01:18 GMT",
        "Thu, 18 Aug 2050 02:01 GMT",
        "Thu,  18 Aug 2050 02:01:18 GMT",
        "Thu, 18 Ao\u{fb}t 2050 02:01:18 GMT",
        "18 Aug 2050 02:01:18 GMT",
        // Of a past century, or past altogether.
        "Thursday, 18-Aug-94 02:01:18 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT",
    ]);
    each_is(false, &broken.iter().map(<[_; 1]>::as_slice).collect::<Vec<_>>(), GENEROUS);
    let (sooner, later) = ("Thu, 18 Aug 2050 02:01:18 GMT", "Fri, 19 Aug 2050 02:01:18 GMT");
    each_is(false, &[&[("Expires", sooner), ("Expires", later)]], GENEROUS);
}

#[test]
fn of_two_dates_the_older_counts() {
    let (past, future) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Thu, 18 Aug 2050 02:01:18 GMT");
    for dates in [[past, future], [future, past], [past, "yesterday"], ["yesterday", past]] {
        let fields = [("Cache-Control", "max-age=60"), ("Date", dates[0]), ("Date", dates[1])];
        each_is(false, &[&fields], "");
    }
    each_is(true, &[&[("Cache-Control", "max-age=60"), ("Date", "yesterday")]], "");
}

#[test]
fn a_vary_that_names_everything_or_nothing_selects_nothing() {
    let said = ["*", "*, x-lang", "x-lang, *", ",*,", "x-lang,\t* ", "x lang", "x-lang;", "\"x-lang\"", "x-\u{e9}"];
    let cases: Vec<_> = said.iter().map(|said| [("Cache-Control", "max-age=60"), ("Vary", *said)]).collect();
    each_is(false, &cases.iter().map(<[_; 2]>::as_slice).collect::<Vec<_>>(), "");
    each_is(false, &[&[("Cache-Control", "max-age=60"), ("Vary", "x-lang"), ("Vary", "*")]], "");
    each_is(
        true,
        &[&[("Cache-Control", "max-age=60"), ("Vary", "")], &[("Cache-Control", "max-age=60"), ("Vary", ",,")]],
        "",
    );
}

#[test]
fn forty_kilobytes_of_vary_still_tell_requests_apart() {
    let names: Vec<String> = (0..4200).map(|number| format!("x-f{number:05}")).collect();
    let vary = names.join(", ");
    assert!(vary.len() > 40_000);
    let origin = Origin::start();
    origin.on_path("/page", move |request| {
        let last = request.field("x-f04199").unwrap_or("none").to_owned();
        Answer::cacheable(last).field("Vary", &vary)
    });
    let vacpack = Vacpack::before(&origin);
    for _turn in 0..2 {
        assert_eq!(vacpack.get("/page").text(), "none");
        for value in ["a", "b"] {
            assert_eq!(vacpack.ask(&Call::get("/page").field("X-F04199", value)).text(), value);
        }
    }
}

#[test]
fn what_selects_may_be_any_bytes() {
    let origin = Origin::start();
    origin.on_path("/page", |request| {
        let said = request.fields.all("x-lang").join("|");
        Answer::cacheable(said.escape_default().to_string()).field("Vary", "X-Lang")
    });
    let vacpack = Vacpack::before(&origin);
    let asked = ["", "\u{e9}", "\u{e8}", "\u{e9}\u{e9}", "\"", "a,b", "a, b", "\u{ff}\u{fe}"];
    let first: Vec<String> =
        asked.iter().map(|lang| vacpack.ask(&Call::get("/page").field("X-Lang", lang)).text()).collect();
    for (lang, first) in asked.iter().zip(&first) {
        let response = vacpack.ask(&Call::get("/page").field("X-Lang", lang));
        let members = |text: &str| text.replace(", ", ",");
        assert_eq!(members(&response.text()), members(first), "{lang:?}");
    }
    let mut different = first;
    different.sort();
    different.dedup();
    // Some are cut off at the seventh variant, none is taken for another.
    assert!(different.len() >= 7, "{different:?}");
}

#[test]
fn a_thousand_parameters_are_one_key() {
    let parameters: Vec<String> = (0..1000).map(|number| format!("p{number}={}", number * 7)).collect();
    let origin = Origin::start();
    origin.on_path("/page", |request| Answer::cacheable(&request.target));
    let vacpack = Vacpack::before(&origin);
    let target = format!("/page?{}", parameters.join("&"));
    let mut other = parameters;
    other[999] = "p999=other".to_owned();
    let other = format!("/page?{}", other.join("&"));
    assert_eq!(vacpack.outcomes(&Call::get(&target)), ["miss", "hit"]);
    assert_eq!(vacpack.outcomes(&Call::get(&other)), ["miss", "hit"]);
    for target in [&target, &other] {
        assert!(vacpack.get(target).text() == *target);
    }
    for rules in ["cache.key.sort_query = true", "cache.key.ignore_query = [\"utm_*\", \"p99?\"]"] {
        let vacpack = Vacpack::with(&origin, rules);
        assert_eq!(vacpack.outcomes(&Call::get(&target)), ["miss", "hit"], "{rules}");
    }
}

#[test]
fn what_a_client_says_in_the_wrong_words_changes_nothing() {
    let origin = Origin::start();
    let answer = Answer::cacheable("0123456789").field("ETag", "\"v1\"");
    origin.serve("/page", answer.field("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"));
    let vacpack = Vacpack::before(&origin);
    vacpack.get("/page");
    let long = vec!["\"x\u{e9}\""; 4000].join(", ");
    for (name, value) in [
        ("If-None-Match", "v1"),
        ("If-None-Match", "\"v1"),
        ("If-None-Match", "\"v2\", \u{e9}"),
        ("If-None-Match", "w/\"v1\""),
        ("If-None-Match", long.as_str()),
        ("If-Modified-Since", "yesterday"),
        ("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37"),
        ("If-Unmodified-Since", "0"),
        ("Range", "bytes"),
        ("Range", "bytes="),
        ("Range", "bytes=a-b"),
        ("Range", "bytes=5-2"),
        ("Range", "bytes=--1"),
        ("Range", "bytes 0-1"),
        ("Range", "octets=0-1"),
        ("Range", "bytes=\u{e9}-"),
        ("Cache-Control", "max-age"),
        ("Cache-Control", "min-fresh=x, max-age=\u{e9}9"),
        ("Accept-Encoding", "br;q=\u{e9}, ;;;, gzip;q=1.0001"),
    ] {
        let response = vacpack.ask(&Call::get("/page").field(name, value));
        // An unreadable limit of the client's may have the app asked; nobody is told less than everything.
        assert_eq!((response.status, response.content()), (200, b"0123456789".to_vec()), "{name}: {value}");
    }
    for (range, status) in [
        ("bytes=18446744073709551616-", 416),
        ("bytes=0-18446744073709551616", 206),
        // The platform counts in 64 bits.
        ("bytes=-18446744073709551616", 416),
    ] {
        assert_eq!(vacpack.ask(&Call::get("/page").field("Range", range)).status, status, "{range}");
    }
}
