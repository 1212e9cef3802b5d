"""Photos in over REST, protected photos out: embedded, and on servers by settings alone."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from pydantic import SecretStr

from photoward.core.catalogue import DEFAULT_METHOD
from photoward.core.settings import Settings
from tests.support.audit import audit
from tests.support.servers import S3_BUCKET, S3_KEYS, fresh_database, short_folder
from tests.support.stack import Stack, fresh_stack, stack
from tests.system.photos import Photo, check, photos

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest


def sent(service: Stack, wanted: Sequence[Photo]) -> list[str]:
    """Upload all, check what comes back; the ids."""
    ids = service.upload([photo.upload for photo in wanted])
    for photo, item in zip(wanted, service.ended(ids, 120), strict=True):
        check(photo, item, service.content(item["id"]))
    return ids


def test_photos_come_back_protected_and_survive_a_restart() -> None:
    wanted = photos()
    with short_folder() as folder:
        settings = Settings(data_dir=folder / "data")
        with stack(folder / "data", PHOTOWARD_ENGINE_METHOD=DEFAULT_METHOD) as service:
            ids = sent(service, wanted)
            audit(service, settings, ids)
            contents = [service.content(item_id) for item_id in ids]
        with stack(folder / "data", PHOTOWARD_ENGINE_METHOD=DEFAULT_METHOD) as service:
            assert [service.content(item_id) for item_id in ids] == contents
            again = service.upload([photo.upload for photo in wanted])
            service.ended(again, 120)
            assert [service.content(item_id) for item_id in again] == contents
            audit(service, settings, [*ids, *again])


def test_the_same_on_servers_that_settings_name(
    redis_url: str, postgres_url: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = {
        "PHOTOWARD_STORAGE_URL": f"s3://{S3_BUCKET}/{secrets.token_hex(8)}",
        "REDIS_URL": redis_url, "AWS_ENDPOINT_URL": s3_endpoint, **S3_KEYS,
    }  # fmt: skip
    with fresh_database(postgres_url) as database:
        place["PHOTOWARD_DATABASE_URL"] = database
        for name, value in place.items():
            monkeypatch.setenv(name, value)
        with fresh_stack() as service:
            settings = Settings(data_dir=service.folder)
            assert settings.database_url == SecretStr(database)
            ids = sent(service, photos(small=4))
            audit(service, settings, ids)
            assert not (service.folder / "objects").exists()
            assert not (service.folder / "ledger.sqlite").exists()
            assert not (service.folder / "redis.sock").exists()
