//! The causes of differences, as changes of the question or of the oracle's answer. In the order of `known.tsv`, which
//! has the clauses; each looks at what is meant, never at what either implementation makes of it.

use std::time::Duration;

use crate::case::{
    Case, GREATEST, Lines, Meaning, Selecting, Written, WrittenAge, WrittenDate, fixdate, says, seconds,
};
use crate::opinion::Opinion;

/// One cause.
#[derive(Clone, Copy)]
pub struct Reading {
    pub id: &'static str,
    how: How,
}

#[derive(Clone, Copy)]
enum How {
    /// What generated values with this id are is written plainly.
    Rewrite,
    /// The question is put in other words.
    Question(fn(&mut Case)),
    /// The answer is corrected.
    Answer(fn(&Case, &mut Opinion)),
    Both(fn(&mut Case), fn(&Case, &mut Opinion)),
}

impl Reading {
    pub fn change(&self, case: &mut Case) {
        match self.how {
            How::Rewrite => rewrite(case, self.id),
            How::Question(change) | How::Both(change, _) => change(case),
            How::Answer(_) => {}
        }
    }

    /// Could it make a difference?
    pub fn concerns(&self, case: &Case) -> bool {
        let mut read = case.clone();
        self.change(&mut read);
        matches!(self.how, How::Answer(_) | How::Both(..)) || read != *case
    }

    /// `case` is the one that was asked first.
    pub fn correct(&self, case: &Case, opinion: &mut Opinion) {
        if let How::Answer(correct) | How::Both(_, correct) = self.how {
            correct(case, opinion);
        }
    }
}

const fn rewritten(id: &'static str) -> Reading {
    Reading { id, how: How::Rewrite }
}

const fn question(id: &'static str, change: fn(&mut Case)) -> Reading {
    Reading { id, how: How::Question(change) }
}

const fn answer(id: &'static str, correct: fn(&Case, &mut Opinion)) -> Reading {
    Reading { id, how: How::Answer(correct) }
}

const fn both(id: &'static str, change: fn(&mut Case), correct: fn(&Case, &mut Opinion)) -> Reading {
    Reading { id, how: How::Both(change, correct) }
}

pub const READINGS: &[Reading] = &[
    question("targeted-field", targeted_field),
    question("surrogate-control", surrogate_control),
    question("dates-disagree", dates_disagree),
    question("age-list", age_list),
    question("pragma-beside-cache-control", pragma_beside_cache_control),
    question("qualified-no-cache", qualified_no_cache),
    rewritten("quoted-pair"),
    rewritten("case"),
    rewritten("overflow"),
    rewritten("plus-sign"),
    rewritten("no-argument"),
    rewritten("space-at-equals"),
    rewritten("comma-in-quotes"),
    rewritten("obs-text"),
    rewritten("argument-to-public"),
    rewritten("broken-wish"),
    rewritten("pragma-token"),
    rewritten("obsolete-date"),
    rewritten("mail-date"),
    question("first-of-two", first_of_two),
    question("age-from-date", age_from_date),
    question("must-understand", must_understand),
    question("final-status", final_status),
    question("s-maxage-forbids-stale", s_maxage_forbids_stale),
    question("long-heuristic", long_heuristic),
    question("far-expires", far_expires),
    question("max-stale-inclusive", max_stale_inclusive),
    question("min-fresh-zero", min_fresh_zero),
    question("variant-normalised", variant_normalised),
    question("accept-encoding", accept_encoding),
    answer("vary-star", vary_star),
    answer("only-get", only_get),
    answer("set-cookie", set_cookie),
    answer("no-lifetime", no_lifetime),
    answer("of-no-use", of_no_use),
    answer("stale-while-revalidate", stale_while_revalidate),
    both("proxy-revalidate", without_proxy_revalidate, proxy_revalidate),
    answer("no-cache-is-never-reused", no_cache),
    answer("logged-in-reuse", logged_in_reuse),
];

fn targeted_field(case: &mut Case) {
    if let Some((_, said)) = case.targeted.take() {
        govern(case, said);
    }
}

fn surrogate_control(case: &mut Case) {
    if let Some((_, said)) = case.surrogate.take() {
        govern(case, said);
    }
}

/// What the field says is all that is said.
fn govern(case: &mut Case, said: Option<Vec<Written>>) {
    if let Some(said) = said {
        case.surrogate = None;
        case.response = vec![said];
        case.expires.clear();
    }
}

fn dates_disagree(case: &mut Case) {
    let disagree = |lines: &[WrittenDate]| lines.iter().any(|line| line.text != lines[0].text);
    let invalid = || vec![WrittenDate { text: "0".to_owned(), means: None, reading: "" }];
    if disagree(&case.date) {
        let oldest = case.date.iter().filter_map(|line| line.means).min();
        at_least_as_old(case, oldest);
    }
    for lines in [&mut case.date, &mut case.expires, &mut case.last_modified] {
        if disagree(lines) {
            *lines = invalid();
        }
    }
}

