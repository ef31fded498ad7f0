//! What the platform does not offer to do with a connection, by the number of its descriptor.

use std::os::fd::{BorrowedFd, RawFd};

use socket2::Socket;

/// What may wait behind the last byte of content: the end of its chunk and the size line of the next (RFC 9112, section
/// 7.1), from an app that writes them apart from the content.
const FRAMING: libc::c_int = 16;

/// The same, where each of the two is a record of TLS: 29 bytes more with TLS 1.2, 22 with 1.3 (RFC 5288, section 3; RFC
/// 8446, section 5.2).
const SECURED_FRAMING: libc::c_int = FRAMING + 2 * 29;

/// A connection that is one exchange's at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    /// Only valid while the answer comes in.
    pub socket: RawFd,
    pub secured: bool,
}

impl Wire {
    /// Whether the kernel holds no more content of the app's answer: the app has paused, or ended. With TLS some may be
    /// decrypted already and not read yet.
    ///
    /// An unreadable socket counts as drained: a flush too many costs some bytes, one too few a waiting client.
    #[expect(unsafe_code, reason = "an ioctl: neither std nor socket2 asks how many bytes wait")]
    pub fn is_drained(self) -> bool {
        let mut waiting: libc::c_int = 0;
        // SAFETY: FIONREAD writes one int to the address it is given, which outlives the call.
        let answer = unsafe { libc::ioctl(self.socket, libc::FIONREAD, &mut waiting) };
        answer != 0 || waiting <= if self.secured { SECURED_FRAMING } else { FRAMING }
    }
}

/// A second hold of the same connection. `socket` is what the platform tells of a connection that it holds open.
#[expect(unsafe_code, reason = "the platform hands out its descriptor as a number")]
pub fn duplicate(socket: RawFd) -> Option<Socket> {
    // SAFETY: the number is that of a connection which its caller knows to be open until this returns, after it was copied.
    let borrowed = (socket >= 0).then(|| unsafe { BorrowedFd::borrow_raw(socket) })?;
    borrowed.try_clone_to_owned().ok().map(Socket::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_socket_is_drained_once_everything_was_read() {
        let (mut app, mut proxy) = UnixStream::pair().expect("a pair");
        let is_drained = |secured, proxy: &UnixStream| Wire { socket: proxy.as_raw_fd(), secured }.is_drained();
        assert!(is_drained(false, &proxy));
        app.write_all(&[b'x'; 100]).expect("written");
        assert!(!is_drained(false, &proxy) && !is_drained(true, &proxy));
        proxy.read_exact(&mut [0; 50]).expect("read");
        assert!(!is_drained(false, &proxy) && is_drained(true, &proxy), "two records with the end of a chunk");
        proxy.read_exact(&mut [0; 48]).expect("read");
        assert!(is_drained(false, &proxy), "the end of a chunk is no content");
    }
}
