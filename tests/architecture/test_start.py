"""What a process loads when it starts: what contracts over the source cannot show."""

from __future__ import annotations

import subprocess
import sys

import pytest

TENSORS = ("torch", "numpy", "PIL", "photoward.models", "photoward.worker")
DOMAIN = ("errors", "jobs", "settings", "catalogue")


def loaded(*modules: str) -> set[str]:
    script = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    return set(
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout.split()
    )


@pytest.mark.parametrize(
    "module",
    ["http.app", "cli.up", "cli.serve", "cli.doctor"],
)
def test_a_face_starts_without_tensors(module: str) -> None:
    assert not {name for name in loaded(f"photoward.api.{module}") if name.startswith(TENSORS)}


def test_the_domain_needs_no_library_but_the_settings() -> None:
    heavy = {"numpy", "PIL", "sqlalchemy", "celery", "obstore", "fastapi", "structlog"}
    assert not heavy & loaded(*(f"photoward.core.{name}" for name in DOMAIN))


def test_who_asks_for_the_pool_gets_no_torch_before_it_forks() -> None:
    assert "torch" not in loaded("photoward.worker.celery_app")


@pytest.mark.parametrize("command", ["sync", "protect", "client"])
def test_a_command_loads_what_it_needs_when_it_needs_it(command: str) -> None:
    heavy = {"httpx", "sqlalchemy", "celery", "cryptography", "torch", "numpy", "PIL", "fastapi"}
    assert not heavy & loaded(f"photoward.api.cli.{command}")