fn age_list(case: &mut Case) {
    case.age.truncate(1);
    for age in case.age.iter_mut().filter(|age| age.reading == "age-list") {
        *age = plain_age(age.means);
    }
}

fn plain_age(means: Option<u64>) -> WrittenAge {
    let text = means.map_or("x".to_owned(), |seconds| seconds.to_string());
    WrittenAge { text: text.into(), means, reading: "" }
}

fn pragma_beside_cache_control(case: &mut Case) {
    if !case.asked.is_empty() {
        case.asked_pragma = None;
    }
}

fn qualified_no_cache(case: &mut Case) {
    case.set_cookie &= !leaves_cookie_out(case);
    for said in case.response.iter_mut().flatten() {
        if matches!(said.means, Meaning::Fields { .. }) {
            *said = Written::plain(Meaning::Nothing);
        }
    }
}

/// `Set-Cookie` is among the fields that `no-cache` excepts from what is stored.
fn leaves_cookie_out(case: &Case) -> bool {
    let directives = case.governing();
    let listed = directives.iter().any(|said| said.means == Meaning::Fields { cookie: true });
    listed && !says(&directives, "no-cache")
}

fn rewrite(case: &mut Case, id: &str) {
    let fields = [&mut case.request, &mut case.response, &mut case.asked];
    let pragmas = case.pragma.iter_mut().chain(&mut case.asked_pragma);
    let written = fields.into_iter().flatten().flatten().chain(pragmas);
    written.filter(|written| written.reading == id).for_each(Written::rewrite);
    let dates = [&mut case.date, &mut case.expires, &mut case.last_modified].into_iter().flatten();
    for date in dates.filter(|date| date.reading == id) {
        date.text = date.means.map_or("0".to_owned(), fixdate);
    }
    for age in case.age.iter_mut().filter(|age| age.reading == id) {
        *age = plain_age(age.means);
    }
}

fn first_of_two(case: &mut Case) {
    for field in [&mut case.request, &mut case.response, &mut case.asked] {
        let names: Vec<String> = field.iter().flatten().map(Written::name).collect();
        let mut before: Vec<String> = Vec::new();
        for line in field {
            line.retain(|said| {
                let name = said.name();
                let again = before.contains(&name);
                // What means nothing is not the first of anything.
                let idle = said.means == Meaning::Nothing && names.iter().filter(|other| **other == name).count() > 1;
                if !idle {
                    before.push(name);
                }
                !again && !idle
            });
        }
    }
}

fn age_from_date(case: &mut Case) {
    let made = Case::instant(&case.date);
    at_least_as_old(case, made);
}

/// As what was made then, whatever `Age` says.
fn at_least_as_old(case: &mut Case, made: Option<i64>) {
    let apparent = made.and_then(|date| u64::try_from(-date).ok()).unwrap_or_default();
    let told = case.age.first().and_then(|age| age.means).unwrap_or_default();
    if apparent > told {
        case.age = vec![plain_age(Some(apparent.min(GREATEST)))];
    }
}

/// RFC 9110, section 15, and RFC 7725.
fn is_known(status: u16) -> bool {
    matches!(status, 200..=206 | 300..=305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 428 | 429 | 431 | 451 | 500..=505 | 511)
}

fn must_understand(case: &mut Case) {
    if !says(&case.governing(), "must-understand") {
        return;
    }
    for line in &mut case.response {
        line.retain(|said| said.means != Meaning::Flag("no-store"));
    }
    if !is_known(case.status) {
        case.response.push(vec![Written::plain(Meaning::Flag("no-store"))]);
    }
}

fn final_status(case: &mut Case) {
    let of_one_request =
        matches!(case.status, 206 | 304 | 401 | 407 | 408 | 412 | 416 | 417 | 421 | 425 | 426 | 428 | 429 | 431 | 511);
    let oracle_knows = matches!(case.status, 200 | 203 | 204 | 300..=303 | 307 | 308 | 404 | 405 | 410 | 414 | 501);
    if !of_one_request && !oracle_knows {
        // One that it knows, of the same kind: with a heuristic lifetime, or without.
        case.status = if case.status == 451 { 404 } else { 302 };
    }
}

fn s_maxage_forbids_stale(case: &mut Case) {
    if seconds(&case.governing(), "s-maxage").is_some() {
        case.response.push(vec![Written::plain(Meaning::Flag("must-revalidate"))]);
    }
}

fn long_heuristic(case: &mut Case) {
    let made = Case::instant(&case.date).unwrap_or_default();
    let ten_days = made - 864_000;
    if Case::instant(&case.last_modified).is_some_and(|changed| changed < ten_days) {
        case.last_modified = vec![plain_date(ten_days)];
    }
}

fn far_expires(case: &mut Case) {
    let farthest = Case::instant(&case.date).unwrap_or_default().saturating_add_unsigned(GREATEST);
    if Case::instant(&case.expires).is_some_and(|expires| expires > farthest) {
        case.expires = vec![plain_date(farthest)];
    }
}

fn plain_date(means: i64) -> WrittenDate {
    WrittenDate { text: fixdate(means), means: Some(means), reading: "" }
}

