//! A client's HTTP/2 connection, and the heads that come in on it: each is whole in time.
//!
//! A field section (RFC 9113, section 4.3) may come in pieces: of one HEADERS frame, and in CONTINUATION frames behind it.
//! Nothing else may come on the connection until it is whole, and the library that reads it waits for that without a
//! clock; no request has begun that could have one. So the frames are looked at as they go by, as far as it takes to know
//! that a section is under way and since when: nine bytes each, and the rest is skipped. The preface and the SETTINGS with
//! which a connection begins (section 3.4) are waited for in the same way.
//!
//! Only a client that is waited for can be late: what came and was not read yet, because something else had to be
//! written first, is in time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pingora::protocols::{Peek, Stream};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until};

use super::entrance::PREFACE;
use super::wrapped::{answer_by_stream, write_by_stream};

/// RFC 9113, section 4.1.
const FRAME_HEAD: usize = 9;
const KIND: usize = 3;
const FLAGS: usize = 4;

/// Sections 6.2 and 6.10.
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// The connection.
#[derive(Debug)]
pub struct Inlet {
    stream: Stream,
    frames: Frames,
    patience: Duration,
    /// Runs while a client is waited for.
    timer: Option<Pin<Box<Sleep>>>,
    late: Arc<Notify>,
}

impl Inlet {
    /// Of a connection whose preface is still to be read. `late` hears of a head that takes longer than `patience`.
    pub fn new(stream: Stream, patience: Duration, late: Arc<Notify>) -> Self {
        Self { stream, frames: Frames::begun(Instant::now()), patience, timer: None, late }
    }

    /// Nothing is here: for how long may that be so?
    fn poll_late(&mut self, cx: &mut Context<'_>) {
        let Some(since) = self.frames.since else {
            return;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(since + self.patience)));
        if timer.as_mut().poll(cx).is_ready() {
            // Once: who hears of it ends the connection.
            self.frames.since = None;
            self.late.notify_one();
        }
    }
}

/// What goes by. Pure.
#[derive(Debug)]
struct Frames {
    at: Part,
    /// Since when a head is under way, or the beginning of the connection.
    since: Option<Instant>,
}

#[derive(Debug)]
enum Part {
    /// So many bytes of the preface are still to come.
    Preface(usize),
    /// So many bytes of a frame's head are here.
    Head([u8; FRAME_HEAD], usize),
    /// So many bytes of content are still to come; whether a field section goes on behind them.
    Content(usize, bool),
}

impl Part {
    const NEXT: Self = Self::Head([0; FRAME_HEAD], 0);
}

impl Frames {
    fn begun(now: Instant) -> Self {
        Self { at: Part::Preface(PREFACE.len()), since: Some(now) }
    }

    fn see(&mut self, mut bytes: &[u8], now: Instant) {
        while !bytes.is_empty() {
            let count = match &mut self.at {
                Part::Preface(left) | Part::Content(left, _) => {
                    let count = bytes.len().min(*left);
                    *left -= count;
                    count
                }
                Part::Head(head, have) => {
                    let count = bytes.len().min(FRAME_HEAD - *have);
                    head[*have..][..count].copy_from_slice(&bytes[..count]);
                    *have += count;
                    if *have > KIND && carries_fields(head[KIND]) {
                        self.since.get_or_insert(now);
                    }
                    count
                }
            };
            bytes = &bytes[count..];
            self.go_on();
        }
    }

    fn go_on(&mut self) {
        if let Part::Head(head, FRAME_HEAD) = &self.at {
            let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            self.at = Part::Content(length, carries_fields(head[KIND]) && head[FLAGS] & END_HEADERS == 0);
        }
        match self.at {
            Part::Preface(0) => self.at = Part::NEXT,
            Part::Content(0, goes_on) => {
                self.at = Part::NEXT;
                if !goes_on {
                    self.since = None;
                }
            }
            Part::Preface(_) | Part::Head(..) | Part::Content(..) => {}
        }
    }
}

fn carries_fields(kind: u8) -> bool {
    matches!(kind, HEADERS | CONTINUATION)
}

