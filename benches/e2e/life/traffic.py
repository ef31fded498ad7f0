"""Mixed requests at a steady rate over kept connections, each answer compared with what it has to be.

A request that is due is sent whether or not the one before it was answered: connections are taken from a pool, and a
new one is made where none is free. Nothing is sent twice: a connection that breaks is a failure, whoever closed it. One
that was seen to be closed while it was idle is not used again, as with any client's pool.
"""

import asyncio
import random
import ssl
import time
import zlib
from collections import Counter

from app import page

PATIENCE = 20
"""Seconds until an answer that does not come is a failure."""


class Wrong(Exception):
    """An answer that is not what it has to be."""


def trusting() -> ssl.SSLContext:
    """Whoever shows a certificate: which one it was is looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer
        self.closes = False

    @classmethod
    async def to(cls, port: int, tls: ssl.SSLContext | None = None):
        named = "life.test" if tls else None
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=named))

    def certificate(self) -> bytes | None:
        secured = self.writer.get_extra_info("ssl_object")
        return secured and secured.getpeercert(binary_form=True)

    async def ask(self, method: str, path: str, fields: dict[str, str], body: bytes = b"") -> tuple[int, dict, bytes]:
        fields = {"Host": "life.test", **fields} | ({"Content-Length": str(len(body))} if method == "POST" else {})
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        said = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        self.closes = said.get("connection", "").lower() == "close"
        status = int(head[0].split(" ")[1])
        if method == "HEAD" or status == 304:
            return status, said, b""
        if said.get("transfer-encoding") == "chunked":
            return status, said, await self.chunks()
        return status, said, await self.reader.readexactly(int(said["content-length"]))

    async def chunks(self) -> bytes:
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)
        return body


def identity(said: dict, body: bytes) -> bytes:
    return zlib.decompress(body, 31) if said.get("content-encoding") == "gzip" else body


async def one(connection: Connection, chance: random.Random):
    """One request of the mix, and everything that its answer has to be."""
    number = chance.randrange(40)
    kind = chance.choices(["cached", "fresh", "post", "head", "range", "condition"], [50, 20, 10, 5, 5, 10])[0]
    path = f"/fresh/{number}" if kind == "fresh" else f"/cached/{number}"
    fields = {"Accept-Encoding": chance.choice(["gzip", "identity"])}
    if kind == "post":
        sent = chance.randbytes(chance.randrange(1, 5000))
        status, said, body = await connection.ask("POST", "/echo", {}, sent)
        if (status, body) != (200, sent):
            raise Wrong(f"POST: {status}, {len(body)} of {len(sent)} bytes")
        return said
    if kind == "range":
        status, said, body = await connection.ask("GET", path, {"Range": "bytes=100-199", "Accept-Encoding": "identity"})
        # The first one for a path may be answered whole (RFC 9110, section 14.2).
        if (status, body) not in ((206, page(path)[100:200]), (200, page(path))):
            raise Wrong(f"range of {path}: {status}, {len(body)} bytes")
        return said
    if kind == "condition":
        fields["If-None-Match"] = f'"{path}"'
    status, said, body = await connection.ask("HEAD" if kind == "head" else "GET", path, fields)
    if kind == "head" and status == 200 or kind == "condition" and status == 304:
        return said
    if status != 200 or identity(said, body) != page(path):
        raise Wrong(f"{kind} {path}: {status}, {len(body)} bytes, {said}")
    return said


class Traffic:
    def __init__(self, port: int, rate: int, seconds: float, tls: ssl.SSLContext | None = None):
        self.port, self.rate, self.seconds, self.tls = port, rate, seconds, tls
        self.free: list[Connection] = []
        self.sent = self.connections = 0
        self.certificates: set[bytes] = set()
        self.failures: Counter[str] = Counter()
        self.versions: Counter[str] = Counter()
        self.times: list[float] = []
        self.over = False

    async def run(self):
        chance, began, tasks = random.Random(1), time.monotonic(), set()
        while not self.over and time.monotonic() - began < self.seconds:
            due = began + self.sent / self.rate
            await asyncio.sleep(max(0, due - time.monotonic()))
            task = asyncio.create_task(self.request(random.Random(chance.random()), due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            self.sent += 1
        await asyncio.gather(*tasks)

    async def request(self, chance: random.Random, due: float):
        # One in a hundred comes on a connection of its own, as clients come and go.
        connection, alone = None, not chance.randrange(100)
        try:
            async with asyncio.timeout(PATIENCE):
                connection = (not alone and self.kept()) or await self.new()
                said = await one(connection, chance)
            self.versions[said.get("x-version", "none")] += 1
            self.times.append(time.monotonic() - due)
            if not connection.closes and not alone:
                self.free.append(connection)
                return
        except (OSError, Wrong, asyncio.IncompleteReadError, TimeoutError, ValueError) as error:
            self.failures[f"{type(error).__name__}: {error}"[:200]] += 1
        if connection:
            connection.writer.close()

    async def new(self) -> Connection:
        connection = await Connection.to(self.port, self.tls)
        self.connections += 1
        if shown := connection.certificate():
            self.certificates.add(shown)
        return connection

    def kept(self) -> Connection | None:
        while self.free:
            connection = self.free.pop()
            if not connection.reader.at_eof():
                return connection
            connection.writer.close()
        return None

    def figures(self) -> dict:
        times = sorted(self.times) or [0]
        return {
            "requests": self.sent,
            "connections": self.connections,
            "failed": self.failures.total(),
            "failures": dict(self.failures.most_common(5)),
            "p50_ms": round(times[len(times) // 2] * 1000, 1),
            "p99_ms": round(times[len(times) * 99 // 100] * 1000, 1),
        }
