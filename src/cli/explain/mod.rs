//! `vacpack explain GET /path`: what a request would get, and why.
//!
//! Of a running vacpack it asks the admin listener. With the head of a response (`--response`, `--response-header`) it
//! asks nobody: the configuration and that head are judged by the functions that serve requests, over an empty cache.

mod response;

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use http::header::{ACCEPT_ENCODING, HOST};
use http::{HeaderMap, HeaderValue};

use super::client::{Admin, AdminFlags, ClientError, encode};
use super::{Settings, exit, print};
use crate::app;
use crate::config::{Config, Environment, Purpose};
use crate::explain::{Explanation, Question, field};
use crate::proxy::{Scene, Supposed};

/// What browsers send; without it a request gets no compression, and nobody asks about that request.
const BROWSERS: HeaderValue = HeaderValue::from_static("gzip, deflate, br, zstd");

#[derive(Args, Debug)]
pub struct ExplainFlags {
    /// The method, GET if it is left out, and the URL or path
    #[arg(required = true, num_args = 1..=2, value_names = ["METHOD", "URL"])]
    what: Vec<String>,
    /// A field of the request, 'Name: value'; without Accept-Encoding, that of a browser
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    headers: Vec<String>,
    /// Print the JSON document instead of text
    #[arg(long)]
    json: bool,
    /// Judge this response instead of asking a running vacpack: a file with its head, as `curl -D` writes it, or - for
    /// standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["status", "response_headers"])]
    response: Option<PathBuf>,
    /// The status of the response to judge
    #[arg(long, value_name = "STATUS")]
    status: Option<u16>,
    /// A field of the response to judge
    #[arg(long = "response-header", value_name = "FIELD")]
    response_headers: Vec<String>,
    #[command(flatten)]
    admin: AdminFlags,
}

/// Why there is nothing to print: what to say, and the exit code.
struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    fn usage(message: impl ToString) -> Self {
        Self { message: message.to_string(), code: exit::USAGE }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self { message: error.to_string(), code: error.exit_code() }
    }
}

pub fn main(flags: &ExplainFlags, environment: &dyn Environment, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    match explain(flags, environment) {
        Ok(text) => print(out, text.trim_end()),
        Err(failure) => {
            print(err, format_args!("vacpack explain: {}", failure.message));
            failure.code
        }
    }
}

fn explain(flags: &ExplainFlags, environment: &dyn Environment) -> Result<String, Failure> {
    let question = question(flags, environment)?;
    let explanation = match flags.supposed()? {
        Some(supposed) => offline(&question, &supposed, &configuration(flags, environment)?)?,
        None => ask(&flags.admin.listener(environment)?, &question)?,
    };
    match flags.json {
        true => serde_json::to_string_pretty(&explanation)
            .map_err(|error| Failure { message: error.to_string(), code: exit::INTERNAL }),
        false => Ok(explanation.to_string()),
    }
}

fn question(flags: &ExplainFlags, environment: &dyn Environment) -> Result<Question, Failure> {
    let (method, url) = match flags.what.as_slice() {
        [method, url] => (method.as_str(), url.as_str()),
        [url, ..] => ("GET", url.as_str()),
        [] => return Err(Failure::usage("say what to explain: GET http://host/path")),
    };
    let mut fields = HeaderMap::new();
    for text in &flags.headers {
        let (name, value) = field(text).map_err(Failure::usage)?;
        fields.append(name, value);
    }
    fields.entry(ACCEPT_ENCODING).or_insert(BROWSERS);
    if url.starts_with('/') && !fields.contains_key(HOST) {
        fields.insert(HOST, own_host(configuration(flags, environment)?.listen.address));
    }
    Question::new(method, url, fields).map_err(Failure::usage)
}

/// What a client on this host would ask for.
fn own_host(mut listen: SocketAddr) -> HeaderValue {
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    HeaderValue::from_str(&listen.to_string()).expect("an address is digits, dots, colons and brackets")
}

fn configuration(flags: &ExplainFlags, environment: &dyn Environment) -> Result<Config, Failure> {
    let settings = Settings { config: flags.admin.config.clone(), ..Settings::default() };
    match settings.load(environment, Purpose::Inspect) {
        Ok(loaded) => Ok(loaded.config),
        Err(error) => Err(Failure { message: error.to_string(), code: exit::CONFIG }),
    }
}

impl ExplainFlags {
    /// The response to judge, if one is given.
    fn supposed(&self) -> Result<Option<Supposed>, Failure> {
        match (&self.response, self.status, self.response_headers.as_slice()) {
            (Some(path), ..) => response::read(path).map(Some).map_err(Failure::usage),
            (None, None, []) => Ok(None),
            (None, status, fields) => response::of(status.unwrap_or(200), fields).map(Some).map_err(Failure::usage),
        }
    }
}

fn offline(question: &Question, supposed: &Supposed, config: &Config) -> Result<Explanation, Failure> {
    let scene = Scene {
        routes: &config.routes,
        generation: &config.cache.generation,
        requests: &config.listen.request,
        limits: app::limits(config),
        memory: None,
    };
    scene.explain(question, Some(supposed), SystemTime::now()).map_err(Failure::usage)
}

fn ask(admin: &Admin, question: &Question) -> Result<Explanation, Failure> {
    let mut target = format!("/api/explain?method={}&url={}", question.method, encode(&question.url.to_string()));
    for (name, value) in &question.fields {
        let value = value.to_str().map_err(|_| Failure::usage(format!("the value of {name} is not ASCII")))?;
        target += &format!("&header={}", encode(&format!("{name}: {value}")));
    }
    let document = admin.get(&target)?.json()?;
    let read = serde_json::from_value(document);
    Ok(read.map_err(|error| ClientError::Unreadable(error.to_string()))?)
}
