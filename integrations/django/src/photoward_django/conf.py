"""The setting ``PHOTOWARD``, read when it is needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage, storages

from photoward_client import Client

if TYPE_CHECKING:
    from django.core.files.storage import Storage

DEFAULTS: dict[str, Any] = {
    "URL": "",
    "KEY": "",
    "ORIGINALS": "",
    "OPTIONS": {},
    "ON_FAILURE": "closed",
    "TIMEOUT": 20.0,
    "RETRIES": 2,
}
"""What each name means is in the README."""
ON_FAILURE = ("closed", "open")


def setting(name: str) -> Any:  # noqa: ANN401  # each has its own type
    """One entry of ``PHOTOWARD``, or its default."""
    return getattr(settings, "PHOTOWARD", {}).get(name, DEFAULTS[name])


def client() -> Client:
    """A client of the service.

    Raises:
        ImproperlyConfigured: the address is missing or invalid.
    """
    timeout_s, retries = float(setting("TIMEOUT")), int(setting("RETRIES"))
    try:
        return Client(
            str(setting("URL")), str(setting("KEY")), timeout_s=timeout_s, retries=retries
        )
    except ValueError as error:
        raise ImproperlyConfigured(f"PHOTOWARD: {error}") from None


def originals_storage(where: str | Path) -> Storage:
    """The private storage of originals: an alias of ``STORAGES``, or a folder.

    Raises:
        ImproperlyConfigured: none is named.
    """
    if not where:
        raise ImproperlyConfigured("PHOTOWARD['ORIGINALS'] names no folder for the originals.")
    if str(where) in settings.STORAGES:
        return storages[str(where)]
    return FileSystemStorage(location=Path(where), file_permissions_mode=0o600)
