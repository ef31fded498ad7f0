//! `[memory]`, `[admin]`, `[metrics]`, `[log]`, `[runtime]`: the process itself.

use super::Key;
use crate::config::kind::{Form, Kind, LIFETIME, SHORT_WAIT};

pub(super) const MEMORY: &[Key] = &[Key::new(
    "budget",
    Kind::Budget,
    r#""40%""#,
    "For cached bytes, fills in flight and encoders together: a share of the container's memory limit (64MiB where there is none), or a size.",
)];

pub(super) const ADMIN: &[Key] = &[
    Key::new(
        "address",
        Kind::Text(Form::Socket),
        r#""0.0.0.0:9901""#,
        "Where probes, metrics and purges are served; not only loopback, since the kubelet's probes come from the node.",
    )
    .at_start(),
    Key::optional(
        "token",
        Kind::Text(Form::Secret),
        r#""${VACPACK_ADMIN_TOKEN}""#,
        "Lets a caller from elsewhere purge, as `Authorization: Bearer`; without one only loopback may.",
    ),
    Key::optional(
        "token_file",
        Kind::Text(Form::File),
        r#""/run/secrets/admin-token""#,
        "A file that holds the token, in its place.",
    ),
];

pub(super) const METRICS: &[Key] = &[
    Key::new(
        "latency_buckets",
        Kind::List(&LIFETIME),
        r#"["1ms", "2.5ms", "5ms", "10ms", "25ms", "50ms", "75ms", "100ms", "125ms", "150ms", "250ms", "500ms", "1s", "2.5s", "10s"]"#,
        "Upper bounds of the latency histograms, ascending.",
    ),
    Key::new(
        "labels",
        Kind::Map { name: Form::Label, value: &Kind::Text(Form::Any) },
        "{}",
        "Constant labels on every series.",
    )
    .example(r#"{ team = "shop" }"#),
];

const ACCESS: &[Key] = &[
    Key::new("enabled", Kind::Bool, "true", "One line a request."),
    Key::new(
        "sample",
        Kind::Ratio,
        "1.0",
        "The share of ordinary requests logged, 0 to 1; errors and slow ones always are.",
    ),
    Key::new("slow", LIFETIME, r#""1s""#, "A request that took this long is always logged."),
    Key::new(
        "exclude",
        Kind::List(&Kind::Text(Form::PathGlob)),
        r#"["/healthz"]"#,
        "Paths that get no line: probes would drown the rest; they are counted all the same.",
    ),
];

pub(super) const LOG: &[Key] = &[
    Key::new(
        "level",
        Kind::Word(&["error", "warn", "info", "debug", "trace"]),
        r#""info""#,
        "The least severe that is written.",
    ),
    Key::new(
        "format",
        Kind::Word(&["auto", "json", "text"]),
        r#""auto""#,
        "\"auto\" is text on a terminal and JSON elsewhere.",
    )
    .at_start(),
    Key::table("access", ACCESS, "The access log."),
];

const THREADS: Kind = Kind::Integer { min: 1, max: 1024 };

pub(super) const RUNTIME: &[Key] = &[
    Key::new(
        "workers",
        Kind::WordOr("auto", &THREADS),
        r#""auto""#,
        "Threads that serve; \"auto\" is the CPU limit, rounded up.",
    )
    .at_start(),
    Key::new(
        "drain_delay",
        SHORT_WAIT,
        r#""5s""#,
        "After SIGTERM: not ready, but still serving, until everybody knows.",
    ),
    Key::new(
        "drain_limit",
        SHORT_WAIT,
        r#""20s""#,
        "Then finish what is in flight, for at most this long; together at least 5s less than the pod's grace.",
    ),
    Key::new(
        "grace",
        SHORT_WAIT,
        r#""30s""#,
        "The pod's `terminationGracePeriodSeconds`, after which it is killed: changes nothing but the warning when the two above do not fit in it.",
    ),
];
