"""The app behind every proxy: python3 origin.py PORT CORPUS. HTTP/1.1, GET only, loopback only.

    /cached/NAME     a payload, fresh for an hour
    /fresh/NAME      the same, no-store
    /coded/NAME      the same, gzip by the app itself, no-store
    /stream/BYTES    so much chunked HTML, as fast as it is taken
    /events/N/MS     N server-sent events, one each MS; the data is the clock when it was sent
    /cold/NUMBER     1 MB of JSON after 500 ms, fresh for an hour
    /drip/BYTES/MS/N so many bytes of noise over that time, chunked, fresh for an hour
    /think/HOW/MS/N  a short page after that time; HOW is no-store, private, no-cache (with an ETag) or max-age=0
    /said            what it did so far, as JSON

It answers ready-made bytes, so that its share of a core stays small beside a proxy's.
"""

import asyncio
import json
import random
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

from payloads import coded, listing, noise, payloads, text

PIECE = 64 * 1024
DRIPS = 50
"""Pieces of /drip."""
THINKING = 0.5
"""Seconds before the answer to /cold."""


def head(media_type: str, *fields: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {media_type}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer(media_type: str, body: bytes, *fields: str) -> bytes:
    return head(media_type, f"Content-Length: {len(body)}", *fields) + body


def ready_made(corpus: Path) -> dict[str, bytes]:
    answers = {}
    for one in payloads(corpus):
        tag = f'ETag: "{zlib.crc32(one.body):08x}"'
        answers[f"/cached/{one.name}"] = answer(one.media_type, one.body, "Cache-Control: public, max-age=3600", tag)
        answers[f"/fresh/{one.name}"] = answer(one.media_type, one.body, "Cache-Control: no-store")
        answers[f"/coded/{one.name}"] = answer(
            one.media_type,
            coded(one.body),
            "Cache-Control: no-store",
            "Content-Encoding: gzip",
            "Vary: Accept-Encoding",
        )
    return answers


class App:
    """What all connections share."""

    def __init__(self, corpus: Path):
        self.answers = ready_made(corpus)
        # Longer than any encoder's window: sent over and over, its repetition is of no use to one.
        self.block = text(random.Random(0), 64 * PIECE)
        self.requests: Counter[str] = Counter()
        self.stream: dict[str, int] = {}

    def said(self) -> bytes:
        report = {"requests": dict(self.requests), "total": self.requests.total(), "stream": self.stream}
        return answer("application/json", json.dumps(report).encode(), "Cache-Control: no-store")


class Connection(asyncio.Protocol):
    """One client at a time asks here, and waits for the answer before it asks again."""

    def __init__(self, app: App):
        self.app = app
        self.received = b""
        self.task: asyncio.Task | None = None
        self.may_write = asyncio.Event()
        self.may_write.set()

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _error):
        self.may_write.set()
        if self.task:
            self.task.cancel()

    def pause_writing(self):
        self.may_write.clear()

    def resume_writing(self):
        self.may_write.set()

    def data_received(self, data: bytes):
        self.received += data
        while b"\r\n\r\n" in self.received:
            request, _, self.received = self.received.partition(b"\r\n\r\n")
            self.respond(request.split(b" ", 2)[1].decode())

    def respond(self, path: str):
        if path == "/said":
            return self.transport.write(self.app.said())
        self.app.requests[path] += 1
        ready = self.app.answers.get(path)
        if ready:
            return self.transport.write(ready)
        match path.split("/")[1:]:
            case ["stream", length]:
                self.task = asyncio.ensure_future(self.send_stream(int(length)))
            case ["events", count, tick]:
                self.task = asyncio.ensure_future(self.send_events(int(count), int(tick) / 1000))
            case ["cold", number]:
                self.task = asyncio.ensure_future(self.send_cold(int(number)))
            case ["drip", length, milliseconds, number]:
                self.task = asyncio.ensure_future(self.send_drip(int(length), int(milliseconds) / 1000, int(number)))
            case ["think", how, milliseconds, *_]:
                asyncio.get_running_loop().call_later(int(milliseconds) / 1000, self.send_thought, how)
            case _:
                self.transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    async def send_stream(self, length: int):
        said = self.app.stream = {"started": time.monotonic_ns(), "sent": 0, "crc": 0, "ended": 0}
        self.transport.write(head("text/html", "Transfer-Encoding: chunked", "Cache-Control: no-store"))
        block, at = self.app.block, 0
        while said["sent"] < length and not self.transport.is_closing():
            piece = block[at : at + min(PIECE, length - said["sent"])]
            at = (at + PIECE) % len(block)
            self.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            said["sent"] += len(piece)
            said["crc"] = zlib.crc32(piece, said["crc"])
            await self.may_write.wait()
        said["ended"] = time.monotonic_ns()
        self.transport.write(b"0\r\n\r\n")

    async def send_events(self, count: int, tick: float):
        self.transport.write(head("text/event-stream", "Transfer-Encoding: chunked", "Cache-Control: no-store"))
        due = time.monotonic()
        for number in range(count):
            due += tick
            await asyncio.sleep(max(0, due - time.monotonic()))
            event = b"id: %d\ndata: %d\n\n" % (number, time.monotonic_ns())
            self.transport.write(b"%x\r\n%b\r\n" % (len(event), event))
        self.transport.write(b"0\r\n\r\n")

    async def send_cold(self, number: int):
        await asyncio.sleep(THINKING)
        self.transport.write(answer("application/json", listing(number), "Cache-Control: public, max-age=3600"))

    async def send_drip(self, length: int, seconds: float, number: int):
        self.transport.write(
            head("application/octet-stream", "Transfer-Encoding: chunked", "Cache-Control: public, max-age=3600")
        )
        body, due = noise(length, number), time.monotonic()
        for at in range(0, length, size := -(-length // DRIPS)):
            piece = body[at : at + size]
            self.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            due += seconds / DRIPS
            await asyncio.sleep(max(0, due - time.monotonic()))
        self.transport.write(b"0\r\n\r\n")

    def send_thought(self, how: str):
        if not self.transport.is_closing():
            fields = [f"Cache-Control: {how}"] + ['ETag: "1"'] * (how == "no-cache")
            self.transport.write(answer("text/plain", b"a thought", *fields))


async def main():
    port, corpus = int(sys.argv[1]), Path(sys.argv[2])
    app = App(corpus)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(app), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
