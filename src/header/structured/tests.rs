//! Tables from RFC 9651, sections 3.3 and 4.2: every type, and every way to miss it by a byte.

use proptest::prelude::*;

use super::super::testing;
use super::*;

fn one(input: &str) -> Option<Member<'_>> {
    let members = dictionary(input.as_bytes()).ok()?;
    assert!(members.len() <= 1, "{input}");
    members.into_values().next()
}

fn string(text: &str) -> Member<'_> {
    Member::Item(Item::String(Cow::Borrowed(text)))
}

#[test]
fn every_type_of_item() {
    let integer = |value| Member::Item(Item::Integer(value));
    let decimal = |value| Member::Item(Item::Decimal(value));
    let token = |value| Member::Item(Item::Token(value));
    let boolean = |value| Member::Item(Item::Boolean(value));
    let table = [
        ("a=42", integer(42)),
        ("a=-0", integer(0)),
        ("a=00", integer(0)),
        ("a=-999999999999999", integer(-999_999_999_999_999)),
        ("a=999999999999999", integer(999_999_999_999_999)),
        ("a=4.5", decimal(4.5)),
        ("a=-0.125", decimal(-0.125)),
        ("a=123456789012.0", decimal(123_456_789_012.0)),
        (r#"a="hello world""#, string("hello world")),
        (r#"a="""#, string("")),
        (r#"a="b\"c\\d""#, string(r#"b"c\d"#)),
        ("a=foo123/456", token("foo123/456")),
        ("a=*foo:bar", token("*foo:bar")),
        ("a=A", token("A")),
        ("a=:cHJldGVuZCB0aGlz:", Member::Item(Item::ByteSequence)),
        ("a=::", Member::Item(Item::ByteSequence)),
        ("a=:aGVsbG8=:", Member::Item(Item::ByteSequence)),
        ("a=:aGVsbG8:", Member::Item(Item::ByteSequence)),
        ("a=?1", boolean(true)),
        ("a=?0", boolean(false)),
        ("a", boolean(true)),
        ("*", boolean(true)),
        ("a=@1659578233", Member::Item(Item::Date(1_659_578_233))),
        (r#"a=%"f%c3%bc""#, Member::Item(Item::DisplayString)),
        ("a=()", Member::InnerList),
        ("a=( 1  2.5 \"x\";q=1 tok  );lvl=5", Member::InnerList),
        ("a;x;y=2", boolean(true)),
        ("a=1; x=?0;*y=\"z\"", integer(1)),
        ("  a=1 \t ", integer(1)),
    ];
    for (input, member) in table {
        assert_eq!(one(input), Some(member), "{input}");
    }
}

#[test]
fn members_and_the_last_of_those_that_share_a_key() {
    let members = dictionary(b"a=1, b=?0 ,\tc ,b=2;p").expect("a dictionary");
    assert_eq!(members.keys().copied().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(members["b"], Member::Item(Item::Integer(2)));
    assert_eq!(dictionary(b""), Ok(Dictionary::new()));
    assert_eq!(dictionary(b"   "), Ok(Dictionary::new()));
}

#[test]
fn everything_else_is_malformed() {
    let table = [
        ("a=1,", 4),
        (",a=1", 0),
        ("a=1,,b", 4),
        ("a b", 2),
        ("\ta", 0),
        ("A=1", 0),
        ("1=a", 0),
        ("a =1", 2),
        ("a= 1", 2),
        ("a=", 2),
        ("a=1;", 4),
        ("a=1;X", 4),
        ("a=-", 3),
        ("a=--1", 3),
        ("a=1.", 4),
        ("a=.5", 2),
        ("a=1.2345", 8),
        ("a=1000000000000000", 18),
        ("a=1234567890123.1", 17),
        ("a=1s", 3),
        ("a=\"x", 4),
        ("a=\"\\x\"", 4),
        ("a=\"\u{e9}\"", 3),
        ("a='x'", 2),
        ("a=:a:", 5),
        ("a=:====:", 8),
        ("a=:a=b:", 5),
        ("a=:_-:", 3),
        ("a=?2", 3),
        ("a=?", 3),
        ("a=@1.5", 6),
        ("a=@", 3),
        ("a=%\"%C3%BC\"", 5),
        ("a=%\"%ff\"", 8),
        ("a=%x", 3),
        ("a=(1", 4),
        ("a=(1,2)", 4),
        ("a=(1\t2)", 4),
        ("a=((1))", 3),
        ("max-age=10000, &&&&&", 15),
    ];
    for (input, at) in table {
        assert_eq!(dictionary(input.as_bytes()), Err(Malformed { at }), "{input}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in testing::line(), noise: Vec<u8>) {
        for input in [bytes, noise] {
            if let Err(Malformed { at }) = dictionary(&input) {
                prop_assert!(at <= input.len());
            }
        }
    }

    #[test]
    fn integers_and_strings_are_read_as_written(
        number in -999_999_999_999_999i64..1_000_000_000_000_000,
        text in "[ -~]{0,20}",
    ) {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        let input = format!("a={number}, b=\"{escaped}\"");
        let members = dictionary(input.as_bytes()).expect("a dictionary");
        prop_assert_eq!(&members["a"], &Member::Item(Item::Integer(number)));
        prop_assert_eq!(&members["b"], &string(&text));
    }
}
