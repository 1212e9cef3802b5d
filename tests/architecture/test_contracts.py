"""Every import contract holds, and each was seen failing: by an import planted in a copy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
ROOMS = ("core", "models", "worker", "api")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]

PLANTS = {
    "rooms": ("models/photoward/models/views.py", "import photoward.worker"),
    "core": ("core/photoward/core/errors.py", "import photoward.core.settings"),
    "imaging": (
        "core/photoward/core/imaging/codec/encode.py",
        "import photoward.core.imaging.metrics.measure",
    ),
    "models": ("models/photoward/models/pixels.py", "import photoward.models.views"),
    "evaluation": (
        "models/photoward/models/evaluation/countermeasures/base.py",
        "import photoward.models.evaluation.reports.charts",
    ),
    "worker": ("worker/photoward/worker/claim.py", "import photoward.worker.job_group"),
    "api": (
        "api/photoward/api/delivery/zip_stream.py",
        "import photoward.api.http.headers.prefer",
    ),
    "gateway": ("api/photoward/api/gateway/kinds.py", "import photoward.api.gateway.library"),
    "http": ("api/photoward/api/http/headers/prefer.py", "import photoward.api.http.errors"),
    "ingest": ("api/photoward/api/ingest/digest.py", "import photoward.api.ingest.submit"),
    "transport": ("api/photoward/api/ingest/digest.py", "import starlette"),
    "faces": ("api/photoward/api/http/headers/prefer.py", "import photoward.api.cli.configuration"),
    "light": ("core/photoward/core/jobs.py", "import torch"),
    "tensors": ("models/photoward/models/views.py", "import httpx"),
    "ports": ("api/photoward/api/http/headers/prefer.py", "import sqlalchemy"),
}
"""Contract → a module, and an import that breaks this contract and no other."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The rooms and their rules, to be spoilt."""
    ignored = shutil.ignore_patterns("__pycache__", "*.safetensors")
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.fixture
def broken() -> Callable[[Path], set[str]]:
    """Find the contracts that do not hold in a tree."""

    def lint(tree: Path) -> set[str]:
        path = os.pathsep.join(str(tree / room) for room in ROOMS)
        run = subprocess.run(
            [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
            cwd=tree,
            env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        found = {c["id"] for c in CONTRACTS if f"{c['name']} BROKEN" in run.stdout}
        assert bool(found) == (run.returncode == 1), run.stdout + run.stderr
        return found

    return lint


def test_all_contracts_hold(broken: Callable[[Path], set[str]]) -> None:
    assert not broken(ROOT)


def test_there_is_a_plant_for_each() -> None:
    assert {contract["id"] for contract in CONTRACTS} == set(PLANTS)


@pytest.mark.parametrize("contract", PLANTS)
def test_a_planted_import_breaks_its_contract(
    contract: str, copy: Path, broken: Callable[[Path], set[str]]
) -> None:
    module, statement = PLANTS[contract]
    path = copy / module
    text = path.read_text()
    future = "from __future__ import annotations\n"
    assert future in text
    path.write_text(text.replace(future, f"{future}{statement}\n"))
    assert broken(copy) == {contract}


@pytest.mark.parametrize(
    ("contract", "package"),
    [
        ("core", "core/photoward/core"),
        ("models", "models/photoward/models"),
        ("worker", "worker/photoward/worker"),
        ("http", "api/photoward/api/http"),
        ("ingest", "api/photoward/api/ingest"),
    ],
)
def test_a_module_without_a_layer_is_refused(
    contract: str, package: str, copy: Path, broken: Callable[[Path], set[str]]
) -> None:
    (copy / package / "newcomer.py").touch()
    assert broken(copy) == {contract}
