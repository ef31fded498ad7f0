"""The proxies side by side: how each is found, configured and started. Their configuration is in peers/."""

import getpass
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from process import Server, Unready, free_port

HERE = Path(__file__).parent / "peers"
MODULES = Path("/usr/lib/nginx/modules")


@dataclass
class Peer:
    """One way of answering, on one port."""

    name: str
    version: str
    server: Server
    port: int
    only: set[str] | None = None
    """The cases it takes part in; all where None."""
    admin: int | None = None


def filled(template: str, folder: Path, into: str = "", **values) -> Path:
    """A configuration with its `@names@` replaced, in a file of its own."""
    text = (HERE / template).read_text()
    for name, value in {"folder": folder, **values}.items():
        text = text.replace(f"@{name}@", str(value))
    path = folder / (into or template)
    path.write_text(text)
    return path


def version(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
    return found[0] if found else "unknown"


def vacpack(name: str, binary: Path, config: Path, origin: int, on: set[int], only: set[str] | None = None) -> Peer:
    listen, admin = free_port(), free_port()
    flags = {"--config": config, "--upstream": f"127.0.0.1:{origin}", "--listen": f"127.0.0.1:{listen}"}
    flags["--admin"] = f"127.0.0.1:{admin}"
    command = [binary, "run", *(part for flag in flags.items() for part in flag)]
    server = Server(command, [listen, admin], on, config.with_suffix(".log"))
    return Peer(name, version(str(binary), "--version"), server, listen, only, admin)


def ours(binary: Path, folder: Path, origin: int, on: set[int]) -> list[Peer]:
    """Beside the others; the same with its access log; and, as it comes, for what only it is asked."""
    quiet = filled("vacpack.toml", folder, access_log="false")
    logging = filled("vacpack.toml", folder, "vacpack-log.toml", access_log="true")
    defaults = filled("vacpack-defaults.toml", folder)
    return [
        vacpack("vacpack", binary, quiet, origin, on),
        vacpack("vacpack, access log", binary, logging, origin, on, {"hit"}),
        vacpack("vacpack alone", binary, defaults, origin, os.sched_getaffinity(0), set()),
    ]


def nginx(folder: Path, origin: int, on: set[int]) -> list[Peer]:
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not binary:
        raise Unready("not installed")
    module = MODULES / "ngx_http_brotli_filter_module.so"
    ports = {"recompress": free_port(), "coder": free_port(), "stored": free_port()}
    modules = f"load_module {module};" if module.is_file() else ""
    config = filled("nginx.conf", folder, origin=origin, user=getpass.getuser(), modules=modules, **ports)
    server = Server([binary, "-c", config, "-p", folder], list(ports.values()), on, folder / "nginx.log")
    number = version(binary, "-v")
    return [
        Peer("nginx", number, server, ports["recompress"]),
        Peer("nginx, coded once", number, server, ports["stored"], {"hit", "mix"}),
    ]


def varnish(folder: Path, origin: int, on: set[int]) -> list[Peer]:
    binary = shutil.which("varnishd") or shutil.which("varnishd", path="/usr/sbin")
    if not binary:
        raise Unready("not installed")
    port = free_port()
    config = filled("varnish.vcl", folder, origin=origin)
    command = [binary, "-F", "-n", folder / "varnish", "-f", config, "-a", f"127.0.0.1:{port},HTTP"]
    command += ["-s", "malloc,512m", "-T", "none", "-p", "thread_pools=1", "-p", "thread_pool_max=2000"]
    server = Server(command, [port], on, folder / "varnish.log")
    return [Peer("Varnish", version(binary, "-V"), server, port)]


def pingap(folder: Path, origin: int, on: set[int]) -> list[Peer]:
    binary = shutil.which("pingap")
    if not binary:
        raise Unready("not installed")
    port = free_port()
    config = filled("pingap.toml", folder, origin=origin, listen=port)
    server = Server([binary, "-c", config], [port], on, folder / "pingap.log")
    return [Peer("pingap", version(binary, "--version"), server, port)]


def others(folder: Path, origin: int, on: set[int], servers: list[Server]) -> tuple[list[Peer], dict[str, str]]:
    """Every other proxy that is there, and why the rest is not. What was started is in `servers`, come what may."""
    found, absent = [], {}
    for name, start in {"nginx": nginx, "Varnish": varnish, "pingap": pingap}.items():
        try:
            peers = start(folder, origin, on)
            servers.append(peers[0].server)
            peers[0].server.wait_until_ready()
            found += peers
        except Unready as why:
            absent[name] = str(why)
    return found, absent
