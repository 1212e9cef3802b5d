"""Previews: small pictures of originals, for browsers that cannot show their format.

The file is decoded in a confined child process, as in a worker. The process starts with the first
preview, and stays. Where the libraries for it are not installed there are no previews.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from photoward.core.errors import BadInput, NotFound, PhotowardError, Unavailable
from photoward.core.imaging.sniff import Limits, sniff

if TYPE_CHECKING:
    from photoward.core.imaging.sandbox.pool import ImagingPool
    from photoward.core.settings import Settings

SIDE = 512
"""Longest side of a preview, in pixels."""
MOST_MEGAPIXELS = 26.0
"""Of an original: an API process has 512 MiB by default, and decoding takes several copies."""
MEDIA_TYPE = "image/webp"
WITHOUT = frozenset({"too_many_pixels", "unsupported_output"})
"""Codes of photos that are protected, but have no preview; the second one's are made of inks."""
FAULTS = frozenset({"internal_error", "postcondition", "timed_out"})
"""Codes of what is no fault of a photo."""
GRID = 16
TIMEOUT_S = 30.0


class PreviewMaker:
    """Makes one preview at a time; closed by its owner."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._pool: ImagingPool | None = None

    def make(self, data: bytes) -> bytes:
        """A preview of a photo: WebP, upright, without its EXIF.

        Raises:
            BadInput: the photo cannot be decoded.
            NotFound: ``no_preview``: it is too large or of inks, or libraries are not installed.
            Unavailable: the process failed.
        """
        limits = Limits(MOST_MEGAPIXELS, self._settings.imaging_max_side_pixels)
        try:
            header = sniff(data, limits, complete=True)
            if header is None:  # never of a complete file
                raise NotFound("The photo has no preview.", "no_preview")
            with self._lock:
                return _shrunk(self._opened(limits), data, (header.width, header.height))
        except BadInput as refused:
            if refused.code in WITHOUT:
                raise NotFound(refused.detail, "no_preview") from refused
            raise
        except PhotowardError as error:
            if error.code in FAULTS:
                raise Unavailable(f"The preview was not made: {error.detail}") from error
            raise

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._pool is not None:
                self._pool.close_all()
                self._pool = None

    def _opened(self, limits: Limits) -> ImagingPool:
        if self._pool is None:
            try:
                from photoward.core.imaging.sandbox.pool import ImagingPool  # noqa: PLC0415  # NumPy
            except ImportError as error:
                detail = "This service has no libraries for previews."
                raise NotFound(detail, "no_preview") from error
            self._pool = ImagingPool.of(self._settings, 1, limits=limits, timeout_s=TIMEOUT_S)
        return self._pool


def _shrunk(pool: ImagingPool, data: bytes, size: tuple[int, int]) -> bytes:
    """The photo, shrunk and written without any noise."""
    import numpy as np  # noqa: PLC0415  # as above

    scale = min(1.0, SIDE / max(size))
    width, height = (max(1, round(side * scale)) for side in size)
    opened = pool.open(data, grid=GRID, size=(width, height))
    try:
        none = np.zeros((GRID, GRID, 3), np.int16)
        return pool.finish(opened, none, epsilon=None, output_format="webp").data
    finally:
        pool.close(opened)
