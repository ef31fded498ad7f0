//! `[headers]`, and the response fields of a route.

use super::Key;
use crate::config::kind::{Form, Kind, LIFETIME};
use crate::proxy::Traceparent;

const VALUES: Kind = Kind::OneOrMany(&Kind::Text(Form::FieldValue));
const SET: Key = Key::new(
    "set",
    Kind::Map { name: Form::SettableField, value: &Kind::Text(Form::FieldValue) },
    "{}",
    "Fields to set, in place of any that the app sent.",
)
.example(r#"{ X-Content-Type-Options = "nosniff" }"#);
const ADD: Key = Key::new(
    "add",
    Kind::Map { name: Form::SettableField, value: &VALUES },
    "{}",
    "Fields to add beside any that the app sent; a list adds several lines.",
)
.example(r#"{ Link = ["</a.css>; rel=preload", "</b.js>; rel=preload"] }"#);
const REMOVE: Key = Key::new("remove", Kind::List(&Kind::Text(Form::RemovableField)), "[]", "Fields to remove.")
    .example(r#"["X-Powered-By"]"#);
const STRIP_EDGE: Key = Key::new(
    "strip_edge",
    Kind::Bool,
    "false",
    "Remove fields meant for a CDN (`CDN-Cache-Control`, `Surrogate-Control`, tags) on the way out: set it when no CDN is in front.",
);

pub(super) const KEYS: &[Key] = &[
    SET,
    ADD,
    REMOVE,
    STRIP_EDGE,
    Key::new("server_timing", Kind::Bool, "false", "Say in `Server-Timing` where the time went; clients can read it."),
    Key::new(
        "request_id",
        Kind::Bool,
        "true",
        "Give requests without a well-formed `X-Request-Id` one, for the access log and the app.",
    ),
    Key::new(
        "traceparent",
        Kind::Word(Traceparent::WORDS),
        r#""pass""#,
        "What the app gets as `traceparent` where a client sent none that is well-formed: nothing, or a new trace that is sampled or is not.",
    ),
    Key::new(
        "forwarded",
        Kind::Bool,
        "false",
        "Tell the app in `Forwarded` (RFC 7239) what `X-Forwarded-*` says; a chain that a trusted proxy began is continued in any case.",
    ),
];

pub(super) const ROUTE: &[Key] = &[
    Key::optional("browser", LIFETIME, r#""10m""#, "Freshness in browsers, written as `Cache-Control`."),
    Key::optional("cdn", LIFETIME, r#""7d""#, "Freshness in the CDN in front, written as `cdn_field`."),
    Key::new("cdn_field", Kind::Text(Form::FieldName), r#""CDN-Cache-Control""#, "The field that carries `cdn`."),
    Key::new("tags", Kind::List(&Kind::Text(Form::Tag)), "[]", "Tags by which the CDN, and vacpack, purge.")
        .example(r#"["assets"]"#),
    Key::new("tag_field", Kind::Text(Form::FieldName), r#""Cache-Tag""#, "The field that carries `tags`."),
    STRIP_EDGE,
    SET,
    ADD,
    REMOVE,
];

pub(super) const REQUEST: &[Key] = &[
    Key::new(
        "set",
        Kind::Map { name: Form::SettableField, value: &Kind::Text(Form::FieldValue) },
        "{}",
        "Fields to set on the way to the app, in place of any that the client sent.",
    )
    .example(r#"{ X-Forwarded-Prefix = "/api" }"#),
    Key::new("remove", Kind::List(&Kind::Text(Form::RemovableField)), "[]", "Fields that the app shall not see.")
        .example(r#"["X-Debug"]"#),
];
