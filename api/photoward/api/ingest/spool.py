"""A photo while it arrives: hashed, counted, and refused as soon as its header shows why.

Nothing is decoded. The bytes are gone when the spool is closed.
"""

from __future__ import annotations

import errno
import hashlib
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Self, cast

from photoward.core.errors import BadInput, Unavailable
from photoward.core.imaging.sniff import Header, Limits, sniff
from photoward.core.jobs import Source
from photoward.core.output_marks import MarkFinder

if TYPE_CHECKING:
    from types import TracebackType

    from photoward.core.jobs import Options
    from photoward.core.settings import Settings

IN_MEMORY = 1 << 18
"""Bytes of one upload that are kept in memory; the rest goes to an unnamed file."""

SMALL_HEADER = 1 << 16
"""Up to here the header is looked for in every chunk; beyond, whenever a quarter more is there,
so that a picture that hides its size behind megabytes of metadata costs linear time."""

ANY_TYPE = "application/octet-stream"
ALIASES = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "image/heif": "image/heic",
    "image/tif": "image/tiff",
}


@dataclass(frozen=True)
class CheckedImage:
    """A photo that came whole, with a header and options that can be accepted."""

    source: Source
    options: Options
    file: BinaryIO
    """Its bytes, from the start; closed with the spool."""


class Spool:
    """The bytes of one photo, in memory while they are few, then in an unnamed file.

    Args:
        limits: what a header may say.
        max_bytes: most bytes to take.
        declared: media type that the caller announced, or None.
        filename: cleaned name, or None.
    """

    def __init__(
        self, limits: Limits, max_bytes: int, *, declared: str | None, filename: str | None
    ) -> None:
        self._declared = declared_type(declared)
        self._limits = limits
        self._max_bytes = max_bytes
        self._filename = filename
        self._spooled = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  # close() does
        self._digest = hashlib.sha256()
        self._mark = MarkFinder()
        self._size = 0
        self._look_at = 1
        self._header: Header | None = None

    @classmethod
    def for_service(cls, settings: Settings, *, declared: str | None, filename: str | None) -> Self:
        """A spool with the service's limits."""
        limits = Limits(settings.imaging_max_megapixels, settings.imaging_max_side_pixels)
        return cls(limits, settings.upload_max_bytes, declared=declared, filename=filename)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._spooled.close()

    def write(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            BadInput: too many bytes, or the header shows that the photo cannot be taken.
            Unavailable: there is no room for them.
        """
        self._size += len(chunk)
        if self._size > self._max_bytes:
            raise BadInput("body_too_large", f"The limit is {self._max_bytes} bytes.")
        self._digest.update(chunk)
        self._mark.feed(chunk)
        try:
            self._spooled.write(chunk)
        except OSError as error:
            raise write_failed(error, "photo") from error
        if self._header is None and self._size >= self._look_at:
            self._look(complete=False)

    def finish(self) -> Source:
        """What is known of the photo, once all of it has come.

        Raises:
            BadInput: nothing came, or it ended before the header did.
        """
        if not self._size:
            raise BadInput("empty_body", "No byte of a photo arrived.")
        if self._header is None:
            self._look(complete=True)
        if self._header is None:
            raise BadInput("truncated", "The file ends before its header does.")
        return Source(
            sha256=self._digest.hexdigest(),
            size=self._size,
            media_type=self._header.media_type,
            width=self._header.width,
            height=self._header.height,
            filename=self._filename,
            protected=self._mark.found,
        )

    def file(self) -> BinaryIO:
        """The bytes, to be read from the start."""
        self._spooled.seek(0)
        return cast("BinaryIO", self._spooled)  # typed as IO[bytes], which is the same to readers

    def checked(self, options: Options) -> CheckedImage:
        """The photo with its options, once all of it has come. Raises as ``finish`` does."""
        return CheckedImage(self.finish(), options, self.file())

    def _look(self, *, complete: bool) -> None:
        self._spooled.seek(0)
        self._header = sniff(self._spooled.read(), self._limits, complete=complete)
        if self._header is None:
            self._look_at = self._size + (self._size // 4 if self._size > SMALL_HEADER else 1)
        elif self._declared not in {None, self._header.media_type}:
            raise BadInput(
                "content_type_mismatch",
                f"Announced as {self._declared}, but it is {self._header.media_type}.",
            )


def write_failed(error: OSError, what: str) -> Unavailable:
    """The refusal when a temporary file cannot be written."""
    code = "storage_full" if error.errno == errno.ENOSPC else "unavailable"
    return Unavailable(f"There is no disk space to receive the {what}.", code)


def declared_type(announced: str | None) -> str | None:
    """The image type in a ``Content-Type``; None when it leaves the type open.

    Raises:
        BadInput: ``unsupported_content_type``: it is not an image type.
    """
    kind = (announced or ANY_TYPE).partition(";")[0].strip().lower()
    if kind == ANY_TYPE:
        return None
    if not kind.startswith("image/"):
        raise BadInput("unsupported_content_type", f"{kind[:64]!r} is not the type of a picture.")
    return ALIASES.get(kind, kind)
