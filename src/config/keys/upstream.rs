//! `[upstream]`: the app.

use super::Key;
use crate::config::kind::{Form, Kind, TIMEOUT};
use crate::upstream::Protocol;

const KIB: u64 = 1 << 10;

const BREAKER: &[Key] = &[
    Key::new(
        "failures",
        Kind::Integer { min: 1, max: 1_000_000 },
        "5",
        "Failures in a row after which an address is left alone.",
    ),
    Key::new("pause", TIMEOUT, r#""500ms""#, "For how long; then one request each pause tries it again."),
];

const H2: &[Key] = &[
    Key::new(
        "max_streams",
        Kind::Integer { min: 1, max: 10_000 },
        "100",
        "Requests at once on one connection, or fewer if the app says so; then there is another connection.",
    ),
    Key::new(
        "ping_interval",
        TIMEOUT,
        r#""30s""#,
        "How often a connection is asked whether it lives; without an answer in 5s it is given up.",
    ),
];

const TLS: &[Key] = &[
    Key::optional(
        "server_name",
        Kind::Text(Form::ServerName),
        r#""app.shop.svc""#,
        "The name that the app's certificate is for, asked for in the handshake; otherwise the host of `address`.",
    ),
    Key::optional(
        "ca",
        Kind::Text(Form::File),
        r#""/run/secrets/app/ca.crt""#,
        "A file of certificates, one of which has signed the app's; otherwise the system's. Changes are seen.",
    ),
    Key::optional(
        "client_certificate",
        Kind::Text(Form::File),
        r#""/run/secrets/vacpack""#,
        "What the app is shown if it asks: a directory or a file, as in `listen.tls.certificates`. Changes are seen.",
    ),
    Key::new(
        "dangerously_accept_any_name",
        Kind::Bool,
        "false",
        "Take whoever has any certificate of a known signer for the app: all who are in its cluster may be.",
    ),
    Key::new(
        "dangerously_accept_any_certificate",
        Kind::Bool,
        "false",
        "Take whoever answers for the app: encryption without knowing with whom. For a first look, not for a secret.",
    ),
];

pub(super) const KEYS: &[Key] = &[
    Key::new(
        "address",
        Kind::Text(Form::Upstream),
        r#""127.0.0.1:3000""#,
        "Where the app listens: \"host:port\", \"https://host:port\", or \"unix:/run/app.sock\".",
    ),
    Key::new(
        "also",
        Kind::List(&Kind::Text(Form::Upstream)),
        "[]",
        "More addresses of the same app; all of them, and all that a name has, are asked in turn.",
    )
    .example(r#"["10.0.0.2:3000"]"#),
    Key::table("tls", TLS, "How the app is known, where `address` begins with https://."),
    Key::new(
        "protocol",
        Kind::Word(Protocol::WORDS),
        r#""h1""#,
        "HTTP/1.1, HTTP/2 with TLS (h2) or without (h2c), or what the app chooses in the handshake (auto). gRPC needs HTTP/2.",
    ),
    Key::table("h2", H2, "Connections of HTTP/2 to the app."),
    Key::new("resolve_every", TIMEOUT, r#""10s""#, "How often names are looked up again."),
    Key::optional(
        "ready_path",
        Kind::Text(Form::Any),
        r#""/healthz""#,
        "A path that the app answers with 200 to 399 when it is ready: `/readyz` then follows it, and addresses that are not are asked last.",
    ),
    Key::new("ready_interval", TIMEOUT, r#""1s""#, "How often `ready_path` is asked for."),
    Key::table(
        "breaker",
        BREAKER,
        "When an address that fails is left alone: requests go to others, or are answered at once.",
    ),
    Key::new(
        "connect_timeout",
        TIMEOUT,
        r#""1s""#,
        "How long connecting may take; the app is near, so a second is long.",
    ),
    Key::new(
        "first_byte_timeout",
        TIMEOUT,
        r#""60s""#,
        "How long the app may take until it begins to answer; no longer than `read_timeout`.",
    ),
    Key::new("read_timeout", TIMEOUT, r#""60s""#, "The longest silence from the app within one response."),
    Key::new(
        "total_timeout",
        Kind::WordOr("unlimited", &TIMEOUT),
        r#""unlimited""#,
        "How long the app may take for a whole answer, from the request to the last byte; it ends event streams too.",
    ),
    Key::new("write_timeout", TIMEOUT, r#""60s""#, "The longest wait until the app takes more of a request."),
    Key::new("idle_timeout", TIMEOUT, r#""60s""#, "How long an unused connection to the app is kept."),
    Key::new(
        "max_header_size",
        Kind::Size { min: KIB, max: KIB << 10 },
        r#""64KiB""#,
        "The largest head of an answer; a larger one is answered 502.",
    ),
    Key::new(
        "max_retries",
        Kind::Integer { min: 0, max: 3 },
        "1",
        "Further attempts after a failed connect, or, if the request is idempotent, after a kept connection broke.",
    ),
    Key::new(
        "max_requests",
        Kind::Integer { min: 1, max: 1_000_000 },
        "1_024",
        "Requests that the app is given at once; more wait. Event streams and WebSockets count until they have begun, hits never.",
    ),
    Key::new(
        "max_queued",
        Kind::Integer { min: 0, max: 1_000_000 },
        "1_024",
        "Requests that wait for that, the most important first; what is beyond is answered 503, or stale.",
    ),
    Key::new("queue_timeout", TIMEOUT, r#""2s""#, "How long a request waits before it is answered 503, or stale."),
    Key::new(
        "keepalive",
        Kind::WordOr("auto", &Kind::Integer { min: 0, max: 65_535 }),
        r#""auto""#,
        "How many unused connections to the app are kept, for `idle_timeout`; \"auto\" is `max_requests`, so that each crowd leaves as many as it needed.",
    ),
];
