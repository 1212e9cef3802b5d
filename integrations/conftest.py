"""What the tests of all integrations share: a running service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.servers import running, short_folder
from tests.support.service import Service, service

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def photoward() -> Iterator[Service]:
    """A service of its own for each file of tests; those may stop and start it."""
    with short_folder() as folder:
        made = service(folder)
        with running(made.server):
            yield made
