//! Nothing waits in a codec: events, pauses and long bodies reach the client while the app is still at it.

use crate::harness::binary::{ADMIN, Binary, LISTEN};
use crate::harness::payload::page;
use crate::harness::wait::until_calm;
use crate::harness::{Answer, Call, Client, Gate, Origin, Part, Vacpack, decode, until};
use proptest::prelude::*;
use std::time::{Duration, Instant};

const CODINGS: [&str; 4] = ["br", "zstd", "gzip", "identity"];
const MIB: usize = 1 << 20;

/// Sends parts with a gate after each, and opens a gate only when the client could read all that came before it.
fn each_part_arrives_before_the_next_is_sent(answer: &Answer, parts: &[Vec<u8>], coding: &str) {
    prompt_with("", answer, parts, coding);
}

fn prompt_with(settings: &str, answer: &Answer, parts: &[Vec<u8>], coding: &str) {
    let gates: Vec<Gate> = parts.iter().map(|_| Gate::closed()).collect();
    let script = parts.iter().zip(&gates).flat_map(|(part, gate)| [Part::Data(part.clone()), Part::Wait(gate.clone())]);
    let origin = Origin::start();
    origin.serve("/", answer.clone().chunked().parts(script));
    let vacpack = Vacpack::with(&origin, settings);
    let mut client = vacpack.client();
    let mut incoming = client.begin(&Call::get("/").accepting(coding));
    assert_eq!(incoming.response.coding(), coding);
    let mut decoder = decode::Prompt::new(coding);
    let mut sent = 0;
    for (part, gate) in parts.iter().zip(&gates) {
        sent += part.len();
        // The client's read gives up at its deadline: then the bytes were held back.
        while decoder.push(&[]).len() < sent {
            let piece = incoming.next_piece();
            let piece = piece.unwrap_or_else(|| panic!("{coding}: {sent} bytes sent, not all of them came"));
            decoder.push(&piece);
        }
        gate.open();
    }
    assert_eq!(incoming.read_to_end().content(), parts.concat());
}

#[test]
fn an_event_arrives_before_the_next_one_is_sent() {
    let events: Vec<_> = (0..20).map(|number| format!("id: {number}\ndata: tick\n\n").into_bytes()).collect();
    for coding in CODINGS {
        let answer = Answer::status(200).field("Content-Type", "text/event-stream").fresh("no-cache");
        each_part_arrives_before_the_next_is_sent(&answer, &events, coding);
    }
}

#[test]
fn a_line_of_ndjson_arrives_before_the_next_one_is_sent() {
    let lines: Vec<_> = (0..10).map(|number| format!("{{\"row\":{number}}}\n").into_bytes()).collect();
    let answer = Answer::status(200).field("Content-Type", "application/x-ndjson");
    for coding in CODINGS {
        prompt_with("compression.types = [\"application/x-ndjson\"]", &answer, &lines, coding);
    }
}

#[test]
fn an_app_that_switches_buffering_off_is_obeyed() {
    let parts: Vec<_> = (0..10).map(|number| format!("<li>{number}\n").into_bytes()).collect();
    let answer = Answer::status(200).field("Content-Type", "text/html").field("X-Accel-Buffering", "no");
    each_part_arrives_before_the_next_is_sent(&answer, &parts, "br");
}

#[test]
fn when_the_app_pauses_the_codec_holds_nothing_back() {
    let parts = [page(2000), page(30_000), page(100), page(70_000)];
    for coding in CODINGS {
        let answer = Answer::status(200).field("Content-Type", "text/html");
        each_part_arrives_before_the_next_is_sent(&answer, &parts, coding);
    }
}

/// A chunked body on the wire without its last chunk, and how much of the content is there after each byte of it.
fn on_the_wire(content: &[u8], sizes: &[usize], extension: &str) -> (Vec<u8>, Vec<usize>) {
    let (mut wire, mut there) = (Vec::new(), Vec::new());
    let mut seen = 0;
    let mut put = |bytes: &[u8], counts: bool| {
        for byte in bytes {
            seen += usize::from(counts);
            wire.push(*byte);
            there.push(seen);
        }
    };
    let mut rest = content;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, later) = rest.split_at((*size).min(rest.len()));
        rest = later;
        put(format!("{:x}{extension}\r\n", chunk.len()).as_bytes(), false);
        put(chunk, true);
        put(b"\r\n", false);
    }
    (wire, there)
}

