//! The requests: each resource twice and in peace, for the rows; then a small crowd, for the totals.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;
use tokio::task::JoinSet;

use super::client::{Answer, Client, ClientError};
use super::report::{CacheWord, Coded, Report, Row, Totals, coded_in};
use super::sample::{Resource, Sample};

/// What browsers send.
pub(super) const ACCEPT_ENCODING: &str = "gzip, deflate, br, zstd";

/// Visitors that come at the same time, and how often each comes.
const VISITORS: usize = 8;
const VISITS: usize = 4;

/// Why the run ended early.
#[derive(Debug)]
pub enum DriveError {
    Client(&'static str, String),
    Status(&'static str, StatusCode),
    /// The body is not what the app sent.
    Body(&'static str, usize),
    /// A visitor's task died, which is a defect of the demo.
    Visitor(String),
}

impl fmt::Display for DriveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(path, cause) => write!(f, "GET {path}: {cause}"),
            Self::Status(path, status) => {
                write!(f, "GET {path}: {status} where the app answers 200")
            }
            Self::Body(path, length) => write!(f, "GET {path}: the {length} bytes are not those that the app sent"),
            Self::Visitor(cause) => write!(f, "a visitor failed: {cause}"),
        }
    }
}

/// Sends everything to `target`, which stands before `sample`, and reads the counters of `admin`.
pub async fn drive(target: SocketAddr, admin: Option<SocketAddr>, sample: &Sample) -> Result<Report, DriveError> {
    let before = sample.sent().responses;
    let mut totals = Totals::default();
    let rows = rows(target, sample, &mut totals).await?;
    totals += crowd(target, sample).await?;
    totals.app_requests = sample.sent().responses - before;
    let metrics = match admin {
        Some(admin) => scrape(admin, totals.coded).await,
        None => None,
    };
    Ok(Report { rows, totals, metrics })
}

/// One client, one request at a time, so that the times are those of an idle machine.
async fn rows(target: SocketAddr, sample: &Sample, totals: &mut Totals) -> Result<Vec<Row>, DriveError> {
    let mut client = Client::new(target, ACCEPT_ENCODING);
    let mut rows = Vec::new();
    for resource in sample.resources() {
        let before = resource.sent().bytes;
        let answer = fetch(&mut client, resource, totals).await?;
        rows.push(Row {
            path: resource.path,
            note: resource.note,
            from_app: resource.sent().bytes - before,
            to_client: answer.body.len() as u64,
            coding: answer.field("Content-Encoding").unwrap_or_else(|| "identity".to_owned()),
            first: answer.took,
            second: Duration::ZERO,
            cache: CacheWord::default(),
            storable: resource.storable(),
        });
    }
    for (row, resource) in rows.iter_mut().zip(sample.resources()) {
        let answer = fetch(&mut client, resource, totals).await?;
        row.second = answer.took;
        row.cache = cache_word(&answer);
    }
    Ok(rows)
}

async fn crowd(target: SocketAddr, sample: &Sample) -> Result<Totals, DriveError> {
    let mut visitors = JoinSet::new();
    for visitor in 0..VISITORS {
        let resources = sample.shared_resources();
        visitors.spawn(async move { visit(target, visitor, &resources).await });
    }
    let mut totals = Totals::default();
    while let Some(visitor) = visitors.join_next().await {
        totals += visitor.map_err(|error| DriveError::Visitor(error.to_string()))??;
    }
    Ok(totals)
}

/// What one visitor loads: what can be cached on each visit; the whole list, the basket and the account once.
async fn visit(target: SocketAddr, visitor: usize, resources: &[Resource]) -> Result<Totals, DriveError> {
    let mut client = Client::new(target, ACCEPT_ENCODING);
    let mut totals = Totals::default();
    for number in 0..VISITS {
        let only_visit = number == visitor % VISITS;
        for resource in resources {
            let wanted = match resource.path {
                "/events" | "/print/1042" => false,
                "/api/products" | "/basket" | "/account" => only_visit,
                _ => true,
            };
            if wanted {
                fetch(&mut client, resource, &mut totals).await?;
            }
        }
    }
    Ok(totals)
}

/// One request, checked and added to the totals.
async fn fetch(client: &mut Client, resource: &Resource, totals: &mut Totals) -> Result<Answer, DriveError> {
    let path = resource.path;
    let answer = client.get(path).await.map_err(|error: ClientError| DriveError::Client(path, error.to_string()))?;
    if answer.status != StatusCode::OK {
        return Err(DriveError::Status(path, answer.status));
    }
    let coding = answer.field("Content-Encoding");
    // What the app coded itself may come in another coding.
    let as_sent = coding.as_deref() == resource.value("Content-Encoding");
    let coded = coding.is_some() && !resource.coded_by_app();
    if as_sent && !resource.is_body(&answer.body) {
        return Err(DriveError::Body(path, answer.body.len()));
    }
    *totals += count(&answer, resource, coded);
    Ok(answer)
}

fn count(answer: &Answer, resource: &Resource, coded: bool) -> Totals {
    let cache = cache_word(answer);
    let received = answer.body.len() as u64;
    Totals {
        requests: 1,
        storable: u64::from(resource.storable()),
        hits: u64::from(cache.is_hit()),
        app_requests: 0,
        without: resource.length(),
        with: received,
        coded: if coded && cache.is_fetch() {
            Coded { input: resource.length(), output: received }
        } else {
            Coded::default()
        },
    }
}

fn cache_word(answer: &Answer) -> CacheWord {
    CacheWord::new(answer.field("Cache-Status").as_deref())
}

/// Reads the codecs' counters. A response is counted when it has ended on the proxy's side, which may be a moment
/// after the client has its last byte: asks again until they are at least what the clients saw.
async fn scrape(admin: SocketAddr, seen: Coded) -> Option<Coded> {
    const TRIES: u32 = 20;
    let mut client = Client::new(admin, "identity");
    let mut last = None;
    for _ in 0..TRIES {
        let answer = client.get("/metrics").await.ok()?;
        last = coded_in(&String::from_utf8_lossy(&answer.body));
        if last.is_some_and(|counted| counted.input >= seen.input && counted.output >= seen.output) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    last
}
