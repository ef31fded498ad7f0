//! The configuration in force, as TOML that could be loaded again, each line with where it came from.

use std::fmt::{self, Write};

use super::keys::{Key, ROOT};
use super::kind::{Form, Kind};
use super::source::Origin;
use super::tree::{Node, Table, Value};

/// Every value, completed with its defaults.
#[derive(Debug)]
pub struct Effective(pub(super) Table);

impl Effective {
    /// Where the value at this path came from, `upstream.address`.
    pub fn origin(&self, path: &str) -> Option<&Origin> {
        self.0.at(path).map(|node| &node.origin)
    }
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        for key in ROOT.iter().filter(|key| key.kind.keys().is_none()) {
            entry(&self.0, key, "", &mut lines);
        }
        write_lines(f, &lines)?;
        for key in ROOT {
            match (key.kind, self.0.0.get(key.name)) {
                (Kind::Table(keys), Some(Node { value: Value::Table(table), .. })) => {
                    write!(f, "\n[{}]\n", key.name)?;
                    write_lines(f, &section(table, keys))?;
                }
                (Kind::Tables(keys), _) => {
                    for (route, origin) in self.0.tables(key.name) {
                        write!(f, "\n[[{}]]  # {origin}; what it leaves out comes from the other tables\n", key.name)?;
                        write_lines(f, &section(route, keys))?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A line without its comment, and the comment.
type Line = (String, String);

fn section(table: &Table, keys: &'static [Key]) -> Vec<Line> {
    let mut lines = Vec::new();
    for key in keys {
        entry(table, key, "", &mut lines);
    }
    lines
}

/// A table within a table is written as dotted keys, so that each value keeps a line, and an origin, of its own.
fn entry(table: &Table, key: &'static Key, prefix: &str, lines: &mut Vec<Line>) {
    let Some(node) = table.0.get(key.name) else {
        return;
    };
    let name = format!("{prefix}{}", key.name);
    match (&node.value, key.kind.keys()) {
        (Value::Table(inner), Some(keys)) => {
            for key in keys {
                entry(inner, key, &format!("{name}."), lines);
            }
        }
        _ => {
            let mut line = format!("{name} = ");
            let _ = value(node, &key.kind, &mut line);
            lines.push((line, node.origin.to_string()));
        }
    }
}

fn write_lines(f: &mut fmt::Formatter<'_>, lines: &[Line]) -> fmt::Result {
    const COLUMN: usize = 44;
    for (line, origin) in lines {
        writeln!(f, "{line:COLUMN$}  # {origin}")?;
    }
    Ok(())
}

fn value(node: &Node, kind: &Kind, out: &mut String) -> fmt::Result {
    match &node.value {
        Value::Bool(on) => write!(out, "{on}"),
        Value::Integer(number) => write!(out, "{number}"),
        Value::Float(number) => write!(out, "{number:?}"),
        Value::Size(size) => write!(out, "\"{size}\""),
        Value::Time(time) => write!(out, "\"{time}\""),
        Value::Percent(share) => write!(out, "\"{share}\""),
        Value::Text { text, written } => match kind {
            Kind::Text(Form::Secret) => out.write_str("\"<redacted>\""),
            // A field's value that came from the environment is a credential more often than not.
            Kind::Text(Form::FieldValue) => quoted(written.as_ref().unwrap_or(text), out),
            // What is printed is read as a file again, where a lone `$` may mean something.
            _ => quoted(&text.replace('$', "$$"), out),
        },
        Value::List(nodes) => {
            out.push('[');
            for (index, node) in nodes.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                value(node, element(kind), out)?;
            }
            out.push(']');
            Ok(())
        }
        Value::Table(table) => {
            out.push('{');
            for (index, (name, node)) in table.0.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { " " });
                // Every form that a name can have is a bare key, or nearly.
                match name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
                    true => out.push_str(name),
                    false => quoted(name, out)?,
                }
                out.push_str(" = ");
                value(node, element(kind), out)?;
            }
            out.push_str(if table.0.is_empty() { "}" } else { " }" });
            Ok(())
        }
    }
}

fn element(kind: &Kind) -> &Kind {
    match kind {
        Kind::List(inner) | Kind::OneOrMany(inner) | Kind::Map { value: inner, .. } => inner,
        _ => kind,
    }
}

/// A basic string of TOML.
fn quoted(text: &str, out: &mut String) -> fmt::Result {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(out, "\\{c}")?,
            c if c.is_control() => write!(out, "\\u{:04X}", u32::from(c))?,
            c => out.push(c),
        }
    }
    out.push('"');
    Ok(())
}
