//! The sample app, the client and the driver together, with nothing between app and client.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use super::report::Coded;
use super::*;

/// Sends `request` as it is; what the app writes until it closes.
async fn raw(sample: &Sample, request: &str) -> String {
    let mut stream = TcpStream::connect(sample.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn without_a_proxy_nothing_is_saved_and_every_body_is_whole() {
    let sample = Sample::start().await.unwrap();
    let report = drive(sample.address(), None, &sample).await.unwrap();

    let totals = report.totals;
    assert_eq!(totals.with, totals.without);
    assert_eq!(totals.app_requests, totals.requests);
    assert_eq!(totals.hits, 0);
    assert!((200..600).contains(&totals.requests), "{} requests", totals.requests);
    for row in &report.rows {
        let coding = if row.path == "/help" { "gzip" } else { "identity" };
        assert_eq!((row.from_app, row.coding.as_str()), (row.to_client, coding), "{}", row.path);
    }
    assert!(table::render(&report).contains("bytes to clients"));
}

#[tokio::test]
async fn each_framing_reaches_a_client_of_its_version() {
    let sample = Sample::start().await.unwrap();
    let close = "Connection: close\r\n\r\n";

    let length = raw(&sample, &format!("GET /robots.txt HTTP/1.1\r\n{close}")).await;
    assert!(length.contains("\r\nContent-Length: ") && length.ends_with("sitemap.xml\n"), "{length}");

    let chunked = raw(&sample, &format!("GET /products/1042 HTTP/1.1\r\n{close}")).await;
    assert!(chunked.contains("Transfer-Encoding: chunked") && chunked.ends_with("\r\n0\r\n\r\n"));

    // RFC 9112, section 6.1: a client of HTTP/1.0 gets no chunks.
    let old = raw(&sample, "GET /products/1042 HTTP/1.0\r\n\r\n").await;
    assert!(!old.contains("Transfer-Encoding") && old.ends_with("</html>\n"));

    // The app closes by itself, however alive the client wants the connection.
    let closed = raw(&sample, "GET /print/1042 HTTP/1.1\r\n\r\n").await;
    assert!(
        closed.contains("Connection: close") && !closed.contains("Content-Length") && closed.ends_with("</html>\n")
    );
}

#[tokio::test]
async fn head_conditions_and_refusals() {
    let sample = Sample::start().await.unwrap();
    let close = "Connection: close\r\n\r\n";
    let ask = async |head: &str| raw(&sample, &format!("{head}{close}")).await;

    let head = ask("HEAD / HTTP/1.1\r\n").await;
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.contains("Content-Length: ") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    let tag = head.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap();

    let unchanged = ask(&format!("GET / HTTP/1.1\r\nIf-None-Match: {tag}\r\n")).await;
    assert!(unchanged.starts_with("HTTP/1.1 304 ") && unchanged.ends_with("\r\n\r\n"), "{unchanged}");
    assert!(ask("GET / HTTP/1.1\r\nIf-None-Match: \"other\"\r\n").await.starts_with("HTTP/1.1 200 "));
    assert!(ask("GET /none HTTP/1.1\r\n").await.starts_with("HTTP/1.1 404 "));
    assert!(ask("DELETE / HTTP/1.1\r\n").await.starts_with("HTTP/1.1 405 "));
}

#[tokio::test]
async fn requests_in_a_row_share_a_connection() {
    let sample = Sample::start().await.unwrap();
    let both =
        raw(&sample, "GET /robots.txt HTTP/1.1\r\n\r\nGET /robots.txt HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert_eq!(both.matches("HTTP/1.1 200 OK").count(), 2);
    assert_eq!(sample.sent().responses, 2);
}

#[test]
fn the_demo_reports_why_vacpack_did_not_start() {
    let args = DemoArgs { once: true, ..DemoArgs::default() };
    let outcome = main(&args, &mut Vec::new(), |_| Err("the port is taken"));
    assert_eq!(outcome, Err(Failure::Start("the port is taken")));
}

#[test]
fn the_demo_drives_what_start_returns_and_stops_it() {
    let stopped = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stopped);
    let mut out = Vec::new();
    let args = DemoArgs { once: true, ..DemoArgs::default() };
    let outcome = main(&args, &mut out, |wanted| {
        // No proxy at all: the app stands in for vacpack, and its 404 for the metrics.
        let stop = Box::new(move || flag.store(true, Ordering::SeqCst));
        Ok::<_, String>(Front { listen: wanted.upstream, admin: wanted.upstream, stop })
    });
    assert_eq!(outcome, Ok(()));
    assert!(stopped.load(Ordering::SeqCst));
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("no /metrics to compare with") && !text.contains("Ctrl-C"), "{text}");
}

#[test]
fn a_taken_port_moves_the_demo_aside() {
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    assert_eq!(usual_or_free(taken.local_addr().unwrap().port()).port(), 0);
}

#[tokio::test]
async fn a_compressing_cache_shows_in_every_figure() {
    let sample = Sample::start().await.unwrap();
    let front = Cache::start(sample.address()).await;
    let report = drive(front, Some(front), &sample).await.unwrap();
    let totals = report.totals;

    assert!(totals.with * 2 < totals.without, "{totals:?}");
    assert!(totals.app_requests * 4 < totals.requests, "{totals:?}");
    assert_eq!(report.metrics, Some(totals.coded));
    for row in &report.rows {
        assert_eq!(row.cache.is_hit(), row.storable, "{}: {}", row.path, row.cache.as_str());
    }
    let text = table::render(&report);
    assert!(text.contains("cacheable resources was a hit\n"), "{text}");
}

/// The simplest compressing cache: gzip, one lock, no expiry; keeps what `Sample` says is storable.
#[derive(Default)]
struct Cache {
    kept: HashMap<String, Vec<u8>>,
    coded: report::Coded,
}

impl Cache {
    async fn start(app: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let cache = Arc::new(Mutex::new(Self::default()));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Self::converse(stream, app, Arc::clone(&cache)));
            }
        });
        address
    }

    async fn converse(stream: TcpStream, app: SocketAddr, cache: Arc<Mutex<Self>>) {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
            if let Some(rest) = line.strip_prefix("GET ") {
                let path = rest.split(' ').next().unwrap_or_default();
                let response = cache.lock().await.answer(path, app).await;
                if stream.write_all(&response).await.is_err() {
                    return;
                }
            }
            line.clear();
        }
    }

    async fn answer(&mut self, path: &str, app: SocketAddr) -> Vec<u8> {
        if path == "/metrics" {
            let Coded { input, output } = self.coded;
            let body = format!(
                "vacpack_compression_input_bytes_total {input}\nvacpack_compression_output_bytes_total {output}\n"
            );
            return respond("", body.as_bytes());
        }
        if let Some(kept) = self.kept.get(path) {
            return respond("Content-Encoding: gzip\r\nCache-Status: test; hit; ttl=9\r\n", kept);
        }
        let answer = client::Client::new(app, "identity").get(path).await.unwrap();
        let app_coded = answer.field("Content-Encoding").is_some();
        let body = if app_coded {
            answer.body
        } else {
            let body = gzip(&answer.body);
            self.coded += Coded { input: answer.body.len() as u64, output: body.len() as u64 };
            body
        };
        let response = respond("Content-Encoding: gzip\r\nCache-Status: test; fwd=uri-miss\r\n", &body);
        if !["/basket", "/account", "/print/1042", "/events"].contains(&path) {
            self.kept.insert(path.to_owned(), body);
        }
        response
    }
}

fn respond(fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
