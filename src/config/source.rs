//! Where a value came from, and how to show the place: file, line, column, the line itself.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The text of a file, under the name that the operator used for it.
#[derive(Debug)]
pub struct Source {
    pub name: String,
    pub text: String,
}

/// A place in a [`Source`], as an editor counts: from one, in characters.
#[derive(Debug, PartialEq, Eq)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Source {
    pub fn position(&self, offset: usize) -> Position {
        let before = &self.text[..self.boundary(offset)];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
        Position { line, column }
    }

    /// The line that holds `offset`, without its end.
    pub fn line(&self, offset: usize) -> &str {
        let offset = self.boundary(offset);
        let start = self.text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let end = self.text[offset..].find('\n').map_or(self.text.len(), |at| offset + at);
        self.text[start..end].trim_end_matches('\r')
    }

    /// How many characters of `span` lie on its first line; at least one, so that there is something to point at.
    pub fn width(&self, span: &Range<usize>) -> usize {
        let (start, end) = (self.boundary(span.start), self.boundary(span.end));
        let text = &self.text[start..end.max(start)];
        text.lines().next().map_or(0, |line| line.chars().count()).max(1)
    }

    /// Offsets come from a parser and lie on boundaries; a wrong one must not cost more than a crooked caret.
    fn boundary(&self, offset: usize) -> usize {
        self.text.floor_char_boundary(offset.min(self.text.len()))
    }
}

/// Who said so.
#[derive(Clone, Debug)]
pub enum Origin {
    Default,
    File { source: Arc<Source>, span: Range<usize> },
    Environment { variable: &'static str, text: String },
    Flag { flag: &'static str, text: String },
}

impl Origin {
    /// Orders problems as the operator meets them: outside of files, then file by file, line by line.
    pub(super) fn place(&self) -> Option<(&str, usize)> {
        match self {
            Self::File { source, span } => Some((&source.name, span.start)),
            _ => None,
        }
    }
}

/// Short, as a comment at the end of a line: `vacpack.toml:7`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { source, span } => {
                write!(f, "{}:{}", source.name, source.position(span.start).line)
            }
            Self::Environment { variable, .. } => f.write_str(variable),
            Self::Flag { flag, .. } => f.write_str(flag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_like_an_editor() {
        let source = Source { name: "a.toml".into(), text: "a = 1\n\u{e9}\u{e9} = 2\r\nc".into() };
        assert_eq!(source.position(0), Position { line: 1, column: 1 });
        assert_eq!(source.position(6), Position { line: 2, column: 1 });
        assert_eq!(source.position(11), Position { line: 2, column: 4 });
        assert_eq!(source.line(8), "\u{e9}\u{e9} = 2");
        assert_eq!(source.position(999), Position { line: 3, column: 2 });
        assert_eq!(source.line(999), "c");
    }

    #[test]
    fn underlines_one_line_only() {
        let source = Source { name: "a.toml".into(), text: "a = [\n1,\n]".into() };
        assert_eq!(source.width(&(4..10)), 1);
        assert_eq!(source.width(&(10..10)), 1);
    }
}
