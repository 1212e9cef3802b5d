"""The file is young while a worker gets on, and grows old when it does not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from photoward.worker.heartbeat import Heartbeat

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def beats(path: Path, within_s: float = 5.0) -> bool:
    """Whether the file is touched once more."""
    before, until = path.stat().st_mtime_ns, time.monotonic() + within_s
    while time.monotonic() < until:
        if path.stat().st_mtime_ns != before:
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def started(tmp_path: Path) -> Callable[[], tuple[Heartbeat, Path]]:
    def start() -> tuple[Heartbeat, Path]:
        heart = Heartbeat(tmp_path / "beat", every_s=0.02)
        heart.start()
        return heart, tmp_path / "beat"

    return start


def test_it_beats_and_leaves_nothing(started: Callable[[], tuple[Heartbeat, Path]]) -> None:
    heart, path = started()
    assert beats(path)
    heart.stop()
    assert not path.exists()


def test_without_a_file_nothing_is_touched(tmp_path: Path) -> None:
    heart = Heartbeat(None, every_s=0.01)
    heart.start()
    time.sleep(0.1)
    heart.stop()
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_made_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="absent"):
        Heartbeat(tmp_path / "absent" / "beat").start()
