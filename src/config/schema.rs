//! The key table as a JSON Schema (draft-07: the newest that editors' TOML plug-ins understand).

use serde_json::{Map, Value, json};

use super::keys::{Key, ROOT};
use super::kind::{Form, Kind};

/// `conf/vacpack.schema.json`.
pub fn schema() -> Value {
    let mut schema = table(ROOT, "Configuration of vacpack.");
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("vacpack.toml");
    schema
}

fn table(keys: &[Key], doc: &str) -> Value {
    let mut properties = Map::new();
    for key in keys {
        properties.insert(key.name.to_owned(), property(key));
    }
    let required: Vec<&str> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut schema = json!({
        "type": "object",
        "description": doc,
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = kind(&key.kind, key.doc);
    schema["description"] = json!(key.doc);
    if let Some(default) = key.default.and_then(parse) {
        schema["default"] = default;
    }
    if let Some(example) = key.example.and_then(parse) {
        schema["examples"] = json!([example]);
    }
    schema
}

fn kind(shape: &Kind, doc: &str) -> Value {
    match *shape {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Ratio => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Kind::Size { .. } => pattern(SIZE),
        Kind::Time { .. } => pattern(TIME),
        Kind::Budget => pattern(&format!("{PERCENT}|{SIZE}")),
        Kind::Text(form) => text(form),
        Kind::Word(words) => one_of(words),
        Kind::WordOr(word, inner) => any_of(one_of(&[word]), kind(inner, doc)),
        Kind::List(inner) => json!({ "type": "array", "items": kind(inner, doc) }),
        Kind::OneOrMany(inner) => any_of(kind(inner, doc), json!({ "type": "array", "items": kind(inner, doc) })),
        Kind::Map { name, value } => {
            let mut schema = json!({ "type": "object", "additionalProperties": kind(value, doc) });
            if let Some(pattern) = form_pattern(name) {
                schema["propertyNames"] = json!({ "pattern": format!("^({pattern})$") });
            }
            schema
        }
        Kind::Table(keys) => table(keys, doc),
        Kind::Switch(keys) => any_of(json!({ "type": "boolean" }), table(keys, doc)),
        Kind::Tables(keys) => json!({ "type": "array", "items": table(keys, doc) }),
    }
}

const SIZE: &str = r"[0-9]+(\.[0-9]+)? ?([kKMGT][iI]?)?[bB]";
const TIME: &str = r"([0-9]+(\.[0-9]+)? ?(ns|us|ms|s|m|h|d))+";
const PERCENT: &str = r"[0-9]+(\.[0-9]+)? ?%";

/// A text that names a variable can become anything; only reading it tells.
fn pattern(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": format!(r"^({pattern})$|\$\{{") })
}

fn text(form: Form) -> Value {
    match form_pattern(form) {
        Some(shape) => pattern(shape),
        None => json!({ "type": "string" }),
    }
}

/// What an editor can tell while typing. `form.rs` is stricter.
fn form_pattern(form: Form) -> Option<&'static str> {
    Some(match form {
        Form::FieldName | Form::NormalisedField | Form::RemovableField | Form::SettableField | Form::CookieName => {
            r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
        }
        Form::Language => "[A-Za-z][A-Za-z0-9]{0,7}(-[A-Za-z0-9]{1,8})*",
        Form::Label => "[a-zA-Z_][a-zA-Z0-9_]*",
        Form::MediaRange => r"\+[^/\s;]+|[^/\s;+]+/[^/\s;]+",
        Form::Method => "[A-Z][A-Z0-9_-]*",
        Form::Network => r"[0-9a-fA-F.:]+/[0-9]+",
        Form::PathGlob => r"[/{\[].*|\*\*/.*",
        Form::RouteName => "[A-Za-z0-9_.-]{1,63}",
        Form::Socket => r"[^\s]+:[0-9]+",
        Form::Status => "[345][0-9][0-9]",
        Form::Tag => r"[^\s,]+",
        Form::Upstream => r"unix:.+|https://[^\s/]+|[^\s/]+:[0-9]+",
        Form::File | Form::Secret => ".+",
        Form::Host | Form::ServerName => r"[^\s/@]+",
        Form::Any | Form::FieldValue | Form::Mapping | Form::HostGlob | Form::NameGlob => return None,
    })
}

fn one_of(words: &[&str]) -> Value {
    json!({ "enum": words })
}

fn any_of(one: Value, other: Value) -> Value {
    json!({ "anyOf": [one, other] })
}

/// A default of the key table as JSON.
fn parse(literal: &str) -> Option<Value> {
    let document: toml::Table = format!("x = {literal}").parse().ok()?;
    serde_json::to_value(document.get("x")?).ok()
}
