//! The engine beside the C libraries: speed against ratio for each class of content, and long streams in small windows.
//!
//! ```text
//! make bench-codecs                   into benches/runs/DATE/codecs.md and codecs.svg; some three minutes
//! make bench-codecs CORPUS=FOLDER     and with other files beside those of `corpus/`
//! ```
//! The folders hold real files: `corpus/`, see `make corpus`, and any other. "vacpack" is [`vacpack::encode`] as the proxy
//! drives it; "C" is libbrotli at the same level and window, zstd at its own parameters for a level, and zlib-ng. All get
//! the body in chunks of 16 KiB and are made anew for each. Speed is CPU time of one thread, the shortest of some rounds
//! in which everybody has a turn: other work on the machine slows all of them, and changes it least. Ends with 1 if a
//! long stream is larger than C's by more than it may, or takes more memory.

#![expect(clippy::print_stdout, reason = "it says where it wrote")]

mod classes;
mod clock;
mod contender;
mod counting;
mod libbrotli;
mod measure;
mod plot;
mod report;
mod streams;

use std::path::PathBuf;
use std::process::ExitCode;

/// As much as a proxy reads from a socket at a time.
const CHUNK: usize = 16 << 10;

fn main() -> ExitCode {
    let mut folders = std::env::args_os().skip(1).map(PathBuf::from);
    let into = folders.next().expect("where to: codecs INTO FOLDER...");
    let folders: Vec<PathBuf> = folders.collect();
    let classes = classes::classes(&folders);
    assert!(!classes.is_empty(), "no text in {folders:?}: make corpus");
    let points: Vec<_> = classes.iter().map(measure::measure).collect();
    let streams = streams::streams(&classes);
    std::fs::create_dir_all(&into).expect("a folder to write to");
    for (name, text) in [("codecs.md", report::page(&points, &streams)), ("codecs.svg", plot::plot(&points))] {
        std::fs::write(into.join(name), text).expect("room for a small file");
        println!("{}", into.join(name).display());
    }
    if streams.iter().all(streams::Stream::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
