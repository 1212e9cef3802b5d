"""What a finished file says about being trained on, read by Pillow and by ExifTool."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from photoward.core import rights
from photoward.core.imaging.sniff import Limits, sniff
from tests.core.imaging.pictures import Bench, file, noise, reopened, smooth

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = pytest.mark.parametrize("output", ["jpeg", "png", "webp", "avif"])

PLUS = "http://ns.useplus.org/ldf/vocab/"


def finished(output: str, mining: str) -> bytes:
    data = file(smooth())
    header = sniff(data, Limits(), complete=True)
    assert header is not None
    answer, found = Bench(asdict(header), data).finish(noise(), 8, output, mining)
    assert "error" not in answer
    return found


@FORMATS
def test_nothing_said_leaves_no_packet(output: str) -> None:
    assert "xmp" not in reopened(finished(output, rights.NOTHING)).info


@FORMATS
@pytest.mark.parametrize("mining", rights.TERMS)
def test_an_independent_reader_understands_it(output: str, mining: str, tmp_path: Path) -> None:
    if not shutil.which("exiftool"):
        pytest.skip("ExifTool is not installed")
    path = tmp_path / f"a.{output}"
    path.write_bytes(finished(output, mining))
    told = subprocess.run(
        ["exiftool", "-j", "-n", "-XMP:all", str(path)], check=True, capture_output=True
    )
    found: dict[str, Any] = json.loads(told.stdout)[0]
    # Before 12.67 ExifTool gives the term as it stands in the file.
    assert found["DataMining"].removeprefix(PLUS) == rights.TERMS[mining][0]
    assert "prohibited" in found["UsageTerms"]
