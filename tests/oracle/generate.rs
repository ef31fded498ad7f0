//! Cases, each value with its meaning. The tables are written from the RFCs, near the grammar on both sides of it.

use std::borrow::Cow;

use http::Method;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::select;

use crate::case::Meaning::{Fields, Flag, Nothing, Seconds};
use crate::case::{Case, GREATEST, Lines, Meaning, Selecting, Targeted, Written, WrittenAge, WrittenDate, fixdate};

/// Text, meaning, and the reading where not everybody reads it so.
type Row = (&'static str, Meaning, &'static str);

/// Directives that requests and responses share in form.
const ODD: [Row; 9] = [
    ("foo", Nothing, ""),
    ("foo=bar", Nothing, ""),
    ("=5", Nothing, ""),
    ("\"no-store\"", Nothing, ""),
    ("no-transform", Nothing, ""),
    ("foo=\"a, no-store, b\"", Nothing, "comma-in-quotes"),
    ("foo=\"a, no-cache, max-age=9, b\"", Nothing, "comma-in-quotes"),
    ("foo=\"a\\\", private, \"", Nothing, "comma-in-quotes"),
    ("foo=\u{e9}", Nothing, "obs-text"),
];

const RESPONSE: [Row; 69] = [
    ("max-age=60", Seconds("max-age", 60), ""),
    ("max-age=60", Seconds("max-age", 60), ""),
    ("max-age=60", Seconds("max-age", 60), ""),
    ("max-age=0", Seconds("max-age", 0), ""),
    ("max-age=5", Seconds("max-age", 5), ""),
    ("max-age=060", Seconds("max-age", 60), ""),
    ("max-age=\"60\"", Seconds("max-age", 60), ""),
    ("max-age=\"6\\0\"", Seconds("max-age", 60), "quoted-pair"),
    ("Max-Age=60", Seconds("max-age", 60), "case"),
    ("max-age=2147483648", Seconds("max-age", GREATEST), ""),
    ("max-age=2147483649", Seconds("max-age", GREATEST), "overflow"),
    ("max-age=99999999999", Seconds("max-age", GREATEST), "overflow"),
    ("max-age=18446744073709551615", Seconds("max-age", GREATEST), "overflow"),
    ("max-age=18446744073709551616", Seconds("max-age", GREATEST), "overflow"),
    ("max-age=-1", Seconds("max-age", 0), ""),
    ("max-age=-18446744073709551616", Seconds("max-age", 0), ""),
    ("max-age=1.5", Seconds("max-age", 0), ""),
    ("max-age=6e1", Seconds("max-age", 0), ""),
    ("max-age=0x3c", Seconds("max-age", 0), ""),
    ("max-age=60s", Seconds("max-age", 0), ""),
    ("max-age='60'", Seconds("max-age", 0), ""),
    ("max-age=\"\"", Seconds("max-age", 0), ""),
    ("max-age=", Seconds("max-age", 0), ""),
    ("max-age=+60", Seconds("max-age", 0), "plus-sign"),
    ("max-age", Seconds("max-age", 0), "no-argument"),
    ("max-age =60", Seconds("max-age", 0), "space-at-equals"),
    ("max-age= 60", Seconds("max-age", 0), "space-at-equals"),
    ("max-age=60 0", Seconds("max-age", 0), ""),
    ("s-maxage=30", Seconds("s-maxage", 30), ""),
    ("s-maxage=30", Seconds("s-maxage", 30), ""),
    ("s-maxage=0", Seconds("s-maxage", 0), ""),
    ("S-MaxAge=30", Seconds("s-maxage", 30), "case"),
    ("s-maxage=\"30\"", Seconds("s-maxage", 30), ""),
    ("s-maxage=x", Seconds("s-maxage", 0), ""),
    ("s-maxage", Seconds("s-maxage", 0), "no-argument"),
    ("s-maxage=18446744073709551616", Seconds("s-maxage", GREATEST), "overflow"),
    ("s-max-age=30", Nothing, ""),
    ("no-store", Flag("no-store"), ""),
    ("NO-STORE", Flag("no-store"), "case"),
    ("no-store=0", Flag("no-store"), ""),
    ("private", Flag("private"), ""),
    ("Private", Flag("private"), "case"),
    ("private=\"x-a\"", Flag("private"), ""),
    ("private=\"x-a, x-b\"", Flag("private"), ""),
    ("no-cache", Flag("no-cache"), ""),
    ("No-Cache", Flag("no-cache"), "case"),
    ("no-cache=\"x-a\"", Fields { cookie: false }, "qualified-no-cache"),
    ("no-cache=\"x-a, Set-Cookie\"", Fields { cookie: true }, "qualified-no-cache"),
    ("no-cache=set-cookie", Fields { cookie: true }, "qualified-no-cache"),
    ("no-cache=\"etag\"", Flag("no-cache"), ""),
    ("no-cache=\"\"", Flag("no-cache"), ""),
    ("no-cache=\"a b\"", Flag("no-cache"), ""),
    ("must-revalidate", Flag("must-revalidate"), ""),
    ("Must-Revalidate", Flag("must-revalidate"), "case"),
    ("must-revalidate=x", Flag("must-revalidate"), ""),
    ("proxy-revalidate", Flag("proxy-revalidate"), ""),
    ("must-understand", Flag("must-understand"), ""),
    ("must-understand", Flag("must-understand"), ""),
    ("must-understand", Flag("must-understand"), ""),
    ("must-understand=x", Nothing, ""),
    ("public", Flag("public"), ""),
    ("PUBLIC", Flag("public"), "case"),
    ("public=x", Nothing, "argument-to-public"),
    ("immutable", Nothing, ""),
    ("stale-while-revalidate=30", Seconds("stale-while-revalidate", 30), ""),
    ("stale-while-revalidate=\"30\"", Seconds("stale-while-revalidate", 30), ""),
    ("stale-while-revalidate=x", Seconds("stale-while-revalidate", 0), ""),
    ("stale-if-error=300", Seconds("stale-if-error", 300), ""),
    ("pre-check=0", Nothing, ""),
];

