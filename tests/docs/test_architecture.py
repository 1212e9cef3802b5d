"""The walks of docs/architecture.md name calls that exist."""

from __future__ import annotations

import ast
import re

import pytest

from docs.tables import ROOT

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
CALLS = re.findall(r"^\d+\. `([\w.]+)`", ARCHITECTURE, re.MULTILINE)

MOST_CALLS = 10

DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def test_no_walk_is_longer_than_ten_calls() -> None:
    walks = re.split(r"^### ", ARCHITECTURE, flags=re.MULTILINE)[1:]
    assert len(walks) >= 6
    assert all(len(re.findall(r"^\d+\. ", walk, re.MULTILINE)) <= MOST_CALLS for walk in walks)


@pytest.mark.parametrize("call", sorted(set(CALLS)))
def test_each_call_exists(call: str) -> None:
    """Read from the source: importing the worker's application would read the environment."""
    room, *names = call.split(".")
    place = ROOT / room / "photoward" / room
    while (place / names[0]).is_dir() or (place / f"{names[0]}.py").is_file():
        place /= names.pop(0)
        if not names:
            return
    body: list[ast.stmt] = ast.parse(place.with_suffix(".py").read_text()).body
    for name in names:
        (found,) = (one for one in body if isinstance(one, DEFINITIONS) and one.name == name)
        body = found.body
