"""What every test of the command line needs."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from photoward.api.cli import main
from photoward.core.ledger import open_ledger
from photoward.core.settings import Settings
from photoward.models.methods.registry import METHODS
from tests.support import surrogates
from tests.support.quick import QUICK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from photoward.core.ledger import Ledger

    Command = Callable[..., tuple[object, str, str]]


@pytest.fixture(autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Options are written into the environment: each test gets it without ours, and a home."""
    before = dict(os.environ)
    for name in before:
        if "PHOTOWARD" in name or name == "REDIS_URL":
            del os.environ[name]
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("home"))
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def surrogate_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("surrogates")
    surrogates.write(folder)
    return folder


@pytest.fixture
def quick_engine(surrogate_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny surrogate and a short SEM for the commands that protect."""
    monkeypatch.setitem(METHODS, "sem", QUICK)
    os.environ |= {
        "PHOTOWARD_ENGINE_SURROGATE": "tiny",
        "PHOTOWARD_ENGINE_METHOD": "sem",
        "PHOTOWARD_ENGINE_SURROGATE_DIRS": json.dumps([str(surrogate_dir)]),
        "PHOTOWARD_DATA_DIR": str(tmp_path / "data"),
        "PHOTOWARD_IMAGING_PROCESSES": "1",
    }


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``photoward …`` on a data folder: exit code, standard output, standard error."""
    os.environ["PHOTOWARD_DATA_DIR"] = str(tmp_path)

    def run(*arguments: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        said = capsys.readouterr()
        return caught.value.code, said.out.strip(), said.err

    return run


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """The ledger of the folder that ``command`` works on."""
    opened = open_ledger(Settings(data_dir=tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """An entry for each connection that a client opens."""
    opened: list[object] = []
    real = socket.create_connection

    def counted(*arguments: Any, **more: Any) -> socket.socket:  # noqa: ANN401  # passed on
        opened.append(arguments)
        return real(*arguments, **more)

    monkeypatch.setattr(socket, "create_connection", counted)
    return opened