const REQUEST: [Row; 5] = [
    ("no-store", Flag("no-store"), ""),
    ("No-Store", Flag("no-store"), "case"),
    ("no-store=x", Flag("no-store"), ""),
    ("no-cache", Flag("no-cache"), ""),
    ("max-age=0", Seconds("max-age", 0), ""),
];

const ASKED: [Row; 26] = [
    ("max-age=40", Seconds("max-age", 40), ""),
    ("max-age=0", Seconds("max-age", 0), ""),
    ("Max-Age=0", Seconds("max-age", 0), "case"),
    ("max-age=x", Seconds("max-age", 0), "broken-wish"),
    ("max-age=-1", Seconds("max-age", 0), "broken-wish"),
    ("max-age", Seconds("max-age", 0), "no-argument"),
    ("max-age=18446744073709551616", Seconds("max-age", GREATEST), "overflow"),
    ("min-fresh=25", Seconds("min-fresh", 25), ""),
    ("min-fresh=\"25\"", Seconds("min-fresh", 25), ""),
    ("min-fresh=0", Seconds("min-fresh", 0), ""),
    ("min-fresh=1.5", Seconds("min-fresh", 0), "broken-wish"),
    ("min-fresh=99999999999", Seconds("min-fresh", GREATEST), "overflow"),
    ("max-stale", Flag("max-stale"), ""),
    ("Max-Stale", Flag("max-stale"), "case"),
    ("max-stale=20", Seconds("max-stale", 20), ""),
    ("max-stale=\"20\"", Seconds("max-stale", 20), ""),
    ("max-stale=x", Seconds("max-stale", 0), "broken-wish"),
    ("max-stale= 20", Seconds("max-stale", 0), "space-at-equals"),
    ("max-stale=99999999999", Seconds("max-stale", GREATEST), "overflow"),
    ("no-cache", Flag("no-cache"), ""),
    ("No-Cache", Flag("no-cache"), "case"),
    ("no-cache=x", Flag("no-cache"), ""),
    ("no-store", Flag("no-store"), ""),
    ("only-if-cached", Flag("only-if-cached"), ""),
    ("stale-if-error=60", Seconds("stale-if-error", 60), ""),
    ("must-revalidate", Nothing, ""),
];

