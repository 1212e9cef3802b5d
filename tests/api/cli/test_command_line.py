"""The table of commands, what is imported for it, and the exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.main import get_command

from photoward.api import cli
from photoward.api.cli.checks import machine
from photoward.core.errors import BadInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAVY = {"torch", "celery", "fastapi", "uvicorn", "sqlalchemy", "numpy", "PIL", "obstore"}


def leave_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int | str | None:
    def fail() -> None:
        raise error

    monkeypatch.setitem(cli.COMMANDS, "doctor", ("module:attribute", "Fails."))
    monkeypatch.setattr(cli, "load", lambda _target: fail)
    with pytest.raises(SystemExit) as caught:
        cli.main(["doctor"])
    return caught.value.code


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([name, "--help"])
    assert caught.value.code == 0
    assert f"photoward {name}" in capsys.readouterr().out


def test_the_overview_names_every_command_and_imports_none() -> None:
    script = (
        "import sys; from photoward.api.cli import main\n"
        "try: main(['--help'])\n"
        "finally: print('MODULES', *sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    overview, modules = shown.split("MODULES")
    assert all(name in overview for name in cli.COMMANDS)
    assert not HEAVY & set(modules.split())


@pytest.mark.skipif(
    any(Path(driver).exists() for driver in machine.DRIVERS), reason="a card is here to be asked"
)
def test_the_doctor_loads_no_tensors_to_say_that_there_is_no_card(tmp_path: Path) -> None:
    script = (
        "import sys; from photoward.api.cli import main\n"
        "try: main(['doctor', '--json'])\n"
        "finally: print('MODULES', *sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PHOTOWARD_DATA_DIR": str(tmp_path / "data")},
    ).stdout
    found, modules = shown.split("MODULES")
    assert "no CUDA device" in found
    assert not {"torch", "celery", "sqlalchemy", "alembic"} & set(modules.split())


@pytest.mark.parametrize("arguments", [["no-such-command"], ["up", "--no-such-option"], []])
def test_bad_usage_is_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2


def test_a_refusal_is_one_sentence_and_a_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave_with(monkeypatch, BadInput("truncated", "cat.jpg ends too early.")) == 2
    assert capsys.readouterr().err == "photoward: cat.jpg ends too early. Send the whole file.\n"


def test_our_own_trouble_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave_with(monkeypatch, Unavailable("The disk is gone.")) == 1
    assert capsys.readouterr().err == "photoward: The disk is gone.\n"


def test_an_interruption_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    assert leave_with(monkeypatch, KeyboardInterrupt()) == 130


@pytest.mark.parametrize("old", cli.RENAMED, ids=" ".join)
def test_an_old_command_names_the_new_one(
    old: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([*old, "--items", "5"])
    assert caught.value.code == 2
    assert f"is called `{cli.RENAMED[old]}` now" in capsys.readouterr().err


def options(command: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  # Click's
    for name, one in getattr(command, "commands", {}).items():
        yield from options(one, f"{path} {name}")
    for parameter in command.params:
        if parameter.name != "help":
            yield f"{path} {parameter.name}", parameter


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_option_says_what_it_does_and_its_default(name: str) -> None:
    command: Any = get_command(cli.application([name]))
    for place, option in options(command.commands[name], name):
        assert option.help, place
        if option.param_type_name == "option" and not option.required:
            shown = option.default is not None or isinstance(option.show_default, str)
            assert shown or option.is_flag, f"{place} has no default in its help"
