"""All of these start the whole service."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in this folder."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.system)
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service sees no settings but the test's."""
    for name in list(os.environ):
        if name.startswith(("PHOTOWARD_", "AWS_")) or name in ("REDIS_URL", "DATABASE_URL"):
            monkeypatch.delenv(name)