const PRAGMA: [Row; 6] = [
    ("no-cache", Flag("no-cache"), ""),
    ("x, no-cache", Flag("no-cache"), ""),
    ("No-Cache", Flag("no-cache"), "pragma-token"),
    ("xno-cache", Nothing, "pragma-token"),
    ("no-cache=x", Nothing, "pragma-token"),
    ("x", Nothing, ""),
];

/// Structured fields: what does not parse is as good as absent (RFC 9213, 2.1).
const TARGETED: [(&str, Option<&[Meaning]>); 17] = [
    ("max-age=60", Some(&[Seconds("max-age", 60)])),
    ("max-age=0", Some(&[Seconds("max-age", 0)])),
    ("max-age=60;x=y, foo", Some(&[Seconds("max-age", 60)])),
    ("max-age=1, max-age=60", Some(&[Seconds("max-age", 60)])),
    ("max-age=\"60\"", Some(&[Seconds("max-age", 0)])),
    ("max-age=60.5", Some(&[Seconds("max-age", 0)])),
    ("max-age=-60", Some(&[Seconds("max-age", 0)])),
    ("s-maxage=30, max-age=60", Some(&[Seconds("s-maxage", 30), Seconds("max-age", 60)])),
    ("max-age=60, must-revalidate", Some(&[Seconds("max-age", 60), Flag("must-revalidate")])),
    ("max-age=60, stale-while-revalidate=30", Some(&[Seconds("max-age", 60), Seconds("stale-while-revalidate", 30)])),
    ("no-store", Some(&[Flag("no-store")])),
    ("private, max-age=60", Some(&[Flag("private"), Seconds("max-age", 60)])),
    ("no-store=?0, max-age=60", Some(&[Seconds("max-age", 60)])),
    ("foo", Some(&[])),
    ("MAX-AGE=60", None),
    ("max-age=60, &&", None),
    ("", None),
];

/// In the syntax of `Cache-Control`, and about other things as well.
const SURROGATE: [(&str, Option<&[Meaning]>); 5] = [
    ("max-age=60", Some(&[Seconds("max-age", 60)])),
    ("no-store", Some(&[Flag("no-store")])),
    ("max-age=60, content=\"ESI/1.0\"", Some(&[Seconds("max-age", 60)])),
    ("content=\"ESI/1.0\"", None),
    ("", None),
];

static AGES: [WrittenAge; 15] = [
    age("0", Some(0), ""),
    age("10", Some(10), ""),
    age("010", Some(10), ""),
    age("50", Some(50), ""),
    age("7200", Some(7200), ""),
    age("2147483649", Some(GREATEST), "overflow"),
    age("99999999999", Some(GREATEST), "overflow"),
    age("18446744073709551616", Some(GREATEST), "overflow"),
    age("-1", None, ""),
    age("1.5", None, ""),
    age("abc", None, ""),
    age("50;x=y", None, ""),
    age("+50", None, "plus-sign"),
    age("50, 0", Some(50), "age-list"),
    age("x, 50", None, ""),
];

const fn age(text: &'static str, means: Option<u64>, reading: &'static str) -> WrittenAge {
    WrittenAge { text: Cow::Borrowed(text), means, reading }
}

const VARY: [&str; 7] =
    ["accept-language", "Accept-Language, x-a", "x-a, accept-encoding", "Accept-Encoding", "*", "x-a, *", "a b"];

const STATUSES: [u16; 38] = [
    200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 201, 203, 204, 206, 226, 299, 300, 301, 302, 303, 304,
    307, 308, 400, 401, 404, 410, 412, 416, 429, 451, 500, 501, 503, 511, 599,
];

