//! gRPC through vacpack, by somebody else's server and client: `calls.py` says what is called, and what has to come of it.

use crate::harness::tls::Authority;
use crate::harness::{Directory, Vacpack, until};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The Python that `make setup` gave the library to.
fn python() -> Command {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let mut command = Command::new(if own.exists() { own } else { PathBuf::from("python3") });
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/upstream/calls.py")).stdin(Stdio::null());
    command
}

/// A server that goes away with its test.
struct App {
    process: Child,
    address: String,
}

impl App {
    fn start(directory: &Directory, secured: Option<&Path>) -> Self {
        let told = directory.join("port");
        let mut command = python();
        command.arg("serve").arg(&told);
        if let Some(certificate) = secured {
            command.arg(certificate);
        }
        let mut process = command.spawn().expect("python3: make setup installs it");
        let port = until("the gRPC server, for which make setup installs grpcio", || {
            assert!(process.try_wait().expect("a child").is_none(), "it ended: make setup installs grpcio");
            std::fs::read_to_string(&told).ok().filter(|port| port.ends_with('\n'))
        });
        let scheme = if secured.is_some() { "https://" } else { "" };
        Self { process, address: format!("{scheme}127.0.0.1:{}", port.trim()) }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _gone = (self.process.kill(), self.process.wait());
    }
}

fn every_call_is_right(vacpack: &Vacpack, ca: Option<&Path>) {
    let mut command = python();
    command.arg("call").arg(vacpack.address().to_string());
    if let Some(ca) = ca {
        command.arg(ca);
    }
    let output = command.output().expect("python3: make setup installs it");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let metrics = vacpack.metrics();
    assert_eq!(metrics.sum("vacpack_compression_input_bytes_total", &[]), 0.0, "nothing is compressed");
    assert_eq!(metrics.sum("vacpack_upstream_requests_in_flight", &[]), 0.0, "and no place is kept");
}

#[test]
fn every_kind_of_call_passes_without_tls() {
    let directory = Directory::new("grpc-plain");
    let app = App::start(&directory, None);
    let settings = "upstream.protocol = \"h2c\"\nupstream.read_timeout = \"500ms\"\n";
    let vacpack = Vacpack::start(&format!("upstream.address = \"{}\"\n{settings}", app.address));
    every_call_is_right(&vacpack, None);
}

#[test]
fn every_kind_of_call_passes_with_tls_on_both_sides() {
    let authority = Authority::new("grpc-tls");
    let directory = Directory::new("grpc-secured");
    let certificate = authority.directory("both", &["localhost", "127.0.0.1"]);
    let app = App::start(&directory, Some(&certificate));
    let settings = format!(
        "upstream.protocol = \"auto\"\nupstream.tls.ca = {:?}\nlisten.tls.certificates = {certificate:?}\n",
        authority.file()
    );
    let vacpack = Vacpack::start(&format!("upstream.address = \"{}\"\n{settings}", app.address));
    every_call_is_right(&vacpack, Some(&authority.file()));
}
