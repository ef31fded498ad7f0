//! From TOML to checked values: walks the parsed file beside the key table and notes every problem on the way.
//!
//! A value with a problem is left out, so that its default stands in and the rest can still be checked.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

use super::keys::{Key, is_later};
use super::kind::{Form, Kind};
use super::problem::{Problem, Why};
use super::scalar::{described, from_literal, from_text, wrong_type};
use super::source::{Origin, Source};
use super::substitute::{Environment, substitute};
use super::tree::{Node, Table, Value};
use super::{suggest, syntax};

/// The values of a file, and what is wrong with it.
pub(super) fn file(source: &Arc<Source>, keys: &'static [Key], environment: &dyn Environment) -> (Table, Vec<Problem>) {
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    let mut reader = Reader { source: Some(source.clone()), environment, problems: Vec::new() };
    let table = reader.table(document.get_ref(), keys, "");
    let problems = syntax::merge(source, &errors, reader.problems);
    (table, problems)
}

/// A default of the key table. It is ours: a test reads every one of them.
pub(super) fn default(key: &Key, toml: &str) -> Node {
    let mut reader = Reader { source: None, environment: &|_: &str| None, problems: Vec::new() };
    let parsed = DeValue::parse(toml).expect("the key table's defaults are TOML");
    reader.node(&parsed, &key.kind, key.name).expect("the key table's defaults are of their key's kind")
}

/// A value given outside the file, where everything is text.
pub(super) fn text(text: &str, key: &Key, path: &str, origin: Origin) -> Result<Node, Box<Problem>> {
    match from_text(text, None, &key.kind) {
        Ok(value) => Ok(Node { value, origin }),
        Err(why) => {
            let key = path.to_owned();
            Err(Box::new(Problem { key, why, origin }))
        }
    }
}

