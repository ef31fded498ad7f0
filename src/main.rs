//! Parse, load, run, exit code - nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    vacpack::cli::main(std::env::args_os())
}