pub fn case() -> impl Strategy<Value = Case> {
    (fetched(), dated(), asked()).prop_map(|(fetched, dated, asked)| {
        let (heuristic, status, method, request, authorized, selecting, response, about) = fetched;
        let (targeted, surrogate, pragma, etag, set_cookie, vary) = about;
        let (date, expires, last_modified, age) = dated;
        let (asked, asked_pragma, asked_authorized, asked_selecting, asked_after) = asked;
        Case {
            heuristic,
            method,
            status,
            request,
            authorized,
            selecting,
            response,
            targeted,
            surrogate,
            pragma,
            date,
            expires,
            last_modified,
            age,
            etag,
            set_cookie,
            vary,
            asked,
            asked_pragma,
            asked_authorized,
            asked_selecting,
            asked_after,
        }
    })
}

type About = (Option<Targeted>, Option<Targeted>, Option<Written>, bool, bool, Vec<&'static str>);
type Fetched = (bool, u16, Method, Lines, bool, Selecting, Lines, About);

fn fetched() -> impl Strategy<Value = Fetched> {
    let methods = prop_oneof![12 => Just(Method::GET), 1 => Just(Method::HEAD), 1 => Just(Method::POST)];
    let about = (
        weighted(0.08, targeted(&TARGETED)),
        weighted(0.05, targeted(&SURROGATE)),
        weighted(0.1, row(&PRAGMA)),
        any::<bool>(),
        prop::bool::weighted(0.08),
        prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(select(&VARY[..]), 1..3)],
    );
    (
        any::<bool>(),
        select(&STATUSES[..]),
        methods,
        lines(&REQUEST, 0.1),
        prop::bool::weighted(0.1),
        selecting(),
        lines(&RESPONSE, 0.9),
        about,
    )
}

type Dated = (Vec<WrittenDate>, Vec<WrittenDate>, Vec<WrittenDate>, Vec<WrittenAge>);

fn dated() -> impl Strategy<Value = Dated> {
    let ages = prop_oneof![
        6 => Just(Vec::new()),
        6 => prop::collection::vec(select(&AGES[..]), 1),
        1 => prop::collection::vec(select(&AGES[..]), 2),
    ];
    (
        dates(&[0, 0, 0, -10, -40, -7200, 10, 7200]),
        dates(&[0, 30, 60, 61, 3600, -1, -3600, 4_000_000_000]),
        dates(&[0, -100, -400, -86_400, -8_640_010, 50]),
        ages,
    )
}

type Asked = (Lines, Option<Written>, bool, Selecting, u64);

fn asked() -> impl Strategy<Value = Asked> {
    let after = prop_oneof![select(&[0_u64, 1, 20, 30, 59, 60, 61, 79, 80, 81, 90, 91, 3600][..]), 0_u64..120];
    (lines(&ASKED, 0.5), weighted(0.08, row(&PRAGMA)), prop::bool::weighted(0.06), selecting(), after)
}

/// Some lines, or none, of one to four directives.
fn lines<const N: usize>(rows: &'static [Row; N], often: f64) -> impl Strategy<Value = Lines> {
    let line = || prop::collection::vec(prop_oneof![8 => row(rows), 1 => row(&ODD)], 1..4);
    let one_or_two = prop_oneof![5 => prop::collection::vec(line(), 1), 1 => prop::collection::vec(line(), 2)];
    weighted(often, one_or_two).prop_map(Option::unwrap_or_default)
}

fn row<const N: usize>(rows: &'static [Row; N]) -> impl Strategy<Value = Written> {
    select(&rows[..]).prop_map(|(text, means, reading)| Written { text: text.to_owned(), means, reading })
}

fn targeted<const N: usize>(
    rows: &'static [(&'static str, Option<&'static [Meaning]>); N],
) -> impl Strategy<Value = Targeted> {
    select(&rows[..])
        .prop_map(|(text, means)| (text, means.map(|all| all.iter().copied().map(Written::plain).collect())))
}

