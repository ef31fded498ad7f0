"""Many clients at once for one path, in one thread: when each has its first byte, and whether each has all of them."""

import json
import selectors
import socket
import sys
import time
import zlib
from dataclasses import dataclass, field

READ = 256 * 1024


class Body:
    """An HTTP/1.1 answer, taken apart while it comes in: its length and its CRC are enough to know it again."""

    def __init__(self):
        self.head = bytearray()
        self.status = 0
        self.left: int | None = None
        """Bytes of this chunk, or of the body."""
        self.chunked = False
        self.line = bytearray()
        self.length, self.crc = 0, 0
        self.whole = False

    def take(self, data: memoryview):
        if not self.status:
            data = self.begin(data)
        while data and not self.whole:
            data = self.chunk(data) if self.left in (None, 0) else self.piece(data)

    def begin(self, data: memoryview) -> memoryview:
        self.head += data
        end = self.head.find(b"\r\n\r\n")
        if end < 0:
            return data[:0]
        rest = len(self.head) - end - 4
        lines = bytes(self.head[:end]).lower().split(b"\r\n")
        self.status = int(lines[0].split(b" ")[1])
        fields = dict(line.split(b": ", 1) for line in lines[1:])
        self.chunked = b"chunked" in fields.get(b"transfer-encoding", b"")
        self.left = None if self.chunked else int(fields[b"content-length"])
        self.whole = self.left == 0
        return data[len(data) - rest :]

    def piece(self, data: memoryview) -> memoryview:
        piece = data[: self.left]
        self.crc = zlib.crc32(piece, self.crc)
        self.length += len(piece)
        self.left -= len(piece)
        self.whole = not self.chunked and self.left == 0
        return data[len(piece) :]

    def chunk(self, data: memoryview) -> memoryview:
        """The line between two chunks, byte by byte: it may be cut anywhere."""
        for at, byte in enumerate(data):
            self.line.append(byte)
            if self.line.endswith(b"\r\n") and self.line.strip():
                self.left = int(self.line.split(b";")[0], 16)
                self.line.clear()
                # After the last chunk comes an empty line: the connection is closed anyway.
                self.whole = self.left == 0
                return data[at + 1 :]
        return data[:0]


@dataclass
class Client:
    starts: float
    """Seconds after the first one."""
    leaves: float | None = None
    connection: socket.socket | None = None
    asked: float = 0
    first: float | None = None
    ended: float | None = None
    body: Body = field(default_factory=Body)


def run(port: int, path: str, clients: list[Client], limit: float) -> list[Client]:
    """Every client connects before the first one asks."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    for one in clients:
        one.connection = socket.create_connection(("127.0.0.1", port), 10)
        one.connection.setblocking(False)
    ready, space = selectors.DefaultSelector(), bytearray(READ)
    began = time.monotonic()
    waiting = sorted(clients, key=lambda one: one.starts)
    leaving = [one for one in clients if one.leaves is not None]
    reading = 0
    while (waiting or reading) and time.monotonic() - began < limit:
        now = time.monotonic()
        while waiting and waiting[0].starts <= now - began:
            one = waiting.pop(0)
            one.connection.send(request)
            one.asked = time.monotonic()
            ready.register(one.connection, selectors.EVENT_READ, one)
            reading += 1
        for one in [one for one in leaving if one.asked and now - one.asked >= one.leaves]:
            leaving.remove(one)
            if one.ended is None:
                reading -= leave(ready, one)
        pause = min(0.05, max(0, waiting[0].starts - (now - began))) if waiting else 0.05
        for key, _ in ready.select(pause):
            reading -= read(ready, key.data, space)
    return clients


def read(ready: selectors.BaseSelector, one: Client, space: bytearray) -> int:
    try:
        count = one.connection.recv_into(space)
    except BlockingIOError:
        return 0
    except ConnectionError:
        count = 0
    one.body.take(memoryview(space)[:count])
    if one.first is None and one.body.length:
        one.first = time.monotonic() - one.asked
    return leave(ready, one) if one.body.whole or not count else 0


def leave(ready: selectors.BaseSelector, one: Client) -> int:
    one.ended = time.monotonic() - one.asked
    ready.unregister(one.connection)
    one.connection.close()
    return 1


def main():
    """crowd.py PORT PATH LIMIT: the clients as JSON on standard input, what became of them on standard output."""
    port, path, limit = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    clients = [Client(**one) for one in json.load(sys.stdin)]
    shown = [
        {
            "status": one.body.status,
            "first": one.first,
            "ended": one.ended,
            "whole": one.body.whole,
            "length": one.body.length,
            "crc": one.body.crc,
        }
        for one in run(port, path, clients, limit)
    ]
    json.dump(shown, sys.stdout)


if __name__ == "__main__":
    main()
