"""What both benchmarks of a service share: the service itself, and its photos."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from photoward.api.cli import sample_images
from photoward.api.cli.extras import require_extra
from photoward.api.cli.service.embedded import running_service
from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator


TWELVE_MEGAPIXELS = (4000, 3000)
"""Width and height in pixels."""

Url = Annotated[
    str | None,
    typer.Option(
        help="URL of a service; the API key comes from PHOTOWARD_API_KEY.",
        show_default="a private one",
    ),
]


@contextlib.contextmanager
def service_at(url: str | None) -> Iterator[str]:
    """The URL of the named service, or of a private one for the duration of the block."""
    if url is not None:
        yield url
        return
    with (
        tempfile.TemporaryDirectory(prefix="photoward-bench-") as folder,
        running_service(Path(folder)) as own,
    ):
        yield own


def require_service_extras() -> None:
    """Refuse where the libraries of API and worker are not installed."""
    for extra in ("api", "worker"):
        require_extra(extra)


def photos_to_send(photo: Path | None, count: int) -> list[bytes]:
    """``count`` JPEGs of 12 megapixels: the given photo, or shifted cuts of a synthetic one."""
    width, height = TWELVE_MEGAPIXELS
    if photo is not None:
        return [photo.read_bytes()] * count
    base = sample_images.synthetic_photo(width + 8 * count, height, 1)
    return [
        sample_images.encoded(base.crop((8 * i, 0, 8 * i + width, height)), "JPEG")
        for i in range(count)
    ]


def require_done(item: dict[str, Any]) -> None:
    """Raise Unavailable unless the item has succeeded."""
    if item["state"] != "succeeded":
        raise Unavailable(f"The item is {item['state']}: {item}")
