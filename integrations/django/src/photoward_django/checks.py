"""The system check: nothing public may bypass protection, and no original may be public."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004  # Django's names
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import default_storage

from photoward_django.conf import ON_FAILURE, client, setting
from photoward_django.library import protected_storages
from photoward_django.storage import ProtectedStorageMixin

if TYPE_CHECKING:
    from collections.abc import Iterator

USERS = {
    "wagtail.images": "WAGTAILIMAGES_RENDITION_STORAGE",
    "easy_thumbnails": "THUMBNAIL_DEFAULT_STORAGE_ALIAS",
    "sorl.thumbnail": "THUMBNAIL_STORAGE",
    "imagekit": "IMAGEKIT_DEFAULT_FILE_STORAGE",
}
"""App → the setting that names the storage of the pictures that it makes."""


def check(app_configs: object, **_: object) -> list[CheckMessage]:
    """All findings; ``app_configs`` does not matter."""
    del app_configs
    return [*_service(), *_storages(), *_users()]


def _service() -> Iterator[CheckMessage]:
    try:
        client()
    except (ImproperlyConfigured, TypeError) as error:
        hint = 'Set PHOTOWARD = {"URL": "http://127.0.0.1:8080", "ORIGINALS": …}.'
        yield Error(str(error), hint=hint, id="photoward.E001")
    if setting("ON_FAILURE") not in ON_FAILURE:
        words = f"PHOTOWARD['ON_FAILURE'] is none of {', '.join(ON_FAILURE)}."
        yield Error(words, id="photoward.E002")


def _storages() -> Iterator[CheckMessage]:
    used: dict[Path | None, str] = {}
    for alias, storage in protected_storages().items():
        try:
            private = storage.originals.storage
        except ImproperlyConfigured as error:
            yield Error(str(error), hint="Name a folder outside MEDIA_ROOT.", id="photoward.E003")
            continue
        where = _folder(private)
        if _lies_in(where, _folder(storage)):
            words = f"The originals of {alias!r} lie in its public folder {storage.location}."
            yield Error(words, hint="Move them elsewhere.", id="photoward.E004")
        if where is not None and where in used:
            words = f"{alias!r} and {used[where]!r} keep their originals in one folder."
            yield Error(words, hint="Set the option originals of one.", id="photoward.E005")
        used[where] = alias
        if not isinstance(default_storage, ProtectedStorageMixin) and _lies_in(
            _folder(default_storage), _folder(storage)
        ):
            words = f"Uploads are stored in the public folder of {alias!r}, without protection."
            hint = 'Give STORAGES["default"] a private location; move what is there.'
            yield Error(words, hint=hint, id="photoward.E006")


def _users() -> Iterator[CheckMessage]:
    aliases = protected_storages()
    if not aliases:
        yield Warning("No storage of STORAGES protects its files.", id="photoward.W001")
    for app, name in USERS.items():
        if apps.is_installed(app) and getattr(settings, name, None) not in aliases:
            words = f"The pictures of {app} are not protected: {name} names no such storage."
            hint = f"{name} = {next(iter(aliases), 'photoward')!r}"
            yield Error(words, hint=hint, id="photoward.E007")


def _folder(storage: Any) -> Path | None:  # noqa: ANN401  # any storage
    location = getattr(storage, "location", None)
    return Path(location).resolve() if location else None


def _lies_in(inner: Path | None, outer: Path | None) -> bool:
    return inner is not None and outer is not None and inner.is_relative_to(outer)
