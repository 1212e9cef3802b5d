"""From a URL to a store: folders, memory, S3 buckets; knows nothing of what is kept there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, S3Store

from photoward.core.errors import Unavailable
from photoward.core.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from obstore.store import S3Config
    from pydantic import SecretStr

    from photoward.core.settings import Settings


def open_store(settings: Settings) -> ObjectStore:
    """The store that ``settings.storage`` names; a folder is made (0700) if it is not there.

    Raises:
        Unavailable: the URL cannot be read, or the folder cannot be made.
    """
    url = urlsplit(settings.storage)
    if url.scheme == "file" and url.netloc in ("", "localhost") and url.path:
        return _folder(Path(unquote(url.path)))
    if url.scheme == "memory":
        return ObjectStore(MemoryStore())
    if url.scheme == "s3" and url.hostname:
        secrets = settings.s3_access_key_id, settings.s3_secret_access_key
        bucket_and_prefix = url.netloc, url.path.strip("/")
        public = settings.storage_public_url
        return ObjectStore(
            open_bucket(*bucket_and_prefix, *secrets, settings.s3_endpoint_url),
            public=open_bucket(*bucket_and_prefix, *secrets, endpoint=public) if public else None,
        )
    raise Unavailable("The storage URL must be file:///folder, memory:// or s3://bucket/prefix.")


def _folder(root: Path) -> ObjectStore:
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"The store's folder cannot be used: {error.strerror}.") from error
    return ObjectStore(LocalStore(root), root=root)


def open_bucket(
    bucket: str,
    prefix: str,
    access_key_id: SecretStr | None = None,
    secret_access_key: SecretStr | None = None,
    endpoint: str | None = None,
) -> S3Store:
    """A bucket; credentials, where none are given, are those of ``AWS_*`` variables and files.

    Args:
        bucket: its name.
        prefix: of the keys in it; may be empty.
        access_key_id: with the next one; None: as the environment provides it.
        secret_access_key: the same.
        endpoint: URL of another service than AWS.

    Raises:
        Unavailable: they cannot be used.
    """
    given: S3Config = {}
    if access_key_id and secret_access_key:
        given["access_key_id"] = access_key_id.get_secret_value()
        given["secret_access_key"] = secret_access_key.get_secret_value()
    try:
        return S3Store(
            bucket,
            prefix=prefix or None,
            config=given,
            endpoint=endpoint or None,
            client_options={
                "allow_http": (endpoint or "").startswith("http://"),
                "connect_timeout": timedelta(seconds=3),
                "timeout": timedelta(seconds=60),
            },
            # Shorter than a lease: who waits longer only holds a request that has given up.
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=10)},
        )
    except BaseError as error:
        raise Unavailable("The S3 settings are invalid.") from error
