use proptest::prelude::*;

use super::super::testing::{any_head, head, later, now, seconds};
use super::*;

type Lines = &'static [(&'static str, &'static str)];

/// What an answer is, with the tag it names.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Proceed,
    NotModified(Option<&'static str>),
    Failed,
}

/// `"a"` was changed a hundred seconds ago, and is also known as `"a-br"` and, from before a
/// recompression, `"a-old"`.
fn answer(selected: Option<&str>, modified: bool, request: Lines) -> Answer {
    let selected = selected.map(|tag| EntityTag::parse(tag.as_bytes()).unwrap());
    let same_content = ["\"a-br\"", "\"a-old\""].map(|tag| EntityTag::parse(tag.as_bytes()).unwrap());
    let validators = Validators {
        selected: selected.as_ref(),
        same_content: &same_content,
        last_modified: modified.then(|| now() - std::time::Duration::from_millis(100_500)),
        date: now(),
    };
    match precondition(&head(request), &validators) {
        Precondition::Proceed => Answer::Proceed,
        Precondition::Failed => Answer::Failed,
        Precondition::NotModified(tag) => Answer::NotModified(tag.map(|tag| match tag.to_header().as_bytes() {
            b"\"a\"" => "a",
            b"W/\"a\"" => "W/a",
            b"\"a-br\"" => "a-br",
            _ => "a-old",
        })),
    }
}

#[rustfmt::skip]
#[test]
fn preconditions_in_their_order() {
    use Answer::{Failed, NotModified, Proceed};

    let strong = Some("\"a\"");
    let weak = Some("W/\"a\"");
    for (clause, selected, modified, request, expected) in [
        ("no condition", strong, true, &[][..], Proceed),
        // §13.1.1
        ("If-Match", strong, true, &[("if-match", "\"x\", \"a\"")], Proceed),
        ("If-Match, no member", strong, true, &[("if-match", "\"x\"")], Failed),
        ("If-Match, strong comparison", weak, true, &[("if-match", "W/\"a\"")], Failed),
        ("If-Match, another coding's bytes", strong, true, &[("if-match", "\"a-br\"")], Failed),
        ("If-Match, any", strong, true, &[("if-match", "*")], Proceed),
        ("If-Match, nothing to compare", None, true, &[("if-match", "\"a\"")], Failed),
        // §13.1.4
        ("If-Unmodified-Since, later", strong, true, &[("if-unmodified-since", "@-50")], Proceed),
        ("If-Unmodified-Since, the same", strong, true, &[("if-unmodified-since", "@-100")], Proceed),
        ("If-Unmodified-Since, earlier", strong, true, &[("if-unmodified-since", "@-150")], Failed),
        ("If-Unmodified-Since, no date", strong, true, &[("if-unmodified-since", "x")], Proceed),
        ("If-Unmodified-Since, no Last-Modified", strong, false, &[("if-unmodified-since", "@-150")], Proceed),
        ("§13.2.2 step 2 is left out after step 1", strong, true, &[("if-match", "\"a\""), ("if-unmodified-since", "@-150")], Proceed),
        // §13.1.2
        ("If-None-Match", strong, true, &[("if-none-match", "\"a\"")], NotModified(Some("a"))),
        ("If-None-Match, in a list", strong, true, &[("if-none-match", "\"1\", \"a\", \"2\"")], NotModified(Some("a"))),
        ("If-None-Match, on several lines", strong, true, &[("if-none-match", "\"1\""), ("if-none-match", "\"a\"")], NotModified(Some("a"))),
        ("If-None-Match, weak comparison", strong, true, &[("if-none-match", "W/\"a\"")], NotModified(Some("a"))),
        ("If-None-Match, weak comparison", weak, true, &[("if-none-match", "\"a\"")], NotModified(Some("W/a"))),
        ("If-None-Match, any", strong, true, &[("if-none-match", "*")], NotModified(Some("a"))),
        ("If-None-Match, any, no tag", None, true, &[("if-none-match", "*")], NotModified(None)),
        ("If-None-Match, other content", strong, true, &[("if-none-match", "\"x\"")], Proceed),
        ("If-None-Match, the same in another coding", strong, true, &[("if-none-match", "\"a-br\"")], NotModified(Some("a-br"))),
        ("If-None-Match, from before a recompression", strong, true, &[("if-none-match", "\"a-old\"")], NotModified(Some("a-old"))),
        ("If-None-Match, the selected one first", strong, true, &[("if-none-match", "\"a-br\", \"a\"")], NotModified(Some("a"))),
        // §13.1.3
        ("If-Modified-Since, the same", strong, true, &[("if-modified-since", "@-100")], NotModified(Some("a"))),
        ("If-Modified-Since, later", strong, true, &[("if-modified-since", "@-50")], NotModified(Some("a"))),
        ("If-Modified-Since, earlier", strong, true, &[("if-modified-since", "@-150")], Proceed),
        ("If-Modified-Since, no date", strong, true, &[("if-modified-since", "x")], Proceed),
        ("If-Modified-Since, two", strong, true, &[("if-modified-since", "@-50"), ("if-modified-since", "@-40")], Proceed),
        ("§13.2.2 step 4 is left out after step 3", strong, true, &[("if-none-match", "\"x\""), ("if-modified-since", "@-50")], Proceed),
        ("§13.2.2 step 3 wins over step 4", strong, true, &[("if-none-match", "\"a\""), ("if-modified-since", "@-150")], NotModified(Some("a"))),
        // RFC 9111, §4.3.2
        ("If-Modified-Since against Date", strong, false, &[("if-modified-since", "@1")], NotModified(Some("a"))),
        ("If-Modified-Since against Date", strong, false, &[("if-modified-since", "@-1")], Proceed),
        // §13.2.2: the first two before the others
        ("412 before 304", strong, true, &[("if-match", "\"x\""), ("if-none-match", "\"a\"")], Failed),
    ] {
        assert_eq!(
            answer(selected, modified, request),
            expected,
            "{clause}: {request:?}"
        );
    }
}

