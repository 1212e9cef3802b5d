"""``python -m benchmarks verify``: copies of protected photos, and other photos."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmarks.commands import main
from photoward.api.cli import sample_images
from tests.core.imaging.pictures import file
from tests.support.stack import fresh_stack

if TYPE_CHECKING:
    from pathlib import Path

FILES, SIDE = 3, 200


def folder(path: Path, first: int) -> str:
    path.mkdir()
    for seed in range(first, first + FILES):
        photo = sample_images.synthetic_photo(SIDE, SIDE, seed)
        (path / f"{seed}.png").write_bytes(file(photo))
    return str(path)


@pytest.mark.system
def test_copies_are_found_and_other_photos_are_not(tmp_path: Path) -> None:
    out = tmp_path / "verify.json"
    photos, others = folder(tmp_path / "photos", 0), folder(tmp_path / "others", FILES)
    with fresh_stack() as service, pytest.raises(SystemExit) as ended:
        main([
            "verify", photos, others, "--url", service.url, "--method", "cuda", "--side", "150",
            "--out", str(out),
        ])  # fmt: skip
    assert ended.value.code == 0
    result = json.loads(out.read_text())
    rows = result["rows"]
    assert rows["the file itself"]["verdicts"] == {"exact": FILES}
    assert rows["JPEG 75"]["found"] == rows["150 px"]["found"] == FILES
    assert rows["other photos"]["files"] == FILES
    assert result["false"] == FILES - rows["other photos"]["verdicts"].get("unknown", 0)
