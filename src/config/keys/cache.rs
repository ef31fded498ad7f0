//! `[cache]`, and those of its keys that a route can change.

use super::Key;
use crate::config::kind::{Form, Kind, LIFETIME, SHORT_WAIT};

const STALE: &[Key] = &[
    Key::new("while_revalidating", LIFETIME, r#""0s""#, "While a fresh one is fetched in the background (RFC 5861)."),
    Key::new("on_error", LIFETIME, r#""0s""#, "While the app fails (RFC 5861)."),
    Key::new(
        "limit",
        LIFETIME,
        r#""7d""#,
        "The most that anybody can allow: the two above, the app's own fields, and a client's `max-stale`.",
    ),
];

const KEY: &[Key] = &[
    Key::new(
        "ignore_query",
        Kind::List(&Kind::Text(Form::NameGlob)),
        "[]",
        "Query parameters that do not change the answer.",
    )
    .example(r#"["utm_*", "gclid"]"#),
    Key::optional(
        "keep_query",
        Kind::List(&Kind::Text(Form::NameGlob)),
        r#"["id", "page"]"#,
        "The only query parameters that change the answer; [] for none.",
    ),
    Key::new("sort_query", Kind::Bool, "false", "Whether the order of query parameters is of no meaning."),
    Key::new(
        "headers",
        Kind::List(&Kind::Text(Form::FieldName)),
        "[]",
        "Request fields whose values part the answers, beside those the app names in `Vary`.",
    )
    .example(r#"["Accept-Language"]"#),
    Key::new("cookies", Kind::List(&Kind::Text(Form::CookieName)), "[]", "Cookies whose values part the answers.")
        .example(r#"["currency"]"#),
    Key::optional(
        "host",
        Kind::Text(Form::Host),
        r#""shop.example""#,
        "Stands in the key for the host that was asked for: for several names of one site, whose answers do not depend on the name.",
    ),
];

const NORMALISED: &[Key] = &[
    Key::new(
        "accept_language",
        Kind::List(&Kind::Text(Form::Language)),
        "[]",
        "The languages that the app speaks, the default first: `Accept-Language` becomes one of them (RFC 4647, lookup).",
    )
    .example(r#"["en", "de", "fr"]"#),
    Key::new(
        "device_class",
        Kind::Word(&["off", "header", "user-agent"]),
        r#""off""#,
        "\"header\" tells the app in `X-Device-Class`: desktop, mobile, tablet or bot; \"user-agent\" also puts a typical `User-Agent` of the class in place of the client's.",
    ),
    Key::new(
        "fields",
        Kind::Map { name: Form::NormalisedField, value: &Kind::List(&Kind::Text(Form::Mapping)) },
        "{}",
        "By field, its values, or `pattern -> value`; the first that fits, and without one the field goes.",
    )
    .example(r#"{ X-Currency = ["EUR", "USD", "* -> EUR"] }"#),
];

const ENABLED: Key = Key::new("enabled", Kind::Bool, "true", "Keep answers that RFC 9111 lets us keep.");
const DEFAULT_TTL: Key = Key::new(
    "default_ttl",
    LIFETIME,
    r#""0s""#,
    "Freshness where the app gives none; \"0s\" keeps only what the app's own fields allow.",
);
const SERVE_STALE: Key = Key::table(
    "serve_stale",
    STALE,
    "How long past its freshness an answer still serves, beyond what the app itself allows.",
);
const HEURISTIC: Key = Key::new(
    "heuristic",
    Kind::Bool,
    "false",
    "Guess freshness from `Last-Modified` where the app gives none (RFC 9111, section 4.2.2).",
);
const NEGATIVE: Key = Key::new(
    "negative",
    Kind::Map { name: Form::Status, value: &LIFETIME },
    r#"{ 404 = "10s", 410 = "1m" }"#,
    "Freshness of errors by status, only where the app gives none; {} for none.",
);
const CACHE_KEY: Key = Key::table("key", KEY, "What, beside scheme, host, path and query, tells two answers apart.");

const NORMALISE: Key = Key::table(
    "normalise",
    NORMALISED,
    "Fields of cacheable requests that are cut down to few values before the app sees them, so that its `Vary` makes few variants.",
);

pub(super) const KEYS: &[Key] = &[
    ENABLED,
    Key::new(
        "max_object",
        Kind::Size { min: 1 << 10, max: 1 << 30 },
        r#""4MiB""#,
        "Larger answers pass through without being kept.",
    ),
    DEFAULT_TTL,
    SERVE_STALE,
    Key::new(
        "coalesce",
        SHORT_WAIT,
        r#""5s""#,
        "How long requests for an object wait until the one that is fetching it has something for them; \"0s\" never.",
    ),
    Key::new(
        "max_waiters",
        Kind::Integer { min: 1, max: 1_000_000 },
        "10000",
        "The most requests that wait for one fetch; those beyond go to the app at once.",
    ),
    Key::new(
        "targets",
        Kind::List(&Kind::Text(Form::FieldName)),
        r#"["CDN-Cache-Control"]"#,
        "Targeted fields obeyed, in order (RFC 9213); after them `Surrogate-Control`, then `Cache-Control`.",
    ),
    HEURISTIC,
    NEGATIVE,
    CACHE_KEY,
    NORMALISE,
    Key::new(
        "max_variants",
        Kind::Integer { min: 1, max: 1024 },
        "16",
        "The most variants of one resource that the app's `Vary` may make; those in use stay.",
    ),
    Key::new(
        "generation",
        Kind::Text(Form::Any),
        r#""""#,
        "A part of every key: a new value makes all that is kept unreachable.",
    )
    .example(r#""${POD_TEMPLATE_HASH:-}""#),
    Key::new(
        "purge_from",
        Kind::List(&Kind::Text(Form::Network)),
        "[]",
        "Peers that may send `PURGE` to the main listener; with none, the method goes to the app like any other.",
    )
    .example(r#"["127.0.0.1/32"]"#),
    Key::new("status_header", Kind::Bool, "true", "Say in `Cache-Status` (RFC 9211) what the cache did."),
];

pub(super) const ROUTE: &[Key] = &[
    ENABLED,
    Key::optional(
        "ttl",
        LIFETIME,
        r#""1h""#,
        "Freshness where the app gives none, and the most where it gives more; `no-store` and `private` still win unless `override` is set.",
    ),
    Key::new("override", Kind::Bool, "false", "Let `ttl` win over the app's own fields."),
    Key::new(
        "set_cookie",
        Kind::Word(&["refuse", "strip", "keep"]),
        r#""refuse""#,
        "An answer with `Set-Cookie` is not kept; or kept without it, so that only the client that fetched it gets the cookie; or kept with it, which is right only for a cookie that is the same for everybody.",
    ),
    DEFAULT_TTL,
    SERVE_STALE,
    HEURISTIC,
    NEGATIVE,
    CACHE_KEY,
    NORMALISE,
];
