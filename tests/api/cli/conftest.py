"""What every test of the command line needs."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options are written into the environment: each test gets a copy without ours."""
    kept = {k: v for k, v in os.environ.items() if "PHOTOWARD" not in k and k != "REDIS_URL"}
    monkeypatch.setattr(os, "environ", kept)
