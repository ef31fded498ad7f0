//! One connection of the scripted origin: read a request, remember it, play the answer.

use super::answer::{Answer, Delimiter, Part};
use super::{Seen, Shared, lock, path_of};
use crate::harness::socket::Socket;
use crate::harness::wire::{BodyReader, Fields, Framing, read_head};
use std::io::{self, BufReader, Read, Write};
use std::sync::atomic::Ordering;
use std::thread;

/// Serves until either side ends the connection. What the network does here is the subject of the tests, not a
/// failure of theirs; a panic in a test's own handler is.
pub fn serve(number: usize, socket: Socket, shared: &Shared) {
    let _open = Registered { number, shared };
    let _network = converse(&socket, shared);
}

/// Takes the connection off the list, also when a handler panics: a listed socket stays open.
struct Registered<'a> {
    number: usize,
    shared: &'a Shared,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        lock(&self.shared.open).remove(&self.number);
    }
}

fn converse(socket: &Socket, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(socket.try_clone()?);
    let mut writer = socket.try_clone()?;
    for nth in 1.. {
        let Some(seen) = read_request(&mut reader, &mut writer, nth)? else {
            break;
        };
        let complete = seen.complete;
        let handler = lock(&shared.routes).get(path_of(&seen.target)).cloned();
        lock(&shared.seen).push(seen.clone());
        if !complete {
            break;
        }
        let answer = handler.map_or_else(no_such_path, |handler| handler(&seen));
        let keep = Player { socket, writer: &mut writer, shared }.play(&answer, &seen)?;
        if answer.echo {
            return echo(&mut reader, &mut writer);
        }
        if !keep {
            break;
        }
    }
    Ok(())
}

fn no_such_path() -> Answer {
    Answer::status(404).field("Cache-Control", "no-store").body("no such path")
}

fn read_request(reader: &mut BufReader<Socket>, writer: &mut Socket, nth: usize) -> io::Result<Option<Seen>> {
    let Some(head) = read_head(reader)? else {
        return Ok(None);
    };
    let mut words = head.start.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if head.fields.members("Expect") == ["100-continue"] {
        writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut seen = Seen {
        method: method.to_owned(),
        target: target.to_owned(),
        body: Vec::new(),
        complete: false,
        nth,
        fields: head.fields,
    };
    let mut body = BodyReader::new(request_framing(&seen.fields));
    seen.complete = loop {
        match body.next(reader) {
            Ok(Some(piece)) => seen.body.extend(piece),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    Ok(Some(seen))
}

/// RFC 9112, section 6.3, the request's side.
fn request_framing(fields: &Fields) -> Framing {
    if fields.members("Transfer-Encoding") == ["chunked"] {
        return Framing::Chunked;
    }
    let length = fields.one("Content-Length").map(|length| length.parse().expect("a proxy forwards a valid length"));
    length.map_or(Framing::Empty, Framing::Length)
}

/// After a 101: every byte comes back.
fn echo(reader: &mut BufReader<Socket>, writer: &mut Socket) -> io::Result<()> {
    let mut bytes = [0; 4096];
    loop {
        let count = reader.read(&mut bytes)?;
        if count == 0 {
            return Ok(());
        }
        writer.write_all(&bytes[..count])?;
    }
}

/// What to do after a part.
enum Next {
    Go,
    Stop,
}

struct Player<'a> {
    socket: &'a Socket,
    writer: &'a mut Socket,
    shared: &'a Shared,
}

impl Player<'_> {
    /// Sends an answer; says whether the connection may be used again.
    fn play(&mut self, answer: &Answer, request: &Seen) -> io::Result<bool> {
        if let Some(bytes) = &answer.raw {
            self.writer.write_all(bytes)?;
            return Ok(false);
        }
        for part in &answer.before {
            if let Next::Stop = self.step(part, Delimiter::Length)? {
                return Ok(false);
            }
        }
        self.writer.write_all(&answer.head())?;
        if request.method == "HEAD" {
            return Ok(!answer.closes());
        }
        for part in &answer.parts {
            if let Next::Stop = self.step(part, answer.delimiter)? {
                return Ok(false);
            }
        }
        if answer.delimiter == Delimiter::Chunked && answer.status != 304 && answer.status != 204 {
            self.last_chunk(answer)?;
        }
        Ok(!answer.closes())
    }

    fn step(&mut self, part: &Part, delimiter: Delimiter) -> io::Result<Next> {
        match part {
            Part::Data(data) => self.data(data, delimiter)?,
            Part::Wire(bytes) => self.writer.write_all(bytes)?,
            Part::Stamp(since) => {
                self.data(format!("data: {}\n\n", since.elapsed().as_micros()).as_bytes(), delimiter)?
            }
            Part::Wait(gate) => gate.pass(&self.shared.stopping),
            Part::Pause(time) => thread::sleep(*time),
            Part::Cut => return Ok(Next::Stop),
            Part::Reset => {
                self.socket.reset_on_close()?;
                return Ok(Next::Stop);
            }
        }
        Ok(Next::Go)
    }

    fn data(&mut self, data: &[u8], delimiter: Delimiter) -> io::Result<()> {
        match delimiter {
            Delimiter::Chunked if data.is_empty() => return Ok(()),
            // One write a chunk: a chunk is one segment wherever it fits.
            Delimiter::Chunked => {
                let framed = [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat();
                self.writer.write_all(&framed)?;
            }
            Delimiter::Length | Delimiter::Close => self.writer.write_all(data)?,
        }
        self.shared.body_bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn last_chunk(&mut self, answer: &Answer) -> io::Result<()> {
        let mut end = String::from("0\r\n");
        for (name, value) in &answer.trailers {
            end += &format!("{name}: {value}\r\n");
        }
        end += "\r\n";
        self.writer.write_all(end.as_bytes())
    }
}
