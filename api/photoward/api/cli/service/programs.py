"""The programs of the embedded service, and when each is ready; its folder, lock and port."""

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
"""Default for workers of ``photoward up``: the HTTP API stays responsive."""
RETENTION_DAYS = "7"
"""Default for images of ``photoward up``."""
LONGEST_SOCKET_PATH = 100
"""Most bytes of a socket's path; the kernel allows 107."""


def program_stages(
    settings: Settings, workers: int, heartbeats: Path | None = None
) -> list[list[Program]]:
    """The programs in the order of their start: queue server, workers, HTTP face.

    They stop in reverse order, so that no photo is accepted that no worker hears of.

    Args:
        settings: of all programs.
        workers: number of workers.
        heartbeats: empty folder in which workers show that they are ready; None: not awaited.
    """
    own = [sys.executable, "-m", "photoward.api.cli"]
    queue = [] if settings.redis_url else [_queue_server(settings)]
    return [
        queue,
        [_worker(f"worker-{n}", [*own, "worker"], heartbeats) for n in range(1, workers + 1)],
        [Program("api", [*own, "serve"], ready=lambda: answers_http(settings))],
    ]


def environment(settings: Settings, metrics: Path) -> dict[str, str]:
    """The environment of the programs: this process's, options, and what ``up`` itself sets.

    Args:
        settings: with the options applied.
        metrics: empty folder in which the processes share their metrics.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name != "PHOTOWARD_METRICS_PORT"  # several processes cannot share one port
    }
    return {
        "PHOTOWARD_WORKER_NICENESS": WORKER_NICENESS,
        "PHOTOWARD_RETENTION_IMAGE_DAYS": RETENTION_DAYS,
        **inherited,
        "PHOTOWARD_DATA_DIR": str(settings.data_dir),
        "PHOTOWARD_HTTP_HOST": settings.http_host,
        "PHOTOWARD_HTTP_PORT": str(settings.http_port),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
    }


@contextlib.contextmanager
def only_one(folder: Path, program: str, option: str) -> Iterator[None]:
    """Lock the folder (created with mode 0700) for this process.

    Args:
        folder: data folder of the program.
        program: name of the program, for the message.
        option: the option that sets the folder, for the message.

    Raises:
        Unavailable: another process has locked it, or it cannot be written.
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
    """Create the folder, without what an earlier run left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def fresh_logs(folder: Path) -> Path:
    """Create the folder; logs of earlier runs are kept as ``NAME.log.1`` …."""
    folder.mkdir(parents=True, exist_ok=True)
    for log in folder.glob("*.log"):
        log_files.rotate(log)
    return folder


def url(settings: Settings) -> str:
    """URL of the service for a browser on this machine."""
    host = settings.http_host if settings.http_host not in {"0.0.0.0", "::"} else "127.0.0.1"  # noqa: S104  # not bound, only compared
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.http_port}"


def answers_http(settings: Settings) -> bool:
    """Whether the HTTP API and the servers that it needs are ready."""
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


def _worker(name: str, command: Sequence[str], heartbeats: Path | None) -> Program:
    """A worker, which is ready at its first heartbeat.

    Before that it imports PyTorch and makes noise once: seconds, on a busy machine minutes.
    """
    if heartbeats is None:
        return Program(name, command, grace_s=WORKER_GRACE_S)
    return Program(
        name,
        command,
        (heartbeats / name).exists,
        ready_within_s=math.inf,
        grace_s=WORKER_GRACE_S,
        environment={"PHOTOWARD_WORKER_HEARTBEAT_FILE": str(heartbeats / name)},
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
