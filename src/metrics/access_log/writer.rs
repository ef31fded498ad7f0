//! The thread that writes queued lines, and the queue before it.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use prometheus::IntCounter;

/// Lines that may wait.
const QUEUE: usize = 4096;
/// Bytes that may wait: ordinary lines fill the queue with 2 MiB, but what peers send can make a line longer.
const QUEUE_BYTES: usize = 8 << 20;

enum Message {
    Line(Vec<u8>),
    /// Answer once everything before this is written.
    Flush(SyncSender<()>),
}

pub(super) struct Writer {
    queue: SyncSender<Message>,
    waiting_bytes: Arc<AtomicUsize>,
}

/// The queue holds as many lines or bytes as it may.
#[derive(Debug)]
pub(super) struct Full;

impl Writer {
    pub fn start(out: impl Write + Send + 'static, failed: IntCounter) -> io::Result<Self> {
        let (queue, receiver) = sync_channel(QUEUE);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let lines = Lines { receiver, waiting_bytes: Arc::clone(&waiting_bytes) };
        thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write_all(&lines, BufWriter::with_capacity(64 * 1024, out), &failed))?;
        Ok(Self { queue, waiting_bytes })
    }

    pub fn queue(&self, line: Vec<u8>) -> Result<(), Full> {
        let length = line.len();
        let waiting = self.waiting_bytes.fetch_add(length, Ordering::Relaxed);
        let queued = waiting < QUEUE_BYTES && self.queue.try_send(Message::Line(line)).is_ok();
        if queued {
            return Ok(());
        }
        self.waiting_bytes.fetch_sub(length, Ordering::Relaxed);
        Err(Full)
    }

    pub fn flush(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let (written, answer) = sync_channel(1);
        let mut message = Message::Flush(written);
        while let Err(error) = self.queue.try_send(message) {
            let TrySendError::Full(unsent) = error else {
                return false;
            };
            if Instant::now() >= deadline {
                return false;
            }
            message = unsent;
            thread::sleep(Duration::from_millis(1));
        }
        answer.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok()
    }
}

/// The thread's end of the queue.
struct Lines {
    receiver: Receiver<Message>,
    waiting_bytes: Arc<AtomicUsize>,
}

/// Ends when the last sender is gone. Flushes whenever the queue runs dry, so that a line is on the terminal at once
/// and a busy server pays one system call for many.
fn write_all(lines: &Lines, mut out: BufWriter<impl Write>, failed: &IntCounter) {
    while let Some(message) = lines.next(&mut out) {
        match message {
            Message::Line(line) => {
                lines.waiting_bytes.fetch_sub(line.len(), Ordering::Relaxed);
                // A closed or full standard output is no reason to stop serving.
                if out.write_all(&line).is_err() {
                    failed.inc();
                }
            }
            Message::Flush(written) => {
                let _ = out.flush();
                let _ = written.send(());
            }
        }
    }
    let _ = out.flush();
}

impl Lines {
    fn next(&self, out: &mut BufWriter<impl Write>) -> Option<Message> {
        match self.receiver.try_recv() {
            Ok(message) => Some(message),
            Err(TryRecvError::Empty) => {
                let _ = out.flush();
                self.receiver.recv().ok()
            }
            Err(TryRecvError::Disconnected) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// An output that takes nothing until it is let go.
    struct Stalled {
        go: Receiver<()>,
        written: Sender<usize>,
    }

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.go.recv();
            let _ = self.written.send(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn counter() -> IntCounter {
        IntCounter::new("failed", "failed").expect("a counter")
    }

    #[test]
    fn a_stalled_output_costs_lines_and_no_time() {
        let (let_go, go) = channel();
        let (written, lengths) = channel();
        let writer = Writer::start(Stalled { go, written }, counter()).expect("a thread");
        let queued = (0..QUEUE * 2).filter(|_| writer.queue(b"line\n".to_vec()).is_ok()).count();
        // Those that wait, and those the thread took before it stalled.
        assert!((QUEUE..QUEUE * 2).contains(&queued), "{queued}");
        assert!(!writer.flush(Duration::from_millis(20)), "a flush that cannot be done ends in time");
        drop(let_go);
        assert!(writer.flush(Duration::from_secs(10)));
        assert_eq!(lengths.try_iter().sum::<usize>(), queued * 5);
    }

    #[test]
    fn long_lines_are_bounded_by_their_bytes() {
        let (let_go, go) = channel();
        let (written, lengths) = channel();
        let writer = Writer::start(Stalled { go, written }, counter()).expect("a thread");
        let line = vec![b'x'; 64 * 1024];
        let queued = (0..QUEUE).filter(|_| writer.queue(line.clone()).is_ok()).count();
        assert!(queued * line.len() <= QUEUE_BYTES + 4 * line.len(), "{queued}");
        drop(let_go);
        assert!(writer.flush(Duration::from_secs(10)));
        assert_eq!(lengths.try_iter().sum::<usize>(), queued * line.len());
        assert_eq!(writer.waiting_bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_was_queued_is_written_before_the_thread_ends() {
        let (let_go, go) = channel::<()>();
        drop(let_go);
        let (written, lengths) = channel();
        let writer = Writer::start(Stalled { go, written }, counter()).expect("a thread");
        for _ in 0..100 {
            writer.queue(b"line\n".to_vec()).expect("room");
        }
        drop(writer);
        // Ends when the thread has dropped its output.
        assert_eq!(lengths.iter().sum::<usize>(), 500);
    }

    #[test]
    fn a_closed_output_is_counted_and_survived() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        let failed = counter();
        let writer = Writer::start(Closed, failed.clone()).expect("a thread");
        let line = vec![b'x'; 100 * 1024];
        writer.queue(line.clone()).expect("room");
        writer.queue(line).expect("room");
        assert!(writer.flush(Duration::from_secs(10)));
        assert_eq!(failed.get(), 2);
    }
}
