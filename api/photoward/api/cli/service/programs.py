"""What the embedded service consists of: its programs, its folders, its lock, its port.

Knows how each part shows that it is ready; not how processes are kept alive.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import http.client
import math
import os
import shutil
import socket
import sys
from typing import TYPE_CHECKING

from photoward.api.cli.service import log_files
from photoward.api.cli.service.process import Program
from photoward.core.errors import BadInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from photoward.core.settings import Settings

WORKER_GRACE_S = 30.0
WORKER_NICENESS = "10"
"""Unless the environment says another: the HTTP face answers on a busy machine."""
LONGEST_SOCKET_PATH = 100
"""Bytes; the kernel takes 107."""


def program_stages(
    settings: Settings, workers: int, beats: Path | None = None
) -> list[list[Program]]:
    """The programs in the order of their start: queue server, workers, HTTP face.

    They end in reverse, so that nothing is accepted that nobody would be told of.

    Args:
        settings: of all of them.
        workers: how many.
        beats: an empty folder, in which they show that they are ready; None: nobody waits for it.
    """
    own = [sys.executable, "-m", "photoward.api.cli"]
    queue = [] if settings.redis_url else [_queue_server(settings)]
    return [
        queue,
        [_worker(f"worker-{n}", [*own, "worker"], beats) for n in range(1, workers + 1)],
        [Program("api", [*own, "serve"], ready=lambda: answers_http(settings))],
    ]


def environment(settings: Settings, metrics: Path) -> dict[str, str]:
    """The environment of the programs: the caller's, and what options and ``up`` itself set.

    Args:
        settings: of all of them.
        metrics: an empty folder in which the processes share their metrics.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name != "PHOTOWARD_METRICS_PORT"  # several processes cannot share one port
    }
    return {
        "PHOTOWARD_WORKER_NICENESS": WORKER_NICENESS,
        **inherited,
        "PHOTOWARD_DATA_DIR": str(settings.data_dir),
        "PHOTOWARD_HTTP_HOST": settings.http_host,
        "PHOTOWARD_HTTP_PORT": str(settings.http_port),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
    }


@contextlib.contextmanager
def only_one(folder: Path, program: str, option: str) -> Iterator[None]:
    """Hold the folder (made 0700 if missing) for this process alone.

    Args:
        folder: of everything that the program keeps.
        program: what else may hold it, as a person calls it.
        option: names another folder.

    Raises:
        Unavailable: another process holds it, or it cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / "up.lock").open("a")
    except OSError as error:
        raise Unavailable(f"The folder cannot be used: {error}.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable(
                f"Another `{program}` runs on {folder}. Stop it, or use another {option}."
            ) from None
        yield


def free_port(settings: Settings) -> int:
    """The port to listen on; for 0 one that is free now.

    Raises:
        Unavailable: it is taken, or the host is not this machine's.
    """
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    with socket.socket(family) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((settings.http_host, settings.http_port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                reason = "another program listens there. Choose another --port"
            else:
                reason = error.strerror or str(error)
            raise Unavailable(
                f"Cannot listen on {settings.http_host} port {settings.http_port}: {reason}."
            ) from error
        port: int = door.getsockname()[1]
        return port


def empty_folder(folder: Path) -> Path:
    """Make the folder, without what an earlier run left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def fresh_logs(folder: Path) -> Path:
    """Make the folder; logs of the last few runs move to ``NAME.log.1`` … and are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for log in folder.glob("*.log"):
        log_files.rotate(log)
    return folder


def url(settings: Settings) -> str:
    """Where a browser on this machine finds the service."""
    host = settings.http_host if settings.http_host not in {"0.0.0.0", "::"} else "127.0.0.1"  # noqa: S104  # not bound, only compared
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.http_port}"


def answers_http(settings: Settings) -> bool:
    """Whether the HTTP face and what it needs are ready."""
    connection = http.client.HTTPConnection(url(settings).removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def answers_ping(path: Path) -> bool:
    """Whether a Redis-protocol server answers on the Unix socket (not while it loads)."""
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(1)
        try:
            door.connect(str(path))
            door.sendall(b"PING\r\n")
            return door.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def _worker(name: str, command: Sequence[str], beats: Path | None) -> Program:
    """A worker, which is ready once its heart beats.

    It imports PyTorch and makes noise once: seconds, but on a busy machine nobody knows how many.
    """
    if beats is None:
        return Program(name, command, grace_s=WORKER_GRACE_S)
    return Program(
        name,
        command,
        (beats / name).exists,
        ready_within_s=math.inf,
        grace_s=WORKER_GRACE_S,
        environment={"PHOTOWARD_WORKER_HEARTBEAT_FILE": str(beats / name)},
    )


def _queue_server(settings: Settings) -> Program:
    from photoward.core.queue.server import server_command

    path = settings.data_dir.absolute() / "redis.sock"
    if len(str(path).encode()) > LONGEST_SOCKET_PATH:
        raise BadInput(
            "invalid_option",
            f"The path of {settings.data_dir} is too long to hold a socket. "
            "Choose another --data-dir, or set REDIS_URL.",
        )
    return Program("queue", server_command(settings.data_dir), lambda: answers_ping(path))
