//! The admin listener over a real socket.

use std::net::SocketAddr as Address;
use std::os::fd::IntoRawFd;
use std::sync::Mutex;

use pingora::server::Fds;
use pingora::services::Service as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::*;
use crate::admin::{Purged, Target, Token};
use crate::cache::Effect;
use crate::metrics::{Build, Config};

/// A cache that holds `http://shop.example/stored` and fails for `/broken`.
#[derive(Default)]
struct Cache {
    asked: Mutex<Vec<String>>,
}

impl Purge for Cache {
    fn purge(&self, target: &Target, _: Effect) -> Result<Purged, String> {
        let asked = target.to_string();
        self.asked.lock().expect("no panic in between").push(asked.clone());
        match asked.rsplit('/').next() {
            Some("stored") => Ok(Purged { objects: 2, bytes: 4096 }),
            Some("broken") => Err("the store is closed".to_owned()),
            _ => Ok(Purged::default()),
        }
    }
}

struct Running {
    address: Address,
    metrics: Arc<Metrics>,
    lifecycle: Arc<Lifecycle>,
    cache: Arc<Cache>,
    /// The listener closes when this is dropped.
    _shutdown: watch::Sender<bool>,
}

/// Starts the app on a free port.
async fn start(token: Option<&str>) -> Running {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("non-blocking");
    let address = listener.local_addr().expect("an address");
    let mut fds = Fds::new();
    fds.add(address.to_string(), listener.into_raw_fd());

    let metrics = Arc::new(Metrics::new(&Config::default(), Build { version: "0.1.0", revision: "test" }));
    let (lifecycle, cache) = (Arc::new(Lifecycle::default()), Arc::new(Cache::default()));
    let app = AdminApp::new(
        Arc::clone(&metrics),
        Arc::clone(&lifecycle),
        Arc::clone(&cache) as Arc<dyn Purge>,
        Arc::new(Access::new(token.and_then(Token::new))),
    );
    let mut service = app.into_service();
    service.add_tcp(&address.to_string());
    let (shutdown, watch) = watch::channel(false);
    let fds = Arc::new(parking_lot::Mutex::new(fds));
    tokio::spawn(async move { service.start_service(Some(fds), watch, 1).await });
    Running { address, metrics, lifecycle, cache, _shutdown: shutdown }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn field(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        lines
            .filter_map(|line| line.split_once(": "))
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|pair| pair.1)
    }
}

impl Running {
    /// Sends the bytes and reads until the server closes.
    async fn raw(&self, request: &str) -> Answer {
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await.expect("a connection");
            stream.write_all(request.as_bytes()).await.expect("the request is taken");
            let mut answer = Vec::new();
            // A refused body may end in a reset, after the answer.
            let _ = stream.read_to_end(&mut answer).await;
            String::from_utf8(answer).expect("text")
        };
        let answer = tokio::time::timeout(Duration::from_secs(20), exchange).await.expect("an answer in time");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {answer:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    async fn ask(&self, method: &str, target: &str, fields: &str, body: &str) -> Answer {
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{length}{fields}\r\n");
        self.raw(&(head + body)).await
    }

    async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, "", "").await
    }

    async fn purge(&self, query: &str, fields: &str, body: &str) -> Answer {
        self.ask("POST", &format!("/purge{query}"), fields, body).await
    }

    fn purges(&self, result: &str) -> String {
        let name = format!("vacpack_purges_total{{result=\"{result}\"}} ");
        let exposition = self.metrics.exposition().expect("an exposition");
        exposition.lines().find_map(|line| line.strip_prefix(&name).map(str::to_owned)).expect("the series")
    }
}

#[tokio::test]
async fn probes_follow_the_lifecycle() {
    let admin = start(None).await;
    assert_eq!(admin.get("/livez").await.status, 200);
    assert_eq!(admin.get("/startupz").await.status, 503);
    let ready = admin.get("/readyz").await;
    assert_eq!((ready.status, ready.body.as_str()), (503, "starting\n"));

    admin.lifecycle.start();
    assert_eq!(admin.get("/startupz").await.status, 200);
    let ready = admin.get("/readyz").await;
    assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));

    admin.lifecycle.drain();
    let ready = admin.get("/readyz").await;
    assert_eq!((ready.status, ready.body.as_str()), (503, "draining\n"));
    assert_eq!(admin.get("/livez").await.status, 200, "a pod that drains must not be restarted");
    assert_eq!(admin.get("/startupz").await.status, 200);
}

#[tokio::test]
async fn metrics_are_served_as_prometheus_text() {
    let admin = start(None).await;
    let _held = admin.metrics.request_in_flight();
    let answer = admin.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    assert!(answer.body.contains("\nvacpack_requests_in_flight 1\n"), "{}", answer.body);
    assert_eq!(answer.field("content-length"), Some(answer.body.len().to_string().as_str()));
}