#[rustfmt::skip]
#[test]
fn ranges_only_on_the_very_same_bytes() {
    // §13.1.5, strong comparison with the representation that would be sent.
    let same_content = [EntityTag::parse(b"\"a-br\"").unwrap()];
    for (selected, request, expected) in [
        (Some("\"a\""), &[][..], true),
        (Some("\"a\""), &[("if-range", "\"a\"")], true),
        (Some("\"a\""), &[("if-range", "\"x\"")], false),
        (Some("\"a\""), &[("if-range", "W/\"a\"")], false),
        (Some("W/\"a\""), &[("if-range", "W/\"a\"")], false),
        (Some("W/\"a\""), &[("if-range", "\"a\"")], false),
        (Some("\"a\""), &[("if-range", "\"a-br\"")], false),
        (Some("\"a\""), &[("if-range", "@-100")], false),
        (Some("\"a\""), &[("if-range", "\"a\", \"b\"")], false),
        (Some("\"a\""), &[("if-range", "\"a\""), ("if-range", "\"a\"")], false),
        (None, &[("if-range", "\"a\"")], false),
    ] as [(Option<&str>, Lines, bool); 11]
    {
        let selected = selected.map(|tag| EntityTag::parse(tag.as_bytes()).unwrap());
        let validators = Validators {
            selected: selected.as_ref(),
            same_content: &same_content,
            last_modified: Some(now() - seconds(100)),
            date: now(),
        };
        assert_eq!(
            range_applies(&head(request), &validators),
            expected,
            "{selected:?} {request:?}"
        );
    }
}

proptest! {
    #[test]
    fn whatever_the_conditions_say(
        request in any_head(&["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"]),
        tagged in any::<bool>(),
        modified in prop::option::of(0_u64..1 << 40),
    ) {
        let tag = EntityTag::parse(b"\"a\"").unwrap();
        let validators = Validators {
            selected: tagged.then_some(&tag),
            same_content: &[],
            last_modified: modified.map(|at| std::time::UNIX_EPOCH + seconds(at)),
            date: later(0),
        };
        let found = precondition(&request, &validators);
        range_applies(&request, &validators);
        if !request.contains_key(IF_MATCH) && !request.contains_key(IF_UNMODIFIED_SINCE) {
            prop_assert_ne!(found, Precondition::Failed);
        }
        if !request.contains_key(IF_NONE_MATCH) && !request.contains_key(IF_MODIFIED_SINCE) {
            prop_assert!(!matches!(found, Precondition::NotModified(_)));
        }
    }
}
