//! A client of the admin listener, for commands that ask a running vacpack: where it is, who asks, what came back.
//!
//! It blocks, because a command does one thing; and it reads what the admin listener writes, which is a status, a
//! length and that many bytes (RFC 9112, section 6.3) - nothing else is accepted, so a wrong port is noticed.
//!
//! Where: `--admin`, else what the configuration says (`VACPACK_ADMIN`, the file, the default). An address that
//! listens everywhere is asked on loopback, which needs no token. Who: the token of `--token-file`, else of the
//! variable `VACPACK_ADMIN_TOKEN`. A configuration's own token is not taken: it is kept as a hash, and the host on
//! which its file lies has loopback.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use http::{HeaderValue, Method, StatusCode};
use serde_json::Value;

use super::{Settings, exit};
use crate::config::{Environment, LoadError, Purpose};

/// The admin listener is on this host or a port-forward away.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// The longest silence: a purge of a million entries is done in less.
const PATIENCE: Duration = Duration::from_secs(60);
/// Status and fields of an answer; ours have some 200 bytes.
const LONGEST_HEAD: u64 = 16 * 1024;
/// Far more than any answer, and little enough for a wrong port to do no harm.
const LONGEST_BODY: u64 = 64 << 20;
/// A token is one line.
const LONGEST_TOKEN: u64 = 4096;

/// The variable that holds the admin token.
const TOKEN_VARIABLE: &str = "VACPACK_ADMIN_TOKEN";

/// What every command that asks a running vacpack takes.
#[derive(Args, Clone, Debug, Default)]
pub struct AdminFlags {
    /// The admin listener of the running vacpack [env: VACPACK_ADMIN] [default: 127.0.0.1:9901]
    #[arg(long, value_name = "ADDR")]
    pub admin: Option<String>,
    /// A file with the admin token, which is needed from elsewhere than its own host [env: VACPACK_ADMIN_TOKEN holds the token]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The configuration file, for the address [env: VACPACK_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The admin listener of a running vacpack.
pub struct Admin {
    address: SocketAddr,
    authorization: Option<HeaderValue>,
}

/// What it said.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Vec<u8>,
}

impl AdminFlags {
    /// The listener that these flags and the environment mean.
    pub fn listener(&self, environment: &dyn Environment) -> Result<Admin, ClientError> {
        let address = match &self.admin {
            Some(text) => resolve(text)?,
            None => {
                let settings = Settings { config: self.config.clone(), ..Settings::default() };
                let loaded = settings.load(environment, Purpose::Inspect).map_err(ClientError::Config)?;
                loaded.config.admin.address
            }
        };
        Ok(Admin { address: reachable(address), authorization: self.authorization(environment)? })
    }

    fn authorization(&self, environment: &dyn Environment) -> Result<Option<HeaderValue>, ClientError> {
        let token = match &self.token_file {
            Some(path) => {
                read_token(path).map_err(|error| ClientError::Token(format!("{}: {error}", path.display())))?
            }
            None => environment.variable(TOKEN_VARIABLE).unwrap_or_default(),
        };
        match token.trim() {
            "" if self.token_file.is_some() => Err(ClientError::Token("the file is empty".to_owned())),
            "" => Ok(None),
            token => {
                let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                    .map_err(|_| ClientError::Token("a token is one line of visible characters".to_owned()))?;
                value.set_sensitive(true);
                Ok(Some(value))
            }
        }
    }
}

fn read_token(path: &PathBuf) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST_TOKEN).read_to_string(&mut text)?;
    Ok(text)
}

fn resolve(text: &str) -> Result<SocketAddr, ClientError> {
    let wrong = |why: String| ClientError::Address(format!("--admin {text}: {why}; write 127.0.0.1:9901"));
    let mut found = text.to_socket_addrs().map_err(|error| wrong(error.to_string()))?;
    found.next().ok_or_else(|| wrong("the name has no address".to_owned()))
}

/// "Listens on every address" is none to connect to.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}

impl Admin {
    /// Asks for something that only reads. `target` is path and query, in the characters of a URI.
    pub fn get(&self, target: &str) -> Result<Answer, ClientError> {
        self.ask(&Method::GET, target, &[])
    }

    /// Asks for something that changes.
    pub fn post(&self, target: &str, body: &Value) -> Result<Answer, ClientError> {
        self.ask(&Method::POST, target, body.to_string().as_bytes())
    }

