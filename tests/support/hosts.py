"""Virtual environments with foreign host programs, kept in ``.integrations`` between runs."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.servers import MISSING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".integrations"


def environment(name: str, packages: Sequence[str], own: Sequence[str]) -> Path:
    """The Python interpreter of an environment; skips the test when nothing can be installed.

    Args:
        name: of its folder in the cache.
        packages: requirements, from the package index.
        own: folders of this repository to install, as their users do, each time anew.
    """
    folder = CACHE / name
    python = folder / "bin" / "python"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark = folder / "installed"
        wanted = hashlib.sha256(json.dumps([*packages]).encode()).hexdigest()
        if not mark.exists() or mark.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            _install(python, *packages)
            mark.write_text(wanted)
        _install(python, "--force-reinstall", "--no-deps", *(str(ROOT / one) for one in own))
    return python


def _install(python: Path, *what: str) -> None:
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "-q", *what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1]
        if "No matching distribution" in done.stderr or "Connection" in done.stderr:
            pytest.skip(f"{MISSING}the package index: {reason}")
        pytest.fail(done.stderr)
