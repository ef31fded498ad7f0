//! `vacpack check FILE...`: every problem of every file, with its place and what to write instead.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::{exit, print};
use crate::config::{Environment, Inputs, Purpose, load};

/// Problems and warnings go to `err`, one line for each file that is right to `out`.
pub fn main(files: &[PathBuf], environment: &dyn Environment, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let mut worst = exit::OK;
    // The file alone is judged; what overrides it elsewhere is not part of it.
    let environment = |name: &str| match name {
        "VACPACK_UPSTREAM" | "VACPACK_LISTEN" | "VACPACK_ADMIN" => None,
        _ => environment.variable(name),
    };
    for file in files {
        let inputs = Inputs {
            file: Some(file),
            flags: &[],
            environment: &environment,
            root: Path::new("/"),
            purpose: Purpose::Inspect,
        };
        match load(&inputs) {
            Ok(loaded) => {
                for warning in &loaded.warnings {
                    print(err, format_args!("warning: {warning}\n"));
                }
                print(out, format_args!("{}: ok", file.display()));
            }
            Err(error) => {
                print(err, error);
                worst = exit::CONFIG;
            }
        }
    }
    worst
}
