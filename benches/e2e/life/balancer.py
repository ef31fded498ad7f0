"""A small balancer of connections: each new one goes to the next member whose /readyz says 200, asked ten times a second."""

import asyncio

ASK_EVERY = 0.1


class Member:
    def __init__(self, port: int, admin: int):
        self.port, self.admin, self.ready = port, admin, False


class Balancer:
    def __init__(self, members: list[Member]):
        self.members, self.next, self.nobody = members, 0, 0

    async def run(self, port: int):
        server = await asyncio.start_server(self.client, "127.0.0.1", port, backlog=1024)
        async with server, asyncio.TaskGroup() as group:
            for member in self.members:
                group.create_task(self.watch(member))
            await server.serve_forever()

    async def watch(self, member: Member):
        while True:
            member.ready = await asks(member.admin)
            await asyncio.sleep(ASK_EVERY)

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        ready = [member for member in self.members if member.ready]
        if not ready:
            self.nobody += 1
            return writer.close()
        self.next += 1
        try:
            there, back = await asyncio.open_connection("127.0.0.1", ready[self.next % len(ready)].port)
        except OSError:
            return writer.close()
        await asyncio.gather(splice(reader, back), splice(there, writer))


async def asks(port: int) -> bool:
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n")
            line = await reader.readline()
            writer.close()
            return line.startswith(b"HTTP/1.1 200")
    except (OSError, TimeoutError):
        return False


async def splice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
    try:
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
