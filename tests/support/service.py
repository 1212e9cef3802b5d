"""The service on loopback at one address and folder: it can be stopped, killed and started again.

For the tests of integrations, which speak to it by HTTP alone.
"""

from __future__ import annotations

import http.client
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.servers import Server, free_ports

if TYPE_CHECKING:
    from pathlib import Path

START_S = 240.0
"""A worker that starts reads PyTorch; on a busy machine that takes minutes."""


@dataclass(frozen=True)
class Service:
    """``photoward up``, and where it answers."""

    url: str
    server: Server
    folder: Path

    def objects(self) -> list[Path]:
        """The files of photos that it holds."""
        return [one for one in (self.folder / "data" / "objects").rglob("*") if one.is_file()]

    def keeps_nothing(self, within_s: float = 20.0) -> bool:
        """Whether it holds no file of a photo, soon: it deletes them when it has answered."""
        until = time.monotonic() + within_s
        while self.objects() and time.monotonic() < until:
            time.sleep(0.05)
        return not self.objects()


def service(folder: Path, **environment: str) -> Service:
    """A service that has not been started, on a free port, with the method that costs least.

    Args:
        folder: for its data and its log; its path leaves room for a socket's name.
        environment: its settings.
    """
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "photoward.api.cli", "up", "--port", str(port),
               "--data-dir", str(folder / "data")]  # fmt: skip
    settings = {
        "PHOTOWARD_ENGINE_METHOD": "cuda",
        "PYTHONPATH": os.pathsep.join(sys.path),  # as the tests find it
        **environment,
    }
    server = Server(
        command, folder / "service.log", lambda: _ready(port), env=settings, start_s=START_S
    )
    return Service(f"http://127.0.0.1:{port}", server, folder)


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
