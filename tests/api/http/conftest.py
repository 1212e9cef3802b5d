"""A service a module for tests that leave it as it is, and a factory for those that do not."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from tests.api.http.service import Service, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    ServiceFactory = Callable[..., Service]


@pytest.fixture(scope="package", autouse=True)
def quiet() -> Iterator[None]:
    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service")) as made:
        yield made


@pytest.fixture
def make_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceFactory]:
    with ExitStack() as stack:

        def make(**more: Any) -> Service:  # noqa: ANN401  # passed on
            return stack.enter_context(serving(tmp_path_factory.mktemp("service"), **more))

        yield make
