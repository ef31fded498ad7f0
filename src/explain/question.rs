//! What an operator asks about: a method, an absolute URL, and the fields of the request.

use std::fmt;

use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};

/// A request that nobody sends.
#[derive(Clone, Debug)]
pub struct Question {
    pub method: Method,
    /// With scheme and host: both are part of the key.
    pub url: Uri,
    pub fields: HeaderMap,
}

/// Why there is no such request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuestionProblem {
    Method(String),
    Url {
        text: String,
        why: String,
    },
    /// A path alone, and no `Host` among the fields.
    NoHost(String),
    Field(String),
}

impl fmt::Display for QuestionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(text) => write!(f, "`{text}` is no method: write GET"),
            Self::Url { text, why } => write!(f, "`{text}` is no URL of a resource ({why}): write http://host/path"),
            Self::NoHost(path) => write!(
                f,
                "the host is part of the key: write http://host{path}, with the host that clients ask for, or a `Host` field"
            ),
            Self::Field(text) => write!(f, "`{text}` is no field: write 'Name: value'"),
        }
    }
}

impl Question {
    /// `url` is absolute, or a path and its query beside a `Host` field.
    pub fn new(method: &str, url: &str, fields: HeaderMap) -> Result<Self, QuestionProblem> {
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| QuestionProblem::Method(method.to_owned()))?;
        let url = absolute(url, &fields)?;
        Ok(Self { method, url, fields })
    }

    /// What the request line of an HTTP/1.1 client would name.
    pub fn target(&self) -> &str {
        self.url.path_and_query().map_or("/", |target| target.as_str())
    }

    pub fn host(&self) -> &str {
        self.url.authority().map_or("", |authority| authority.as_str())
    }

    pub fn is_https(&self) -> bool {
        self.url.scheme_str() == Some("https")
    }
}

fn absolute(text: &str, fields: &HeaderMap) -> Result<Uri, QuestionProblem> {
    let wrong = |why: String| QuestionProblem::Url { text: text.to_owned(), why };
    if text.starts_with('/') {
        let host = fields.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.ok_or_else(|| QuestionProblem::NoHost(text.to_owned()))?;
        return format!("http://{host}{text}").parse().map_err(|error: http::uri::InvalidUri| wrong(error.to_string()));
    }
    if !text.contains("://") {
        return Err(wrong("the scheme is missing".to_owned()));
    }
    let url: Uri = text.parse().map_err(|error: http::uri::InvalidUri| wrong(error.to_string()))?;
    match (url.scheme_str(), url.authority()) {
        (Some("http" | "https"), Some(_)) => Ok(url),
        _ => Err(wrong("neither http nor https".to_owned())),
    }
}

/// A field as curl's `-H` takes it: `Name: value`.
pub fn field(text: &str) -> Result<(HeaderName, HeaderValue), QuestionProblem> {
    let wrong = || QuestionProblem::Field(text.to_owned());
    let (name, value) = text.split_once(':').ok_or_else(wrong)?;
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
    let value = HeaderValue::from_bytes(value.trim().as_bytes()).map_err(|_| wrong())?;
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(url: &str, fields: &[&str]) -> Result<String, String> {
        let fields: Result<HeaderMap, _> = fields.iter().map(|text| field(text)).collect();
        let question = fields.and_then(|fields| Question::new("GET", url, fields));
        question.map(|question| question.url.to_string()).map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_url_is_absolute_or_a_path_with_a_host() {
        assert_eq!(ask("http://h.example/p?a=1", &[]), Ok("http://h.example/p?a=1".to_owned()));
        assert_eq!(ask("/p?a=1", &["Host: h.example:8080"]), Ok("http://h.example:8080/p?a=1".to_owned()));
        assert_eq!(ask("https://h", &[]), Ok("https://h/".to_owned()));
    }

    #[test]
    fn mistakes_are_explained() {
        let table: [(&str, &[&str], &str); 7] = [
            ("/p", &[], "write http://host/p"),
            ("h.example/p", &[], "scheme is missing"),
            ("ftp://h/p", &[], "neither http nor https"),
            ("http://", &[], "no URL"),
            ("/p q", &["Host: h"], "no URL"),
            ("http://h/", &["no colon"], "`no colon` is no field"),
            ("http://h/", &["a b: c"], "write 'Name: value'"),
        ];
        for (url, fields, told) in table {
            let message = ask(url, fields).expect_err(url);
            assert!(message.contains(told), "{url}: {message}");
        }
        assert!(Question::new("G T", "http://h/", HeaderMap::new()).is_err());
    }
}
