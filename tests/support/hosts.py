"""Foreign host programs of PyPI, npm and Debian, kept in ``.integrations`` between runs."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.servers import MISSING, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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

    def make() -> None:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        _install(python, *packages)

    with _made_once(folder, packages, make):
        _install(python, "--force-reinstall", "--no-deps", *(str(ROOT / one) for one in own))
    return python


def node_packages(name: str, packages: Sequence[str], own: Sequence[str] = ()) -> Path:
    """A folder of ES modules with ``node_modules``; skips the test when nothing can be installed.

    Args:
        name: of the folder in the cache.
        packages: ``NAME@VERSION``, from npm's registry; their install scripts are not run.
        own: folders of this repository to install, packed as they are published, each time anew.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            missing(program)
    folder = CACHE / name

    def make() -> None:
        folder.mkdir()
        (folder / "package.json").write_text('{"private": true, "type": "module"}')
        if packages:
            _npm(folder, "install", "--save-exact", *packages)

    with _made_once(folder, packages, make):
        for one in own:
            _npm(folder, "pack", str(ROOT / one))
        packed = [str(one) for one in folder.glob("*.tgz")]
        if packed:
            _npm(folder, "install", "--no-save", *packed)
            for one in packed:
                Path(one).unlink()
    return folder


def debian_packages(name: str, packages: Sequence[str]) -> Path:
    """A folder with packages of Debian, unpacked; skips the test when they cannot be had.

    Args:
        name: of the folder in the cache.
        packages: their names; what they depend on is not added.
    """
    for program in ("apt-get", "dpkg"):
        if shutil.which(program) is None:
            missing(program)
    folder = CACHE / name

    def make() -> None:
        folder.mkdir()
        _succeeds(["apt-get", "download", *packages], folder, ("E: ",), "Debian's archive")
        for package in folder.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, folder], check=True)
            package.unlink()

    with _made_once(folder, packages, make):
        return folder


@contextmanager
def _made_once(folder: Path, packages: Sequence[str], make: Callable[[], None]) -> Iterator[None]:
    """Make the folder unless it has these packages; the block has it for itself."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark = folder / "installed"
        wanted = hashlib.sha256(json.dumps([*packages]).encode()).hexdigest()
        if not mark.exists() or mark.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            make()
            mark.write_text(wanted)
        yield


def _install(python: Path, *what: str) -> None:
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "-q", *what]
    _succeeds(command, ROOT, ("No matching distribution", "Connection"), "the package index")


def _npm(folder: Path, *what: str) -> None:
    command = ["npm", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", *what]
    _succeeds(command, folder, ("network", "E404", "E403", "ETARGET"), "npm's registry")


def _succeeds(command: list[str], folder: Path, away: tuple[str, ...], whose: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1]
        if any(sign in done.stderr for sign in away):
            pytest.skip(f"{MISSING}{whose}: {reason}")
        pytest.fail(done.stderr)
