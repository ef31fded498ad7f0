//! Without a running vacpack: the same heads are given to the command and to a proxy, and both must agree.

use super::at;
use crate::harness::binary::Binary;
use crate::harness::payload::page;
use crate::harness::{Answer, Call, Directory, Origin, Vacpack, until};
use serde_json::Value;
use std::path::Path;

/// One head of the app, and what is asked.
struct Case {
    status: u16,
    fields: &'static [&'static str],
    request: &'static [&'static str],
    /// Keys of the configuration before its routes.
    settings: &'static str,
}

const fn case(fields: &'static [&'static str]) -> Case {
    Case { status: 200, fields, request: &[], settings: "" }
}

const CASES: &[Case] = &[
    case(&["Cache-Control: max-age=60"]),
    case(&["Cache-Control: s-maxage=7, max-age=60, stale-while-revalidate=30"]),
    case(&["Cache-Control: max-age=60", "Age: 90"]),
    case(&["Cache-Control: max-age=60", "Age: 90", "ETag: \"v\""]),
    case(&["Cache-Control: max-age=0, stale-while-revalidate=60"]),
    case(&["Cache-Control: no-cache", "ETag: \"v\""]),
    case(&["Cache-Control: no-cache"]),
    case(&["Cache-Control: no-store"]),
    case(&["Cache-Control: private, max-age=60"]),
    case(&["Cache-Control: max-age=60", "Set-Cookie: a=b"]),
    case(&["Cache-Control: max-age=60", "Vary: *"]),
    case(&["Cache-Control: max-age=60", "Vary: Accept-Language"]),
    case(&["Cache-Control: max-age=60", "CDN-Cache-Control: max-age=9"]),
    case(&["Cache-Control: max-age=60", "CDN-Cache-Control: no-store"]),
    case(&["Cache-Control: max-age=60", "Surrogate-Control: max-age=11"]),
    case(&["Cache-Control: max-age=60, no-transform"]),
    case(&["Expires: 0"]),
    case(&["Expires: Thu, 01 Jan 2099 00:00:00 GMT"]),
    case(&["Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"]),
    case(&["Pragma: no-cache"]),
    case(&["Cache-Control: max-age=\"60\""]),
    case(&["Cache-Control: max-age=99999999999999999999"]),
    case(&["Cache-Control: max-age=60", "Content-Encoding: x-unknown"]),
    case(&[]),
    Case { status: 404, ..case(&[]) },
    Case { status: 404, ..case(&["Cache-Control: max-age=3"]) },
    Case { status: 500, ..case(&[]) },
    Case { status: 302, ..case(&["Cache-Control: max-age=60", "Location: /b"]) },
    Case { status: 429, ..case(&["Cache-Control: max-age=60"]) },
    Case { request: &["Authorization: Basic eDp5"], ..case(&["Cache-Control: max-age=60"]) },
    Case { request: &["Authorization: Basic eDp5"], ..case(&["Cache-Control: public, max-age=60"]) },
    Case { request: &["Cache-Control: no-store"], ..case(&["Cache-Control: max-age=60"]) },
    Case { request: &["Cache-Control: no-cache"], ..case(&["Cache-Control: max-age=60"]) },
    Case { request: &["Range: bytes=0-9"], ..case(&["Cache-Control: max-age=60"]) },
    Case { request: &["Accept-Encoding: gzip;q=0.1, identity"], ..case(&["Cache-Control: max-age=60"]) },
    Case { settings: "cache.default_ttl = \"5s\"\n", ..case(&[]) },
    Case { settings: "cache.heuristic = true\n", ..case(&["Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"]) },
    Case { settings: "compression.min_size = \"64KiB\"\n", ..case(&["Cache-Control: max-age=60"]) },
    Case {
        settings: "compression.enabled = false\ncache.max_object = \"4KiB\"\n",
        ..case(&["Cache-Control: max-age=60"])
    },
    Case { settings: "cache.serve_stale.while_revalidating = \"1m\"\n", ..case(&["Cache-Control: max-age=0"]) },
    Case {
        settings: "[[route]]\nname = \"a\"\nmatch.path = \"/page\"\ncache = { ttl = \"8s\", override = true, set_cookie = \"strip\" }\n",
        ..case(&["Cache-Control: no-store", "Set-Cookie: a=b"])
    },
    Case {
        settings: "[[route]]\nname = \"a\"\nmatch.path = \"/page\"\ncache = false\n",
        ..case(&["Cache-Control: max-age=60"])
    },
];

const BODY: usize = 20_000;

impl Case {
    fn head(&self) -> String {
        let mut head =
            format!("HTTP/1.1 {} Scripted\r\nContent-Type: text/html\r\nContent-Length: {BODY}\r\n", self.status);
        for field in self.fields {
            head += &format!("{field}\r\n");
        }
        head + "\r\n"
    }