/// The app writes its framed body in pieces that end anywhere, and waits after each until the client can read all content
/// that is in it: a size line apart from its chunk, the end of a chunk after a pause, half of a chunk.
fn prompt_however_it_is_cut(sizes: &[usize], extension: &str, cuts: &[usize], coding: &str) {
    let content = page(20_000);
    let (wire, there) = on_the_wire(&content, sizes, extension);
    let mut ends: Vec<usize> = Vec::new();
    for cut in cuts.iter().cycle() {
        let end = ends.last().copied().unwrap_or(0) + cut;
        ends.push(end.min(wire.len()));
        if end >= wire.len() {
            break;
        }
    }
    let gates: Vec<Gate> = ends.iter().map(|_| Gate::closed()).collect();
    let mut script = Vec::new();
    let mut start = 0;
    for (end, gate) in ends.iter().zip(&gates) {
        // What follows the last content is written apart: it must not look as if there were more.
        let middle = start + there[start..*end].iter().take_while(|seen| **seen < there[end - 1]).count() + 1;
        let middle = middle.min(*end);
        script.extend([Part::Wire(wire[start..middle].to_vec()), Part::Wire(wire[middle..*end].to_vec())]);
        script.push(Part::Wait(gate.clone()));
        start = *end;
    }
    let origin = Origin::start();
    origin.serve("/", Answer::status(200).field("Content-Type", "text/html").chunked().parts(script));
    let vacpack = Vacpack::before(&origin);
    let mut client = vacpack.client();
    let mut incoming = client.begin(&Call::get("/").accepting(coding));
    let mut decoder = decode::Prompt::new(coding);
    for (end, gate) in ends.iter().zip(&gates) {
        let sent = there[end - 1];
        while decoder.push(&[]).len() < sent {
            let piece = incoming.next_piece();
            let piece = piece.unwrap_or_else(|| panic!("{coding}, {sizes:?}: {sent} bytes sent, not all of them came"));
            decoder.push(&piece);
        }
        gate.open();
    }
    assert_eq!(incoming.read_to_end().content(), content);
}

