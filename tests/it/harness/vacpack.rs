//! A whole vacpack in this process. The only file of the tests that names the crate's own API.

use super::call::Call;
use super::client::Client;
use super::metrics::Metrics;
use super::origin::Origin;
use super::response::Response;
use super::wait::until;
use std::net::SocketAddr;

pub struct Vacpack {
    running: vacpack::app::Running,
}

impl Vacpack {
    /// In front of an origin, with every default but one: see [`Vacpack::start`].
    pub fn before(origin: &Origin) -> Self {
        Self::with(origin, "")
    }

    /// In front of an origin, with settings: dotted keys first (`cache.max_object = "64KiB"`), then `[[route]]` tables.
    pub fn with(origin: &Origin, settings: &str) -> Self {
        Self::start(&format!("upstream.address = \"{}\"\n{settings}", origin.address()))
    }

    /// From a text that says where its upstream is. Stored bodies stay as they are, unless the text speaks of
    /// `compression.improve`: a test that compares hits would meet other bytes, sooner or later.
    pub fn start(settings: &str) -> Self {
        let improve = if settings.contains("compression.improve") { "" } else { "compression.improve = false\n" };
        let text = format!(
            "listen.address = \"127.0.0.1:0\"\nadmin.address = \"127.0.0.1:0\"\nlog.access.enabled = false\n\
             {improve}{settings}"
        );
        let config = vacpack::config::parse(&text).unwrap_or_else(|problems| panic!("{problems}\nin\n{text}"));
        let running = vacpack::app::start(config).unwrap_or_else(|error| panic!("vacpack does not start: {error}"));
        Self { running }
    }

    pub fn address(&self) -> SocketAddr {
        self.running.listen
    }

    pub fn admin(&self) -> SocketAddr {
        self.running.admin
    }

    /// A connection to the proxy.
    pub fn client(&self) -> Client {
        Client::connect(self.address())
    }

    /// One request on a connection of its own.
    pub fn ask(&self, call: &Call) -> Response {
        self.client().ask(call)
    }

    pub fn get(&self, target: &str) -> Response {
        self.ask(&Call::get(target))
    }

    /// A GET with an `Accept-Encoding`; without one when `codings` is empty.
    pub fn get_as(&self, target: &str, codings: &str) -> Response {
        self.ask(&Call::get(target).accepting(codings))
    }

    /// Asks the same thing again and again, and says what the cache did each time.
    pub fn outcomes<const N: usize>(&self, call: &Call) -> [&'static str; N] {
        std::array::from_fn(|_| self.ask(call).outcome())
    }

    /// One request to the admin listener.
    pub fn ask_admin(&self, call: &Call) -> Response {
        Client::connect(self.admin()).ask(call)
    }

    /// Hard purge of one resource, every representation of it.
    pub fn purge(&self, host: &str, target: &str) -> Response {
        self.ask_admin(&Call::post(&format!("/purge?url=http://{host}{target}"), ""))
    }

    /// What `/metrics` says now.
    pub fn metrics(&self) -> Metrics {
        Metrics::parse(&self.ask_admin(&Call::get("/metrics")).text())
    }

    /// What `/metrics` says once `requests` are over and counted: counting follows the last byte.
    pub fn metrics_after(&self, requests: u32) -> Metrics {
        until("the requests to be counted", || {
            let metrics = self.metrics();
            (metrics.sum("vacpack_http_requests_total", &[]) >= f64::from(requests)).then_some(())
        });
        // A scrape reads one family after the other: what that one read first may be from before the last request.
        self.metrics()
    }
}
