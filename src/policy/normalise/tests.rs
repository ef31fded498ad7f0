use http::header::{ACCEPT_LANGUAGE, USER_AGENT};
use proptest::prelude::*;

use super::field::MappingProblem;
use super::*;
use crate::header::apply;

fn request(fields: &[(HeaderName, &str)]) -> HeaderMap {
    fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
}

fn languages(tags: &[&str]) -> Languages {
    Languages::new(tags.iter().map(|tag| (*tag).to_owned()).collect()).unwrap()
}

#[test]
fn languages_are_looked_up_as_rfc_4647_says() {
    let listed = languages(&["en", "de", "fr-CA", "zh-Hant"]);
    for (said, best) in [
        ("", "en"),
        ("de", "de"),
        ("DE", "de"),
        ("de-CH", "de"),
        ("de-CH-1996, fr", "de"),
        ("fr", "en"), // lookup shortens ranges, never tags
        ("fr-CA", "fr-CA"),
        ("fr-ca-x-abc", "fr-CA"), // section 3.4: single-letter subtags go with what follows
        ("zh-Hant-CN-x-private1-private2", "zh-Hant"), // the example of section 3.4
        ("it, de;q=0.5", "de"),
        ("de;q=0.5, fr-CA;q=0.9", "fr-CA"),
        ("de;q=0.5, fr-CA;q=0.5", "de"),
        ("*", "en"),
        ("*, de;q=0.5", "en"),
        ("it, *;q=0.1", "en"),
        ("en;q=0, *", "de"),
        ("en;q=0", "de"),
        ("*;q=0", "en"), // somebody has to be answered
        ("de;q=0, de-CH", "en"),
        ("de;q=nonsense, fr-CA", "fr-CA"),
        (" de ; q=0.8 , fr-CA;Q=0.9", "fr-CA"),
        ("deutsch", "en"),
        ("-", "en"),
        ("de-", "de"),
    ] {
        assert_eq!(listed.best(&request(&[(ACCEPT_LANGUAGE, said)])), best, "{said}");
    }
    assert_eq!(listed.best(&HeaderMap::new()), "en");
    let two_lines = request(&[(ACCEPT_LANGUAGE, "it;q=0.9"), (ACCEPT_LANGUAGE, "de;q=0.1")]);
    assert_eq!(listed.best(&two_lines), "de");
    assert_eq!(Languages::new(Vec::new()), None);
}

#[test]
fn devices_are_told_by_their_words() {
    use DeviceClass::{Bot, Desktop, Mobile, Tablet};
    for (agent, class) in [
        ("", Desktop),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0", Desktop),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
            Desktop,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
            Mobile,
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
            Mobile,
        ),
        ("Opera/9.80 (J2ME/MIDP; Opera Mini/9.80) Presto/2.8.119", Mobile),
        ("Mozilla/5.0 (Android 15; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0", Mobile),
        ("Mozilla/5.0 (Android 15; Tablet; rv:143.0) Gecko/143.0 Firefox/143.0", Tablet),
        (
            "Mozilla/5.0 (Linux; Android 13; SM-X906C) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
            Tablet,
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 12_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
            Tablet,
        ),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", Bot),
        ("Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X) Mobile Safari/537.36 (compatible; Googlebot/2.1)", Bot),
        ("curl/8.16.0", Bot),
        ("python-requests/2.32", Bot),
    ] {
        assert_eq!(DeviceClass::of(&request(&[(USER_AGENT, agent)])), class, "{agent}");
    }
    assert_eq!(DeviceClass::of(&HeaderMap::new()), Desktop);
    for class in DeviceClass::ALL {
        assert_eq!(DeviceClass::of(&request(&[(USER_AGENT, class.user_agent())])), class);
    }
}

#[test]
fn fields_are_mapped_by_the_first_that_fits() {
    let name = HeaderName::from_static("x-a");
    let mapping = Mapping::new(["EUR", "usd", "*chf* -> CHF", "?? -> two", "*f* -> f"]).unwrap();
    let value = |said: &str| mapping.value(&request(&[(name.clone(), said)]), &name);
    for (said, wanted) in [
        ("EUR", Some("EUR")),
        ("eur", Some("EUR")),
        ("USD", Some("usd")),
        ("in CHF, please", Some("CHF")),
        ("xx", Some("two")),
        ("two", Some("two")),
        ("f", Some("f")),
        ("xfx", Some("f")),
        ("gbp", None),
        ("", None),
    ] {
        assert_eq!(value(said), wanted, "{said}");
    }
    assert_eq!(mapping.value(&HeaderMap::new(), &name), None);
    let with_default = Mapping::new(["a", "* -> other"]).unwrap();
    assert_eq!(with_default.value(&HeaderMap::new(), &name), Some("other"));
    assert_eq!(with_default.value(&request(&[(name.clone(), "b"), (name.clone(), "c")]), &name), Some("other"));
}

