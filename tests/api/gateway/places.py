"""Inboxes that tests fill, and a gateway over them on a real port."""

from __future__ import annotations

import secrets
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import obstore

from photoward.api.gateway.app import open_app
from photoward.core.settings import Settings
from photoward.core.storage.factory import open_bucket
from tests.api.http.service import listening
from tests.support.servers import S3_BUCKET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from obstore.store import S3Store


class Place(Protocol):
    inbox: str
    outbox: str

    def put(self, name: str, data: bytes) -> None: ...

    def delete(self, name: str) -> None: ...

    def protected(self) -> list[str]: ...

    def empty_outbox(self) -> None: ...


class FolderPlace:
    def __init__(self, folder: Path) -> None:
        self.root, self._out = folder / "in", folder / "out"
        self.root.mkdir()
        self.inbox, self.outbox = self.root.as_uri(), self._out.as_uri()

    def put(self, name: str, data: bytes) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_bytes(data)

    def delete(self, name: str) -> None:
        (self.root / name).unlink()

    def protected(self) -> list[str]:
        found = (one for one in self._out.rglob("*") if one.is_file() and "#" not in one.name)
        return sorted(one.relative_to(self._out).as_posix() for one in found)

    def empty_outbox(self) -> None:
        shutil.rmtree(self._out)
        self._out.mkdir()


class BucketPlace:
    """The environment names the endpoint and its keys."""

    def __init__(self) -> None:
        prefix = secrets.token_hex(8)
        self.inbox, self.outbox = (f"s3://{S3_BUCKET}/{prefix}/{side}" for side in ("in", "out"))
        endpoint = Settings().s3_endpoint_url
        self._in, self._out = (
            open_bucket(S3_BUCKET, f"{prefix}/{side}", endpoint=endpoint) for side in ("in", "out")
        )

    def put(self, name: str, data: bytes) -> None:
        obstore.put(self._in, name, data, use_multipart=False)

    def delete(self, name: str) -> None:
        obstore.delete(self._in, name)

    def protected(self) -> list[str]:
        return sorted(_paths(self._out))

    def empty_outbox(self) -> None:
        for path in list(_paths(self._out)):
            obstore.delete(self._out, path)


def _paths(store: S3Store) -> Iterator[str]:
    return (meta["path"] for page in obstore.list(store) for meta in page)


@dataclass
class Gateway:
    url: str
    client: httpx.Client = field(repr=False)

    def get(self, name: str, **headers: str) -> httpx.Response:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return self.client.get(f"/{name}", headers=named)


@contextmanager
def gateway(
    inbox: str,
    outbox: str,
    service: str,
    **more: Any,  # noqa: ANN401  # any setting
) -> Iterator[Gateway]:
    """A gateway on a free port that looks into the inbox at each request."""
    usual: dict[str, Any] = {"gateway_recheck_seconds": 0.0, "gateway_options": "method=sem"}
    settings = Settings(
        gateway_inbox=inbox,
        gateway_outbox=outbox,
        gateway_service_url=service,
        **usual | more,
    )
    with listening(open_app(settings)) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield Gateway(url, client)
