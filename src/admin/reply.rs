//! Responses of the admin listener: short, never stored, and each refusal says what to do.

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use serde_json::Value;

pub type Reply = Response<Vec<u8>>;

const TEXT: &str = "text/plain; charset=utf-8";

pub fn text(status: StatusCode, body: impl Into<String>) -> Reply {
    typed(status, TEXT, body.into().into_bytes())
}

pub fn json(status: StatusCode, body: &Value) -> Reply {
    typed(status, "application/json", format!("{body}\n").into_bytes())
}

/// A refusal in the form of the endpoints that change something.
pub fn refusal(status: StatusCode, message: impl Into<String>) -> Reply {
    json(status, &serde_json::json!({ "error": message.into() }))
}

pub fn typed(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    let length = HeaderValue::from(reply.body().len());
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, length);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

/// RFC 9110, section 15.5.6: 405 names the methods that would do.
pub fn method_not_allowed(path: &str, allow: &'static str) -> Reply {
    let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, format!("{path} answers {allow} only\n"));
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    reply
}

/// The head of the same answer to GET (RFC 9110, section 9.3.2): its length stays.
pub fn without_body(mut reply: Reply) -> Reply {
    reply.body_mut().clear();
    reply
}
