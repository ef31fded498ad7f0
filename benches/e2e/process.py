"""Processes: started on a core, ended by their own id, and what the kernel says of their time and memory."""

import ctypes
import os
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1
READY = 10
"""Seconds until a server must accept connections."""


class Unready(Exception):
    """A server ended, or did not answer in time."""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def open_files():
    """1,000 connections need more than the usual 1,024 files, here and in what is started here."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def cores() -> tuple[set[int], set[int]]:
    """One core for the proxies, the others for the load and the app; all for both where there is but one."""
    every = sorted(os.sched_getaffinity(0))
    return ({every[0]}, set(every[1:])) if len(every) > 1 else (set(every), set(every))


class Server:
    """A process that ends with this one, even when this one is killed."""

    def __init__(self, command: list, ports: list[int], on: set[int], log: Path, env: dict | None = None):
        self.log = log
        self.ports = ports
        libc = ctypes.CDLL(None)

        def prepare():
            os.sched_setaffinity(0, on)
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output,
                preexec_fn=prepare,
                env=os.environ | (env or {}),
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_until_ready(self):
        until = time.monotonic() + READY
        for port in self.ports:
            while not accepts(port):
                if self.process.poll() is not None or time.monotonic() > until:
                    raise Unready(self.last_words())
                time.sleep(0.05)

    def last_words(self) -> str:
        return self.log.read_text(errors="replace").strip()[-500:] or f"exit code {self.process.poll()}"

    def end(self):
        """SIGTERM, and five seconds later SIGKILL to what is left of exactly these processes."""
        mine = tree(self.pid)
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            for pid in mine:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait(5)


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True


def stat(pid: int | str) -> list[str]:
    """The fields of /proc/PID/stat after the name, which may hold anything; none if it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def tree(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (fields := stat(name)):
            children.setdefault(int(fields[1]), []).append(int(name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its descendants."""
    return sum(int(fields[11]) + int(fields[12]) for one in tree(pid) if (fields := stat(one))) / TICKS


def memory(pid: int, field: str) -> int:
    """`VmRSS` or `VmHWM` of one process, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise Unready(f"/proc/{pid}/status has no {field}")


def forget_peak(pid: int):
    """`VmHWM` starts again from what is resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
