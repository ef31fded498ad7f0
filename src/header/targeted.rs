//! Targeted cache control (RFC 9213): `CDN-Cache-Control` and its kin, as strict structured fields.
//!
//! A field that is empty or does not parse is as good as absent, all of it (section 2.1). Within
//! one that parses, the types are inferred from RFC 9111 (section 2.1) and "implementations SHOULD
//! NOT consume values that violate these inferred constraints". What a directive of the wrong type
//! then means is not said; here it means what it means in [`super::cache_control`]:
//!
//! * a time that is a string, a decimal, a token or negative counts as zero: invalid freshness is
//!   stale (RFC 9111, 4.2.1);
//! * `no-cache` and `private` of another type than boolean or string are about the whole response,
//!   and any other restriction stands too: a wrong type never loosens. A permission of the wrong
//!   type is not given;
//! * `?0` says that the directive is not there;
//! * parameters are ignored (section 2.1), a key that comes twice has its last value (RFC 9651),
//!   and keys are lower case, so that `Max-Age=60` is a parse error.

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, HeaderName};

use super::cache_control::Argument;
use super::structured::{self, Item, Member};
use super::{CacheControl, delta_seconds};

/// The first field of the target list that is present, valid and not empty. It decides alone: the
/// others, `Cache-Control` and `Expires` are then ignored (section 2.2).
pub fn first<'t>(headers: &HeaderMap, targets: &'t [HeaderName]) -> Option<(&'t HeaderName, CacheControl)> {
    targets.iter().find_map(|name| Some((name, parse(headers, name)?)))
}

/// What all lines of `name` say; `None` if it is absent, empty or malformed.
pub fn parse(headers: &HeaderMap, name: &HeaderName) -> Option<CacheControl> {
    let value = combined(headers, name)?;
    let members = structured::dictionary(&value).ok().filter(|members| !members.is_empty())?;
    let mut directives = CacheControl::default();
    for (key, member) in members {
        if member != Member::Item(Item::Boolean(false)) {
            directives.record(key.as_bytes(), argument(member));
        }
    }
    Some(directives)
}

/// RFC 9651, 4.2: lines are combined before anything is parsed.
fn combined<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
    let mut lines = headers.get_all(name).into_iter().map(|line| line.as_bytes());
    let mut value = Cow::Borrowed(lines.next()?);
    for line in lines {
        value.to_mut().extend_from_slice(b", ");
        value.to_mut().extend_from_slice(line);
    }
    Some(value)
}

/// Section 2.1: no value is a boolean, a quoted string a String, a number an Integer.
fn argument(member: Member<'_>) -> Argument<'_> {
    match member {
        Member::Item(Item::Boolean(true)) => Argument::Absent,
        Member::Item(Item::String(names)) => Argument::Names(names),
        Member::Item(Item::Integer(seconds)) => match u64::try_from(seconds) {
            Ok(seconds) => Argument::Seconds(Duration::from_secs(seconds).min(delta_seconds::GREATEST)),
            Err(_) => Argument::Unusable,
        },
        _ => Argument::Unusable,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Scope, testing};
    use super::*;
    use proptest::prelude::*;

    const CDN: HeaderName = HeaderName::from_static("cdn-cache-control");

    fn read(lines: &[&str]) -> Option<CacheControl> {
        parse(&testing::field("cdn-cache-control", lines), &CDN)
    }

    fn max_age(seconds: u64) -> Option<CacheControl> {
        Some(CacheControl { max_age: Some(Duration::from_secs(seconds)), ..CacheControl::default() })
    }

    #[test]
    fn times() {
        let table: [(&[&str], Option<CacheControl>); 16] = [
            (&["max-age=3600"], max_age(3600)),
            (&["max-age=0"], max_age(0)),
            (&["foobar, max-age=3600"], max_age(3600)),
            (&["max-age=2147483648"], max_age(2_147_483_648)),
            (&["max-age=99999999999"], max_age(2_147_483_648)),
            (&["max-age=60;foo=bar;baz"], max_age(60)),
            (&["max-age=1", "max-age=2"], max_age(2)),
            // Wrong types: the field is in charge, and says nothing is fresh.
            (&["max-age=\"10000\""], max_age(0)),
            (&["max-age=10.0"], max_age(0)),
            (&["max-age=-5"], max_age(0)),
            (&["max-age=abc"], max_age(0)),
            (&["max-age"], max_age(0)),
            (&["max-age=()"], max_age(0)),
            (&["max-age=@60"], max_age(0)),
            // Said not to be there.
            (&["max-age=?0"], Some(CacheControl::default())),
            (&["foo"], Some(CacheControl::default())),
        ];
        for (lines, wanted) in table {
            assert_eq!(read(lines), wanted, "{lines:?}");
        }
    }

    #[test]
    fn malformed_or_empty_is_absent() {
        let table: [&[&str]; 12] = [
            &[],
            &[""],
            &["  "],
            &["max-age=10000, &&&&&"],
            &["max-age =100"],
            &["max-age= 100"],
            &["MaX-aGe=3600"],
            &["max-age=60,"],
            &["max-age=60", ""],
            &["max-age=1000000000000000"],
            &["no-store, max-age='5'"],
            &["no-cache=\"a"],
        ];
        for lines in table {
            assert_eq!(read(lines), None, "{lines:?}");
        }
    }

    #[test]
    fn restrictions_and_permissions() {
        let said = |line| read(&[line]).expect("a valid field");
        let set_cookie = || Some(Scope::Fields(vec![http::header::SET_COOKIE]));
        assert!(said("no-store").no_store && said("no-store=1").no_store && !said("no-store=?0").no_store);
        assert_eq!(said("no-cache").no_cache, Some(Scope::Whole));
        assert_eq!(said("no-cache=\"Set-Cookie\"").no_cache, set_cookie());
        assert_eq!(said("private=\"Set-Cookie\"").private, set_cookie());
        assert_eq!(said("private=token").private, Some(Scope::Whole));
        assert_eq!(said("private=?0").private, None);
        assert!(said("public").public && !said("public=1").public && !said("public=?0").public);
        let said = said("max-age=600, stale-while-revalidate=30, stale-if-error=86400, must-revalidate, ext=:AA==:");
        assert_eq!(said.stale_while_revalidate, Some(Duration::from_secs(30)));
        assert_eq!(said.stale_if_error, Some(Duration::from_secs(86400)));
        assert!(said.must_revalidate);
    }

    #[test]
    fn the_first_valid_target_decides() {
        // Section 2.2, with a target list of two.
        let targets = [HeaderName::from_static("vacpack-cache-control"), CDN];
        let seen = |lines: &[(&'static str, &str)]| {
            first(&testing::fields(lines), &targets).map(|(name, said)| (name.as_str(), said.max_age))
        };
        let (own, cdn) = ("vacpack-cache-control", "cdn-cache-control");
        let minute = Some(Duration::from_secs(60));
        assert_eq!(seen(&[(cdn, "max-age=60"), (own, "no-store")]), Some((own, None)));
        assert_eq!(seen(&[(cdn, "max-age=60"), (own, "&&")]), Some((cdn, minute)));
        assert_eq!(seen(&[(cdn, "max-age=60"), (own, "")]), Some((cdn, minute)));
        assert_eq!(seen(&[("cache-control", "max-age=60")]), None);
    }

    proptest! {
        #[test]
        fn any_lines_are_survived(headers in testing::any_field("cdn-cache-control")) {
            parse(&headers, &CDN);
        }
    }
}