#[test]
fn wrong_elements_are_refused() {
    for (text, problem) in [
        ("", MappingProblem::Empty),
        ("-> a", MappingProblem::Empty),
        ("a ->", MappingProblem::Empty),
        ("a -> b\u{e9}", MappingProblem::Value),
        ("a\nb", MappingProblem::Value),
    ] {
        assert_eq!(Mapping::new([text]), Err(problem), "{text:?}");
    }
    assert!(matches!(Mapping::new(["[a -> b"]), Err(MappingProblem::Pattern(_))));
}

fn rule() -> Normalise {
    Normalise {
        languages: Some(languages(&["en", "de-AT", "de"])),
        device: DeviceRule::UserAgent,
        fields: vec![
            (HeaderName::from_static("x-a"), Mapping::new(["one", "*o* -> two words", "b* -> o"]).unwrap()),
            (HeaderName::from_static("x-b"), Mapping::new(["x", "* -> y"]).unwrap()),
        ],
    }
}

#[test]
fn what_is_covered_is_what_is_changed() {
    let names: Vec<_> = rule().edits(&HeaderMap::new()).iter().map(|edit| edit.name().clone()).collect();
    assert_eq!(names, ["accept-language", "x-device-class", "user-agent", "x-a", "x-b"]);
    assert!(rule().covers(&USER_AGENT) && rule().covers(&HeaderName::from_static("x-a")) && !rule().is_off());
    let header = Normalise { device: DeviceRule::Header, ..Normalise::default() };
    assert!(!header.covers(&USER_AGENT) && !header.is_off());
    assert!(Normalise::default().is_off() && Normalise::default().edits(&HeaderMap::new()).is_empty());
}

#[test]
fn caches_downstream_hear_of_what_they_see() {
    let vary = |value: &str| Vary::parse(&request(&[(http::header::VARY, value)]));
    let header = Normalise { device: DeviceRule::Header, ..Normalise::default() };
    assert!(header.vary(&vary("X-Device-Class")).is_some_and(|edit| *edit.name() == http::header::VARY));
    for unchanged in ["Accept", "X-Device-Class, User-Agent", "*"] {
        assert_eq!(header.vary(&vary(unchanged)), None, "{unchanged}");
    }
    assert_eq!(Normalise::default().vary(&vary("X-Device-Class")), None);
}

fn any_request() -> impl Strategy<Value = HeaderMap> {
    let name = prop::sample::select(vec!["accept-language", "user-agent", "x-a", "x-b", "x-device-class"]);
    let value = prop_oneof![
        "[a-eo*;q=0-9.,-]{0,12}".prop_map(String::into_bytes),
        "(de|en|de-AT|DE-ch-x-y|\\*)(;q=(0|0\\.5|1))?(, ?(de|en|fr))?".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec((name, value), 0..6).prop_map(|lines| {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(name, value);
            }
        }
        headers
    })
}

proptest! {
    #[test]
    fn once_is_as_good_as_twice(mut headers in any_request()) {
        let rule = rule();
        apply(rule.edits(&headers), &mut headers);
        let once = headers.clone();
        apply(rule.edits(&headers), &mut headers);
        prop_assert_eq!(once, headers);
    }

    #[test]
    fn few_values_are_left(mut headers in any_request()) {
        apply(rule().edits(&headers), &mut headers);
        let value = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let one_of = |name: &str, values: &[&str]| value(name).is_some_and(|value| values.contains(&value.as_str()));
        prop_assert!(one_of("accept-language", &["en", "de-AT", "de"]));
        prop_assert!(one_of("x-device-class", &DeviceClass::ALL.map(DeviceClass::label)));
        prop_assert!(one_of("user-agent", &DeviceClass::ALL.map(DeviceClass::user_agent)));
        prop_assert!(value("x-a").is_none() || one_of("x-a", &["one", "two words", "o"]));
        prop_assert!(one_of("x-b", &["x", "y"]));
    }
}
