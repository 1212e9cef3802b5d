"""Files appear whole or not at all, and nothing else stays."""

from __future__ import annotations

import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from photoward.core import files
from photoward.core.errors import Unavailable
from photoward.core.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize("name", ["a.png", "x" * 251 + ".png", "ü" * 125 + ".png"])
def test_a_file_is_as_old_as_it_was_told_whatever_its_name(tmp_path: Path, name: str) -> None:
    target = tmp_path / "deep" / "er" / name
    write_whole(target, b"new", modified_ns=1_234_567_890_123_456_789)
    assert target.read_bytes() == b"new"
    assert target.stat().st_mtime_ns == 1_234_567_890_123_456_789
    assert list(target.parent.iterdir()) == [target]


@contextmanager
def short_files(most: int) -> Iterator[None]:
    """As on a disk that is full after so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_does_not_fit_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    write_whole(target, b"old")
    with short_files(1000), pytest.raises(Unavailable, match=r"a\.png cannot be written"):
        write_whole(target, bytes(2000))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.png": b"old"}


def test_a_folder_in_its_place_is_said_and_left(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    (tmp_path / "file").touch()
    for target in (tmp_path / "a.png", tmp_path / "file" / "a.png", tmp_path / ("x" * 256)):
        with pytest.raises(Unavailable, match="cannot be written"):
            write_whole(target, b"new")
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "file"}


def test_what_a_killed_writer_left_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (".0123456789abcdef.part", ".mine.part", "a.part"):
        (tmp_path / name).touch()
    write_whole(tmp_path / "1.png", b"new")
    assert len(list(tmp_path.iterdir())) == 4, "somebody may still be writing"
    monkeypatch.setattr(files, "STALE_S", -1)
    files._sweep.cache_clear()
    write_whole(tmp_path / "2.png", b"new")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {".mine.part", "a.part", "1.png", "2.png"}
