//! Tables from RFC 9111, sections 1.2.2, 4.2.1 and 5.2, and from what apps send instead.

use http::header::CACHE_CONTROL;
use proptest::prelude::*;

use super::super::testing;
use super::*;

fn read(lines: &[&str]) -> CacheControl {
    CacheControl::parse(&testing::field("cache-control", lines), &CACHE_CONTROL)
}

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

fn fields(names: &[&'static str]) -> Option<Scope> {
    Some(Scope::Fields(names.iter().map(|name| HeaderName::from_static(name)).collect()))
}

#[test]
fn every_directive_is_heard() {
    let all = read(&[
        "no-store, no-cache, private, public, max-age=1, s-maxage=2, must-revalidate",
        "proxy-revalidate, must-understand, no-transform, only-if-cached, min-fresh=3, max-stale=4",
        "stale-while-revalidate=5, stale-if-error=6, immutable, community=\"UCI\"",
    ]);
    let wanted = CacheControl {
        no_store: true,
        no_cache: Some(Scope::Whole),
        private: Some(Scope::Whole),
        public: true,
        max_age: seconds(1),
        s_maxage: seconds(2),
        must_revalidate: true,
        proxy_revalidate: true,
        must_understand: true,
        no_transform: true,
        only_if_cached: true,
        min_fresh: seconds(3),
        max_stale: Some(seconds(4)),
        stale_while_revalidate: seconds(5),
        stale_if_error: seconds(6),
        immutable: true,
    };
    assert_eq!(all, wanted);
}

#[test]
fn nothing_is_said_by_nothing() {
    for lines in [&[][..], &[""], &[" , ,"], &["foobar"], &["max-ages=1, xmax-age=2, =3, \"no-store\""]] {
        assert_eq!(read(lines), CacheControl::default(), "{lines:?}");
    }
}

#[test]
fn max_age_in_all_its_spellings() {
    let table: [(&[&str], Option<Duration>); 31] = [
        (&["max-age=3600"], seconds(3600)),
        (&["MaX-AgE=3600"], seconds(3600)),
        (&["max-age=003600"], seconds(3600)),
        // 5.2: "recipients ought to accept both forms, even if a specific form is required for
        // generation".
        (&["max-age=\"3600\""], seconds(3600)),
        (&["max-age=\"36\\00\""], seconds(3600)),
        (&["foobar, max-age=3600"], seconds(3600)),
        (&["max-age=0"], seconds(0)),
        // 1.2.2
        (&["max-age=2147483647"], seconds(2_147_483_647)),
        (&["max-age=2147483648"], seconds(2_147_483_648)),
        (&["max-age=99999999999"], seconds(2_147_483_648)),
        (&["max-age=99999999999999999999999999"], seconds(2_147_483_648)),
        // 4.2.1: of two, the first.
        (&["max-age=1800, max-age=1"], seconds(1800)),
        (&["max-age=1800", "max-age=1"], seconds(1800)),
        (&["max-age=1, max-age=1800"], seconds(1)),
        (&["max-age=x, max-age=1800"], seconds(0)),
        // In somebody else's quoted string it is not said.
        (&["extension=\"max-age=3600\", max-age=1"], seconds(1)),
        (&["extension=\"a, max-age=3600, b\""], None),
        (&["max-age=1, extension=\"max-age=3600\""], seconds(1)),
        // 4.2.1: invalid freshness is no freshness.
        (&["max-age"], seconds(0)),
        (&["max-age="], seconds(0)),
        (&["max-age=-3600"], seconds(0)),
        (&["max-age=+3600"], seconds(0)),
        (&["max-age=3600.0"], seconds(0)),
        (&["max-age=3600s"], seconds(0)),
        (&["max-age=a3600"], seconds(0)),
        (&["max-age='3600'"], seconds(0)),
        (&["max-age=\"3600"], seconds(0)),
        (&["max-age =3600"], seconds(0)),
        (&["max-age= 3600"], seconds(0)),
        (&["max-age=3600;foo"], seconds(0)),
        (&["max-age:3600"], None),
    ];
    for (lines, max_age) in table {
        assert_eq!(read(lines).max_age, max_age, "{lines:?}");
    }
}

#[test]
fn field_names_of_no_cache_and_private() {
    let table: [(&[&str], Option<Scope>); 13] = [
        (&["no-cache"], Some(Scope::Whole)),
        (&["No-CaChE"], Some(Scope::Whole)),
        (&["no-cache=\"a\""], fields(&["a"])),
        (&["no-cache=\"A, set-cookie,,a\", max-age=1"], fields(&["a", "set-cookie"])),
        // A token where a quoted string is asked for.
        (&["no-cache=Set-Cookie"], fields(&["set-cookie"])),
        (&["no-cache=\"a\", no-cache=\"b\""], fields(&["a", "b"])),
        // The stricter of two, and of what cannot be read.
        (&["no-cache=\"a\", no-cache"], Some(Scope::Whole)),
        (&["no-cache", "no-cache=\"a\""], Some(Scope::Whole)),
        (&["no-cache=\"\""], Some(Scope::Whole)),
        (&["no-cache=\"a b\""], Some(Scope::Whole)),
        (&["no-cache=\"a, b"], Some(Scope::Whole)),
        (&["no-cache =\"a\""], Some(Scope::Whole)),
        (&["max-age=1"], None),
    ];
    for (lines, scope) in table {
        assert_eq!(read(lines).no_cache, scope, "{lines:?}");
        let private: Vec<String> =
            lines.iter().map(|line| line.to_lowercase().replace("no-cache", "private")).collect();
        let private: Vec<&str> = private.iter().map(String::as_str).collect();
        assert_eq!(read(&private).private, scope, "{private:?}");
    }
}

#[test]
fn a_list_of_names_is_bounded() {
    let names = |count| (0..count).map(|n| format!("x{n}")).collect::<Vec<_>>();
    let one_list = |count| format!("no-cache=\"{}\"", names(count).join(","));
    assert!(matches!(read(&[&one_list(64)]).no_cache, Some(Scope::Fields(all)) if all.len() == 64));
    assert_eq!(read(&[&one_list(65)]).no_cache, Some(Scope::Whole));
    let lists = names(65).iter().map(|name| format!("no-cache={name}")).collect::<Vec<_>>();
    assert_eq!(read(&[&lists.join(", ")]).no_cache, Some(Scope::Whole));
}

#[test]
fn restrictions_stand_and_permissions_have_one_form() {
    let said =
        read(&["no-store=0, must-revalidate=false, no-transform=\"\"", "public=1, immutable=x, must-understand=?1"]);
    let wanted = CacheControl { no_store: true, must_revalidate: true, no_transform: true, ..CacheControl::default() };
    assert_eq!(said, wanted);
    // A quote left open hides nothing.
    assert!(read(&["ext=\"a, no-store"]).no_store);
}

#[test]
fn max_stale_with_and_without_a_limit() {
    let table: [(&str, Option<Option<Duration>>); 5] = [
        ("max-stale", Some(None)),
        ("max-stale=60", Some(seconds(60))),
        ("max-stale=x", Some(seconds(0))),
        ("max-stale=5, max-stale", Some(seconds(5))),
        ("max-age=1", None),
    ];
    for (line, max_stale) in table {
        assert_eq!(read(&[line]).max_stale, max_stale, "{line}");
    }
}

proptest! {
    #[test]
    fn any_lines_are_survived(headers in testing::any_field("cache-control")) {
        CacheControl::parse(&headers, &CACHE_CONTROL);
    }

    #[test]
    fn restrictions_survive_any_neighbour(noise in testing::line(), before: bool) {
        // Whatever else is on the line: nothing after `no-store` could close a quote around it.
        let noise = String::from_utf8_lossy(&noise).into_owned();
        let line = if before { format!("{noise},no-store") } else { format!("no-store,{noise}") };
        prop_assert!(read(&[&line]).no_store);
    }
}
