//! HTTP/1.1 messages read strictly (RFC 9112): one CRLF a line, exact chunks, and a body that says how it ended.
//!
//! Both the scripted origin and the client read with this; neither forgives what a lax parser would.

use std::io::{self, BufRead};

/// Field lines in the order they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    /// Every line of a field, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let same = |line: &&(String, String)| line.0.eq_ignore_ascii_case(name);
        self.0.iter().filter(same).map(|line| line.1.as_str()).collect()
    }

    /// The value of a field that may come once only.
    pub fn one(&self, name: &str) -> Option<&str> {
        let lines = self.all(name);
        assert!(lines.len() <= 1, "{name} came {} times: {lines:?}", lines.len());
        lines.first().copied()
    }

    /// The members of a comma list over all its lines, lower-cased.
    pub fn members(&self, name: &str) -> Vec<String> {
        let lines = self.all(name).join(",");
        let members = lines.split(',').map(|member| member.trim().to_ascii_lowercase());
        members.filter(|member| !member.is_empty()).collect()
    }
}

/// A start line and its field section.
#[derive(Clone, Debug)]
pub struct Head {
    pub start: String,
    pub fields: Fields,
}

/// Reads one head; `None` when the peer closed before its first byte.
pub fn read_head(from: &mut impl BufRead) -> io::Result<Option<Head>> {
    if from.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let start = read_line(from)?;
    let fields = read_fields(from)?;
    Ok(Some(Head { start, fields }))
}

fn read_fields(from: &mut impl BufRead) -> io::Result<Fields> {
    let mut fields = Fields::default();
    loop {
        let line = read_line(from)?;
        if line.is_empty() {
            return Ok(fields);
        }
        // RFC 9112, 5.1: no whitespace between the name and the colon; 5.2: no folding.
        let (name, value) = line.split_once(':').ok_or_else(|| malformed(&line))?;
        if name.is_empty() || name.contains([' ', '\t']) {
            return Err(malformed(&line));
        }
        fields.0.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
    }
}

fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line)?;
    let Some(text) = line.strip_suffix(b"\r\n") else {
        let kind = if line.ends_with(b"\n") { io::ErrorKind::InvalidData } else { io::ErrorKind::UnexpectedEof };
        return Err(io::Error::new(kind, format!("a line without CRLF: {:?}", String::from_utf8_lossy(&line))));
    };
    // Field values are octets; Latin-1 keeps each of them.
    Ok(text.iter().copied().map(char::from).collect())
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed: {what:?}"))
}

/// How the end of a body is found (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Empty,
    Length(u64),
    Chunked,
    Close,
}

/// A body on its way in.
#[derive(Debug)]
pub struct BodyReader {
    pub framing: Framing,
    left: u64,
    ended: bool,
    pub trailers: Fields,
}

impl BodyReader {
    pub fn new(framing: Framing) -> Self {
        let left = if let Framing::Length(length) = framing { length } else { 0 };
        let ended = matches!(framing, Framing::Empty | Framing::Length(0));
        Self { framing, left, ended, trailers: Fields::default() }
    }

    /// The next bytes as they arrived; `None` once the body ended the way its framing promised.
    pub fn next(&mut self, from: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
        if self.ended {
            return Ok(None);
        }
        match self.framing {
            Framing::Empty => Ok(None),
            Framing::Length(_) => self.next_of_length(from),
            Framing::Chunked => self.next_of_chunks(from),
            Framing::Close => self.next_until_close(from),
        }
    }

    fn next_of_length(&mut self, from: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
        let piece = some(from, self.left)?;
        self.left -= piece.len() as u64;
        self.ended = self.left == 0;
        Ok(Some(piece))
    }

    fn next_of_chunks(&mut self, from: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
        if self.left == 0 {
            self.left = chunk_size(&read_line(from)?)?;
            if self.left == 0 {
                self.trailers = read_fields(from)?;
                self.ended = true;
                return Ok(None);
            }
        }
        let piece = some(from, self.left)?;
        self.left -= piece.len() as u64;
        if self.left == 0 {
            let mut end = [0; 2];
            from.read_exact(&mut end)?;
            if end != *b"\r\n" {
                return Err(malformed("chunk data without CRLF"));
            }
        }
        Ok(Some(piece))
    }

    fn next_until_close(&mut self, from: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
        let piece = from.fill_buf()?.to_vec();
        from.consume(piece.len());
        self.ended = piece.is_empty();
        Ok((!self.ended).then_some(piece))
    }
}

/// RFC 9112, section 7.1: hexadecimal digits, then extensions we do not expect from anybody here.
fn chunk_size(line: &str) -> io::Result<u64> {
    let digits = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !digits {
        return Err(malformed(line));
    }
    u64::from_str_radix(line, 16).map_err(|_| malformed(line))
}

/// What is there, at most `limit` bytes, at least one.
fn some(from: &mut impl BufRead, limit: u64) -> io::Result<Vec<u8>> {
    let ready = from.fill_buf()?;
    if ready.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let take = ready.len().min(usize::try_from(limit).unwrap_or(usize::MAX));
    let mut piece = vec![0; take];
    from.read_exact(&mut piece)?;
    Ok(piece)
}
