//! A listening socket, bound before anything is served and handed to the platform as it is.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::IntoRawFd;
use std::sync::Arc;

use parking_lot::Mutex;
use pingora::server::{Fds, ListenFds};
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that wait to be accepted: a thousand clients that arrive at once must not be told to try again.
const BACKLOG: i32 = 4096;

/// A socket that listens.
#[derive(Debug)]
pub struct Bound {
    socket: Socket,
    /// Where it really listens, if port 0 was asked for.
    pub address: SocketAddr,
}

impl Bound {
    /// `key` is the setting that the address came from.
    pub fn to(key: &'static str, address: SocketAddr) -> Result<Self, BindError> {
        listen(address).map_err(|error| BindError { key, address, error })
    }

    /// The socket as the platform takes it over from a predecessor.
    pub fn into_descriptors(self) -> ListenFds {
        let mut descriptors = Fds::new();
        descriptors.add(self.address.to_string(), self.socket.into_raw_fd());
        Arc::new(Mutex::new(descriptors))
    }
}

fn listen(address: SocketAddr) -> io::Result<Bound> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let bound = socket.local_addr()?.as_socket();
    Ok(Bound { address: bound.unwrap_or(address), socket })
}

/// An address that cannot be listened on.
#[derive(Debug)]
pub struct BindError {
    key: &'static str,
    address: SocketAddr,
    error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, address, error } = self;
        write!(f, "cannot listen on {address} ({key}): {error}")?;
        match error.kind() {
            io::ErrorKind::AddrInUse => {
                write!(f, "; another process has this port: stop it, or choose another address")
            }
            io::ErrorKind::PermissionDenied => write!(f, "; ports below 1024 need a privilege: choose a higher one"),
            io::ErrorKind::AddrNotAvailable => write!(f, "; this host has no such address"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for BindError {}
