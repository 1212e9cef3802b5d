"""The storage mixin: what is saved is protected first, and its original kept in private."""

from __future__ import annotations

import io
import logging
import mimetypes
import threading
import time
from typing import IO, TYPE_CHECKING, Any

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from PIL import Image, UnidentifiedImageError

from photoward_client import PhotowardError, UnavailableError
from photoward_django import files
from photoward_django.conf import client, originals_storage, setting
from photoward_django.errors import not_protected
from photoward_django.originals import Originals

if TYPE_CHECKING:
    from pathlib import Path

    from django.core.files.base import File

log = logging.getLogger(__name__)

PAUSE_S = 5.0
"""After the service was away: so long nobody waits for it again, so that a page of 50 pictures
fails once and not 50 times."""


class Pause:
    """Whether the service was away a moment ago; of one process."""

    def __init__(self) -> None:
        self._until = 0.0
        self._lock = threading.Lock()

    def begin(self) -> None:
        """It is away."""
        with self._lock:
            self._until = time.monotonic() + PAUSE_S

    def holds(self) -> bool:
        """Whether to leave it alone."""
        with self._lock:
            return time.monotonic() < self._until


pause = Pause()


class ProtectedStorageMixin:
    """Put it before any storage class whose files are public.

    Photos are protected before they are stored; their originals lie under the same names in
    ``PHOTOWARD["ORIGINALS"]``, or where the option ``originals`` of this storage says. Files that
    are no photos (SVG, PDF, …) are stored as they are.
    """

    def __init__(self, *args: Any, originals: str | Path = "", **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._originals = originals

    @property
    def originals(self) -> Originals:
        """The private originals. Raises ImproperlyConfigured."""
        return Originals(originals_storage(self._originals or setting("ORIGINALS")))

    def _save(self, name: str, content: File[Any]) -> str:
        content.seek(0)
        data = content.read()
        if not is_photo(name, data):
            content.seek(0)
            return str(super()._save(name, content))  # type: ignore[misc]
        try:
            published = protect(data)
        except not_protected():
            if setting("ON_FAILURE") != "open":
                raise
            log.exception("%s is published without protection", name)
            published = data
        # First the original: killed in between, nothing is lost and nothing public.
        mark = files.digest(published) if published != data else ""
        self.originals.keep(name, data, mark)
        taken = str(super()._save(name, ContentFile(published)))  # type: ignore[misc]
        if taken != name:  # somebody else was faster
            self.originals.keep(taken, data, mark)
        return taken

    def delete(self, name: str) -> None:
        """Delete a file and its private original."""
        super().delete(name)  # type: ignore[misc]
        self.originals.delete(name)

    def open_original(self, name: str) -> IO[bytes]:
        """The original: what a new size must be made of.

        Raises:
            FileNotFoundError: there is none.
        """
        data = self.originals.read(name)
        if data is None:
            raise FileNotFoundError(name)
        return io.BytesIO(data)


class ProtectedFileSystemStorage(ProtectedStorageMixin, FileSystemStorage):
    """A public folder: without options ``MEDIA_ROOT`` at ``MEDIA_URL``."""


def is_photo(name: str, data: bytes) -> bool:
    """Whether a file has pixels: by what is in it; or, where that is unclear, by its name."""
    try:
        with Image.open(io.BytesIO(data)):
            return True
    except UnidentifiedImageError:
        kind = mimetypes.guess_type(name)[0] or ""
        return kind.startswith("image/") and kind != "image/svg+xml"
    except Exception:  # noqa: BLE001  # damaged, or too large for Pillow: the service says what
        return True


def protect(data: bytes) -> bytes:
    """A photo, protected, of the same size in pixels.

    Raises:
        NotProtectedError: why, in the service's words.
    """
    try:
        if pause.holds():
            raise UnavailableError("The service was away a moment ago.")
        published = client().protect(data, **setting("OPTIONS")).content
        require_same_size(data, published)
    except PhotowardError as error:
        if isinstance(error, UnavailableError):
            pause.begin()
        raise not_protected()(f"The photo is not protected: {error}") from error
    return published


def require_same_size(data: bytes, published: bytes) -> None:
    """Raises UnavailableError unless both are pictures of the same size."""
    try:
        with Image.open(io.BytesIO(data)) as sent, Image.open(io.BytesIO(published)) as got:
            # The service turns a photo upright, as its EXIF says.
            fine = sorted(sent.size) == sorted(got.size)
    except UnidentifiedImageError as error:
        raise UnavailableError("The answer is no picture that Pillow reads.") from error
    if not fine:
        raise UnavailableError("The answer is a picture of another size.")
