//! The request as the sample app reads it: the head only, bounded (RFC 9112, sections 2 to 5).

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// A head is read whole or refused.
const HEAD_LIMIT: u64 = 32 * 1024;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    /// HTTP/1.0 knows no chunks.
    pub(super) http10: bool,
    /// The connection ends after the answer: the client said so, or there is a body that nobody reads.
    pub(super) close: bool,
    pub(super) if_none_match: Option<String>,
}

/// The next request, or `None` when the client has closed between two.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<Option<Request>> {
    let mut head = stream.take(HEAD_LIMIT);
    let mut line = String::new();
    // RFC 9112, section 2.2: an empty line ahead of a request is ignored.
    while line.trim().is_empty() {
        line.clear();
        if head.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
    }
    let mut request = request_line(&line).ok_or(io::ErrorKind::InvalidData)?;
    loop {
        line.clear();
        if head.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(Some(request));
        }
        let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        request.note(name, value.trim());
    }
}

fn request_line(line: &str) -> Option<Request> {
    let mut words = line.split_ascii_whitespace();
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let http10 = match version {
        "HTTP/1.1" => false,
        "HTTP/1.0" => true,
        _ => return None,
    };
    Some(Request { method: method.to_owned(), target: target.to_owned(), http10, close: http10, if_none_match: None })
}

impl Request {
    fn note(&mut self, name: &str, value: &str) {
        if name.eq_ignore_ascii_case("connection") {
            self.close |= value.split(',').any(|option| option.trim().eq_ignore_ascii_case("close"));
        } else if name.eq_ignore_ascii_case("if-none-match") {
            self.if_none_match = Some(value.to_owned());
        } else if name.eq_ignore_ascii_case("transfer-encoding")
            || (name.eq_ignore_ascii_case("content-length") && value != "0")
        {
            self.close = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parse(text: &str) -> io::Result<Option<Request>> {
        read(&mut BufReader::new(text.as_bytes())).await
    }

    #[tokio::test]
    async fn the_head_is_read() {
        let request = parse("\r\nGET /a?b HTTP/1.1\r\nHost: x\r\nIF-NONE-MATCH: \"1\"\r\n\r\n").await.unwrap().unwrap();
        let expected = Request {
            method: "GET".into(),
            target: "/a?b".into(),
            http10: false,
            close: false,
            if_none_match: Some("\"1\"".into()),
        };
        assert_eq!(request, expected);
    }

    #[tokio::test]
    async fn the_connection_ends_when_told_or_when_a_body_comes() {
        let table = [
            ("GET / HTTP/1.1\r\n\r\n", false),
            ("GET / HTTP/1.0\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nConnection: te, Close\r\n\r\n", true),
            ("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", true),
            ("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", false),
        ];
        for (text, close) in table {
            assert_eq!(parse(text).await.unwrap().unwrap().close, close, "{text:?}");
        }
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        assert!(parse("").await.unwrap().is_none());
        let endless = format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(40_000));
        for text in
            ["GET /\r\n\r\n", "GET / HTTP/2\r\n\r\n", "GET / HTTP/1.1\r\nHost\r\n\r\n", "GET / HTTP/1.1\r\n", &endless]
        {
            assert!(parse(text).await.is_err(), "{text:?}");
        }
    }
}
