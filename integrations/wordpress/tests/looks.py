"""What a public file is, from its pixels: the photos of the tests are of one colour each."""

from __future__ import annotations

import io
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from integrations.wordpress.tests.site import Site

PLAIN, PLACEHOLDER, PROTECTED = "plain", "placeholder", "protected"
HELD = 222
"""The grey of a placeholder."""
NOISE = 5.0
"""Standard deviation above which there is noise; the tests' worker makes about 12."""


def photo(shade: int = 90, size: tuple[int, int] = (800, 600), kind: str = "JPEG") -> bytes:
    """A photo without any structure, so that all structure is protection."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (shade, shade // 2, 180)).save(buffer, kind, quality=90)
    return buffer.getvalue()


def look(data: bytes) -> str:
    """PLAIN, PLACEHOLDER or PROTECTED."""
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float64)
    if pixels.std(axis=(0, 1)).max() > NOISE and abs(np.median(pixels) - HELD) > NOISE:
        return PROTECTED
    return PLACEHOLDER if np.abs(np.median(pixels, (0, 1)) - HELD).max() < NOISE else PLAIN


def looks(site: Site) -> dict[str, str]:
    """Path below the uploads folder → what it is, of every public picture."""
    return {
        str(path.relative_to(site.uploads)): look(path.read_bytes())
        for path in sorted(site.uploads.rglob("*"))
        if path.is_file() and not path.name.endswith(".tmp")
    }


def vault(site: Site) -> list[Path]:
    """The private originals."""
    return [
        path for folder in site.vaults() for path in folder.glob("site-*/??/*") if path.is_file()
    ]


@contextmanager
def visitor(site: Site) -> Iterator[list[str]]:
    """Reads whatever is public, all the time; the list names what was ever plain."""
    seen: list[str] = []
    known: set[tuple[str, int]] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            for path in site.uploads.rglob("*"):
                try:
                    key = str(path), path.stat().st_mtime_ns
                    if path.is_file() and key not in known and look(path.read_bytes()) == PLAIN:
                        seen.append(path.name)
                    known.add(key)
                except OSError:  # half written or gone: no picture
                    continue
            time.sleep(0.002)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()
