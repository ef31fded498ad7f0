//! The built program as a child process: what it prints, where it listens, how it ends.

use super::wait::{DEADLINE, until};
use std::collections::HashSet;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Instant;

/// The proxy listens here and the admin listener on the other one, so that the kernel's table tells them apart.
pub const LISTEN: &str = "127.0.0.1:0";
pub const ADMIN: &str = "127.0.0.2:0";

pub struct Binary {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

/// How the program ended.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Binary {
    /// Starts it with these arguments and no variable of its own but these.
    pub fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vacpack"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("VACPACK_")) {
            command.env_remove(name);
        }
        command.args(arguments).envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the built program starts");
        let stdout = Some(collect(child.stdout.take().expect("piped")));
        let stderr = Some(collect(child.stderr.take().expect("piped")));
        Self { child, stdout, stderr }
    }

    /// Runs it to its end.
    pub fn run(arguments: &[&str]) -> Ended {
        Self::start(arguments, &[]).end()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The proxy's address, once it listens.
    pub fn listen(&mut self) -> SocketAddr {
        self.listening_on(Ipv4Addr::new(127, 0, 0, 1))
    }

    /// The admin listener's address, once it listens.
    pub fn admin(&mut self) -> SocketAddr {
        self.listening_on(Ipv4Addr::new(127, 0, 0, 2))
    }

    fn listening_on(&mut self, address: Ipv4Addr) -> SocketAddr {
        until("vacpack to listen", || {
            let ended = self.child.try_wait().expect("a child of ours");
            assert!(ended.is_none(), "vacpack ended before it listened: {ended:?} {}", self.complaint());
            listeners(self.child.id()).into_iter().find(|listener| listener.ip() == IpAddr::V4(address))
        })
    }

    fn complaint(&mut self) -> String {
        self.stderr.take().map(join).unwrap_or_default()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.id().to_string()]).status();
        assert!(sent.expect("kill(1)").success(), "the process is there to be signalled");
    }

    pub fn running(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_none()
    }

    /// Bytes of memory that are in RAM.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells it");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1024
    }

    /// Waits for the end.
    pub fn end(mut self) -> Ended {
        let start = Instant::now();
        let status: ExitStatus = loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                break status;
            }
            assert!(start.elapsed() < DEADLINE, "vacpack did not end in {DEADLINE:?}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        let stdout = self.stdout.take().map(join).unwrap_or_default();
        Ended { code: status.code(), stdout, stderr: self.complaint() }
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
        let _printed = (self.stdout.take().map(join), self.stderr.take().map(join));
    }
}

fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _closed = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn join(collecting: JoinHandle<String>) -> String {
    collecting.join().expect("reading a pipe does not panic")
}

/// The TCP addresses on which a process listens: its sockets' inodes, looked up in the kernel's table.
fn listeners(process: u32) -> Vec<SocketAddr> {
    let descriptors = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let links = descriptors.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    let sockets: HashSet<String> = links.filter_map(|link| inode(link.to_str()?)).collect();
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux has it");
    table.lines().skip(1).filter_map(|row| listener(row, &sockets)).collect()
}

fn inode(link: &str) -> Option<String> {
    Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
}

/// A row of `/proc/net/tcp`: number, local address, remote address, state, ..., inode in the tenth column.
fn listener(row: &str, sockets: &HashSet<String>) -> Option<SocketAddr> {
    const LISTENING: &str = "0A";
    let columns: Vec<_> = row.split_whitespace().collect();
    if *columns.get(3)? != LISTENING || !sockets.contains(*columns.get(9)?) {
        return None;
    }
    let (address, port) = columns.get(1)?.split_once(':')?;
    // The address is printed as a number in the machine's byte order.
    let address = Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?.to_ne_bytes());
    Some(SocketAddr::from((address, u16::from_str_radix(port, 16).ok()?)))
}
