"""All of these start the whole service."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import findings
from tests.support.scale import scaled

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in this folder."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.system)
            item.add_marker(pytest.mark.timeout(scaled(300, 1800)))


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service sees no settings but the test's."""
    for name in list(os.environ):
        if name.startswith(("PHOTOWARD_", "AWS_")) or name in ("REDIS_URL", "DATABASE_URL"):
            monkeypatch.delenv(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what the faults did."""
    if not findings.FOUND:
        return
    terminalreporter.section("faults")
    for line in findings.lines():
        terminalreporter.write_line(line)
    if out := os.environ.get("PHOTOWARD_FAULTS_OUT"):
        findings.write(Path(out))