#[test]
fn nothing_is_held_back_wherever_the_app_cuts_its_writes() {
    let long = format!(";note=\"{}\"", "x".repeat(60));
    for coding in ["br", "zstd", "gzip"] {
        // Chunks of 1,000 bytes are 1,007 on the wire: pieces end in the size line, behind it, in and behind the content.
        prompt_however_it_is_cut(&[1000], "", &[1005, 2, 998, 1009, 3, 4, 500], coding);
        prompt_however_it_is_cut(&[1, 17, 4000, 5], "", &[6, 7, 3001, 13], coding);
        prompt_however_it_is_cut(&[1000], &long, &[1072, 1074, 1076, 40], coding);
        prompt_however_it_is_cut(&[50], &long, &[124], coding);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn nothing_is_held_back_wherever_any_app_cuts_its_writes(
        sizes in prop::collection::vec(1usize..3000, 1..6),
        cuts in prop::collection::vec(1usize..4000, 1..12),
        extended in any::<bool>(),
    ) {
        let extension = if extended { ";a=0123456789abcdef0123456789" } else { "" };
        prompt_however_it_is_cut(&sizes, extension, &cuts, "br");
    }
}

#[test]
fn a_page_that_will_be_kept_streams_all_the_same() {
    let parts = [page(2000), page(30_000)];
    let answer = Answer::status(200).field("Content-Type", "text/html").fresh("max-age=60");
    each_part_arrives_before_the_next_is_sent(&answer, &parts, "br");
}

#[test]
fn events_are_prompt_through_brotli() {
    const EVENTS: usize = 40;
    let origin = Origin::start();
    let epoch = Instant::now();
    let tick = [Part::Pause(Duration::from_millis(15)), Part::Stamp(epoch)];
    let script = std::iter::repeat_n(tick, EVENTS).flatten();
    origin.serve("/", Answer::status(200).field("Content-Type", "text/event-stream").chunked().parts(script));
    let vacpack = Vacpack::before(&origin);
    let mut client = vacpack.client();
    let mut incoming = client.begin(&Call::get("/").accepting("br"));
    let mut decoder = decode::Prompt::new("br");
    let (mut seen, mut delays) = (0, Vec::new());
    while let Some(piece) = incoming.next_piece() {
        let now = epoch.elapsed();
        let text = String::from_utf8(decoder.push(&piece).to_vec()).expect("text");
        for event in text[seen..].split_inclusive("\n\n").filter(|event| event.ends_with("\n\n")) {
            let sent: u64 = event.trim().trim_start_matches("data: ").parse().expect("a stamp");
            delays.push(now - Duration::from_micros(sent));
            seen += event.len();
        }
    }
    assert_eq!(delays.len(), EVENTS);
    delays.sort();
    // The median, since a busy machine may hold back any single one; the tail is measured by the benches.
    let median = delays[EVENTS / 2];
    assert!(median < Duration::from_millis(20), "half of the events took {median:?} or longer");
}

#[test]
fn the_first_byte_of_a_known_length_comes_while_the_app_is_still_sending() {
    let origin = Origin::start();
    let vacpack = Vacpack::before(&origin);
    for coding in CODINGS {
        let gate = Gate::closed();
        let halting = Answer::html(page(4 * MIB)).then_at(3 * MIB, Part::Wait(gate.clone()));
        origin.serve("/", halting);
        let mut client = vacpack.client();
        let mut incoming = client.begin(&Call::get("/").accepting(coding));
        // The gate is closed: whatever comes now comes before the app is through.
        let first = incoming.next_piece().expect("the first bytes");
        assert!(!first.is_empty(), "{coding}");
        gate.open();
        assert_eq!(incoming.read_to_end().content(), page(4 * MIB), "{coding}");
    }
}

#[test]
fn a_client_that_does_not_read_slows_the_app_down() {
    let origin = Origin::start();
    let piece = page(64 * 1024);
    let script = std::iter::repeat_n(Part::Data(piece), 1024);
    origin.serve("/", Answer::status(200).field("Content-Type", "image/png").chunked().parts(script));
    let vacpack = Vacpack::before(&origin);
    let mut client = vacpack.client();
    client.send(Call::get("/").head_bytes());
    until("the first byte", || (origin.body_bytes() > 0).then_some(()));
    let taken = until_calm("the app to be held back", Duration::from_millis(500), || origin.body_bytes());
    // What the kernel's buffers of two connections take, and no more: 64 MiB are on offer.
    assert!(taken < 24 * MIB as u64, "{taken} bytes were taken for a client that reads none");
}

#[test]
fn a_long_body_passes_through_brotli_in_little_memory() {
    let origin = Origin::start();
    let script = std::iter::repeat_n(Part::Data(page(64 * 1024)), 1024);
    origin.serve("/long", Answer::status(200).field("Content-Type", "text/html").chunked().parts(script));
    origin.serve("/short", Answer::html(page(64 * 1024)));
    let mut binary = Binary::start(&["--upstream", &origin.address(), "--listen", LISTEN, "--admin", ADMIN], &[]);
    let address = binary.listen();
    Client::connect(address).ask(&Call::get("/short").accepting("br"));
    let idle = binary.resident();
    let mut client = Client::connect(address);
    let mut incoming = client.begin(&Call::get("/long").accepting("br"));
    assert_eq!(incoming.response.coding(), "br");
    let mut most = idle;
    while incoming.next_piece().is_some() {
        most = most.max(binary.resident());
    }
    assert!(incoming.read_to_end().complete());
    let grown = (most - idle) / MIB as u64;
    assert!(grown < 32, "64 MiB through brotli took {grown} MiB more than idle");
}
