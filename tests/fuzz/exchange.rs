//! Any bytes as a request and the app's answer to it: what a fuzzer changes stays an exchange.
//!
//! Lines before the first empty one are the request's fields, those after it the response's; the first byte of all picks
//! status and method. A line that no field can be is left out, as HTTP's own parser would refuse it.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

pub struct Exchange {
    pub method: Method,
    pub request: HeaderMap,
    pub status: StatusCode,
    pub response: HeaderMap,
}

/// Those that some rule is about, and most of all the first.
const STATUS: [u16; 16] = [200, 200, 200, 200, 200, 203, 204, 206, 301, 302, 304, 404, 410, 500, 503, 599];

impl Exchange {
    pub fn read(input: &[u8]) -> Self {
        let (pick, lines) = input.split_first().map_or((0, input), |(pick, lines)| (usize::from(*pick), lines));
        let mut heads = [HeaderMap::new(), HeaderMap::new()];
        let mut which = 0;
        for line in lines.split(|byte| *byte == b'\n') {
            match field(line) {
                Some((name, value)) => drop(heads[which].try_append(name, value)),
                None if line.is_empty() => which = 1,
                None => {}
            }
        }
        let [request, response] = heads;
        let status = StatusCode::from_u16(STATUS[pick % STATUS.len()]).unwrap_or_default();
        let method =
            [Method::GET, Method::GET, Method::GET, Method::HEAD, Method::POST][pick / STATUS.len() % 5].clone();
        Self { method, request, status, response }
    }
}

fn field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
}