    fn ask(&self, method: &Method, target: &str, body: &[u8]) -> Result<Answer, ClientError> {
        let unreachable = |error: io::Error| ClientError::Unreachable { address: self.address, error };
        let mut stream = TcpStream::connect_timeout(&self.address, CONNECT_LIMIT).map_err(unreachable)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(unreachable)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(unreachable)?;
        let mut request = format!("{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        if !body.is_empty() {
            request += &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        }
        let mut request = request.into_bytes();
        if let Some(authorization) = &self.authorization {
            request.extend_from_slice(b"authorization: ");
            request.extend_from_slice(authorization.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body);
        stream.write_all(&request).map_err(unreachable)?;
        read_answer(BufReader::new(stream)).map_err(|error| match error {
            ReadError::Io(error) => unreachable(error),
            ReadError::Malformed(what) => ClientError::NotVacpack { address: self.address, what },
        })
    }
}

impl Answer {
    /// The body of a success as JSON; a refusal as the error it is.
    pub fn json(self) -> Result<Value, ClientError> {
        let body = serde_json::from_slice::<Value>(&self.body);
        if self.status.is_success() {
            return body.map_err(|error| ClientError::Unreadable(error.to_string()));
        }
        let told = body.ok().and_then(|body| Some(body.get("error")?.as_str()?.to_owned()));
        let message = told.unwrap_or_else(|| String::from_utf8_lossy(&self.body).trim().to_owned());
        Err(ClientError::Refused { status: self.status, message })
    }
}

/// Percent-encodes a value for a query (RFC 3986, section 2.1): all but unreserved characters.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

enum ReadError {
    Io(io::Error),
    Malformed(&'static str),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn read_answer(mut stream: impl BufRead) -> Result<Answer, ReadError> {
    let mut head = stream.by_ref().take(LONGEST_HEAD);
    let status = status_line(&read_line(&mut head)?).ok_or(ReadError::Malformed("no status line"))?;
    let mut length = None;
    loop {
        let line = read_line(&mut head)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or(ReadError::Malformed("a field without a colon"))?;
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse().map_err(|_| ReadError::Malformed("a length that is no number"))?);
        }
    }
    let length: u64 = length.ok_or(ReadError::Malformed("an answer without a length"))?;
    if length > LONGEST_BODY {
        return Err(ReadError::Malformed("an answer of more than 64 MiB"));
    }
    let mut body = Vec::new();
    stream.take(length).read_to_end(&mut body)?;
    match body.len() as u64 == length {
        true => Ok(Answer { status, body }),
        false => Err(ReadError::Io(io::ErrorKind::UnexpectedEof.into())),
    }
}

/// RFC 9112, section 4: `HTTP/1.1 200 OK`, the phrase may be missing.
fn status_line(line: &str) -> Option<StatusCode> {
    let code = line.strip_prefix("HTTP/1.")?.get(2..5)?;
    StatusCode::from_bytes(code.as_bytes()).ok()
}

fn read_line(stream: &mut impl BufRead) -> Result<String, ReadError> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line)?;
    match line.strip_suffix(b"\n") {
        Some(rest) => Ok(String::from_utf8_lossy(rest.strip_suffix(b"\r").unwrap_or(rest)).into_owned()),
        None if line.is_empty() => Err(ReadError::Io(io::ErrorKind::UnexpectedEof.into())),
        None => Err(ReadError::Malformed("no HTTP")),
    }
}

/// Why there is no answer to print.
#[derive(Debug)]
pub enum ClientError {
    Address(String),
    Token(String),
    Config(LoadError),
    Unreachable {
        address: SocketAddr,
        error: io::Error,
    },
    /// Something answered that is no admin listener.
    NotVacpack {
        address: SocketAddr,
        what: &'static str,
    },
    /// It answered with another status than success.
    Refused {
        status: StatusCode,
        message: String,
    },
    /// A success that is not what was asked for: another version's, most likely.
    Unreadable(String),
}