fn selecting() -> impl Strategy<Value = Selecting> {
    const LANGUAGES: [(&[&str], Option<&str>); 7] = [
        (&[], None),
        (&["en,de"], Some("en,de")),
        (&["en, de"], Some("en,de")),
        (&["en", "de"], Some("en,de")),
        (&["EN ,, De"], Some("en,de")),
        (&["de,en"], Some("de,en")),
        (&[""], Some("")),
    ];
    let language = select(&LANGUAGES[..]).prop_map(|(lines, one)| (lines.to_vec(), one));
    let encodings = &["br", "gzip, br", "identity"][..];
    (of(select(encodings)), language, of(select(&["1", "2", ""][..])))
        .prop_map(|(accept_encoding, accept_language, x_a)| Selecting { accept_encoding, accept_language, x_a })
}

/// No line of a date, one, or two.
fn dates(offsets: &'static [i64]) -> impl Strategy<Value = Vec<WrittenDate>> {
    prop_oneof![
        4 => Just(Vec::new()),
        8 => prop::collection::vec(date(offsets), 1),
        1 => prop::collection::vec(date(offsets), 2),
        1 => date(offsets).prop_map(|date| vec![date.clone(), date]),
    ]
}

fn date(offsets: &'static [i64]) -> impl Strategy<Value = WrittenDate> {
    prop_oneof![
        6 => select(offsets).prop_map(|offset| written(offset, Form::Fixdate)),
        3 => (select(offsets), select(&Form::ALL[..])).prop_map(|(offset, form)| written(offset, form)),
        1 => select(&["0", "", "-1", "foo", "1800000000", "Wed, 31 Dec 1969 23:59:59 GMT"][..])
            .prop_map(|text| WrittenDate { text: text.to_owned(), means: None, reading: "" }),
    ]
}

/// How a date is written.
#[derive(Clone, Copy, Debug)]
enum Form {
    Fixdate,
    Rfc850,
    Asctime,
    LowerCase,
    WrongDay,
    NoDay,
    Zone(&'static str),
    TwoDigits,
    Hyphens,
    Comment,
}

impl Form {
    const ALL: [Self; 13] = [
        Self::Fixdate,
        Self::Rfc850,
        Self::Asctime,
        Self::LowerCase,
        Self::WrongDay,
        Self::NoDay,
        Self::Zone("UTC"),
        Self::Zone("EST"),
        Self::Zone("+0000"),
        Self::Zone("-0800"),
        Self::TwoDigits,
        Self::Hyphens,
        Self::Comment,
    ];
}

fn written(offset: i64, form: Form) -> WrittenDate {
    const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

    // `Fri, 15 Jan 2027 08:00:00 GMT`
    let fixdate = fixdate(offset);
    let (day, date) = fixdate.split_once(", ").expect("a day");
    let words: Vec<&str> = date.split(' ').collect();
    let &[number, month, year, time, _] = words.as_slice() else { panic!("five words: {date}") };
    let long = DAYS.iter().find(|long| long.starts_with(day)).expect("a day of the week");
    let next = DAYS.iter().find(|long| !long.starts_with(day)).expect("another day");
    let short = &year[2..];
    let (text, is_date, reading) = match form {
        Form::Fixdate => (fixdate.clone(), true, ""),
        Form::Rfc850 => (format!("{long}, {number}-{month}-{short} {time} GMT"), true, "obsolete-date"),
        Form::Asctime => {
            let number = number.strip_prefix('0').map_or(number.to_owned(), |digit| format!(" {digit}"));
            (format!("{day} {month} {number} {time} {year}"), true, "obsolete-date")
        }
        Form::LowerCase => (fixdate.to_lowercase(), true, ""),
        Form::WrongDay => (fixdate.replacen(day, &next[..3], 1), true, ""),
        Form::NoDay => (date.to_owned(), false, "mail-date"),
        Form::Zone(zone) => (fixdate.replace("GMT", zone), false, "mail-date"),
        Form::TwoDigits => (format!("{day}, {number} {month} {short} {time} GMT"), false, "mail-date"),
        Form::Hyphens => (format!("{day}, {number}-{month}-{year} {time} GMT"), false, ""),
        Form::Comment => (format!("{fixdate} (now)"), false, "mail-date"),
    };
    // The two digits of a year say nothing of a century hence.
    let is_date = is_date && !(matches!(form, Form::Rfc850) && offset > 1_000_000_000);
    WrittenDate { text, means: is_date.then_some(offset), reading }
}
