"""The service on servers of its own, as in production: each can be killed, wiped and filled."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from photoward.core.settings import Settings
from tests.support.servers import (
    S3_BUCKET,
    S3_KEYS,
    Server,
    fresh_database,
    redis_server,
    running,
    seaweed_server,
    short_folder,
)
from tests.support.stack import Stack, fresh_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest


@dataclass(frozen=True)
class Broker:
    """A Redis of one's own."""

    server: Server
    folder: Path

    def wiped(self) -> None:
        """Kill it and let it come back with nothing."""
        self.server.kill()
        shutil.rmtree(self.folder / "appendonlydir")
        self.server.start()


@dataclass(frozen=True)
class Plant:
    """The service and what it stands on."""

    service: Stack
    settings: Settings
    broker: Broker
    store: Server


@contextmanager
def own_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """A Redis that the service, once started, uses instead of its private one."""
    with short_folder() as folder, running(redis_server(folder)) as server:
        monkeypatch.setenv("REDIS_URL", f"redis+socket://{folder}/redis.sock?virtual_host=0")
        yield Broker(server, folder)


@contextmanager
def own_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """An S3 server that the service, once started, uses instead of a folder."""
    with short_folder() as folder:
        server, endpoint = seaweed_server(folder)
        with running(server):
            place = {"AWS_ENDPOINT_URL": endpoint, "PHOTOWARD_STORAGE_URL": f"s3://{S3_BUCKET}"}
            for name, value in {**S3_KEYS, **place}.items():
                monkeypatch.setenv(name, value)
            yield server


@contextmanager
def plant(
    monkeypatch: pytest.MonkeyPatch, postgres_url: str, workers: int = 1, /, **environment: str
) -> Iterator[Plant]:
    """PostgreSQL, Redis, S3 and the service over them."""
    with ExitStack() as parts:
        database = parts.enter_context(fresh_database(postgres_url))
        monkeypatch.setenv("PHOTOWARD_DATABASE_URL", database)
        broker = parts.enter_context(own_broker(monkeypatch))
        store = parts.enter_context(own_store(monkeypatch))
        service = parts.enter_context(fresh_stack(workers, **environment))
        yield Plant(service, Settings(data_dir=service.folder), broker, store)
