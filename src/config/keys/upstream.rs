//! `[upstream]`: the app.

use super::Key;
use crate::config::kind::{Form, Kind, TIMEOUT};

pub(super) const KEYS: &[Key] = &[
    Key::new(
        "address",
        Kind::Text(Form::Upstream),
        r#""127.0.0.1:3000""#,
        "Where the app listens: \"host:port\", or \"unix:/run/app.sock\".",
    ),
    Key::new(
        "connect_timeout",
        TIMEOUT,
        r#""1s""#,
        "How long connecting may take; the app is near, so a second is long.",
    ),
    Key::new("read_timeout", TIMEOUT, r#""60s""#, "The longest silence from the app within one response."),
    Key::new("write_timeout", TIMEOUT, r#""60s""#, "The longest wait until the app takes more of a request."),
    Key::new("idle_timeout", TIMEOUT, r#""60s""#, "How long an unused connection to the app is kept."),
    Key::new(
        "max_retries",
        Kind::Integer { min: 0, max: 3 },
        "1",
        "Further attempts after a failed connect, or, if the request is idempotent, after a kept connection broke.",
    ),
    Key::new(
        "keepalive",
        Kind::Integer { min: 0, max: 65_535 },
        "128",
        "How many idle connections to the app are kept.",
    ),
];
