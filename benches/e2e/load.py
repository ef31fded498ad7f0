"""A closed loop of wrk: each connection asks again as soon as it has its answer."""

import json
import os
import subprocess
from pathlib import Path

import client
from process import cpu_seconds

SCRIPT = Path(__file__).with_name("wrk.lua")


class Failed(Exception):
    """The load generator gave no result."""


def wrk(port: int, paths: list[str], connections: int, seconds: int, on: set[int]) -> dict:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", SCRIPT]
    command += ["-H", f"Accept-Encoding: {client.BROWSER}", f"http://127.0.0.1:{port}/"]
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        env=os.environ | {"PATHS": " ".join(paths)},
        preexec_fn=lambda: os.sched_setaffinity(0, on),
    )
    for line in done.stdout.splitlines():
        if line.startswith("JSON "):
            return json.loads(line[5:])
    raise Failed((done.stdout + done.stderr)[-300:])


def measure(pid: int, origin: int, port: int, paths: list[str], connections: int, seconds: int, on: set[int]) -> dict:
    """One round: what the proxy's processes spent, over what it answered."""
    asked, spent = client.said(origin)["total"], cpu_seconds(pid)
    result = wrk(port, paths, connections, seconds, on)
    spent = cpu_seconds(pid) - spent
    asked = client.said(origin)["total"] - asked
    requests = max(result["requests"], 1)
    return {
        "requests": result["requests"],
        "errors": result["errors"],
        "cpu_us": spent * 1e6 / requests,
        "per_second": result["requests"] * 1e6 / max(result["microseconds"], 1),
        "p50_ms": result["p50"] / 1e3,
        "p99_ms": result["p99"] / 1e3,
        "bytes": result["bytes"] / requests,
        "app_share": asked / requests,
    }
