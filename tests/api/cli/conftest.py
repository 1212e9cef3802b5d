"""What every test of the command line needs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """Options are written into the environment: each test gets it without ours."""
    before = dict(os.environ)
    for name in before:
        if "PHOTOWARD" in name or name == "REDIS_URL":
            del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(before)
