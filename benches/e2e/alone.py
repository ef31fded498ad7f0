"""What only vacpack is asked here: memory under a long stream, delay of events, one fetch for a crowd."""

import statistics
import threading
import time
import zlib

import client
from origin import THINKING
from payloads import listing
from peers import Peer
from process import forget_peak, memory

MIB = 1024 * 1024


def long_stream(peer: Peer, origin: int, length: int) -> dict:
    """So many bytes of chunked text through brotli: what the process grows by, and when the first of them is there."""
    client.get(peer.port, "/fresh/page.html")
    idle = memory(peer.server.pid, "VmRSS")
    forget_peak(peer.server.pid)
    started = time.monotonic_ns()
    exchange = client.Exchange(peer.port, f"/stream/{length}", "br")
    first, received, crc = 0, 0, 0
    for piece in exchange.pieces():
        first = first or time.monotonic_ns()
        received += len(piece)
        crc = zlib.crc32(piece, crc)
    ended = time.monotonic_ns()
    peak = memory(peer.server.pid, "VmHWM")
    app = client.said(origin)["stream"]
    return {
        "bytes": received,
        "coding": exchange.coding,
        "same": received == length == app["sent"] and crc == app["crc"],
        "ratio": received / max(exchange.wire, 1),
        "seconds": (ended - started) / 1e9,
        "rss_idle_mib": idle / MIB,
        "rss_growth_mib": (peak - idle) / MIB,
        "first_byte_ms": (first - started) / 1e6,
        "app_sent_for_ms": (app["ended"] - started) / 1e6,
        "first_byte_while_app_sends": first < app["ended"],
    }


def events(peer: Peer, origin: int, streams: int, count: int, tick: int) -> dict:
    """Delays through vacpack and, at the same moments, without it: what both have is the machine's, or the client's."""
    through, direct = Listener(peer.port, "br"), Listener(origin, "identity")
    threads = []
    for _ in range(streams):
        for listener in (through, direct):
            threads.append(threading.Thread(target=listener.listen, args=[f"/events/{count}/{tick}"]))
            threads[-1].start()
            time.sleep(tick / 1000 / streams / 2)
    for one in threads:
        one.join()
    return through.figures() | {"expected": streams * count, "direct": direct.figures()}


class Listener:
    """Clients of one server that note how late each event is when it is decoded; it is one host, and one clock."""

    def __init__(self, port: int, accept: str):
        self.port, self.accept = port, accept
        self.delays: list[float] = []
        self.codings: set[str | None] = set()

    def listen(self, path: str):
        exchange = client.Exchange(self.port, path, self.accept)
        self.codings.add(exchange.coding)
        pending = b""
        for piece in exchange.pieces():
            now = time.monotonic_ns()
            *whole, pending = (pending + piece).split(b"\n\n")
            self.delays.extend((now - int(event.rpartition(b" ")[2])) / 1e6 for event in whole)

    def figures(self) -> dict:
        ranked = sorted(self.delays)
        return {
            "events": len(ranked),
            "coding": "/".join(map(str, self.codings)),
            "p50_ms": statistics.median(ranked),
            "p99_ms": ranked[int(len(ranked) * 0.99)],
            "max_ms": ranked[-1],
        }


def cold_crowd(peer: Peer, origin: int, clients: int, number: int) -> dict:
    """All at once for something that nobody has, and that takes the app its time."""
    path, expected = f"/cold/{number}", listing(number)
    start = threading.Barrier(clients)
    took: list[float] = []
    codings = set()

    def ask():
        start.wait()
        began = time.monotonic()
        answer = client.get(peer.port, path)
        if answer.body == expected:
            took.append(time.monotonic() - began)
        codings.add(answer.coding)

    crowd = [threading.Thread(target=ask) for _ in range(clients)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    return {
        "clients": clients,
        "right": len(took),
        "coding": "/".join(map(str, codings)),
        "app_requests": client.said(origin)["requests"].get(path, 0),
        "app_seconds": THINKING,
        "slowest_seconds": max(took, default=0.0),
    }
