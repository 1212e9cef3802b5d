"""Every adapter of every port, as settings that open it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, cast

import pytest
from pydantic import SecretStr

from photoward.core.ledger import open_ledger
from photoward.core.settings import Settings
from photoward.core.storage import open_store
from tests.support.servers import S3_BUCKET, S3_KEYS, fresh_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from photoward.core.ledger import Ledger
    from photoward.core.storage import ObjectStore


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a ledger that does not exist yet."""
    if request.param == "sqlite":
        url = SecretStr(f"sqlite:///{tmp_path}/data/ledger.sqlite")
        yield Settings(data_dir=tmp_path, database_url=url)
        return
    with fresh_database(request.getfixturevalue("postgres_url")) as made:
        yield Settings(data_dir=tmp_path, database_url=SecretStr(made))


@pytest.fixture
def ledger(ledger_settings: Settings) -> Iterator[Ledger]:
    """An empty ledger."""
    opened = open_ledger(ledger_settings)
    yield opened
    opened.close()


@pytest.fixture(params=["file", "memory", "s3"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ObjectStore:
    """An empty object store."""
    place = {
        "file": f"{tmp_path.as_uri()}/with%20space/objects",
        "memory": "memory://",
        "s3": f"s3://{S3_BUCKET}/{secrets.token_hex(8)}",
    }[cast("str", request.param)]
    if request.param == "s3":
        monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("s3_endpoint"))
        for name, value in S3_KEYS.items():
            monkeypatch.setenv(name, value)
    return open_store(Settings(data_dir=tmp_path, storage_url=place))
