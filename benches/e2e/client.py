"""A strict client: every body is framed, decoded and whole, or it is an error."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass

from decode import Broken, decoder

BROWSER = "gzip, deflate, br, zstd"
"""What today's browsers send."""
WAIT = 30
"""Seconds without a byte, at most."""
READ = 256 * 1024


class Exchange:
    """One request and its answer, decoded while it arrives."""

    def __init__(self, port: int, path: str, accept: str = BROWSER):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT)
        self.connection.request("GET", path, headers={"Accept-Encoding": accept})
        self.response = self.connection.getresponse()
        if self.response.status != 200:
            raise Broken(f"{path}: status {self.response.status}")
        self.coding = self.response.getheader("Content-Encoding")
        self.wire = 0

    def pieces(self) -> Iterator[bytes]:
        machine = decoder(self.coding)
        while data := self.response.read1(READ):
            self.wire += len(data)
            if piece := machine.push(data):
                yield piece
        machine.finish()
        length = self.response.getheader("Content-Length")
        if length is not None and int(length) != self.wire:
            raise Broken(f"{self.wire} bytes of {length}")
        self.connection.close()


@dataclass(frozen=True)
class Answer:
    body: bytes
    coding: str | None
    wire: int


def get(port: int, path: str, accept: str = BROWSER) -> Answer:
    exchange = Exchange(port, path, accept)
    body = b"".join(exchange.pieces())
    return Answer(body, exchange.coding, exchange.wire)


def said(origin: int) -> dict:
    """What the app did so far."""
    return json.loads(get(origin, "/said").body)


def metric(admin: int, name: str) -> float:
    """The sum over all series of one family of vacpack's metrics."""
    return sum(metrics(admin, name).values())


def metrics(admin: int, name: str) -> dict[str, float]:
    series = {}
    for line in get(admin, "/metrics").body.decode().splitlines():
        key, _, value = line.rpartition(" ")
        if key.split("{")[0] == name:
            series[key] = float(value)
    return series