fn max_stale_inclusive(case: &mut Case) {
    change_seconds(&mut case.asked, "max-stale", |seconds| seconds + 1);
}

fn min_fresh_zero(case: &mut Case) {
    change_seconds(&mut case.asked, "min-fresh", |seconds| seconds.max(1));
}

fn change_seconds(field: &mut Lines, name: &str, change: fn(u64) -> u64) {
    for said in field.iter_mut().flatten() {
        if let Meaning::Seconds(of, seconds) = said.means
            && of == name
        {
            said.means = Meaning::Seconds(of, change(seconds));
            said.rewrite();
        }
    }
}

fn variant_normalised(case: &mut Case) {
    for Selecting { accept_language: (lines, one), .. } in [&mut case.selecting, &mut case.asked_selecting] {
        *lines = one.iter().copied().collect();
    }
}

fn accept_encoding(case: &mut Case) {
    case.asked_selecting.accept_encoding = case.selecting.accept_encoding;
}

fn vary_star(case: &Case, opinion: &mut Opinion) {
    let never_matches = |member: &str| member == "*" || member.contains(' ');
    opinion.stored &= !case.vary.iter().flat_map(|line| line.split(',')).any(|member| never_matches(member.trim()));
}

fn only_get(case: &Case, opinion: &mut Opinion) {
    opinion.stored &= case.method == http::Method::GET;
}

fn set_cookie(case: &Case, opinion: &mut Opinion) {
    opinion.stored &= !case.set_cookie || leaves_cookie_out(case);
}

fn no_lifetime(case: &Case, opinion: &mut Opinion) {
    let directives = case.governing();
    let given = ["s-maxage", "max-age"].iter().any(|name| seconds(&directives, name).is_some());
    let expires = !case.is_targeted() && !case.expires.is_empty();
    let made = Case::instant(&case.date).unwrap_or_default();
    let guessed = case.heuristic && Case::instant(&case.last_modified).is_some_and(|changed| changed <= made);
    opinion.stored &= given || expires || guessed || says(&directives, "no-cache");
}

fn of_no_use(case: &Case, opinion: &mut Opinion) {
    let directives = case.governing();
    let no_cache = says(&directives, "no-cache");
    let window = ["stale-while-revalidate", "stale-if-error"].iter().filter_map(|name| granted(case, name)).max();
    let on_arrival = opinion.age.saturating_sub(Duration::from_secs(case.asked_after));
    let ever_used = !no_cache && opinion.lifetime.saturating_add(window.unwrap_or_default()) > on_arrival;
    opinion.stored &= case.etag || !case.last_modified.is_empty() || ever_used;
}

/// A window for stale use, unless the app forbids all stale use in the same breath.
fn granted(case: &Case, name: &str) -> Option<Duration> {
    let directives = case.governing();
    let forbidden = ["must-revalidate", "proxy-revalidate", "no-cache"].iter().any(|name| says(&directives, name));
    seconds(&directives, name).filter(|_| !forbidden).map(Duration::from_secs)
}

fn stale_while_revalidate(case: &Case, opinion: &mut Opinion) {
    let asked: Vec<&Written> = case.asked.iter().flatten().collect();
    let wish = |name| seconds(&asked, name).map(Duration::from_secs);
    let any_staleness = says(&asked, "max-stale") || wish("max-stale").is_some();
    let wants_fresh = wish("min-fresh").is_some() || wish("max-age").is_some() && !any_staleness;
    let too_old = wish("max-age").is_some_and(|limit| opinion.age > limit);
    let pragma = case.asked_pragma.as_ref().filter(|_| asked.is_empty() && case.asked.is_empty());
    let no_cache = says(&asked, "no-cache") || pragma.is_some_and(|pragma| pragma.means != Meaning::Nothing);
    let window = granted(case, "stale-while-revalidate").unwrap_or_default();
    if is_stale(opinion)
        && opinion.age < opinion.lifetime.saturating_add(window)
        && !wants_fresh
        && !too_old
        && !no_cache
    {
        opinion.reused = opinion.selected;
    }
}

fn is_stale(opinion: &Opinion) -> bool {
    opinion.lifetime <= opinion.age
}

fn without_proxy_revalidate(case: &mut Case) {
    for line in &mut case.response {
        line.retain(|said| said.means != Meaning::Flag("proxy-revalidate"));
    }
}

fn proxy_revalidate(case: &Case, opinion: &mut Opinion) {
    if says(&case.governing(), "proxy-revalidate") {
        opinion.must_revalidate = true;
        opinion.reused &= !is_stale(opinion);
    }
}

fn no_cache(case: &Case, opinion: &mut Opinion) {
    if says(&case.governing(), "no-cache") {
        opinion.must_revalidate = true;
        opinion.reused = false;
    }
}

fn logged_in_reuse(case: &Case, opinion: &mut Opinion) {
    let directives = case.governing();
    let for_all = ["must-revalidate", "public"].iter().any(|name| says(&directives, name));
    if case.asked_authorized && !for_all && seconds(&directives, "s-maxage").is_none() {
        opinion.reused = false;
    }
}
