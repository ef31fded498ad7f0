//! `${VAR}`, `${VAR:-default}`, `${VAR:?message}` and `$$` inside text values.
//!
//! Applied to values after the TOML was parsed, never to the file's text: whatever a variable holds, it cannot
//! become a key or a table.

use std::fmt;

/// The process's environment, or a test's.
pub trait Environment {
    fn variable(&self, name: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String>> Environment for F {
    fn variable(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// Why a reference to a variable could not be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubstitutionError {
    Unset {
        name: String,
    },
    /// `${VAR:?message}` of an unset or empty one.
    Required {
        name: String,
        message: String,
    },
    Unclosed,
    BadName {
        name: String,
    },
}

impl fmt::Display for SubstitutionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset { name } => write!(f, "the environment variable {name} is not set"),
            Self::Required { name, message } if message.is_empty() => {
                write!(f, "{name} is not set")
            }
            Self::Required { name, message } => write!(f, "{name}: {message}"),
            Self::Unclosed => f.write_str("`${` without its `}`"),
            Self::BadName { name } => write!(f, "`{name}` is no name of a variable"),
        }
    }
}

impl SubstitutionError {
    pub(super) fn fix(&self) -> String {
        match self {
            Self::Unset { name } => format!("set it, or write ${{{name}:-default}}"),
            Self::Required { name, .. } => format!("set {name}"),
            Self::Unclosed => "close it, or write `$$` for a plain `$`".into(),
            Self::BadName { .. } => "use letters, digits and `_`, or write `$$` for a plain `$`".into(),
        }
    }
}

/// The text with its references resolved; `None` when there is none.
pub(super) fn substitute(text: &str, environment: &dyn Environment) -> Result<Option<String>, SubstitutionError> {
    if !text.contains("$$") && !text.contains("${") {
        return Ok(None);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let (reference, after) = after.split_once('}').ok_or(SubstitutionError::Unclosed)?;
            out.push_str(&resolve(reference, environment)?);
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    Ok(Some(out))
}

fn resolve(reference: &str, environment: &dyn Environment) -> Result<String, SubstitutionError> {
    let end = reference.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(reference.len());
    let (name, modifier) = reference.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(SubstitutionError::BadName { name: reference.into() });
    }
    let value = environment.variable(name);
    // As in a shell, `:-` and `:?` take an empty variable for an unset one.
    let filled = value.clone().filter(|value| !value.is_empty());
    if modifier.is_empty() {
        value.ok_or_else(|| SubstitutionError::Unset { name: name.into() })
    } else if let Some(default) = modifier.strip_prefix(":-") {
        Ok(filled.unwrap_or_else(|| default.into()))
    } else if let Some(message) = modifier.strip_prefix(":?") {
        filled.ok_or_else(|| SubstitutionError::Required { name: name.into(), message: message.into() })
    } else {
        Err(SubstitutionError::BadName { name: reference.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("app".into()),
            "EMPTY" => Some(String::new()),
            "EVIL" => Some("x\"\n[admin]\ntoken = \"${HOST}".into()),
            _ => None,
        }
    }

    #[test]
    fn references() {
        let table = [
            ("plain", None),
            ("a $ b", None),
            ("$5 and $$", Some("$5 and $")),
            ("${HOST}:3000", Some("app:3000")),
            ("${HOST}${HOST}", Some("appapp")),
            ("${EMPTY}", Some("")),
            ("${EMPTY:-x}", Some("x")),
            ("${NONE:-}", Some("")),
            ("${NONE:-a:-b}", Some("a:-b")),
            ("${HOST:?needed}", Some("app")),
            ("$${HOST}", Some("${HOST}")),
            // A value is not looked at again.
            ("${EVIL}", Some("x\"\n[admin]\ntoken = \"${HOST}")),
        ];
        for (text, want) in table {
            assert_eq!(substitute(text, &environment), Ok(want.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn refusals() {
        use SubstitutionError::*;
        let table = [
            ("${NONE}", Unset { name: "NONE".into() }),
            ("${EMPTY:?why}", Required { name: "EMPTY".into(), message: "why".into() }),
            ("${HOST", Unclosed),
            ("${}", BadName { name: "".into() }),
            ("${1A}", BadName { name: "1A".into() }),
            ("${HOST-x}", BadName { name: "HOST-x".into() }),
        ];
        for (text, want) in table {
            assert_eq!(substitute(text, &environment), Err(want), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[${}:?\\-A-Z ]{0,30}") {
            let _ = substitute(&text, &environment);
        }
    }
}
