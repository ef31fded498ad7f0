//! A request, as a test writes it.

use std::fmt::Write;

#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    pub target: String,
    pub version: &'static str,
    pub host: Option<String>,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// The host of every request that does not name another one.
pub const HOST: &str = "site.test";

impl Call {
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            version: "HTTP/1.1",
            host: Some(HOST.to_owned()),
            fields: Vec::new(),
            body: Vec::new(),
        }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub fn head(target: &str) -> Self {
        Self::new("HEAD", target)
    }

    pub fn post(target: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref().to_vec();
        let call = Self::new("POST", target).field("Content-Length", &body.len().to_string());
        Self { body, ..call }
    }

    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// `Accept-Encoding`; none at all when `codings` is empty.
    pub fn accepting(self, codings: &str) -> Self {
        if codings.is_empty() { self } else { self.field("Accept-Encoding", codings) }
    }

    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    pub fn without_host(mut self) -> Self {
        self.host = None;
        self
    }

    pub fn http10(mut self) -> Self {
        self.version = "HTTP/1.0";
        self
    }

    /// The head as it goes over the wire.
    pub fn head_bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} {}\r\n", self.method, self.target, self.version);
        let host = self.host.iter().map(|host| ("Host", host.as_str()));
        let rest = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in host.chain(rest) {
            write!(head, "{name}: {value}\r\n").expect("a String takes everything");
        }
        head += "\r\n";
        head.into_bytes()
    }
}