struct Reader<'a> {
    /// `None` while reading defaults.
    source: Option<Arc<Source>>,
    environment: &'a dyn Environment,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn table(&mut self, raw: &DeTable<'_>, keys: &'static [Key], path: &str) -> Table {
        let mut table = Table::default();
        for (name, value) in raw.iter() {
            let inner = join(path, name.get_ref());
            match keys.iter().find(|key| key.name == name.get_ref()) {
                Some(key) => {
                    if let Some(node) = self.node(value, &key.kind, &inner) {
                        table.put(key.name, node);
                    }
                }
                None if is_later(&without_indexes(&inner)) => self.problem(&inner, name.span(), Why::NotSupported),
                None => {
                    let suggestion = suggest::for_key(name.get_ref(), keys);
                    self.problem(path, name.span(), Why::UnknownKey { name: name.get_ref().to_string(), suggestion });
                }
            }
        }
        table
    }

    fn node(&mut self, raw: &Spanned<DeValue<'_>>, kind: &Kind, path: &str) -> Option<Node> {
        let value = match (raw.get_ref(), *kind) {
            (DeValue::Table(table), Kind::Table(keys) | Kind::Switch(keys)) => {
                Value::Table(self.table(table, keys, path))
            }
            (DeValue::Table(_), Kind::WordOr(_, inner @ Kind::Table(_))) => {
                return self.node(raw, inner, path);
            }
            (DeValue::Table(table), Kind::Map { name, value }) => Value::Table(self.map(table, name, value, path)),
            (DeValue::Boolean(on), Kind::Switch(_)) => Value::Table(self.switch(*on, raw.span())),
            (DeValue::Array(array), Kind::Tables(keys)) => Value::List(self.tables(array, keys, path)),
            (DeValue::Array(array), Kind::List(inner) | Kind::OneOrMany(inner)) => {
                Value::List(self.list(array, inner, path))
            }
            (_, Kind::OneOrMany(inner)) => Value::List(vec![self.node(raw, inner, path)?]),
            (DeValue::String(text), _) => self.text(text, kind, path, raw.span())?,
            (DeValue::Array(_) | DeValue::Table(_), _) => {
                self.problem(path, raw.span(), wrong_type(kind, described(raw.get_ref()), None));
                return None;
            }
            (literal, _) => {
                let read = from_literal(literal, kind);
                self.keep(read, path, raw.span())?
            }
        };
        Some(Node { value, origin: self.origin(raw.span()) })
    }

    fn text(&mut self, written: &str, kind: &Kind, path: &str, span: Range<usize>) -> Option<Value> {
        let read = match substitute(written, self.environment) {
            Ok(None) => from_text(written, None, kind),
            Ok(Some(text)) => from_text(&text, Some(written.to_owned()), kind),
            Err(error) => Err(Why::Variable(error)),
        };
        self.keep(read, path, span)
    }

    fn list(&mut self, array: &DeArray<'_>, kind: &Kind, path: &str) -> Vec<Node> {
        let each = array.iter().enumerate();
        let nodes: Vec<Node> =
            each.filter_map(|(index, raw)| self.node(raw, kind, &format!("{path}[{index}]"))).collect();
        for (index, node) in nodes.iter().enumerate() {
            let Value::Text { text, .. } = &node.value else {
                continue;
            };
            let earlier =
                nodes[..index].iter().find(|other| matches!(&other.value, Value::Text { text: t, .. } if t == text));
            if let Some(first) = earlier {
                let why = Why::Duplicate { got: text.clone(), first: first.origin.to_string() };
                self.problems.push(Problem { key: path.into(), why, origin: node.origin.clone() });
            }
        }
        nodes
    }

    fn map(&mut self, raw: &DeTable<'_>, form: Form, kind: &Kind, path: &str) -> Table {
        let mut table = Table::default();
        for (name, value) in raw.iter() {
            let inner = join(path, name.get_ref());
            if let Err(refusal) = form.check(name.get_ref()) {
                let why = Why::Malformed { expected: form.expected(), got: name.get_ref().to_string(), refusal };
                self.problem(path, name.span(), why);
                continue;
            }
            let node = self.node(value, kind, &inner);
            // Field names do not differ by case (RFC 9110, section 5.1); labels and statuses of one spelling are TOML's to refuse.
            let twin = table.0.iter().find(|(other, _)| other.eq_ignore_ascii_case(name.get_ref()));
            match (node, twin) {
                (Some(_), Some((_, twin))) if form != Form::Label => {
                    let first = twin.origin.to_string();
                    self.problem(path, name.span(), Why::Duplicate { got: name.get_ref().to_string(), first });
                }
                (Some(node), _) => table.put(name.get_ref(), node),
                (None, _) => {}
            }
        }
        table
    }

    fn tables(&mut self, array: &DeArray<'_>, keys: &'static [Key], path: &str) -> Vec<Node> {
        let mut nodes = Vec::new();
        for (index, raw) in array.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let DeValue::Table(table) = raw.get_ref() else {
                self.problem(&path, raw.span(), wrong_type(&Kind::Table(keys), described(raw.get_ref()), None));
                continue;
            };
            for key in keys.iter().filter(|key| key.required && !table.contains_key(key.name)) {
                let example = key.example.unwrap_or("{ path = \"/**\" }").to_owned();
                self.problem(&path, raw.span(), Why::Missing { name: key.name, example });
            }
            let table = self.table(table, keys, &path);
            nodes.push(Node { value: Value::Table(table), origin: self.origin(raw.span()) });
        }
        nodes
    }

    /// `cache = false` says `cache.enabled = false`.
    fn switch(&self, on: bool, span: Range<usize>) -> Table {
        let mut table = Table::default();
        table.put("enabled", Node { value: Value::Bool(on), origin: self.origin(span) });
        table
    }

    fn keep(&mut self, read: Result<Value, Why>, path: &str, span: Range<usize>) -> Option<Value> {
        read.map_err(|why| self.problem(path, span, why)).ok()
    }

    fn problem(&mut self, path: &str, span: Range<usize>, why: Why) {
        let origin = self.origin(span);
        self.problems.push(Problem { key: path.to_owned(), why, origin });
    }

    fn origin(&self, span: Range<usize>) -> Origin {
        match &self.source {
            Some(source) => Origin::File { source: source.clone(), span },
            None => Origin::Default,
        }
    }
}

fn join(path: &str, name: &DeString<'_>) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

/// `route[1].priority` is `route.priority` to the table of later keys.
fn without_indexes(path: &str) -> String {
    path.split('.').map(|name| name.split('[').next().unwrap_or(name)).collect::<Vec<_>>().join(".")
}
