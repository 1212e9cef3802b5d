"""Ready-made things of the domain, each part to be replaced."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from photoward.core.jobs import Failure, Options, Output, Result, Source, new_id
from photoward.core.renditions import of_side

if TYPE_CHECKING:
    from photoward.core.jobs import Item
    from photoward.core.ledger import Ledger
    from photoward.core.renditions import RenditionRequest

HOUR = timedelta(hours=1)
OVER = timedelta(0)
"""A lease that has run out when it begins."""


def options(**parts: Any) -> Options:  # noqa: ANN401  # any field's type
    """What somebody asked for."""
    usual: dict[str, Any] = {
        "method": "sem", "target": "prototype", "surrogate": "small", "epsilon": 8.0,
        "preset": "strong", "label": "my cat", "output_format": None,
    }  # fmt: skip
    return Options(**usual | parts)


def sides(*pixels: int) -> tuple[RenditionRequest, ...]:
    """Renditions of these longer sides."""
    return tuple(map(of_side, pixels))


def source(**parts: Any) -> Source:  # noqa: ANN401  # any field's type
    """An accepted original, one megapixel."""
    usual: dict[str, Any] = {
        "sha256": "ab" * 32, "size": 1234, "media_type": "image/png",
        "width": 1000, "height": 1000, "filename": "cat.png",
    }  # fmt: skip
    return Source(**usual | parts)


def added(
    ledger: Ledger,
    tenant: str = "alice",
    group_key: str = "sem/32",
    *,
    batch: str | None = None,
    **parts: Any,  # noqa: ANN401  # any field's type
) -> Item:
    """An item that is queued; further parts are its source's."""
    return ledger.items.add(new_id(), tenant, options(), source(**parts), group_key, batch_id=batch)


def claimed(
    ledger: Ledger,
    *,
    limit: int = 100,
    max_megapixels: float = 1000.0,
    lease: timedelta = HOUR,
) -> tuple[str, list[Item]]:
    """A claim that is expected to find something: its token and its items."""
    items = ledger.items.claim(limit=limit, max_megapixels=max_megapixels, lease=lease)
    (token,) = {item.lease_token for item in items}
    assert token is not None
    return token, items


def result(item_id: str, **parts: Any) -> Result:  # noqa: ANN401  # any field's type
    """What a worker reports after success."""
    usual: dict[str, Any] = {
        "output": Output("cd" * 32, 4321, "image/png"), "label_used": "my cat",
        "label_source": "given", "measured": {"linf": 8, "psnr": 31.5},
    }  # fmt: skip
    return Result(item_id, **usual | parts)


def failure(item_id: str, code: str = "corrupt") -> Failure:
    """What a worker reports when it could not."""
    return Failure(item_id, code, "The decoder gave up.")


def noisy_png(seed: int, side: int) -> bytes:
    """A picture that no compression makes smaller: 3 bytes a pixel."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()