impl AsyncRead for Inlet {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if read.is_pending() {
            this.poll_late(cx);
            return Poll::Pending;
        }
        let was = this.frames.since;
        this.frames.see(&buffer.filled()[before..], Instant::now());
        if this.frames.since != was {
            this.timer = None;
        }
        read
    }
}

write_by_stream!(Inlet);

/// What it begins with was looked at before.
impl Peek for Inlet {}

answer_by_stream!(Inlet);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
        let size = u32::try_from(length).unwrap().to_be_bytes();
        [&size[1..], &[kind, flags, 0, 0, 0, 1], &vec![0xff; length]].concat()
    }

    /// Behind the preface and SETTINGS, all at once.
    fn started(now: Instant) -> Frames {
        let mut frames = Frames::begun(now);
        frames.see(&[&PREFACE[..], &frame(4, 0, 0)].concat(), now);
        frames
    }

    fn is_under_way(bytes: &[u8]) -> bool {
        let now = Instant::now();
        let mut frames = started(now);
        frames.see(bytes, now);
        frames.since.is_some()
    }

    #[test]
    fn a_connection_begins_with_a_preface_and_settings() {
        let now = Instant::now();
        let start = [&PREFACE[..], &frame(4, 0, 12)].concat();
        for end in 0..=start.len() {
            let mut frames = Frames::begun(now);
            frames.see(&start[..end], now);
            assert_eq!(frames.since.is_some(), end < start.len(), "{end}");
        }
    }

    #[test]
    fn a_section_is_under_way_until_the_frame_that_ends_it_is_whole() {
        assert!(!is_under_way(&[]));
        assert!(!is_under_way(&frame(HEADERS, END_HEADERS | 1, 10)));
        assert!(is_under_way(&frame(HEADERS, END_HEADERS, 10)[..18]));
        assert!(is_under_way(&frame(HEADERS, END_HEADERS, 10)[..4]), "its kind is known");
        assert!(!is_under_way(&frame(HEADERS, END_HEADERS, 10)[..3]), "it is not");
        assert!(is_under_way(&frame(HEADERS, 0, 10)));
        assert!(is_under_way(&[frame(HEADERS, 0, 10), frame(CONTINUATION, 0, 0)].concat()));
        assert!(!is_under_way(&[frame(HEADERS, 0, 0), frame(CONTINUATION, END_HEADERS, 3)].concat()));
        assert!(!is_under_way(&frame(0, 0, 50)[..30]), "content has another limit");
    }

    #[test]
    fn it_is_under_way_since_its_own_beginning() {
        let begin = Instant::now();
        let mut frames = started(begin);
        let (first, second) = (begin + Duration::from_secs(1), begin + Duration::from_secs(2));
        frames.see(&frame(HEADERS, 0, 10), first);
        frames.see(&frame(CONTINUATION, 0, 10), second);
        assert_eq!(frames.since, Some(first));
        frames.see(&[frame(CONTINUATION, END_HEADERS, 10), frame(HEADERS, 0, 1)].concat(), second);
        assert_eq!(frames.since, Some(second));
    }

    proptest! {
        /// However the bytes are cut; none of them, whatever it is, is taken for another's.
        #[test]
        fn it_is_the_same_in_pieces(
            all in prop::collection::vec((0u8..12, any::<u8>(), 0usize..300), 0..8),
            cuts in prop::collection::vec(1usize..40, 1..50),
        ) {
            let bytes: Vec<u8> = all.iter().flat_map(|(kind, flags, length)| frame(*kind, *flags, *length)).collect();
            let now = Instant::now();
            let mut frames = started(now);
            let (mut rest, mut cuts) = (bytes.as_slice(), cuts.iter().cycle());
            while !rest.is_empty() {
                let cut = (*cuts.next().unwrap()).min(rest.len());
                frames.see(&rest[..cut], now);
                rest = &rest[cut..];
            }
            let last = all.last();
            let goes_on = last.is_some_and(|(kind, flags, _)| carries_fields(*kind) && flags & END_HEADERS == 0);
            prop_assert_eq!(frames.since.is_some(), goes_on);
            prop_assert!(matches!(frames.at, Part::Head(_, 0)));
        }
    }
}
