"""What every test of the command line needs."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Options are written into the environment: each test gets it without ours, and a home."""
    before = dict(os.environ)
    for name in before:
        if "PHOTOWARD" in name or name == "REDIS_URL":
            del os.environ[name]
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("home"))
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """An entry for each connection that a client opens."""
    opened: list[object] = []
    real = socket.create_connection

    def counted(*arguments: Any, **more: Any) -> socket.socket:  # noqa: ANN401  # passed on
        opened.append(arguments)
        return real(*arguments, **more)

    monkeypatch.setattr(socket, "create_connection", counted)
    return opened
