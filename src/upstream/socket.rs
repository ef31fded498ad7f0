//! One look at the connection to the app.

use std::os::fd::RawFd;

/// Whether the kernel holds no more bytes of the app's answer: the app has paused, or ended.
///
/// An unreadable socket counts as drained: a flush too many costs some bytes, one too few a waiting client.
pub fn is_drained(socket: RawFd) -> bool {
    let mut waiting: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int to the address it is given, which outlives the call.
    let answer = unsafe { libc::ioctl(socket, libc::FIONREAD, &mut waiting) };
    answer != 0 || waiting == 0
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
        assert!(is_drained(proxy.as_raw_fd()));
        app.write_all(b"page").expect("written");
        assert!(!is_drained(proxy.as_raw_fd()));
        proxy.read_exact(&mut [0; 4]).expect("read");
        assert!(is_drained(proxy.as_raw_fd()));
    }
}
