"""What the origin serves: real files of corpus/ where they were fetched, generated ones of the same kind elsewhere."""

import gzip
import json
import random
from dataclasses import dataclass
from pathlib import Path

KIB = 1024
PAGE = "page.html"
"""The 100 KB HTML page of cases hit, encode and pass."""

WORDS = (
    "cache response header field request origin representation validator freshness shared private store coding client "
    "server method status content length transfer chunk encode range entity variant weak strong lifetime age date "
    "expires proxy gateway tunnel message body connection"
).split()


@dataclass(frozen=True)
class Payload:
    name: str
    media_type: str
    body: bytes
    source: str


def payloads(corpus: Path) -> list[Payload]:
    """The mix, smallest first; the same bytes on every run."""
    wanted = [
        # name, type, bytes, file of the corpus to take them from
        ("tile.json", "application/json", 2 * KIB, "countries-110m.json"),
        ("fragment.html", "text/html; charset=utf-8", 10 * KIB, "policy-controlfields.html"),
        ("list.json", "application/json", 10 * KIB, "browser-compat-data.json"),
        ("module.js", "text/javascript", 10 * KIB, "lodash-template.js"),
        ("library.min.js", "text/javascript", 72 * KIB, "lodash.min.js"),
        (PAGE, "text/html; charset=utf-8", 100 * KIB, "policy-fhs.html"),
        ("listing.json", "application/json", 100 * KIB, "browser-compat-data.json"),
        ("style.css", "text/css", 200 * KIB, "bootstrap.min.css"),
        ("font.woff2", "font/woff2", 128 * KIB, "bootstrap-icons.woff2"),
    ]
    return [payload(corpus, *one) for one in wanted]


def payload(corpus: Path, name: str, media_type: str, length: int, file: str) -> Payload:
    path = corpus / file
    if path.is_file():
        body = path.read_bytes()[:length]
        return Payload(name, media_type, body, f"the first {len(body)} bytes of {file}")
    chance = random.Random(name)
    if media_type == "font/woff2":
        return Payload(name, media_type, chance.randbytes(length), "generated")
    return Payload(name, media_type, text(chance, length), "generated")


def text(chance: random.Random, length: int) -> bytes:
    """Markup of words and numbers; compresses to about a fifth."""
    pieces, size = [], 0
    while size < length:
        words = " ".join(chance.choices(WORDS, k=12))
        number, kind = chance.randrange(10**6), chance.choice(WORDS)
        piece = f'<li id="{number}" class="{kind}"><a href="/{words[:9]}">{words}</a></li>\n'
        pieces.append(piece)
        size += len(piece)
    return "".join(pieces).encode()[:length]


def listing(number: int) -> bytes:
    """1 MB of JSON, different for every number."""
    chance = random.Random(number)
    rows, size = [], 0
    while size < 10**6:
        row = {"id": len(rows), "price": chance.randrange(10**9), "text": " ".join(chance.choices(WORDS, k=8))}
        rows.append(json.dumps(row))
        size += len(rows[-1]) + 1
    return f"[{','.join(rows)}]".encode()


def noise(length: int, number: int) -> bytes:
    """What no coding makes smaller, different for every number."""
    return random.Random(number).randbytes(length)


def coded(body: bytes) -> bytes:
    """As an app would send it that compresses by itself."""
    return gzip.compress(body, 6, mtime=0)
