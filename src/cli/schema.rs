//! `vacpack schema`: the JSON Schema of the configuration file, for editors and CI; or the same keys for people.

use std::io::Write;

use super::print;
use crate::config;

pub fn main(reference: bool, out: &mut dyn Write) -> u8 {
    match reference {
        true => print(out, config::reference().trim_end()),
        false => print(out, format_args!("{:#}", config::schema())),
    }
}
