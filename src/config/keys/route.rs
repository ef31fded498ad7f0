//! `[[route]]`: what differs for some requests.

use super::{Key, cache, compression, headers};
use crate::config::kind::{Form, Kind};

const MATCH: &[Key] = &[
    Key::optional(
        "path",
        Kind::OneOrMany(&Kind::Text(Form::PathGlob)),
        r#""/assets/**""#,
        "The path without its query: `*` within one segment, `**` across them, `{a,b}` either; one, or a list.",
    ),
    Key::optional(
        "method",
        Kind::OneOrMany(&Kind::Text(Form::Method)),
        r#"["GET", "HEAD"]"#,
        "The method; one, or a list.",
    ),
    Key::optional(
        "host",
        Kind::OneOrMany(&Kind::Text(Form::HostGlob)),
        r#""*.example.com""#,
        "The host without its port; one, or a list.",
    ),
];

pub(super) const KEYS: &[Key] = &[
    Key::optional("name", Kind::Text(Form::RouteName), r#""static""#, "Its name in metrics and logs.").required(),
    Key::table("match", MATCH, "What a request must be; each key that is given must hold.").required(),
    Key::new(
        "priority",
        Kind::Word(&["critical", "high", "normal", "low"]),
        r#""normal""#,
        "Which requests go first when the app has no place for all: \"critical\", \"high\", \"normal\" or \"low\".",
    ),
    Key {
        name: "cache",
        kind: Kind::Switch(cache::ROUTE),
        default: None,
        example: None,
        doc: "Caching of these answers; false for none.",
        required: false,
        restart: false,
    },
    Key {
        name: "compression",
        kind: Kind::Switch(compression::ROUTE),
        default: None,
        example: None,
        doc: "Compression of these answers; false for none.",
        required: false,
        restart: false,
    },
    Key::table("headers", headers::ROUTE, "Fields of these responses, beside those of [headers]."),
    Key::table("request_headers", headers::REQUEST, "Fields of these requests on their way to the app."),
];
