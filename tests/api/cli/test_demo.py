"""``photoward demo`` from end to end, its contact sheets, and the service that it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from photoward.api.cli import main, sample_images
from photoward.api.cli.demo import contact_sheet
from photoward.api.cli.service.embedded import running_service
from photoward.core.errors import Unavailable
from tests.core.imaging.pictures import file, reopened
from tests.support.servers import short_folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.system
@pytest.mark.timeout(240)
def test_a_dozen_pictures_can_be_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo-out"
    with pytest.raises(SystemExit) as caught:
        main(["demo", "--out", str(out)])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    names = {sample.name for sample in sample_images.demonstration()}
    assert len(names) == 12
    for name in names:
        before, after = (
            next(out.glob(f"{name}-{which}.*")).read_bytes() for which in ("before", "after")
        )
        assert before != after
        assert reopened(after).size == reopened(before).size
        assert reopened((out / f"{name}-sheet.png").read_bytes()).width > 3 * 400
        assert name[:5] in shown  # a narrow terminal breaks the rest
    assert "make up" in shown


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_sheet_shows_the_difference_enlarged(mode: str) -> None:
    before = Image.new(mode, (300, 200), (100,) * len(mode) if mode == "RGB" else 100)
    after = Image.new(mode, (300, 200), (105,) * len(mode) if mode == "RGB" else 105)
    sheet = np.asarray(contact_sheet(file(before), file(after)))
    middle = [int(sheet[sheet.shape[0] // 2, sheet.shape[1] * n // 6, 0]) for n in (1, 3, 5)]
    assert middle == [100, 105, 128 + 10 * 5]


def test_what_is_transparent_is_shown_over_white() -> None:
    clear = file(Image.new("RGBA", (60, 200), (9, 9, 9, 0)))
    sheet = np.asarray(contact_sheet(clear, clear))
    assert sheet[sheet.shape[0] // 2, sheet.shape[1] // 6].tolist() == [255, 255, 255]


def test_a_service_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder is wanted")
    with (
        pytest.raises(Unavailable, match="folder cannot be used"),
        running_service(tmp_path / "taken"),
    ):
        pytest.fail("it started")


@pytest.mark.system
@pytest.mark.timeout(240)
def test_a_service_is_ready_when_its_worker_is() -> None:
    with short_folder() as folder, running_service(folder):
        assert "worker_ready" in (folder / "logs" / "worker-1.log").read_text()
