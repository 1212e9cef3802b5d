"""Buckets of others that photos may be fetched from: which keys, and their bytes."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import obstore

from photoward.core.errors import BadInput
from photoward.core.storage.factory import open_bucket
from photoward.core.storage.object_store import reached, require_bucket, source_chunks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from obstore.store import S3Store

    from photoward.core.settings import Settings

MAX_KEY = 1024
PLACE = "bucket"
"""What errors call one."""


class Inboxes:
    """The buckets that ``settings.fetch_buckets`` opens.

    A key is ``bucket/key``: what an S3 URL has behind ``s3://``.
    """

    def __init__(self, settings: Settings) -> None:
        self._locations = [urlsplit(location) for location in settings.fetch_buckets]
        secrets = settings.s3_access_key_id, settings.s3_secret_access_key
        self._bucket = cache(lambda name: open_bucket(name, "", *secrets, settings.s3_endpoint_url))

    def name(self, tenant: str, location: str) -> str:
        """What a key is called below its location.

        Raises:
            BadInput: ``source_blocked``: it lies in no bucket that the tenant may fetch from.
        """
        if len(location) > MAX_KEY or not location.isprintable():
            raise _blocked("That is no key.")
        if {"", ".", ".."} & set(location.split("/")):
            raise _blocked("A key is bucket/key, and no part of it is empty.")
        for opened in self._locations:
            prefix = opened.path.strip("/").replace("{tenant}", quote(tenant, safe=""))
            root = f"{opened.netloc}/{prefix}/" if prefix else f"{opened.netloc}/"
            if location.startswith(root):
                return location.removeprefix(root)
        raise _blocked("It lies in no bucket and prefix that may be read.")

    @contextmanager
    def opened(self, tenant: str, location: str) -> Iterator[Iterator[bytes]]:
        """An object's bytes.

        Raises:
            BadInput: as ``name``, or ``source_missing``.
            Unavailable: ``source_unreachable``, also while they are read.
        """
        self.name(tenant, location)
        name, _, key = location.partition("/")
        with reached(PLACE):
            bucket: S3Store = self._bucket(name)
            try:
                found = obstore.get(bucket, key)
            except FileNotFoundError:
                require_bucket(bucket)
                raise BadInput(
                    "source_missing", "The bucket has no such object.", field="key"
                ) from None
        yield source_chunks(found, PLACE)


def _blocked(detail: str) -> BadInput:
    return BadInput("source_blocked", detail, field="key")
