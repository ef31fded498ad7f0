//! `GET /api/explain`: what would become of a request, and why.
//!
//! It changes nothing, and shows what is stored - tags, the fields of other clients that select a variant - so it is for
//! those who may purge, not for those who may read metrics.

use http::{HeaderMap, StatusCode};

use super::query::parameters;
use super::reply::{self, Reply};
use crate::explain::{Explanation, Question, QuestionProblem, field};

/// The part of the proxy that explaining needs; whoever owns the proxy gives it at construction.
pub trait Explain: Send + Sync {
    fn explain(&self, question: &Question) -> Result<Explanation, QuestionProblem>;
}

/// The question in a query: `url`, which may be a path beside a `Host` field, `method`, and any number of `header`. The
/// error says how to ask.
pub fn question(query: &str) -> Result<Question, String> {
    let (mut method, mut url, mut fields) = (None, None, HeaderMap::new());
    for (name, value) in parameters(query, &["url", "method", "header"]).map_err(|problem| problem.to_string())? {
        match name.as_str() {
            "header" => {
                let (name, value) = field(&value).map_err(|problem| problem.to_string())?;
                fields.append(name, value);
            }
            "url" if url.is_none() => url = Some(value),
            "method" if method.is_none() => method = Some(value),
            _ => return Err(format!("parameter `{name}` is given twice")),
        }
    }
    let url = url.ok_or("say what to explain: GET /api/explain?url=http://host/path")?;
    Question::new(method.as_deref().unwrap_or("GET"), &url, fields).map_err(|problem| problem.to_string())
}

pub fn run(proxy: &dyn Explain, query: &str) -> Reply {
    let explained = question(query).and_then(|asked| proxy.explain(&asked).map_err(|problem| problem.to_string()));
    let document = explained.and_then(|told| serde_json::to_value(told).map_err(|error| error.to_string()));
    match document {
        Ok(document) => reply::json(StatusCode::OK, &document),
        Err(message) => reply::refusal(StatusCode::BAD_REQUEST, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read() {
        let asked = question("method=HEAD&url=http://h/p%3Fa=1&header=Accept:%20x&header=Accept:%20y").expect("asked");
        assert_eq!((asked.method.as_str(), asked.url.to_string().as_str()), ("HEAD", "http://h/p?a=1"));
        assert_eq!(asked.fields.get_all("accept").iter().count(), 2);
        let asked = question("url=/p&header=Host:%20h").expect("asked");
        assert_eq!((asked.method.as_str(), asked.url.to_string().as_str()), ("GET", "http://h/p"));
    }

    #[test]
    fn mistakes_are_explained() {
        for (query, told) in [
            ("", "say what to explain"),
            ("method=GET", "say what to explain"),
            ("url=/p", "the host is part of the key"),
            ("url=nonsense", "scheme is missing"),
            ("url=http://h/&url=http://h/", "twice"),
            ("url=http://h/&header=x", "is no field"),
            ("url=http://h/&method=G%20T", "is no method"),
            ("url=http://h/?a=1&b=2", "unknown parameter `b`"),
            ("url=%zz", "percent-encoded"),
        ] {
            let message = question(query).expect_err(query);
            assert!(message.contains(told), "{query}: {message}");
        }
    }
}
