//! An HTTP/1.1 client that measures: bytes of the body as transferred, time to the last byte.
//!
//! It is a client of its own so that the figures are not vacpack's word about itself. It decodes
//! nothing: what the table calls "to the client" is the body with its content coding, without the
//! framing of the transfer (RFC 9112, sections 6 and 7).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// No line of a head is longer, nor any head has more lines: both ends are ours.
const LINE_LIMIT: u64 = 16 * 1024;
const LINES_LIMIT: usize = 128;
/// The sample's largest body is some MB.
const BODY_LIMIT: u64 = 64 * 1024 * 1024;
/// The slowest resource takes under a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// A response as it came over the wire.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// From sending the request to the last byte of the body.
    pub(super) took: Duration,
}

impl Answer {
    /// The field's value over all its lines (RFC 9110, section 5.2), if there is any.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        let lines: Vec<_> = self
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum ClientError {
    Io(io::Error),
    Malformed(&'static str),
    TooSlow,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Malformed(what) => write!(f, "not an HTTP/1.1 response: {what}"),
            Self::TooSlow => write!(f, "no whole answer within {} s", PATIENCE.as_secs()),
        }
    }
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// One client with one connection that is kept open between requests, as a browser's is.
#[derive(Debug)]
pub(super) struct Client {
    target: SocketAddr,
    accept_encoding: &'static str,
    open: Option<BufReader<TcpStream>>,
}

impl Client {
    pub(super) fn new(target: SocketAddr, accept_encoding: &'static str) -> Self {
        Self { target, accept_encoding, open: None }
    }

    /// Sends a GET and reads the whole answer, on a fresh connection if the kept one has gone.
    pub(super) async fn get(&mut self, path: &str) -> Result<Answer, ClientError> {
        let asked = tokio::time::timeout(PATIENCE, async {
            if let Some(kept) = self.open.take()
                && let Ok(answer) = self.exchange(kept, path).await
            {
                return Ok(answer);
            }
            let fresh = TcpStream::connect(self.target).await?;
            fresh.set_nodelay(true)?;
            self.exchange(BufReader::new(fresh), path).await
        });
        asked.await.unwrap_or(Err(ClientError::TooSlow))
    }

