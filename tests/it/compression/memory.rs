//! Many bodies at a time: encoders stay within their part of the budget, and nobody is refused for it.

use crate::harness::binary::{ADMIN, Binary, LISTEN};
use crate::harness::payload::page;
use crate::harness::{Answer, Call, Client, Directory, Gate, Metrics, Origin, Part, until};
use std::collections::BTreeMap;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// What each stream sends before it holds.
const FIRST: usize = 128 << 10;
const REST: usize = 1000;

struct Held {
    /// Resident memory in bytes, while all streams hold, beyond what it was with none.
    grown: u64,
    metrics: Metrics,
    /// How many streams came in each coding.
    codings: BTreeMap<String, usize>,
}

/// So many clients of `accept` ask at once for a page that stops after 128 KiB, and later goes on.
fn hold(streams: usize, accept: &str, budget: &str) -> Held {
    let gate = Gate::closed();
    let body = page(FIRST + REST);
    let script = body[..FIRST].chunks(16 << 10).map(|piece| Part::Data(piece.to_vec()));
    let script = script.chain([Part::Wait(gate.clone()), Part::Data(body[FIRST..].to_vec())]);
    let origin = Origin::start();
    origin.serve("/slow", Answer::status(200).field("Content-Type", "text/html").chunked().parts(script));
    origin.serve("/", Answer::html(page(FIRST)));

    let directory = Directory::new(&format!("memory-{streams}-{budget}"));
    let file = directory.file("vacpack.toml", &format!("memory.budget = \"{budget}\"\n"));
    let file = file.to_str().expect("a plain path");
    let arguments = ["--config", file, "--upstream", &origin.address(), "--listen", LISTEN, "--admin", ADMIN];
    let mut binary = Binary::start(&arguments, &[]);
    let (address, admin) = (binary.listen(), binary.admin());
    let metrics = || Metrics::parse(&Client::connect(admin).ask(&Call::get("/metrics")).text());
    Client::connect(address).ask(&Call::get("/").accepting(accept));
    let idle = binary.resident();

    let mut clients: Vec<_> = (0..streams).map(|_| Client::connect(address)).collect();
    let mut incoming: Vec<_> =
        clients.iter_mut().map(|client| client.begin(&Call::get("/slow").accepting(accept))).collect();
    until("every stream to hold", || (gate.waiting() == streams).then_some(()));
    let held = metrics();
    let grown = binary.resident().saturating_sub(idle);
    let mut codings = BTreeMap::new();
    for stream in &incoming {
        *codings.entry(stream.response.coding().to_owned()).or_default() += 1;
    }
    gate.open();
    for stream in incoming.drain(..) {
        let response = stream.read_to_end();
        assert!(response.status == 200 && response.complete());
        assert!(response.content() == body, "{} is not what the app sent", response.coding());
    }
    let after = until("every encoder to be gone", || {
        let now = metrics();
        (now.sum("vacpack_requests_in_flight", &[]) == 0.0).then_some(now)
    });
    assert_eq!(after.sum("vacpack_encoder_memory_bytes", &[]), 0.0);
    assert_eq!(after.sum("vacpack_encoder_reserved_bytes", &[]), 0.0);
    Held { grown, metrics: held, codings }
}

impl Held {
    #[expect(clippy::print_stderr, reason = "the figures are what the run by hand is for")]
    fn within(&self, streams: usize, most: u64) {
        let value = |family: &str| self.metrics.sum(family, &[]) as u64;
        let [held, reserved, capacity] =
            ["memory", "reserved", "capacity"].map(|word| value(&format!("vacpack_encoder_{word}_bytes")));
        let downgrades = |step: &str| self.metrics.sum("vacpack_encoder_downgrades_total", &[step]);
        let steps = ["window", "level", "coding", "fragment", "identity"].map(|step| (step, downgrades(step)));
        let figures = format!(
            "{streams} streams: {} KiB more each; encoders hold {} of {} KiB; {:?}; {steps:?}",
            self.grown / KIB / streams as u64,
            held / KIB,
            capacity / KIB,
            self.codings,
        );
        eprintln!("{figures}");
        assert_eq!(capacity, value("vacpack_memory_budget_bytes") / 2);
        assert!(held <= reserved && reserved <= capacity, "{figures}");
        assert!(self.grown < most, "{figures}");
        assert_eq!(downgrades("identity") as usize, self.codings.get("identity").copied().unwrap_or(0), "{figures}");
    }
}

#[test]
fn two_hundred_slow_streams_share_what_there_is() {
    let held = hold(200, "br, gzip", "64MiB");
    held.within(200, 200 * 300 * KIB);
    assert!(held.codings["br"] > 100, "{:?}", held.codings);
}

#[test]
fn where_there_is_no_room_for_an_encoder_the_body_goes_as_it_is() {
    let held = hold(40, "gzip", "16MiB");
    // All of the budget, of which half is for encoders; with so few, each has all that is fixed to bear.
    held.within(40, 16 * MIB);
    assert!(held.codings["gzip"] >= 4 && held.codings["identity"] >= 20, "{:?}", held.codings);
}

/// By hand: `cargo test --test it -- --ignored --nocapture a_thousand`.
#[test]
#[ignore = "takes a minute, most of it in the decoders"]
fn a_thousand_slow_streams() {
    for budget in ["64MiB", "205MiB"] {
        hold(1000, "br", budget).within(1000, 1000 * 300 * KIB);
    }
}
