//! `vacpack reload`: asks the running vacpack to read its configuration again, and says what came of it.

use std::io::Write;

use clap::Args;
use http::StatusCode;
use serde_json::{Value, json};

use super::client::{AdminFlags, ClientError};
use super::{exit, print};
use crate::config::Environment;

#[derive(Args, Debug, Default)]
pub struct ReloadFlags {
    #[command(flatten)]
    admin: AdminFlags,
}

pub fn main(flags: &ReloadFlags, environment: &dyn Environment, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let asked = flags.admin.listener(environment).and_then(|admin| admin.post("/reload", &json!({}))?.json());
    match asked {
        Ok(answer) => print(out, told(&answer)),
        Err(error) => {
            let code = match &error {
                ClientError::Refused { status: StatusCode::UNPROCESSABLE_ENTITY, .. } => exit::CONFIG,
                other => other.exit_code(),
            };
            match print(err, format!("vacpack reload: {error}")) {
                exit::OK => code,
                failed => failed,
            }
        }
    }
}

/// What is in force, and what is not.
fn told(answer: &Value) -> String {
    let texts =
        |name: &str| -> Vec<&str> { answer[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect() };
    let mut lines = vec!["the configuration is in force".to_owned()];
    let restart = texts("restart_needed");
    if !restart.is_empty() {
        lines.push(format!("but for these keys, which need a restart: {}", restart.join(", ")));
    }
    lines.extend(texts("warnings").into_iter().map(str::to_owned));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_restart_is_named() {
        assert_eq!(told(&json!({ "restart_needed": [], "warnings": [] })), "the configuration is in force");
        let answer = json!({ "restart_needed": ["listen.address", "runtime.workers"], "warnings": ["careful"] });
        let lines = "the configuration is in force\n\
                     but for these keys, which need a restart: listen.address, runtime.workers\ncareful";
        assert_eq!(told(&answer), lines);
    }
}