    async fn exchange(&mut self, mut stream: BufReader<TcpStream>, path: &str) -> Result<Answer, ClientError> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: vacpack-demo\r\nAccept: */*\r\nAccept-Encoding: {}\r\n\r\n",
            self.target, self.accept_encoding
        );
        let (answer, reusable) = exchange(&mut stream, &request).await?;
        if reusable {
            self.open = Some(stream);
        }
        Ok(answer)
    }
}

/// Writes one request, reads one response; also says whether the connection can be used again.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    request: &str,
) -> Result<(Answer, bool), ClientError> {
    let sent = Instant::now();
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let (status, headers) = loop {
        let head = read_head(stream).await?;
        // RFC 9110, section 15.2: any number of interim responses may come before the final one.
        if !head.0.is_informational() {
            break head;
        }
    };
    let framing = framing(status, &headers)?;
    let body = read_body(stream, framing).await?;
    let reusable = framing != Framing::UntilClose && !has_token(&headers, &CONNECTION, "close");
    Ok((Answer { status, headers, body, took: sent.elapsed() }, reusable))
}

async fn read_head<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Result<(StatusCode, HeaderMap), ClientError> {
    let status = status_line(&read_line(stream).await?)?;
    let mut headers = HeaderMap::new();
    for _ in 0..LINES_LIMIT {
        let line = read_line(stream).await?;
        if line.is_empty() {
            return Ok((status, headers));
        }
        let (name, value) = field_line(&line)?;
        headers.append(name, value);
    }
    Err(ClientError::Malformed("too many header fields"))
}

/// RFC 9112, section 4: `HTTP/1.1 200 OK`, the phrase may be missing.
fn status_line(line: &[u8]) -> Result<StatusCode, ClientError> {
    line.strip_prefix(b"HTTP/1.")
        .and_then(|rest| rest.get(2..5))
        .and_then(|code| StatusCode::from_bytes(code).ok())
        .ok_or(ClientError::Malformed("status line"))
}

fn field_line(line: &[u8]) -> Result<(HeaderName, HeaderValue), ClientError> {
    let colon = line.iter().position(|&byte| byte == b':');
    let (name, value) =
        colon.and_then(|at| line.split_at_checked(at)).ok_or(ClientError::Malformed("field line without a colon"))?;
    let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
    Ok((
        HeaderName::from_bytes(name).map_err(|_| ClientError::Malformed("field name"))?,
        HeaderValue::from_bytes(value).map_err(|_| ClientError::Malformed("field value"))?,
    ))
}

/// How the end of a body is marked (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Chunked,
    Length(u64),
    UntilClose,
}

fn framing(status: StatusCode, headers: &HeaderMap) -> Result<Framing, ClientError> {
    // RFC 9112, section 6.3, rule 1: these have no body whatever their fields say.
    if status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
        return Ok(Framing::Length(0));
    }
    // Rule 4, ahead of any Content-Length (rule 3).
    if has_token(headers, &TRANSFER_ENCODING, "chunked") {
        return Ok(Framing::Chunked);
    }
    // Rules 6 and 8.
    let Some(value) = headers.get(CONTENT_LENGTH) else {
        return Ok(Framing::UntilClose);
    };
    let length = value.to_str().ok().and_then(|digits| digits.parse().ok());
    length.map(Framing::Length).ok_or(ClientError::Malformed("Content-Length"))
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|member| member.trim().eq_ignore_ascii_case(token))
}

async fn read_body<S: AsyncRead + Unpin>(stream: &mut BufReader<S>, framing: Framing) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    match framing {
        Framing::Chunked => read_chunks(stream, &mut body).await?,
        Framing::Length(length) => read_exactly(stream, length, &mut body).await?,
        Framing::UntilClose => {
            stream.take(BODY_LIMIT).read_to_end(&mut body).await?;
        }
    }
    Ok(body)
}

/// RFC 9112, section 7.1. Chunk extensions and trailers are read and dropped.
async fn read_chunks<S: AsyncRead + Unpin>(stream: &mut BufReader<S>, body: &mut Vec<u8>) -> Result<(), ClientError> {
    loop {
        let line = read_line(stream).await?;
        let size = chunk_size(&line).ok_or(ClientError::Malformed("chunk size"))?;
        if size == 0 {
            while !read_line(stream).await?.is_empty() {}
            return Ok(());
        }
        read_exactly(stream, size, body).await?;
        if !read_line(stream).await?.is_empty() {
            return Err(ClientError::Malformed("chunk longer than its size"));
        }
    }
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|&byte| byte == b';').next()?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?.trim(), 16).ok()
}

async fn read_exactly<S: AsyncRead + Unpin>(
    stream: &mut BufReader<S>,
    length: u64,
    body: &mut Vec<u8>,
) -> Result<(), ClientError> {
    if length.saturating_add(body.len() as u64) > BODY_LIMIT {
        return Err(ClientError::Malformed("body over the demo's limit"));
    }
    let read = stream.take(length).read_to_end(body).await?;
    if (read as u64) < length {
        return Err(ClientError::Io(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(())
}

/// A line without its end; an error if the connection ends first.
async fn read_line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Result<Vec<u8>, ClientError> {
    let mut line = Vec::new();
    stream.take(LINE_LIMIT).read_until(b'\n', &mut line).await?;
    match line.strip_suffix(b"\n") {
        Some(rest) => Ok(rest.strip_suffix(b"\r").unwrap_or(rest).to_vec()),
        None => Err(ClientError::Io(io::ErrorKind::UnexpectedEof.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the client makes of `response`, and whether it would send another request after it.
    async fn answer(response: &str) -> Result<(Answer, bool), ClientError> {
        let (near, mut far) = tokio::io::duplex(64 * 1024);
        far.write_all(response.as_bytes()).await.unwrap();
        let mut stream = BufReader::new(near);
        // The far half answers and closes for writing, but still takes the request.
        far.shutdown().await.unwrap();
        exchange(&mut stream, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await
    }

    #[tokio::test]
    async fn the_body_ends_where_its_framing_says() {
        let table = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloXX", "hello", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", true),
            ("HTTP/1.1 200 OK\r\n\r\nhello", "hello", false),
            ("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "ok", false),
            (
                "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nhel\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n",
                "hel0123456789",
                true,
            ),
            // Transfer-Encoding overrides Content-Length.
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\ntransfer-encoding: gzip, Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
                "a",
                true,
            ),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "", true),
            ("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", "a", true),
        ];
        for (response, body, reusable) in table {
            let (answer, again) = answer(response).await.unwrap_or_else(|error| panic!("{response:?}: {error}"));
            assert_eq!((String::from_utf8_lossy(&answer.body).as_ref(), again), (body, reusable), "{response:?}");
        }
    }

    #[tokio::test]
    async fn a_cut_or_malformed_answer_is_an_error() {
        let table = [
            "",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
            "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 xyz\r\n\r\n",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
        ];
        for response in table {
            assert!(answer(response).await.is_err(), "{response:?}");
        }
    }

    #[tokio::test]
    async fn field_lines_are_joined() {
        let (answer, _) = answer("HTTP/1.1 200 OK\r\nVary: a\r\nvary:b \r\nContent-Length: 0\r\n\r\n").await.unwrap();
        assert_eq!(answer.field("Vary").as_deref(), Some("a, b"));
        assert_eq!(answer.field("Age"), None);
    }
}
