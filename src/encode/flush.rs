//! When a coded body is flushed: the price is paid in bytes, the gain is that nobody waits for what the codec holds. Pure.

/// When the encoder has to let go of everything it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushRule {
    /// Each chunk is an event of its own.
    EveryChunk,
    /// When the app pauses: the chunk that drained the socket.
    WhenDrained,
    /// The codec's buffers decide: the body is whole in the app's hands already.
    Never,
}

impl FlushRule {
    /// Whether to flush after a chunk; `drained` if no more bytes of the app are waiting behind it.
    pub fn due(self, drained: bool) -> bool {
        match self {
            Self::EveryChunk => true,
            Self::WhenDrained => drained,
            Self::Never => false,
        }
    }
}

/// Media types whose bodies are sequences of messages, each wanted when it is sent.
const MESSAGE_STREAMS: [&str; 9] = [
    "text/event-stream",
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/json-seq",
    "application/stream+json",
    "application/grpc-web-text",
    "application/grpc-web-text+proto",
];

/// The rule for a response, from its `Content-Type` and `X-Accel-Buffering` values and its length.
pub fn flush_rule(media_type: Option<&[u8]>, accel_buffering: Option<&[u8]>, length: Option<u64>) -> FlushRule {
    if media_type.is_some_and(is_message_stream) {
        return FlushRule::EveryChunk;
    }
    // nginx's word for "do not hold this response back"; apps that stream already say it.
    if accel_buffering.is_some_and(|value| value.trim_ascii().eq_ignore_ascii_case(b"no")) {
        return FlushRule::EveryChunk;
    }
    match length {
        Some(_) => FlushRule::Never,
        None => FlushRule::WhenDrained,
    }
}

/// RFC 9110, section 8.3.1: the type is case-insensitive and ends at the parameters.
fn is_message_stream(value: &[u8]) -> bool {
    let essence = value.split(|&byte| byte == b';').next().unwrap_or(value);
    let essence = essence.trim_ascii();
    MESSAGE_STREAMS.iter().any(|name| essence.eq_ignore_ascii_case(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_messages_go_out_one_by_one() {
        let cases: [(&str, Option<u64>, FlushRule); 9] = [
            ("text/event-stream", None, FlushRule::EveryChunk),
            ("Text/Event-Stream; charset=utf-8", None, FlushRule::EveryChunk),
            (" application/x-ndjson ;a=b", Some(10), FlushRule::EveryChunk),
            ("application/grpc-web-text", None, FlushRule::EveryChunk),
            ("text/html", None, FlushRule::WhenDrained),
            ("text/html", Some(5), FlushRule::Never),
            ("text/event-streams", None, FlushRule::WhenDrained),
            ("text/html;x=text/event-stream", None, FlushRule::WhenDrained),
            ("", None, FlushRule::WhenDrained),
        ];
        for (media_type, length, rule) in cases {
            let got = flush_rule(Some(media_type.as_bytes()), None, length);
            assert_eq!(got, rule, "{media_type:?} {length:?}");
        }
        assert_eq!(flush_rule(None, None, None), FlushRule::WhenDrained);
    }

    #[test]
    fn accel_buffering_no_means_now() {
        for value in ["no", "NO", " no "] {
            let got = flush_rule(Some(b"text/html"), Some(value.as_bytes()), Some(9));
            assert_eq!(got, FlushRule::EveryChunk, "{value:?}");
        }
        for value in ["yes", "none", ""] {
            let got = flush_rule(Some(b"text/html"), Some(value.as_bytes()), None);
            assert_eq!(got, FlushRule::WhenDrained, "{value:?}");
        }
    }

    #[test]
    fn a_drained_socket_matters_only_where_the_length_is_unknown() {
        assert!(FlushRule::EveryChunk.due(false));
        assert!(FlushRule::WhenDrained.due(true));
        assert!(!FlushRule::WhenDrained.due(false));
        assert!(!FlushRule::Never.due(true));
    }
}
