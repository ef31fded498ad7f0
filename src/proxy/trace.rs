//! What a request is called, so that its lines in our log and the app's can be found together: `X-Request-Id`, and the
//! `traceparent` of W3C Trace Context.
//!
//! Neither gives its sender any right, so that both are taken from anybody who writes them well. vacpack records no spans
//! and is no node of a trace: a `traceparent` is passed on as it came, and made only where the operator asks for it, since
//! its sampling flag decides for the app what it records.

use http::HeaderName;
use pingora::http::RequestHeader;

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// A longer name is nobody's.
const LONGEST_ID: usize = 128;

/// What is made where a client sent none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceRules {
    pub request_id: bool,
    pub traceparent: Traceparent,
}

/// A new trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traceparent {
    /// None is begun.
    Pass,
    Sampled,
    Unsampled,
}

impl Traceparent {
    pub const WORDS: &'static [&'static str] = &["pass", "sampled", "unsampled"];

    pub fn of(word: &str) -> Self {
        match word {
            "sampled" => Self::Sampled,
            "unsampled" => Self::Unsampled,
            _ => Self::Pass,
        }
    }
}

/// Names a request that has no name. `random`: for what is made.
pub fn name(request: &mut RequestHeader, rules: TraceRules, mut random: impl FnMut() -> u128) -> pingora::Result<()> {
    let sent = |request: &RequestHeader, name| {
        let mut lines = request.headers.get_all(name).iter();
        let first = lines.next().map(|value| value.as_bytes().to_vec());
        first.filter(|_| lines.next().is_none())
    };
    if rules.request_id && !sent(request, X_REQUEST_ID).is_some_and(|id| is_id(&id)) {
        request.insert_header(X_REQUEST_ID, format!("{:032x}", random()))?;
    }
    let flags = match rules.traceparent {
        Traceparent::Pass => return Ok(()),
        Traceparent::Sampled => "01",
        Traceparent::Unsampled => "00",
    };
    if !sent(request, TRACEPARENT).is_some_and(|parent| is_traceparent(&parent)) {
        // W3C Trace Context, sections 3.2.2.3 and 3.2.2.4: neither may be zero.
        let (trace, span) = (random().max(1), (random() as u64).max(1));
        request.insert_header(TRACEPARENT, format!("00-{trace:032x}-{span:016x}-{flags}"))?;
        // Section 4.3: what was said of another trace says nothing of this one.
        request.remove_header(&TRACESTATE);
    }
    Ok(())
}

/// Drawn by the kernel; where it has none to give, the same for all: a name is no secret.
pub fn random() -> u128 {
    let mut bytes = [0; 16];
    let _drawn = getrandom::fill(&mut bytes);
    u128::from_be_bytes(bytes)
}

fn is_id(id: &[u8]) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// W3C Trace Context, section 3.2; a later version may have more behind the flags.
fn is_traceparent(value: &[u8]) -> bool {
    let parts: Vec<&[u8]> = value.split(|byte| *byte == b'-').collect();
    let [version, trace, span, flags, rest @ ..] = parts.as_slice() else {
        return false;
    };
    let hex =
        |part: &[u8], length| part.len() == length && part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let set = |part: &[u8]| part.iter().any(|byte| *byte != b'0');
    let lengths = hex(version, 2) && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
    lengths && set(trace) && set(span) && *version != b"ff" && (rest.is_empty() || *version != b"00")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: TraceRules = TraceRules { request_id: true, traceparent: Traceparent::Sampled };
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

    fn named(fields: &[(&'static str, &str)], rules: TraceRules) -> [Option<String>; 3] {
        let mut request = RequestHeader::build("GET", b"/", None).expect("a request");
        for (name, value) in fields {
            request.append_header(*name, *value).expect("a field");
        }
        name(&mut request, rules, || 0xab).expect("named");
        [X_REQUEST_ID, TRACEPARENT, TRACESTATE]
            .map(|name| request.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned))
    }

    #[test]
    fn what_a_client_sent_well_is_passed_on() {
        let sent = [("x-request-id", "abc-1"), ("traceparent", PARENT), ("tracestate", "a=b")];
        assert_eq!(named(&sent, ALL), [Some("abc-1".into()), Some(PARENT.into()), Some("a=b".into())]);
    }

    #[test]
    fn what_is_missing_or_wrong_is_made() {
        let id = Some(format!("{:032x}", 0xab));
        let parent = Some(format!("00-{:032x}-{:016x}-01", 0xab, 0xab));
        assert_eq!(named(&[], ALL), [id.clone(), parent.clone(), None]);
        let long = "x".repeat(129);
        for (wrong, name) in [("two words", "x-request-id"), (&long, "x-request-id")] {
            assert_eq!(named(&[(name, wrong)], ALL)[0], id, "{wrong}");
        }
        assert_eq!(named(&[("x-request-id", "a"), ("x-request-id", "b")], ALL)[0], id, "two names are none");
        for wrong in [
            "00-00000000000000000000000000000000-b7ad6b7169203331-00",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-x",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        ] {
            assert_eq!(
                named(&[("traceparent", wrong), ("tracestate", "a=b")], ALL)[1..],
                [parent.clone(), None],
                "{wrong}"
            );
        }
        let later = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-x";
        assert_eq!(named(&[("traceparent", later)], ALL)[1].as_deref(), Some(later));
    }

    #[test]
    fn nothing_is_made_that_nobody_asked_for() {
        let rules = TraceRules { request_id: false, traceparent: Traceparent::Pass };
        assert_eq!(named(&[("traceparent", "nonsense")], rules), [None, Some("nonsense".into()), None]);
        let unsampled = TraceRules { traceparent: Traceparent::Unsampled, ..rules };
        assert!(named(&[], unsampled)[1].as_ref().is_some_and(|parent| parent.ends_with("-00")));
    }
}
