"""Crashes at named points."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from photoward.core import failpoints
from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

PASSES = "from photoward.core.failpoints import failpoint; failpoint('claimed'); print('alive')"


def passed(**environment: str) -> tuple[int, str]:
    run = subprocess.run(
        [sys.executable, "-c", PASSES], env=os.environ | environment, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    return run.returncode, run.stdout


def test_a_point_is_passed_unless_somebody_asked(tmp_path: Path) -> None:
    assert passed() == (0, "alive\n")
    (tmp_path / "fetched").touch()
    assert passed(PHOTOWARD_FAILPOINTS=str(tmp_path)) == (0, "alive\n")


def test_an_armed_point_is_met_once(tmp_path: Path) -> None:
    armed = {"PHOTOWARD_FAILPOINTS": str(tmp_path)}
    (tmp_path / "claimed").touch()
    assert passed(**armed) == (os.EX_SOFTWARE, "")
    assert passed(**armed) == (0, "alive\n")


def test_what_hangs_does_not_end(tmp_path: Path) -> None:
    name = failpoints.HANGING
    hangs = f"from photoward.core.failpoints import hang; hang({name!r}); print('alive')"
    armed = {**os.environ, "PHOTOWARD_FAILPOINTS": str(tmp_path)}
    (tmp_path / name).touch()
    command = [sys.executable, "-c", hangs]
    with subprocess.Popen(command, env=armed, stdout=subprocess.PIPE) as process:
        while (tmp_path / name).exists():
            time.sleep(0.01)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.kill()
    assert subprocess.check_output(command, env=armed) == b"alive\n"


def test_where_an_answer_is_lost_nobody_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failpoints, "_FOLDER", str(tmp_path))
    (tmp_path / failpoints.ANSWER_LOST).touch()
    with pytest.raises(Unavailable):
        failpoints.lose(failpoints.ANSWER_LOST)
    failpoints.lose(failpoints.ANSWER_LOST)
