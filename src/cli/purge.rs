//! `vacpack purge`: asks the running vacpack to forget, and says what it did.

use std::io::Write;

use clap::Args;
use serde_json::{Map, Value, json};

use super::client::{AdminFlags, ClientError};
use super::{exit, print};
use crate::config::Environment;

/// What is to go, and how.
#[derive(Args, Debug, Default)]
pub struct PurgeFlags {
    /// Absolute URLs, with the host that clients ask for
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// Every URL that begins so: http://host/path
    #[arg(long, value_name = "URL")]
    prefix: Vec<String>,
    /// What the app tagged so, in Surrogate-Key, Cache-Tag or xkey, or the route's headers.tags
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Every URL of a host
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// All there is
    #[arg(long)]
    everything: bool,
    /// Leave it in place as stale: it is validated, or served while a fresh one is fetched
    #[arg(long)]
    soft: bool,
    /// Say how much it would be, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminFlags,
}

pub fn main(flags: &PurgeFlags, environment: &dyn Environment, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    match ask(flags, environment) {
        Ok(answer) if flags.json => print(out, &answer),
        Ok(answer) => print(out, told(&answer)),
        Err(error) => match print(err, format!("vacpack purge: {error}")) {
            exit::OK => error.exit_code(),
            code => code,
        },
    }
}

fn ask(flags: &PurgeFlags, environment: &dyn Environment) -> Result<Value, ClientError> {
    flags.admin.listener(environment)?.post("/purge", &body(flags))?.json()
}

/// Only what was said, so that what was left out is the server's to complain of.
fn body(flags: &PurgeFlags) -> Value {
    let lists = [("url", &flags.urls), ("prefix", &flags.prefix), ("tag", &flags.tag), ("host", &flags.host)];
    let switches = [("everything", flags.everything), ("soft", flags.soft), ("dry_run", flags.dry_run)];
    let mut body = Map::new();
    body.extend(
        lists.iter().filter(|(_, list)| !list.is_empty()).map(|(name, list)| ((*name).to_owned(), json!(list))),
    );
    body.extend(switches.iter().filter(|(_, on)| *on).map(|(name, _)| ((*name).to_owned(), json!(true))));
    Value::Object(body)
}

/// One line a target, and a sum where there are several.
fn told(answer: &Value) -> String {
    let number = |of: &Value, name: &str| of[name].as_u64().unwrap_or_default();
    let amount = |of: &Value| {
        let objects = number(of, "purged");
        let noun = if objects == 1 { "object" } else { "objects" };
        format!("{objects} {noun}, {} bytes", number(of, "bytes"))
    };
    let verb = match answer["mode"].as_str() {
        Some("dry-run") => "would purge",
        Some("soft") => "made stale",
        _ => "purged",
    };
    let targets = answer["targets"].as_array().map_or(&[][..], Vec::as_slice);
    let mut lines: Vec<String> =
        targets.iter().map(|target| format!("{verb} {}: {}", name(target), amount(target))).collect();
    if targets.len() != 1 {
        lines.push(format!("{verb} in all: {}", amount(answer)));
    }
    lines.join("\n")
}

fn name(target: &Value) -> String {
    let named = ["url", "prefix", "tag", "host"].iter().find_map(|kind| Some((kind, target[*kind].as_str()?)));
    match named {
        Some((&"url", url)) => url.to_owned(),
        Some((kind, name)) => format!("{kind} {name}"),
        None => "everything".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_sent() {
        assert_eq!(body(&PurgeFlags::default()), json!({}));
        let flags = PurgeFlags {
            urls: vec!["http://h/a".to_owned()],
            tag: vec!["x".to_owned(), "y".to_owned()],
            soft: true,
            ..PurgeFlags::default()
        };
        assert_eq!(body(&flags), json!({ "url": ["http://h/a"], "tag": ["x", "y"], "soft": true }));
    }

    #[test]
    fn each_target_is_told_with_what_it_was() {
        let one = json!({ "purged": 1, "bytes": 900, "mode": "hard", "targets": [{ "url": "http://h/a", "purged": 1, "bytes": 900 }] });
        assert_eq!(told(&one), "purged http://h/a: 1 object, 900 bytes");
        let two = json!({ "purged": 2, "bytes": 1000, "mode": "dry-run", "targets": [
            { "tag": "x", "purged": 2, "bytes": 1000 },
            { "host": "h", "purged": 0, "bytes": 0 },
        ] });
        let lines = "would purge tag x: 2 objects, 1000 bytes\nwould purge host h: 0 objects, 0 bytes\nwould purge in all: 2 objects, 1000 bytes";
        assert_eq!(told(&two), lines);
        let all = json!({ "purged": 3, "bytes": 1, "mode": "soft", "targets": [{ "everything": true, "purged": 3, "bytes": 1 }] });
        assert_eq!(told(&all), "made stale everything: 3 objects, 1 bytes");
    }
}
