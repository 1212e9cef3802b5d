"""A real browser, for which some foreign names are this machine."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
import structlog
from playwright.sync_api import Browser, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

CHROMIUM = "/usr/bin/chromium"
REBOUND = ("evil.example", "rebound.example")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-features=LocalNetworkAccessChecks",  # of this browser alone: others ask nobody
    "--host-resolver-rules=" + ", ".join(f"MAP {name} 127.0.0.1" for name in REBOUND),
]  # fmt: skip


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if not shutil.which(CHROMIUM):
        missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        missing("missing on this machine: chromium")
    with sync_playwright() as play, play.chromium.launch(
        executable_path=CHROMIUM, args=FLAGS
    ) as launched:  # fmt: skip
        yield launched


@pytest.fixture(scope="package", autouse=True)
def quiet() -> Iterator[None]:
    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()
