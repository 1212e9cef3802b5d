"""Integrations stand alone: none imports the service, and each has what a site owner needs."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "integrations"
OTHERS = {"tests", "conftest.py", "node_modules", "build"}


def sources() -> list[Path]:
    found = [one.relative_to(ROOT) for one in ROOT.rglob("*.py")]
    return sorted(one for one in found if not OTHERS & set(one.parts))


def imported(source: str) -> set[str]:
    """Every module that a source text imports, anywhere in it."""
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules |= {f"{node.module}.{one.name}" for one in node.names}
    return modules


def is_service(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] == "photoward"


@pytest.mark.parametrize("path", sources(), ids=str)
def test_an_integration_imports_nothing_of_the_service(path: Path) -> None:
    assert not {one for one in imported((ROOT / path).read_text()) if is_service(one)}


@pytest.mark.parametrize(
    "planted", ["import photoward.core.errors", "def f():\n    from photoward import core"]
)
def test_a_planted_import_is_found(planted: str) -> None:
    assert any(map(is_service, imported(planted)))


@pytest.mark.parametrize(
    ("folder", "manifest"),
    [
        ("clients/javascript", "package.json"),
        ("clients/php", "composer.json"),
        ("clients/python", "pyproject.toml"),
        ("django", "pyproject.toml"),
        ("picgo", "package.json"),
        ("thumbor", "pyproject.toml"),
        ("uppy", "package.json"),
    ],
)
def test_each_has_a_manifest_a_readme_and_a_licence(folder: str, manifest: str) -> None:
    names = {one.name for one in (ROOT / folder).iterdir()}
    assert {"README.md", "LICENSE", "tests", manifest} <= names


def test_the_overview_names_each() -> None:
    overview = (ROOT / "README.md").read_text()
    found = {one.relative_to(ROOT).as_posix() for one in ROOT.glob("*/**/README.md")}
    own = {one for one in found if not OTHERS & set(one.split("/"))}
    assert not {one for one in own if f"]({one})" not in overview}