impl ClientError {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Address(_) | Self::Token(_) => exit::USAGE,
            Self::Config(_) => exit::CONFIG,
            Self::Unreachable { .. } | Self::NotVacpack { .. } => exit::UNAVAILABLE,
            Self::Refused { status: StatusCode::FORBIDDEN, .. } => exit::REFUSED,
            Self::Refused { status: StatusCode::BAD_REQUEST, .. } => exit::USAGE,
            Self::Refused { .. } | Self::Unreadable(_) => exit::INTERNAL,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(why) => f.write_str(why),
            Self::Token(why) => write!(f, "the admin token cannot be taken: {why}"),
            Self::Config(error) => error.fmt(f),
            Self::Unreachable { address, error } => {
                write!(
                    f,
                    "no answer from the admin listener at {address}: {error}; is vacpack running, and --admin right?"
                )
            }
            Self::NotVacpack { address, what } => {
                write!(f, "what answers at {address} is no admin listener ({what}); is --admin right?")
            }
            Self::Refused { status: StatusCode::NOT_FOUND, .. } => {
                f.write_str("the running vacpack does not know this request: it is of another version")
            }
            Self::Refused { status, message } => write!(f, "refused ({}): {message}", status.as_u16()),
            Self::Unreadable(why) => write!(f, "the answer cannot be read: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread::{JoinHandle, spawn};

    fn answer(text: &str) -> Option<(u16, String)> {
        let answer = read_answer(text.as_bytes()).ok()?;
        Some((answer.status.as_u16(), String::from_utf8(answer.body).unwrap()))
    }

    #[test]
    fn an_answer_has_a_status_and_a_length() {
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nokrest";
        assert_eq!(answer(whole), Some((200, "ok".to_owned())));
        for wrong in [
            "",
            "SSH-2.0-x\r\n",
            "HTTP/1.1 200 OK\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2",
            "HTTP/1.1 xyz\r\n\r\n",
        ] {
            assert_eq!(answer(wrong), None, "{wrong:?}");
        }
    }

    /// Answers one request with `reply`, and gives back what it was asked.
    fn listener(reply: &'static str) -> (String, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut stream = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).unwrap() > 0 {}
            stream.get_mut().write_all(reply.as_bytes()).unwrap();
            head
        });
        (address, asked)
    }

    #[test]
    fn a_token_is_sent_and_a_refusal_is_told() {
        let reply = "HTTP/1.1 403 Forbidden\r\ncontent-length: 15\r\n\r\n{\"error\":\"not\"}";
        let (address, asked) = listener(reply);
        let flags = AdminFlags { admin: Some(address), ..AdminFlags::default() };
        let environment = |name: &str| (name == TOKEN_VARIABLE).then(|| "s3cret\n".to_owned());
        let admin = flags.listener(&environment).unwrap();
        let error = admin.get("/x?a=b").unwrap().json().expect_err("a refusal");
        assert_eq!((error.exit_code(), error.to_string().as_str()), (exit::REFUSED, "refused (403): not"));
        let asked = asked.join().unwrap();
        assert!(asked.starts_with("GET /x?a=b HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("authorization: Bearer s3cret\r\n"), "{asked}");
    }

    #[test]
    fn nothing_that_answers_is_69_and_says_where_it_looked() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let flags = AdminFlags { admin: Some(free.to_string()), ..AdminFlags::default() };
        let error = flags.listener(&|_: &str| None).unwrap().get("/").expect_err("nobody is there");
        assert_eq!(error.exit_code(), exit::UNAVAILABLE);
        assert!(error.to_string().contains(&free.to_string()), "{error}");
        let flags = AdminFlags { admin: Some("nonsense".to_owned()), ..AdminFlags::default() };
        assert_eq!(flags.listener(&|_: &str| None).err().map(|error| error.exit_code()), Some(exit::USAGE));
    }

    #[test]
    fn the_address_is_the_configurations_on_loopback() {
        let of = |value: &'static str| {
            let environment = move |name: &str| (name == "VACPACK_ADMIN").then(|| value.to_owned());
            AdminFlags::default().listener(&environment).unwrap().address.to_string()
        };
        assert_eq!(of("0.0.0.0:7"), "127.0.0.1:7");
        assert_eq!(of("[::]:7"), "[::1]:7");
        assert_eq!(of("10.0.0.1:7"), "10.0.0.1:7");
        assert_eq!(of(""), "127.0.0.1:9901");
    }

    #[test]
    fn values_of_a_query_are_encoded() {
        assert_eq!(encode("http://h/p?a=1&b=ü"), "http%3A%2F%2Fh%2Fp%3Fa%3D1%26b%3D%C3%BC");
    }
}