#[tokio::test]
async fn the_index_lists_every_endpoint() {
    let admin = start(None).await;
    let index = admin.get("/").await;
    assert_eq!(index.status, 200);
    for endpoint in Endpoint::ALL {
        assert!(index.body.contains(&format!(" {} ", endpoint.path())), "{}", index.body);
    }
    let lost = admin.get("/wp-login.php").await;
    assert_eq!(lost.status, 404);
    assert!(lost.body.contains("/metrics"), "{}", lost.body);
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let admin = start(None).await;
    for path in ["/", "/livez", "/readyz"] {
        let (get, head) = (admin.get(path).await, admin.ask("HEAD", path, "", "").await);
        assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{path}");
        assert_eq!(head.field("content-length"), get.field("content-length"), "{path}");
    }
    assert_eq!(admin.ask("HEAD", "/metrics", "", "").await.body, "");
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let admin = start(None).await;
    let one = "HTTP/1.1\r\nHost: h\r\n";
    let mut stream = TcpStream::connect(admin.address).await.expect("a connection");
    for _ in 0..3 {
        stream.write_all(format!("HEAD /livez {one}\r\n").as_bytes()).await.expect("taken");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a byte"));
        }
        assert!(head.starts_with(b"HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn nothing_changes_by_get() {
    let admin = start(None).await;
    let answer = admin.get("/purge?url=http://shop.example/stored").await;
    assert_eq!((answer.status, answer.field("allow")), (405, Some("POST")));
    let answer = admin.ask("POST", "/readyz", "", "x").await;
    assert_eq!((answer.status, answer.field("allow")), (405, Some("GET, HEAD")));
    let answer = admin.ask("DELETE", "/", "", "").await;
    assert_eq!(answer.status, 405);
    assert!(admin.cache.asked.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn a_purge_says_what_it_removed() {
    let admin = start(None).await;
    let url = "http://shop.example/stored";
    let done = json!([{ "url": url, "purged": 2, "bytes": 4096 }]);

    let by_query = admin.purge(&format!("?url={url}"), "", "").await;
    assert_eq!((by_query.status, &by_query.json()["targets"]), (200, &done));
    assert_eq!(by_query.field("content-type"), Some("application/json"));
    let by_body = admin.purge("", "", &json!({ "url": url }).to_string()).await;
    assert_eq!((by_body.status, &by_body.json()["targets"]), (200, &done));
    let chunked = admin.purge("", "Transfer-Encoding: chunked\r\n", "").await;
    assert_eq!(chunked.status, 408, "a body that never comes is not waited for");
    let nothing = admin.purge("?url=http://shop.example/other", "", "").await;
    assert_eq!((nothing.status, &nothing.json()["purged"]), (200, &json!(0)));
    let broken = admin.purge("?url=http://shop.example/broken", "", "").await;
    assert_eq!(broken.status, 500);
    assert!(broken.json()["error"].as_str().is_some_and(|error| error.contains("the store is closed")));

    assert_eq!(
        *admin.cache.asked.lock().expect("no panic"),
        [url, url, "http://shop.example/other", "http://shop.example/broken"]
    );
    let counted = ["purged", "nothing", "failed", "invalid", "refused"].map(|result| admin.purges(result));
    assert_eq!(counted, ["2", "1", "1", "1", "0"]);
}

#[tokio::test]
async fn a_purge_that_cannot_be_understood_says_how_to_ask() {
    let admin = start(None).await;
    for (query, body) in [("", ""), ("?url=/p", ""), ("?url=http://h/p?a=1&b=2", ""), ("", "url=http://h/p")] {
        let answer = admin.purge(query, "", body).await;
        assert_eq!(answer.status, 400, "{query} {body}");
        assert!(answer.json()["error"].is_string());
    }
    let answer = admin.purge("", "", &"x".repeat(purge::LONGEST_BODY + 1)).await;
    assert_eq!(answer.status, 413);
    assert_eq!(admin.purges("invalid"), "5");
    assert!(admin.cache.asked.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn a_purge_needs_loopback_of_its_own_or_the_token() {
    let admin = start(Some("s3cret")).await;
    let query = "?url=http://shop.example/stored";
    for fields in
        ["Authorization: Bearer wrong\r\n", "X-Forwarded-For: 10.0.0.9\r\n", "Origin: http://evil.example\r\n"]
    {
        let answer = admin.purge(query, fields, "").await;
        assert_eq!(answer.status, 403, "{fields}");
        assert!(answer.json()["error"].as_str().is_some_and(|error| !error.contains("s3cret")));
    }
    assert!(admin.cache.asked.lock().expect("no panic").is_empty());
    let forwarded = "X-Forwarded-For: 10.0.0.9\r\nAuthorization: Bearer s3cret\r\n";
    assert_eq!(admin.purge(query, forwarded, "").await.status, 200);
    assert_eq!(admin.purge(query, "", "").await.status, 200);
    assert_eq!(admin.purges("refused"), "3");
}

#[tokio::test]
async fn a_refused_body_is_not_read_to_its_end() {
    let admin = start(None).await;
    let request =
        "POST /purge HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 10.0.0.9\r\nContent-Length: 1000000000\r\n\r\nxxx";
    assert_eq!(admin.raw(request).await.status, 403);
}
