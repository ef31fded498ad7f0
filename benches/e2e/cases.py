"""What every proxy does in turn: a hit, an encoding, a pass-through, and a crowd on a mix."""

from dataclasses import dataclass

import client
from decode import Broken
from load import measure
from payloads import PAGE, Payload
from peers import Peer


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    paths: list[str]
    connections: int
    hits: bool = False
    """Every answer is in the cache beforehand."""


def cases(payloads: list[Payload]) -> list[Case]:
    return [
        Case("hit", "cache hit, 100 KB page", [f"/cached/{PAGE}"], 32, hits=True),
        Case("encode", "coded while it passes, 100 KB page", [f"/fresh/{PAGE}"], 16),
        Case("pass", "passed as the app coded it, 100 KB page", [f"/coded/{PAGE}"], 32),
        Case("mix", "1,000 connections on a mix", mix(payloads), 1000),
    ]


def mix(payloads: list[Payload]) -> list[str]:
    """Small answers often and large ones seldom; one request in ten is not for the cache, one comes coded."""
    paths = []
    for one in payloads:
        times = 4 if len(one.body) <= 10 * 1024 else 1
        paths += [f"/cached/{one.name}"] * times
    many = len(paths) // 8
    small = [one.name for one in payloads if one.name.endswith((".html", ".json"))]
    paths += [f"/fresh/{name}" for name in (small * many)[:many]]
    paths += [f"/coded/{name}" for name in (small * many)[:many]]
    return paths


def verify(peer: Peer, case: Case, payloads: list[Payload]) -> dict:
    """Every answer of the case, byte for byte, twice: the second comes from the cache where it may."""
    whole = {one.name: one.body for one in payloads}
    for _ in range(2):
        for path in dict.fromkeys(case.paths):
            answer = client.get(peer.port, path)
            if answer.body != whole[path.rpartition("/")[2]]:
                raise Broken(f"{peer.name} changed {path}")
    return {"coding": answer.coding or "identity", "wire": answer.wire} if len(case.paths) == 1 else {"coding": "mixed"}


def one_round(peer: Peer, case: Case, origin: int, seconds: int, on: set[int]) -> dict:
    """The figures of one proxy; of vacpack also what its encoders were given."""
    encoded = 0.0
    if peer.admin:
        encoded = client.metric(peer.admin, "vacpack_compression_input_bytes_total")
    row = measure(peer.server.pid, origin, peer.port, case.paths, case.connections, seconds, on)
    if peer.admin:
        row["encoded_bytes"] = client.metric(peer.admin, "vacpack_compression_input_bytes_total") - encoded
    return row
