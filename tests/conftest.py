"""Real servers as fixtures, one each a session, started when a test first asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.servers import (
    MISSING,
    postgres_server,
    redis_server,
    running,
    seaweed_server,
    short_folder,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Celery URL of a private Redis-protocol server."""
    with short_folder() as folder, running(redis_server(folder)):
        yield f"redis+socket://{folder}/redis.sock?virtual_host=0"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a PostgreSQL server's maintenance database; make your own beside it."""
    with short_folder() as folder:
        server, url = postgres_server(folder)
        with running(server):
            yield url


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """Endpoint of an S3 server with the bucket and keys that ``tests.support.servers`` names."""
    with short_folder() as folder:
        server, endpoint = seaweed_server(folder)
        with running(server):
            yield endpoint


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each server whose tests did not run, once."""
    reasons = {
        report.longrepr[2].partition(MISSING)[2]
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and MISSING in report.longrepr[2]
    }
    for what in sorted(reasons):
        terminalreporter.write_line(f"NOT TESTED, {MISSING}{what}", yellow=True)
