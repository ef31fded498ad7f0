//! `[listen]`: clients.

use super::Key;
use crate::config::kind::{Form, Kind, TIMEOUT};
use crate::tls::Version;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

const MAX_BODY: Kind = Kind::Size { min: 1, max: TIB };
const MAX_CONNECTIONS: Kind = Kind::Integer { min: 1, max: 1_000_000 };
const MAX_REQUESTS: Kind = Kind::Integer { min: 1, max: 1_000_000_000 };

const TLS: &[Key] = &[
    Key::new(
        "certificates",
        Kind::OneOrMany(&Kind::Text(Form::File)),
        "[]",
        "Each a directory with tls.crt and tls.key (or fullchain.pem and privkey.pem), or one file with both; a client gets the one for the name it asks for, or the first; changes are seen.",
    )
    .example(r#"["/run/secrets/tls"]"#),
    Key::new("min_version", Kind::Word(Version::WORDS), r#""1.2""#, "The oldest version of TLS that is spoken."),
    Key::optional(
        "client_ca",
        Kind::Text(Form::File),
        r#""/run/secrets/clients/ca.crt""#,
        "A file of certificates; clients must show one that these have signed, or the handshake fails.",
    ),
    Key::new("h2", Kind::Bool, "true", "Offer HTTP/2 in the handshake (ALPN)."),
];

pub(super) const KEYS: &[Key] = &[
    Key::new("address", Kind::Text(Form::Socket), r#""0.0.0.0:8080""#, "The address and port that clients connect to.")
        .at_start(),
    Key::table("tls", TLS, "TLS for every client of this port; without certificates there is none.").at_start(),
    Key::new("h2c", Kind::Bool, "true", "HTTP/2 without TLS, for clients that know beforehand."),
    Key::new(
        "max_streams",
        Kind::Integer { min: 1, max: 10_000 },
        "100",
        "How many requests at a time a client may have on one connection of HTTP/2.",
    ),
    Key::new(
        "max_connections",
        MAX_CONNECTIONS,
        "10_000",
        "Connections beyond this are told 503 and closed at once: a queue would only hide them.",
    ),
    Key::new(
        "max_connections_per_client",
        Kind::WordOr("unlimited", &MAX_CONNECTIONS),
        "1_000",
        "Connections of one address (IPv6: one /64) beyond this are told 429 and closed; those of `trusted_proxies` are not counted.",
    ),
    Key::new(
        "max_requests",
        Kind::WordOr("unlimited", &MAX_REQUESTS),
        "10_000",
        "Requests on one connection before it is closed, so that a balancer spreads connections anew.",
    ),
    Key::new(
        "header_timeout",
        TIMEOUT,
        r#""10s""#,
        "How long a request's head may take to arrive, first byte to last.",
    ),
    Key::new(
        "idle_timeout",
        TIMEOUT,
        r#""75s""#,
        "How long an unused connection is kept; longer than the load balancer's own (60s with most), so that it is the one that closes.",
    ),
    Key::new(
        "write_timeout",
        TIMEOUT,
        r#""60s""#,
        "How long a client may take for one piece of a response, of 128 KiB at most: also the least rate at which it reads.",
    ),
    Key::new("body_timeout", TIMEOUT, r#""60s""#, "The longest silence within a request's body."),
    Key::new(
        "min_body_rate",
        Kind::Size { min: 0, max: MIB },
        r#""240B""#,
        "Bytes a second that a request's body arrives with on average, after its first 10s; \"0B\" for any. Not of gRPC and WebSocket.",
    ),
    Key::new(
        "max_body",
        Kind::WordOr("unlimited", &MAX_BODY),
        r#""1GiB""#,
        "The largest request body, or \"unlimited\"; bodies stream through, so this protects the app and not our memory.",
    ),
    Key::new(
        "max_url",
        Kind::Size { min: 256, max: MIB },
        r#""16KiB""#,
        "The longest request target; a longer one is answered 414.",
    ),
    Key::new(
        "max_header_size",
        Kind::Size { min: KIB, max: MIB },
        r#""32KiB""#,
        "The largest request head; a larger one is answered 431.",
    ),
    // 256 is the most that the HTTP/1 parser below us takes.
    Key::new(
        "max_header_count",
        Kind::Integer { min: 1, max: 256 },
        "100",
        "The most fields in a request head; more are answered 431.",
    ),
    Key::new(
        "proxy_protocol",
        Kind::List(&Kind::Text(Form::Network)),
        "[]",
        "Balancers whose connections begin with a PROXY header, version 1 or 2; theirs without one are closed.",
    )
    .at_start()
    .example(r#"["10.0.0.0/8"]"#),
    Key::new(
        "trusted_proxies",
        Kind::List(&Kind::Text(Form::Network)),
        r#"["127.0.0.0/8", "::1/128", "10.0.0.0/8"]"#,
        "Whose `X-Forwarded-*` and `Forwarded` fields are believed; everybody else's are replaced.",
    ),
];