    /// The document of the command.
    fn explained(&self, directory: &Directory) -> Value {
        let head = directory.file("head", &self.head());
        let config = directory.file("vacpack.toml", &self.configuration("127.0.0.1:1"));
        let (head, config) = (text(&head), text(&config));
        let mut arguments =
            vec!["explain", "GET", "http://site.test/page", "--json", "--response", &head, "--config", &config];
        for field in self.fields_asked() {
            arguments.extend(["-H", field]);
        }
        let ended = Binary::run(&arguments);
        assert_eq!(ended.code, Some(0), "{:?}: {}", self.fields, ended.stderr);
        serde_json::from_str(&ended.stdout).expect("JSON")
    }

    fn fields_asked(&self) -> impl Iterator<Item = &'static str> {
        let accepts = self.request.iter().any(|field| field.starts_with("Accept-Encoding"));
        self.request.iter().copied().chain((!accepts).then_some("Accept-Encoding: br"))
    }

    fn configuration(&self, upstream: &str) -> String {
        format!("upstream.address = \"{upstream}\"\n{}", self.settings)
    }

    fn call(&self) -> Call {
        self.fields_asked().fold(Call::get("/page"), |call, field| {
            let (name, value) = field.split_once(": ").expect("a field");
            call.field(name, value)
        })
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// What the cache did with a request, in the words of an explanation.
fn outcome(vacpack: &Vacpack, call: &Call) -> &'static str {
    let status = vacpack.ask(call).cache();
    match (status.hit, status.fwd.as_deref()) {
        // Stale for less than a second is 0 as well.
        (true, _) if status.ttl.is_some_and(|ttl| ttl <= 0) => "updating",
        (true, _) => "hit",
        (_, Some("stale")) => "revalidate",
        (_, Some("bypass" | "method")) => "bypass",
        // The client's own wish sends it on, though something is stored.
        (_, Some("request")) => "revalidate",
        _ => "miss",
    }
}

#[test]
fn the_command_says_what_a_proxy_then_does() {
    let directory = Directory::new("explain-offline");
    for case in CASES {
        let what = format!("{} {:?} {:?} {:?}", case.status, case.fields, case.request, case.settings);
        let told = case.explained(&directory);
        let origin = Origin::start();
        let answer = [case.head().into_bytes(), page(BODY)].concat();
        origin.serve("/page", Answer::raw(answer));
        let vacpack = Vacpack::start(&case.configuration(&origin.address().to_string()));

        let first = vacpack.ask(&case.call());
        let status = first.cache();
        // The head says that it is being stored; how long the body is, it does not say.
        let too_large = at(&told, "/answer/not_stored/reason") == "too_large";
        if status.stored && !too_large {
            until("it to be stored", || (vacpack.metrics().sum("vacpack_cache_entries", &[]) == 1.0).then_some(()));
        }
        assert_eq!(at(&told, "/next/outcome") == "bypass", status.fwd.as_deref() == Some("bypass"), "{what}\n{told}");
        assert_eq!(at(&told, "/answer/stored"), (status.stored && !too_large).to_string(), "{what}\n{told}");
        if let Some(reason) = status.detail {
            assert_eq!(at(&told, "/answer/not_stored/reason"), reason, "{what}");
        }
        if let Some(ttl) = status.ttl.filter(|_| !too_large) {
            let fresh_for: i64 = at(&told, "/answer/lifetime/fresh_for").parse().expect("a number");
            assert!((fresh_for - ttl).abs() <= 2, "{what}: {ttl}\n{told}");
        }
        assert_eq!(at(&told, "/answer/body/coding"), first.coding(), "{what}");
        let second = outcome(&vacpack, &case.call());
        assert_eq!(at(&told, "/answer/then/outcome"), second, "{what}\n{told}");
    }
}

#[test]
fn fields_on_the_command_line_are_a_response() {
    let run = |extra: &[&str]| {
        let ended = Binary::run(&[&["explain", "GET", "http://a/b"], extra].concat());
        (ended.code, ended.stdout, ended.stderr)
    };
    let (code, out, _) = run(&["--response-header", "Cache-Control: max-age=60", "--response-header", "Vary: Cookie"]);
    assert_eq!(code, Some(0));
    for told in
        ["200, stored", "from cache-control: max-age=60 (max_age)", "selected by cookie: (absent)", "Vary: cookie"]
    {
        assert!(out.contains(told), "{told}\n{out}");
    }
    let (_, out, _) = run(&["--status", "404"]);
    assert!(out.contains("404, stored") && out.contains("from cache.negative (negative)"), "{out}");
    let (code, _, err) = run(&["--status", "100"]);
    assert!(code == Some(64) && err.contains("100 is no status"), "{err}");
    let (code, _, err) = run(&["--response", "/nowhere"]);
    assert!(code == Some(64) && err.contains("/nowhere"), "{err}");
    let (code, ..) = run(&["--response", "x", "--status", "200"]);
    assert_eq!(code, Some(64));
}
