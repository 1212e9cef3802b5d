"""The largest photo that is let in, within the worker's two gibibytes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.core.imaging.pictures import file, reopened, smooth
from tests.support.audit import MIB, WORKER_MIB
from tests.support.beside import beside
from tests.support.stack import Upload, fresh_stack

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

SIZE = 8660, 5773
"""50 megapixels, all but a few thousand pixels."""


@contextmanager
def watched(process: psutil.Process) -> Iterator[list[int]]:
    """The memory of a process and its children, in bytes, many times a second."""
    seen: list[int] = []

    def look(over: threading.Event) -> None:
        while not over.wait(0.02):
            family = [process, *process.children(recursive=True)]
            try:
                seen.append(sum(one.memory_info().rss for one in family))
            except psutil.NoSuchProcess:
                continue

    with beside(look):
        yield seen


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "RGB"), ("PNG", "RGB"), ("JPEG", "CMYK")])
def test_fifty_megapixels_fit_into_the_workers_memory(kind: str, mode: str) -> None:
    data = file(smooth(SIZE, mode), kind)
    with fresh_stack() as service, watched(service.part("worker")) as seen:
        (item_id,) = service.upload([Upload(data, f"image/{kind.lower()}")])
        (item,) = service.ended([item_id], 120)
        assert item["state"] == "succeeded", item["error"]
        assert reopened(service.content(item_id)).size == SIZE
    assert max(seen) <= WORKER_MIB * MIB, max(seen) / MIB
    print(f"{kind} {mode}: {max(seen) / MIB:.0f} MiB, {item['measured']['seconds']}")  # noqa: T201  # shown by -s
