"""What users install: the wheel, built from this tree."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of all files in it."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return archive.namelist()


def test_it_holds_the_four_rooms_and_nothing_else(wheel: list[str]) -> None:
    outside = {name for name in wheel if not name.startswith("photoward/")}
    assert all(name.partition("/")[0].endswith(".dist-info") for name in outside)
    rooms = {name.split("/")[1] for name in wheel if name not in outside}
    assert rooms == {"core", "models", "worker", "api"}


def test_users_get_the_benchmarks_of_their_machine_and_not_the_maintainers(
    wheel: list[str],
) -> None:
    assert "photoward/api/cli/bench/engine.py" in wheel
    assert not [name for name in wheel if "benchmarks" in name or "loopback" in name]
    for command in ("ledger", "load", "dimension", "external"):
        assert f"photoward/api/cli/bench/{command}.py" not in wheel
