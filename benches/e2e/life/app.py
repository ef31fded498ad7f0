"""The app behind vacpack while that is reloaded and restarted: python3 app.py PORT. Every body follows from its path.

    GET /cached/N    a page, fresh for a minute
    GET /fresh/N     a page, no-store
    POST /echo       the body that was sent
    GET /events      server-sent events, ten a second, for ever
    GET /socket      a WebSocket whose bytes come back
"""

import asyncio
import sys

LINE = "<p>%s, line %d of a page that is worth compressing, and that nobody has to read</p>\n"


def page(path: str) -> bytes:
    return "".join(LINE % (path, number) for number in range(120)).encode()


def answer(body: bytes, *fields: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", "Content-Type: text/html", f"Content-Length: {len(body)}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def events(writer: asyncio.StreamWriter):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    number = 0
    while True:
        event = f"data: {number}\n\n".encode()
        writer.write(b"%x\r\n%s\r\n" % (len(event), event))
        await writer.drain()
        number += 1
        await asyncio.sleep(0.1)


async def socket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    while some := await reader.read(4096):
        writer.write(some)
        await writer.drain()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, path, _ = head.split(" ", 2)
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            body = await reader.readexactly(int(fields.get("content-length", 0)))
            if path == "/events":
                await events(writer)
            elif path == "/socket":
                return await socket(reader, writer)
            elif method == "POST":
                writer.write(answer(body, "Cache-Control: no-store"))
            elif path.startswith("/cached/"):
                writer.write(answer(page(path), "Cache-Control: max-age=60", f'ETag: "{path}"'))
            else:
                writer.write(answer(page(path), "Cache-Control: no-store"))
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
