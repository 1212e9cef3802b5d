"""Real and hostile files from outside the repository; skipped where they are not."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import psutil
import pytest

from photoward.core.errors import PROBLEMS, BadInput
from photoward.core.imaging.sandbox.pool import ImagingPool
from photoward.core.imaging.sniff import Limits, sniff
from tests.core.imaging.pictures import noise, reopened

SHARED = Path(os.environ.get("PHOTOWARD_SHARED", Path(__file__).parents[4] / "shared"))


def files(folder: str) -> list[Path]:
    found = sorted(path for path in (SHARED / "data" / folder).rglob("*") if path.is_file())
    if not found:
        pytest.skip(f"{SHARED}/data/{folder} is not there")
    return found


def test_hostile_files_end_with_a_code_and_cost_no_memory() -> None:
    outcomes: Counter[str] = Counter()
    before = psutil.Process().memory_info().rss
    with ImagingPool(1, 700, 10) as pool:
        for path in files("malformed"):
            try:
                opened = pool.open(path.read_bytes(), grid=16)
                done = pool.finish(opened, noise(), epsilon=8)
                pool.close(opened)
                reopened(done.data)
                outcomes["protected"] += 1
            except BadInput as refusal:
                outcomes[refusal.code] += 1
    assert {PROBLEMS[code].status for code in outcomes if code != "protected"} <= {
        400,
        415,
        413,
        422,
    }
    print(dict(outcomes))  # noqa: T201  # shown by -s
    assert psutil.Process().memory_info().rss - before < 200 << 20


def test_photos_are_protected_or_refused_with_a_code() -> None:
    refused = set()
    with ImagingPool(1, 1400, 60) as pool:
        for path in files("photos"):
            data = path.read_bytes()
            try:
                header = sniff(data, Limits(), complete=True)
                assert header is not None
                if header.width * header.height > 4_000_000:
                    continue  # large ones are like small ones, but slow
                opened = pool.open(data, grid=16)
                done = pool.finish(opened, noise(), epsilon=8)
            except BadInput as refusal:
                print(f"{path.name:50} {refusal.code}")  # noqa: T201  # shown by -s
                refused.add(refusal.code)
                continue
            print(f"{path.name:50} {done.measured} {opened.notes}")  # noqa: T201  # shown by -s
            after = reopened(done.data)
            assert after.size == (header.width, header.height)
            assert done.measured["survival"] > 0.6
            assert not {"mp", "comment"} & set(after.info)
            assert set(after.info.get("photoshop", {})) <= {0x0404}
            assert b"DMI-PROHIBITED" in after.info["xmp"]
            pool.close(opened)
    assert all(code.startswith("unsupported") for code in refused)
