"""Streams that stay open - events and WebSockets - and come back when they are ended, as their clients do."""

import asyncio

from traffic import PATIENCE, Connection

UPGRADE = (
    "GET /socket HTTP/1.1\r\nHost: life.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Streams:
    def __init__(self, port: int, events: int, sockets: int):
        self.port, self.wanted = port, (events, sockets)
        self.begun = self.ended = self.refused = self.wrong = 0

    async def run(self):
        events, sockets = self.wanted
        async with asyncio.TaskGroup() as group:
            for work, count in ((self.listen, events), (self.talk, sockets)):
                for _ in range(count):
                    group.create_task(self.again_and_again(work))

    async def again_and_again(self, work):
        while True:
            begun = self.begun
            connection = None
            try:
                connection = await Connection.to(self.port)
                await work(connection)
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                pass
            finally:
                if connection:
                    connection.writer.close()
            if self.begun == begun:
                self.refused += 1
            self.ended += 1
            await asyncio.sleep(0.05)

    async def listen(self, connection: Connection):
        connection.writer.write(b"GET /events HTTP/1.1\r\nHost: life.test\r\n\r\n")
        await self.head(connection, b"HTTP/1.1 200")
        expected = 0
        while True:
            async with asyncio.timeout(PATIENCE):
                line = await connection.reader.readuntil(b"\n\n")
            number = int(line.rpartition(b"data: ")[2])
            self.wrong += number != expected
            expected = number + 1

    async def talk(self, connection: Connection):
        connection.writer.write(UPGRADE.encode())
        await self.head(connection, b"HTTP/1.1 101")
        number = 0
        while True:
            word = b"%08d" % number
            connection.writer.write(word)
            async with asyncio.timeout(PATIENCE):
                self.wrong += await connection.reader.readexactly(8) != word
            number += 1
            await asyncio.sleep(0.2)

    async def head(self, connection: Connection, status: bytes):
        async with asyncio.timeout(PATIENCE):
            head = await connection.reader.readuntil(b"\r\n\r\n")
        if not head.startswith(status):
            raise OSError(head[:40])
        self.begun += 1

    def figures(self) -> dict:
        return {"begun": self.begun, "ended": self.ended, "refused": self.refused, "wrong": self.wrong}
