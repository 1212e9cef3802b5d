"""A service, and a WordPress with the plug-in."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from integrations.wordpress.tests.site import UnreachableError, running, sqlite_site
from tests.api.http.service import Service, serving, working

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from integrations.wordpress.tests.site import Site


@contextmanager
def installed_site(folder: Path) -> Iterator[Site]:
    """A WordPress with the plug-in, or a skip where no registry answers."""
    if shutil.which("php") is None:
        pytest.skip("missing server: php")
    try:
        site = sqlite_site(folder)
    except UnreachableError as error:
        pytest.skip(f"no WordPress: {error}")
    site.install_plugin()
    site.save()
    with running(site):
        yield site


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with installed_site(tmp_path_factory.mktemp("wordpress")) as site:
        yield site


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with serving(tmp_path / "data") as made, working(made):
        yield made


@pytest.fixture
def site(installed: Site, service: Service) -> Site:
    """As it was after the installation, with the service of this test."""
    installed.reset()
    installed.set(url=service.url)
    return installed
