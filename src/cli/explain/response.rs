//! The head of a response as it is given on the command line: a file that `curl -D` wrote, or field by field.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, StatusCode, Version};

use crate::explain::{QuestionProblem, field};
use crate::proxy::Supposed;

/// Heads have some hundred bytes; a file of more is another one.
const LONGEST: u64 = 1 << 20;

/// Why there is no response to judge.
#[derive(Debug)]
pub enum ResponseProblem {
    Unreadable(String),
    StatusLine(String),
    Status(u16),
    Field(QuestionProblem),
}

impl fmt::Display for ResponseProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "cannot read {why}"),
            Self::StatusLine(line) => write!(f, "`{line}` is no status line: the head begins with HTTP/1.1 200 OK"),
            Self::Status(code) => write!(f, "{code} is no status of an answer: from 200 to 599"),
            Self::Field(problem) => problem.fmt(f),
        }
    }
}

/// The head in a file; `-` is standard input.
pub fn read(path: &Path) -> Result<Supposed, ResponseProblem> {
    let mut text = Vec::new();
    let read = match path.as_os_str() == "-" {
        true => io::stdin().take(LONGEST).read_to_end(&mut text),
        false => File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut text)),
    };
    read.map_err(|error| ResponseProblem::Unreadable(format!("{}: {error}", path.display())))?;
    parse(&String::from_utf8_lossy(&text))
}

/// A response of these fields. How its body ends is not what is asked: without a length it has chunks.
pub fn of(status: u16, lines: &[String]) -> Result<Supposed, ResponseProblem> {
    let mut fields = fields(lines.iter().map(String::as_str))?;
    if !fields.contains_key(CONTENT_LENGTH) {
        fields.entry(TRANSFER_ENCODING).or_insert(HeaderValue::from_static("chunked"));
    }
    Ok(Supposed { version: Version::HTTP_11, status: final_status(status)?, fields })
}

/// The last head of those in the text: before it may be interim responses (RFC 9110, section 15.2) and, with `curl -L`,
/// redirects. A body after it is not looked at.
fn parse(text: &str) -> Result<Supposed, ResponseProblem> {
    let heads = text.split("\r\n\r\n").flat_map(|part| part.split("\n\n"));
    let mut last = None;
    for head in heads.take_while(|head| head.starts_with("HTTP/")) {
        last = Some(head);
    }
    let mut lines = last.unwrap_or(text).lines();
    let line = lines.next().unwrap_or_default();
    let (version, status) = status_line(line).ok_or_else(|| ResponseProblem::StatusLine(line.to_owned()))?;
    let fields = fields(lines.take_while(|line| !line.trim().is_empty()))?;
    Ok(Supposed { version, status: final_status(status)?, fields })
}

fn status_line(line: &str) -> Option<(Version, u16)> {
    let (version, rest) = line.strip_prefix("HTTP/")?.split_once(' ')?;
    let version = match version {
        "1.0" => Version::HTTP_10,
        "1.1" => Version::HTTP_11,
        // curl leaves the minor version out.
        _ => Version::HTTP_2,
    };
    Some((version, rest.split(' ').next()?.trim().parse().ok()?))
}

fn final_status(code: u16) -> Result<StatusCode, ResponseProblem> {
    let status = StatusCode::from_u16(code).ok().filter(|status| (200..=599).contains(&status.as_u16()));
    status.ok_or(ResponseProblem::Status(code))
}

fn fields<'a>(lines: impl Iterator<Item = &'a str>) -> Result<HeaderMap, ResponseProblem> {
    lines.map(|line| field(line).map_err(ResponseProblem::Field)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_head_counts() {
        let text = "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 301 Moved\r\nLocation: /b\r\n\r\n\
                    HTTP/2 200 \r\ncache-control: max-age=60\r\nvary: a\r\nvary: b\r\n\r\nHello\n\nnot: a field";
        let head = parse(text).expect("a head");
        assert_eq!((head.version, head.status), (Version::HTTP_2, StatusCode::OK));
        assert_eq!(head.fields["cache-control"], "max-age=60");
        assert_eq!((head.fields.len(), head.fields.get_all("vary").iter().count()), (3, 2));
        let head = parse("HTTP/1.0 404 Not Found\nServer: x\n").expect("a head");
        assert_eq!((head.version, head.status.as_u16()), (Version::HTTP_10, 404));
    }

    #[test]
    fn fields_alone_are_a_whole_response() {
        let head = of(200, &["Cache-Control: max-age=1".to_owned()]).expect("a head");
        assert_eq!(head.fields[TRANSFER_ENCODING], "chunked");
        let head = of(200, &["Content-Length: 5".to_owned()]).expect("a head");
        assert!(!head.fields.contains_key(TRANSFER_ENCODING));
    }

    #[test]
    fn mistakes_are_explained() {
        for (text, told) in [
            ("", "no status line"),
            ("<html>", "no status line"),
            ("HTTP/1.1 abc\r\n\r\n", "no status line"),
            ("HTTP/1.1 100 Continue\r\n\r\n", "100 is no status"),
            ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "is no field"),
        ] {
            let message = parse(text).expect_err(text).to_string();
            assert!(message.contains(told), "{text}: {message}");
        }
        assert!(of(99, &[]).is_err());
        assert!(read(Path::new("/nowhere")).expect_err("no file").to_string().contains("cannot read /nowhere"));
    }
}
