//! `vacpack drain`: the running vacpack ends as it does on SIGTERM. The preStop hook of an image without a shell.

use std::io::Write;

use clap::Args;
use serde_json::json;

use super::client::AdminFlags;
use super::{exit, print};
use crate::config::Environment;

#[derive(Args, Debug, Default)]
pub struct DrainFlags {
    #[command(flatten)]
    admin: AdminFlags,
}

pub fn main(flags: &DrainFlags, environment: &dyn Environment, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let asked = flags.admin.listener(environment).and_then(|admin| admin.post("/drain", &json!({}))?.json());
    match asked {
        Ok(_) => print(out, "draining: not ready from now on; it ends when nothing is in flight"),
        Err(error) => match print(err, format!("vacpack drain: {error}")) {
            exit::OK => error.exit_code(),
            failed => failed,
        },
    }
}
